"""Positions and normals of the samples in the depth buffer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_inpaint.data.mannequins.camera import Array, Camera
from pose_inpaint.data.mannequins.geometry import compose
from pose_inpaint.data.mannequins.shapes import Buffer, Solid


@dataclass(frozen=True)
class Surface:
    """Samples that show a solid; every array has shape (samples,).

    Attributes:
        index: Flat index in the buffer.
        owner: Index of the solid.
        local: Local coordinates plus `Solid.origin` in metres.
        normal: Unit normal in the world.
        facing: Component of the normal towards the camera, in [0, 1].
    """

    index: NDArray[np.intp]
    owner: NDArray[np.int32]
    local: tuple[Array, Array, Array]
    normal: tuple[Array, Array, Array]
    facing: Array


def surface(buffer: Buffer, solids: Sequence[Solid], camera: Camera) -> Surface:
    """Compute local coordinates and normal of every sample that shows a solid.

    Args:
        buffer: Buffer that `rasterise` drew with the same solids and camera.
        solids: Solids in the buffer.
        camera: Camera of the buffer.
    """
    size = len(buffer.depth)
    index = np.flatnonzero(buffer.owner.reshape(-1) >= 0)
    owner = buffer.owner.reshape(-1)[index]
    depth = buffer.depth.reshape(-1)[index]
    x = (index % size + (0.5 - camera.centre[0])) / camera.focal * depth
    y = (index // size + (0.5 - camera.centre[1])) / camera.focal * depth
    table = np.array([_row(solid, camera) for solid in solids]).T.take(owner, axis=1)
    px, py, pz = x - table[0], y - table[1], depth - table[2]
    local = [px * table[3 + j] + py * table[6 + j] + pz * table[9 + j] for j in range(3)]
    beyond = local[1] - np.clip(local[1], -table[15], 0.0)
    # Gradient of the quadric in local axes; the normal of a box is that of the face nearest to the sample.
    own = [local[0] * table[12], beyond * table[13], local[2] * table[14]]
    boxes = table[19] > 0.0
    if boxes.any():
        sides = [np.abs(local[j]) * table[16 + j] for j in range(3)]
        widest = np.maximum(np.maximum(sides[0], sides[1]), sides[2])
        own = [np.where(boxes, np.where(sides[j] >= widest, np.sign(local[j]), 0.0), own[j]) for j in range(3)]
    seen = [own[0] * table[3 + 3 * k] + own[1] * table[4 + 3 * k] + own[2] * table[5 + 3 * k] for k in range(3)]
    norm = np.sqrt(seen[0] * seen[0] + seen[1] * seen[1] + seen[2] * seen[2]) + 1e-12
    seen = [part / norm for part in seen]
    r = camera.rotation
    normal = [seen[0] * r[0][k] + seen[1] * r[1][k] + seen[2] * r[2][k] for k in range(3)]
    placed = (local[0] + table[20], local[1] + table[21], local[2] + table[22])
    return Surface(index, owner, placed, (normal[0], normal[1], normal[2]), np.maximum(-seen[2], 0.0))


def _row(solid: Solid, camera: Camera) -> list[float]:
    """Return centre (0-2), axes (3-11), gradient (12-14), span (15), box (16-19) and origin (20-22) of a solid."""
    axes = compose(camera.rotation, solid.frame)
    radii = (solid.radii[0],) * 3 if solid.kind == "cone" else solid.radii
    return [
        *camera.view(solid.centre),
        *(axes[k][j] for k in range(3) for j in range(3)),
        1.0 / (radii[0] * radii[0]),
        solid.bulge / (radii[1] * radii[1]),
        1.0 / (radii[2] * radii[2]),
        solid.span,
        *(1.0 / radius for radius in radii),
        1.0 if solid.kind == "box" else 0.0,
        *solid.origin,
    ]
