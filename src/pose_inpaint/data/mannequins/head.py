"""Head, face, hair and hats, in shares of stature above the chin."""

from collections.abc import Callable

import numpy as np

from pose_inpaint.data.mannequins.appearance import Look, mixed
from pose_inpaint.data.mannequins.geometry import Matrix, Vector, add, apply
from pose_inpaint.data.mannequins.materials import Local, Material, Paint, cover, edge, solid_colour
from pose_inpaint.data.mannequins.noise import Array
from pose_inpaint.data.mannequins.shapes import Solid, cone, ellipsoid

Blob = tuple[Vector, Vector]  # centre and half axes, as shares of stature

# Head of height 0.130, breadth 0.087 and length 0.112 of stature: Winter 2009 and the ANSUR 1988 means.
SKULL: Blob = ((0.0, 0.074, -0.002), (0.0435, 0.057, 0.056))
JAW: Blob = ((0.0, 0.036, 0.012), (0.034, 0.037, 0.039))
HAIR: dict[str, tuple[Blob, ...]] = {
    "crop": (((0.0, 0.080, -0.007), (0.0455, 0.054, 0.057)),),
    "short": (((0.0, 0.083, -0.007), (0.0485, 0.057, 0.060)),),
    "bob": (((0.0, 0.083, -0.007), (0.049, 0.057, 0.060)), ((0.0, 0.046, -0.022), (0.053, 0.056, 0.042))),
    "long": (((0.0, 0.083, -0.007), (0.049, 0.057, 0.060)), ((0.0, 0.020, -0.034), (0.052, 0.085, 0.034))),
    "ponytail": (((0.0, 0.081, -0.007), (0.0465, 0.055, 0.059)), ((0.0, 0.038, -0.076), (0.014, 0.055, 0.018))),
    "bun": (((0.0, 0.081, -0.007), (0.0465, 0.055, 0.059)), ((0.0, 0.124, -0.042), (0.024, 0.022, 0.024))),
    "afro": (((0.0, 0.098, -0.022), (0.074, 0.070, 0.072)),),
    "bald": (),
}
HATS: dict[str, tuple[Blob, ...]] = {
    "none": (),
    "cap": (((0.0, 0.100, -0.004), (0.050, 0.048, 0.062)), ((0.0, 0.089, 0.068), (0.038, 0.005, 0.034))),
    "beanie": (((0.0, 0.104, -0.008), (0.052, 0.052, 0.063)),),
    "sun_hat": (((0.0, 0.104, -0.004), (0.052, 0.050, 0.062)), ((0.0, 0.096, -0.002), (0.095, 0.006, 0.100))),
    "headband": (((0.0, 0.103, -0.004), (0.0475, 0.008, 0.0585)),),
}


def head_solids(look: Look, neck: Vector, frame: Matrix, material: Callable[[str], int]) -> list[Solid]:
    """Build the solids of a head.

    Args:
        look: Appearance of the person.
        neck: Neck joint in metres.
        frame: Frame of the head.
        material: Function from "face", "hair", "hat" or "skin" to the index of the material.
    """
    size = look.stature

    def blob(shape: Blob, name: str) -> Solid:
        centre = (shape[0][0] * size, shape[0][1] * size, shape[0][2] * size)
        radii = (shape[1][0] * size, shape[1][1] * size, shape[1][2] * size)
        return ellipsoid(add(neck, apply(frame, centre)), frame, radii, material(name), centre)

    solids = [blob(SKULL, "face"), blob(JAW, "face")]
    solids += [blob(((side * 0.044, 0.057, -0.006), (0.006, 0.016, 0.011)), "skin") for side in (-1.0, 1.0)]
    bridge, tip = (apply(frame, (0.0, y * size, z * size)) for y, z in ((0.064, 0.050), (0.046, 0.058)))
    solids.append(cone(add(neck, bridge), add(neck, tip), (0.005 * size, 0.008 * size), material("skin")))
    hair = HAIR[look.hair_style]
    if look.hat in ("cap", "beanie", "sun_hat"):  # flatten the hair under the hat
        hair = tuple(((c[0], c[1] - 0.006, c[2]), (r[0] * 0.97, r[1] * 0.9, r[2] * 0.97)) for c, r in hair)
        hair = HAIR["crop"] if look.hair_style in ("afro", "bun") else hair
    solids += [blob(shape, "hair") for shape in hair]
    return solids + [blob(shape, "hat") for shape in HATS[look.hat]]


def head_materials(look: Look) -> dict[str, Material]:
    """Return the materials that only the head uses."""
    return {
        "face": Material(_face(look), gloss=0.12),
        "hair": Material(solid_colour(look.hair), gloss=0.22, relief=0.5, grain=0.018),
        "hat": Material(solid_colour(look.hat_colour), relief=0.12),
    }


def _face(look: Look) -> Paint:
    """Return the paint of a face: eyes, brows, mouth, beard and glasses on skin."""
    lips = mixed(look.skin, (0.75, 0.34, 0.32) if sum(look.skin) < 1.1 else (0.62, 0.16, 0.16), 0.5)
    blush, hollow = mixed(look.skin, (0.8, 0.3, 0.25), 0.3), mixed(look.skin, (0.13, 0.05, 0.04), 0.35)
    brow = mixed(look.hair, (0.08, 0.06, 0.05), 0.4)
    size = look.stature

    def paint(local: Local, table: Array) -> Array:
        x, y, z = (part / size for part in local)
        front = edge(z - 0.018, 0.012)
        aside = np.abs(x)  # paints both halves of the face at once
        skin = solid_colour(look.skin)(local, table)
        skin = cover(skin, blush, front * _spot(aside - 0.023, y - 0.044, 0.012, 0.010))
        if look.beard:
            bearded = edge(0.036 - y + 0.6 * np.maximum(aside - 0.012, 0.0), 0.008) * edge(z + 0.008, 0.02)
            skin = cover(skin, brow, 0.85 * bearded)
        skin = cover(skin, hollow, front * _spot(aside - 0.018, y - 0.067, 0.0145, 0.010))
        skin = cover(skin, (0.93, 0.92, 0.90), front * _spot(aside - 0.018, y - 0.066, 0.0105, 0.0055))
        skin = cover(skin, (0.10, 0.07, 0.05), front * _spot(aside - 0.018, y - 0.066, 0.0055, 0.0058))
        skin = cover(skin, brow, front * _spot(aside - 0.019, y - 0.081, 0.0125, 0.0036))
        skin = cover(skin, hollow, front * _spot(x, y - 0.043, 0.010, 0.004))
        skin = cover(skin, lips, front * _spot(x, y - 0.026, 0.0155, 0.005))
        if look.glasses:
            rim = _spot(aside - 0.0195, y - 0.066, 0.0175, 0.0135)
            skin = cover(skin, (0.07, 0.07, 0.08), 0.85 * edge(z - 0.0, 0.01) * rim * edge(0.92 - rim, 0.2))
        return skin

    return paint


def _spot(x: Array, y: Array, wide: float, high: float) -> Array:
    """Return the coverage of an ellipse with soft edges: 1 inside, 0 outside."""
    return np.clip(1.5 - 1.25 * (x * x / (wide * wide) + y * y / (high * high)), 0.0, 1.0)
