"""Appearance of a person: build, skin and hair tones, and clothes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose_inpaint.data.mannequins.chance import around, happens, pick, pick_weighted, uniform

Colour = tuple[float, float, float]

# Monk Skin Tone Scale, Google 2022 (skintone.google), in sRGB.
SKIN_TONES: tuple[str, ...] = (
    "f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420",
)  # fmt: skip
HAIR_TONES: Mapping[str, float] = {
    "17120f": 3.0, "2b1d14": 3.0, "47301d": 2.5, "6b4a2b": 2.0, "8f6a3c": 1.2, "c5a15f": 1.2, "dcc791": 0.6,
    "8a3b1e": 0.6, "8f8b86": 0.6, "d8d5d0": 0.4,
}  # fmt: skip
CLOTH_TONES: tuple[str, ...] = (
    "f2f2ee", "e8e2d4", "1d1f24", "2b2f3a", "3d434d", "7b8088", "b9bcc0", "1f2f5c", "2f56a6", "4f8fd0", "9cc4e6",
    "0f5a56", "2f8f6b", "5c7f3a", "a8b86a", "7a1f28", "c22f33", "e2574c", "e98a3a", "f0c24b", "f4e3a1", "6a3d7c",
    "a678b8", "d77fa1", "f0b8c4", "6b4a32", "a37c52", "c9a97c",
)  # fmt: skip
TROUSER_TONES: tuple[str, ...] = (
    "1c1e22", "26304a", "35507f", "5778a3", "8aa5c2", "3a3f47", "6d7075", "a49a84", "c8b893", "6a5440", "4a5138",
    "e6e3da", "2f2a2a", "702a33",
)  # fmt: skip
SHOE_TONES: tuple[str, ...] = (
    "f3f3f0", "1b1b1d", "2a2523", "6b4527", "93643a", "c23a34", "2d58a8", "8b8f95", "e4d9b0", "3c8a66", "e2e24a",
)  # fmt: skip
PATTERNS: Mapping[str, float] = {
    "plain": 4.0, "stripes": 1.6, "pinstripes": 0.7, "checks": 1.1, "dots": 0.7, "print": 1.8, "band": 0.9,
    "flowers": 0.6,
}  # fmt: skip
TOPS: Mapping[str, float] = {
    "t_shirt": 3.2, "long_sleeve": 2.2, "open_shirt": 0.9, "tank_top": 1.2, "jacket": 0.9, "dress": 1.2, "bare": 0.35,
}  # fmt: skip
BOTTOMS: Mapping[str, float] = {"trousers": 3.2, "shorts": 2.4, "skirt": 0.9, "leggings": 1.0}
HAIR_STYLES: Mapping[str, float] = {
    "short": 3.0, "crop": 1.5, "bob": 1.2, "long": 1.6, "ponytail": 1.1, "bun": 0.8, "afro": 0.7, "bald": 0.6,
}  # fmt: skip
HATS: Mapping[str, float] = {"none": 6.0, "cap": 1.1, "beanie": 0.4, "sun_hat": 0.3, "headband": 0.3}


@dataclass(frozen=True)
class Cloth:
    """Cloth with a pattern in two colours.

    Attributes:
        colour: Main colour, RGB in [0, 1].
        second: Colour of the pattern, RGB in [0, 1].
        pattern: Key of PATTERNS.
        period: Period of the pattern in metres.
    """

    colour: Colour
    second: Colour
    pattern: str
    period: float


@dataclass(frozen=True)
class Look:
    """Appearance of a person. Stature is in metres; girth, shoulders and hips are relative to the average."""

    stature: float
    girth: float
    shoulders: float
    hips: float
    skin: Colour
    hair: Colour
    hair_style: str
    hat: str
    hat_colour: Colour
    beard: bool
    glasses: bool
    top: str
    top_cloth: Cloth
    inner_cloth: Cloth
    sleeve: float
    hem: float
    tail: float
    neckline: float
    bottom: str
    bottom_cloth: Cloth
    leg: float
    looseness: float
    sock: Cloth
    sock_height: float
    shoe: Colour
    sole: Colour


def rgb(code: str) -> Colour:
    """Convert six hexadecimal digits to RGB in [0, 1]."""
    return (int(code[0:2], 16) / 255.0, int(code[2:4], 16) / 255.0, int(code[4:6], 16) / 255.0)


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """Mix two colours; share 0 gives a, 1 gives b."""
    return (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2]))


def draw_look(rng: np.random.Generator) -> Look:
    """Draw the appearance of a person.

    Hair, beard and clothes match the build; skin tones are uniform over the Monk scale.

    Args:
        rng: Random generator of the image.
    """
    slim = happens(rng, 0.5)  # narrow shoulders and wide hips, or the reverse
    style = pick_weighted(rng, HAIR_STYLES)
    top = pick_weighted(rng, TOPS)
    top = {("dress", False): "t_shirt", ("bare", True): "tank_top"}.get((top, slim), top)
    bottom = pick_weighted(rng, BOTTOMS)
    bottom = "trousers" if bottom in ("skirt", "leggings") and not slim else bottom
    sleeves = {"t_shirt": (0.4, 0.75), "dress": (0.0, 0.8), "tank_top": (0.0, 0.0), "bare": (0.0, 0.0)}
    step = uniform(rng, 0.0, 8.99)
    tone = mixed(rgb(SKIN_TONES[int(step)]), rgb(SKIN_TONES[int(step) + 1]), step - int(step))
    skin = mixed(tone, (0.86, 0.52, 0.40), 0.16)  # the swatches lack the red of lit skin
    return Look(
        stature=uniform(rng, 1.52, 1.76) if slim else uniform(rng, 1.64, 1.94),
        girth=around(rng, 1.0, 0.16) * (0.95 if slim else 1.05),
        shoulders=around(rng, 0.93 if slim else 1.06, 0.05),
        hips=around(rng, 1.06 if slim else 0.96, 0.06),
        skin=skin,
        hair=rgb(pick_weighted(rng, HAIR_TONES)),
        hair_style=style if slim or style not in ("bob", "bun") else "short",
        hat=pick_weighted(rng, HATS),
        hat_colour=rgb(pick(rng, CLOTH_TONES)),
        beard=not slim and happens(rng, 0.3),
        glasses=happens(rng, 0.14),
        top=top,
        top_cloth=_cloth(rng, CLOTH_TONES, top == "jacket", skin),
        inner_cloth=_cloth(rng, CLOTH_TONES, happens(rng, 0.5), skin),
        sleeve=uniform(rng, *sleeves.get(top, (1.86, 1.95) if happens(rng, 0.8) else (1.3, 1.5))),
        hem=uniform(rng, 0.04, 0.075),
        tail=uniform(rng, 0.08, 0.32) if top in ("t_shirt", "long_sleeve", "tank_top") and happens(rng, 0.55) else 0.0,
        neckline=uniform(rng, 0.015, 0.055),
        bottom=bottom,
        bottom_cloth=_cloth(rng, TROUSER_TONES if bottom != "skirt" else CLOTH_TONES, bottom != "skirt", skin),
        leg={"shorts": uniform(rng, 0.45, 0.95), "trousers": uniform(rng, 1.85, 1.97)}.get(
            bottom, uniform(rng, 1.6, 1.95) if bottom == "leggings" else uniform(rng, 0.5, 1.5)
        ),
        looseness=1.0 if bottom == "leggings" else uniform(rng, 1.06, 1.3),
        sock=_cloth(rng, ("f2f2ee", "f2f2ee", "1d1f24", "7b8088", "c22f33", "2f56a6"), happens(rng, 0.7), skin),
        sock_height=uniform(rng, 0.12, 0.3) if happens(rng, 0.6) else uniform(rng, 0.6, 0.8),
        shoe=rgb(pick(rng, SHOE_TONES)),
        sole=rgb(pick(rng, ("f3f3f0", "f3f3f0", "1b1b1d", "c9a97c"))),
    )


def _cloth(rng: np.random.Generator, tones: tuple[str, ...], plain: bool, skin: Colour) -> Cloth:
    """Draw a cloth whose main colour contrasts with the skin and whose colours contrast with each other."""
    colour, second = rgb(pick(rng, tones)), rgb(pick(rng, CLOTH_TONES))
    if _difference(colour, skin) < 0.5:
        colour = mixed(colour, (0.13, 0.22, 0.48) if sum(skin) > 0.9 else (0.93, 0.92, 0.86), 0.75)
    if _difference(colour, second) < 0.45:
        light = sum(colour) > 1.5
        second = mixed(second, (0.08, 0.09, 0.14) if light else (0.95, 0.94, 0.9), 0.7)
    pattern = pick_weighted(rng, PATTERNS)
    return Cloth(colour, second, "plain" if plain else pattern, uniform(rng, 0.06, 0.13))


def _difference(a: Colour, b: Colour) -> float:
    return sum(abs(p - q) for p, q in zip(a, b, strict=True))
