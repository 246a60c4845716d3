"""Materials of the clothed body."""

import numpy as np

from pose_inpaint.data.mannequins.appearance import Cloth, Look, mixed
from pose_inpaint.data.mannequins.head import head_materials
from pose_inpaint.data.mannequins.materials import Local, Material, Paint, cover, edge, overlay, solid_colour, woven
from pose_inpaint.data.mannequins.noise import Array
from pose_inpaint.data.mannequins.skeleton import BONE_SHARES

SHOULDER_HEIGHT = BONE_SHARES["loin"] + BONE_SHARES["ribcage"]


def body_materials(look: Look) -> dict[str, Material]:
    """Return the materials of a person by name: those of the head and of the body.

    Args:
        look: Appearance of the person.
    """
    sleeve = look.top_cloth
    if sleeve.pattern in ("print", "band"):  # only on the chest
        sleeve = Cloth(sleeve.colour, sleeve.second, "plain", sleeve.period)
    lower = sleeve if look.top == "dress" else look.bottom_cloth
    heavy = 0.3 if look.bottom != "leggings" else 0.12
    return {
        "skin": Material(solid_colour(look.skin), gloss=0.12, relief=0.05, grain=0.05),
        "trunk": Material(_trunk(look), gloss=0.03, relief=0.26, grain=0.07),
        "sleeve": Material(woven(sleeve), gloss=0.03, relief=0.3, grain=0.05),
        "bottom": Material(woven(look.bottom_cloth), gloss=0.03, relief=heavy, grain=0.06),
        "skirt": Material(woven(lower), gloss=0.03, relief=0.35, grain=0.05),
        "sock": Material(woven(look.sock), relief=0.1),
        "shoe": Material(_shoe(look), gloss=0.25),
        "sole": Material(solid_colour(look.sole)),
        **head_materials(look),
    }


def _trunk(look: Look) -> Paint:
    """Return the paint of the trunk: the top with neckline and opening, and the bottom or skin around it."""
    size = look.stature

    def paint(local: Local, table: Array) -> Array:
        x, y, z = (part / size for part in local)
        skin = solid_colour(look.skin)(local, table)
        colours = skin if look.top == "bare" else woven(look.top_cloth)(local, table)
        aside, soft = np.abs(x), 0.006
        if look.top in ("open_shirt", "jacket"):
            gap = edge(0.022 + 0.10 * np.maximum(0.05 - y, 0.0) - aside, soft) * (z > 0.0)
            inner = woven(look.inner_cloth)(local, table)
            colours = overlay(colours, inner, gap)
            seam = edge(0.005 - np.abs(aside - 0.027), soft) * (z > 0.0)
            colours = colours * (1.0 - 0.3 * seam)
        if look.top == "tank_top":
            armhole = edge(aside - 0.066 + 0.25 * np.maximum(y - 0.24, 0.0), soft) * edge(y - 0.205, soft)
            colours = overlay(colours, skin, armhole)
        depth = look.neckline * np.where(z > 0.0, 1.0, 0.35)
        rise = np.maximum(SHOULDER_HEIGHT + 0.012 - y, 0.0) / depth
        open_neck = edge(1.0 - rise * rise - (aside / 0.046) * (aside / 0.046), 0.25) * (y > 0.2)
        if look.top != "bare":
            colours = overlay(colours, skin, open_neck)
        if look.top != "dress":
            lower = woven(look.bottom_cloth)(local, table)
            hem = look.hem if look.tail == 0.0 else -0.06  # an untucked shirt covers the waistband
            belt = edge(0.007 - np.abs(y - hem + 0.007), 0.004) if look.tail == 0.0 else 0.0 * y
            lower = cover(lower, mixed(look.shoe, (0.1, 0.08, 0.06), 0.6), belt)
            colours = overlay(colours, lower, edge(hem - y, soft))
        return colours

    return paint


def _shoe(look: Look) -> Paint:
    """Return the paint of a shoe with laces."""

    def paint(local: Local, table: Array) -> Array:
        x, y, z = (part / look.stature for part in local)
        laces = edge(0.010 - np.abs(x), 0.006) * edge(y - 0.008, 0.006) * edge(0.5 - np.abs(z * 90.0 % 2.0 - 1.0), 0.3)
        return cover(solid_colour(look.shoe)(local, table), mixed(look.sole, look.shoe, 0.2), laces)

    return paint
