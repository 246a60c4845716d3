"""Outdoor scenery: sky, hills, trees, sea and buildings."""

import numpy as np

from pose_inpaint.data.mannequins.appearance import Colour, mixed, rgb
from pose_inpaint.data.mannequins.chance import happens, pick, uniform
from pose_inpaint.data.mannequins.materials import cover, edge
from pose_inpaint.data.mannequins.noise import Array, cell_value, fractal, value_noise

Rays = tuple[Array, Array, Array]
LEAVES = ("2f4a24", "3d5e2c", "4f7034", "6b7f3a", "7a6a2c", "35552f", "8a7a35")
FACADES = ("b8a58c", "8d7a6b", "a3584a", "c9c3b6", "70757c", "d6c29a", "91a0a8", "b57f5d")
HAZE: Colour = (0.78, 0.83, 0.87)


def paint_scenery(rng: np.random.Generator, behind: str, rays: Rays, view: float, table: Array) -> Array:
    """Paint the rays that miss the floor.

    Args:
        rng: Random generator of the image.
        behind: Kind of scenery: "trees", "hills", "sea" or "buildings".
        rays: x, y and z of the directions in the world, each of shape (pixels,).
        view: Width of the image relative to its focal length; scales the features.
        table: Noise table.

    Returns:
        Colours of shape (3, pixels).
    """
    depth = np.maximum(rays[2], 0.05)
    across, rise = rays[0] / depth / view, rays[1] / depth / view
    image = _sky(rng, across, rise, table)
    offset = uniform(rng, 0.0, 60.0)
    painters = {"trees": _trees, "hills": _hills, "sea": _sea, "buildings": _buildings}
    return painters[behind](rng, image, across + offset, rise, table)


def _sky(rng: np.random.Generator, across: Array, rise: Array, table: Array) -> Array:
    overcast = uniform(rng, 0.0, 1.0)
    zenith = mixed((0.30, 0.52, 0.84), (0.70, 0.74, 0.79), overcast)
    low = mixed((0.76, 0.86, 0.94), (0.86, 0.87, 0.88), overcast)
    if happens(rng, 0.12):
        zenith, low = (0.42, 0.45, 0.66), (0.97, 0.75, 0.55)
    share = np.clip(rise * 1.3, 0.0, 1.0)
    sky = np.array(low)[:, None] + share * (np.array(zenith) - np.array(low))[:, None]
    lift = 1.0 / (rise + 0.35)
    clouds = fractal(table, across * lift * 1.3 + 7.0, lift * 3.0 + 3.0)
    return cover(sky, (0.97, 0.97, 0.97), 0.75 * edge(clouds - uniform(rng, 0.45, 0.7), 0.3))


def _hills(rng: np.random.Generator, image: Array, across: Array, rise: Array, table: Array) -> Array:
    base = rgb(pick(rng, LEAVES))
    height = uniform(rng, 0.10, 0.35)
    for layer, haze in enumerate((0.72, 0.5, 0.22)):
        shape = value_noise(table, across * (1.1 + 0.7 * layer) + 9.0 * layer, 0.0 * across + 3.0 * layer)
        top = height * (1.0 - 0.3 * layer) * (0.3 + shape) + 0.012 * value_noise(table, across * 22.0, 0.0 * across)
        rough = 0.86 + 0.28 * fractal(table, across * 16.0, rise * 34.0 + 11.0 * layer)
        tint = np.array(mixed(base, HAZE, haze))[:, None] * rough
        image = image + edge(top - rise, 0.015) * (tint - image)
    return image


def _trees(rng: np.random.Generator, image: Array, across: Array, rise: Array, table: Array) -> Array:
    base, second = rgb(pick(rng, LEAVES)), rgb(pick(rng, LEAVES))
    height = uniform(rng, 0.18, 0.75)
    for layer, haze in enumerate((0.45, 0.12)):
        wide = 3.0 + 2.0 * layer
        crowns = value_noise(table, across * wide + 13.0 * layer, 0.0 * across + 5.0)
        ragged = fractal(table, across * 13.0, rise * 13.0 + 3.0 * layer)
        top = height * (0.45 + 0.75 * crowns) * (1.0 - 0.45 * layer) + 0.10 * (ragged - 0.5)
        clumps = fractal(table, across * 9.0 + 20.0, rise * 11.0 + 20.0 + 7.0 * layer)
        leaf = cover(np.array(mixed(base, HAZE, haze))[:, None] + 0.0 * image, mixed(second, HAZE, haze), clumps)
        leaf = leaf * (0.58 + 0.75 * clumps) * (0.8 + 0.35 * np.clip(rise / height, 0.0, 1.0))
        image = image + edge(top - rise, 0.02) * (leaf - image)
    trunks = np.abs(across * 2.2 - np.floor(across * 2.2) - 0.2 - 0.6 * cell_value(table, across * 2.2, 0.0 * across))
    bark = np.array((0.20, 0.15, 0.11))[:, None] * (0.8 + 0.5 * value_noise(table, across * 60.0, rise * 14.0))
    shown = edge(0.05 - trunks, 0.02) * edge(0.22 * height - rise, 0.05)
    return image + shown * (bark - image)


def _sea(rng: np.random.Generator, image: Array, across: Array, rise: Array, table: Array) -> Array:
    water = mixed((0.16, 0.40, 0.52), (0.30, 0.58, 0.62), uniform(rng, 0.0, 1.0))
    level = uniform(rng, 0.02, 0.22)  # the beach slopes down, so the horizon is above the floor's edge
    swell = value_noise(table, across * 5.0, (level - rise) * 70.0)
    sea = np.array(water)[:, None] * (0.85 + 0.25 * swell)
    sea = cover(sea, (0.93, 0.95, 0.95), 0.8 * edge(0.02 + 0.02 * swell - rise, 0.015))
    image = image + edge(level - rise, 0.008) * (sea - image)
    isle = value_noise(table, across * 1.6, 0.0 * across + 8.0) * 0.16 - 0.06
    land = np.array(mixed((0.30, 0.36, 0.30), HAZE, 0.4))[:, None] + 0.0 * image
    return image + edge(level + isle - rise, 0.01) * edge(rise - level, 0.008) * (land - image)


def _buildings(rng: np.random.Generator, image: Array, across: Array, rise: Array, table: Array) -> Array:
    for layer, haze in enumerate((0.55, 0.1)):
        wide = 1.9 - 0.8 * layer + uniform(rng, 0.0, 0.5)
        place = across * wide + 5.0 * layer  # one building per unit
        block = cell_value(table, place, 0.0 * place + 3.0 * layer)
        top = (0.22 + 0.75 * block) * uniform(rng, 0.7, 1.6) * (1.0 - 0.15 * layer)
        first, second = rgb(pick(rng, FACADES)), rgb(pick(rng, FACADES))
        tone = np.array(first)[:, None] + block * (np.array(second) - np.array(first))[:, None]
        tone = tone * (0.82 + 0.3 * cell_value(table, place, 0.0 * place + 30.0))
        columns = (place - np.floor(place)) * np.floor(3.0 + 4.0 * block)
        floors = rise * uniform(rng, 7.0, 11.0)
        u, v = columns - np.floor(columns), floors - np.floor(floors)
        pane = edge(0.27 - np.abs(u - 0.5), 0.10) * edge(0.30 - np.abs(v - 0.5), 0.10)
        glass = mixed((0.16, 0.20, 0.25), (0.62, 0.72, 0.80), 0.4 * uniform(rng, 0.0, 1.0))
        tone = cover(tone, glass, 0.85 * pane * (0.6 + 0.4 * cell_value(table, columns + 9.0, floors + 9.0)))
        tone = cover(tone, HAZE, np.full(len(rise), haze))
        image = image + edge(top - rise, 0.012) * (tone - image)
    return image
