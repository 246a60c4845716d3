"""Lighting: shading of solids, self-shadows and shadows on the floor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_inpaint.data.mannequins.appearance import Colour
from pose_inpaint.data.mannequins.camera import Camera
from pose_inpaint.data.mannequins.chance import around, happens, uniform
from pose_inpaint.data.mannequins.geometry import Vector, add, apply, between, sine, unit
from pose_inpaint.data.mannequins.materials import Material, edge
from pose_inpaint.data.mannequins.noise import Array, value_noise
from pose_inpaint.data.mannequins.shapes import FAR, Buffer, Solid, end_of
from pose_inpaint.data.mannequins.surface import Surface


@dataclass(frozen=True)
class Light:
    """Distant light and ambient light.

    Attributes:
        towards: Unit vector in the world from the scene to the light.
        colour: Colour of the distant light.
        ambient: Colour of the ambient light, which is strongest from above.
        softness: Softness of shadows, from 0 (hard) to 1 (overcast sky).
    """

    towards: Vector
    colour: Colour
    ambient: Colour
    softness: float


def draw_light(rng: np.random.Generator, outdoors: bool) -> Light:
    """Draw a light from above, mostly from the camera's side.

    Args:
        rng: Random generator of the image.
        outdoors: True for sun and sky, False for lamps and windows.
    """
    azimuth, height = around(rng, 0.0, 120.0), uniform(rng, 28.0, 68.0)
    flat = sine(90.0 - height)
    towards = unit((flat * sine(azimuth), sine(height), -flat * sine(90.0 + azimuth)))
    warm = around(rng, 0.03 if outdoors else 0.05, 0.07)
    softness = uniform(rng, 0.5, 1.0) if happens(rng, 0.4) or not outdoors else uniform(rng, 0.0, 0.35)
    strength = 0.78 - 0.38 * softness
    fill = 0.44 + 0.26 * softness
    cool = -0.02 if outdoors else 0.02
    return Light(
        towards,
        (strength * (1.0 + warm), strength, strength * (1.0 - 1.3 * warm)),
        (fill * (1.0 + cool), fill, fill * (1.0 - cool)),
        softness,
    )


def shade(
    surface: Surface,
    solids: Sequence[Solid],
    materials: Sequence[Material],
    light: Light,
    shaded: Array,
    table: Array,
) -> Array:
    """Shade the visible samples.

    Args:
        surface: Visible samples.
        solids: Solids that `surface.owner` indexes.
        materials: Materials that the solids index.
        light: Light of the scene.
        shaded: Visibility of the light, from 0 (shadow) to 1 (open), shape (samples,).
        table: Noise table.

    Returns:
        Colours of shape (3, samples), roughly in [0, 1].
    """
    kind = np.array([solid.material for solid in solids])[surface.owner]
    colours, gloss = np.zeros((3, len(kind))), np.zeros(len(kind))
    relief = np.ones(len(kind))
    for number, material in enumerate(materials):
        chosen = np.flatnonzero(kind == number)
        if not len(chosen):
            continue
        local = (surface.local[0][chosen], surface.local[1][chosen], surface.local[2][chosen])
        colours[:, chosen] = material.paint(local, table)
        gloss[chosen] = material.gloss
        if material.relief > 0.0:
            rough = value_noise(
                table, (local[0] + local[2]) / material.grain, (local[1] + 0.4 * local[0]) / (1.4 * material.grain)
            )
            relief[chosen] = 1.0 + material.relief * (rough - 0.55)
    nx, ny, nz = surface.normal
    lx, ly, lz = light.towards
    lit = nx * lx + ny * ly + nz * lz
    wrap = 0.15 + 0.25 * light.softness  # soft light reaches past the terminator
    diffuse = np.maximum((lit + wrap) / (1.0 + wrap), 0.0) * shaded
    sky = (0.78 + 0.22 * ny) * (0.72 + 0.28 * surface.facing)
    shine = np.maximum(lit, 0.0) * surface.facing
    shine = gloss * shaded * shine * shine * shine * shine  # products, since power is not exact across machines
    return np.stack(
        [colours[k] * relief * (light.ambient[k] * sky + light.colour[k] * diffuse) + 0.5 * shine for k in range(3)]
    )


def self_shadow(buffer: Buffer, camera: Camera, light: Light) -> Array:
    """Estimate shadows of nearby solids on each other from the depth buffer alone.

    Args:
        buffer: Depth buffer.
        camera: Camera that the buffer was drawn with.
        light: Light of the scene.

    Returns:
        Visibility of the light, from 0.24 (shadow) to 1 (open), shape (size, size).
    """
    depth, size = buffer.depth, len(buffer.depth)
    x, y, z = apply(camera.rotation, light.towards)
    open_light = np.ones((size, size))
    near = float(depth.min())
    if near >= FAR:
        return open_light
    for reach in (0.035, 0.08, 0.15):  # metres towards the light
        across, down = (round(reach * part * camera.focal / (near + 0.5)) for part in (x, y))
        ahead = np.full((size, size), FAR)
        rows, columns = _overlap(size, down), _overlap(size, across)
        ahead[rows[0], columns[0]] = depth[rows[1], columns[1]]
        gap = depth + reach * z - ahead
        open_light = np.where((gap > 0.015) & (gap < 0.35), open_light * (0.62 + 0.12 * light.softness), open_light)
    return open_light


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Return the overlap of an axis with its copy shifted by `shift` samples, as slices of both."""
    if shift >= 0:
        return slice(0, max(size - shift, 0)), slice(min(shift, size), size)
    return slice(min(-shift, size), size), slice(0, max(size + shift, 0))


def ground_shadow(solids: Sequence[Solid], x: Array, z: Array, light: Light) -> Array:
    """Compute shadows of solids on the floor; blur grows with their height.

    Args:
        solids: Solids that cast shadows.
        x: World x of points on the floor in metres, shape (points,).
        z: World z of the points in metres, shape (points,).
        light: Light of the scene.

    Returns:
        Darkness from 0 (open) to 1 (full shadow), shape (points,).
    """
    dark = np.zeros_like(x)
    casters = [caster for solid in solids if (caster := _shadow_of(solid, light)).radius >= 0.03]
    if not casters:
        return dark
    left, right = min(c.left for c in casters), max(c.right for c in casters)
    near, far = min(c.near for c in casters), max(c.far for c in casters)
    where = np.flatnonzero((x > left) & (x < right) & (z > near) & (z < far))
    dark[where] = 1.0 - _open_light(casters, x[where], z[where])
    return dark


@dataclass(frozen=True)
class _Shadow:
    """Shadow of a solid: a stroke on the floor with its radius, blur and bounding box, in metres."""

    start: tuple[float, float]
    end: tuple[float, float]
    radius: float
    blur: float

    @property
    def left(self) -> float:
        return min(self.start[0], self.end[0]) - self.radius - self.blur

    @property
    def right(self) -> float:
        return max(self.start[0], self.end[0]) + self.radius + self.blur

    @property
    def near(self) -> float:
        return min(self.start[1], self.end[1]) - self.radius - self.blur

    @property
    def far(self) -> float:
        return max(self.start[1], self.end[1]) + self.radius + self.blur


def _shadow_of(solid: Solid, light: Light) -> _Shadow:
    start, end = solid.centre, solid.centre
    radius = 0.8 * sum(solid.radii) / 3.0
    if solid.kind == "cone":
        end, radius = end_of(solid), max(solid.radii[0], solid.radii[1])
    (ax, _, az), (bx, _, bz) = (_cast(point, light) for point in (start, end))
    blur = 0.03 + (0.05 + 0.35 * light.softness) * max(between(start, end, 0.5)[1], 0.0)
    return _Shadow((ax, az), (bx, bz), radius, blur)


def _open_light(shadows: Sequence[_Shadow], x: Array, z: Array) -> Array:
    """Return the share of the light that reaches points of the floor through all shadows."""
    remaining = np.ones_like(x)
    for shadow in shadows:
        where = np.flatnonzero((x > shadow.left) & (x < shadow.right) & (z > shadow.near) & (z < shadow.far))
        if not len(where):
            continue
        dx, dz = shadow.end[0] - shadow.start[0], shadow.end[1] - shadow.start[1]
        px, pz = x[where] - shadow.start[0], z[where] - shadow.start[1]
        share = np.clip((px * dx + pz * dz) / max(dx * dx + dz * dz, 1e-9), 0.0, 1.0)
        px, pz = px - share * dx, pz - share * dz
        strength = min(1.0, shadow.radius / shadow.blur)
        dark = edge(shadow.radius - np.sqrt(px * px + pz * pz), 2.0 * shadow.blur) * strength
        remaining[where] = np.minimum(remaining[where], 1.0 - dark) * (1.0 - 0.25 * dark)
    return remaining


def _cast(point: Vector, light: Light) -> Vector:
    """Project a point onto the floor; the softer the light, the more nearly straight down."""
    slant = (1.0 - 0.6 * light.softness) * max(point[1], 0.0) / light.towards[1]
    return add(point, light.towards, -slant)
