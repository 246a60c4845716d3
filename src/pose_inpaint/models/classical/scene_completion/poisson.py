"""Poisson blending: fill a region with a scene's gradients and an image's border values.

Perez, Gangnet and Blake 2003, equations 7 and 8 (https://doi.org/10.1145/882262.882269).
"""

import numpy as np
from jaxtyping import Bool, Float

STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def blend(
    image: Float[np.ndarray, "3 h w"],
    scene: Float[np.ndarray, "3 h w"],
    inside: Bool[np.ndarray, "h w"],
    unknown: Bool[np.ndarray, "h w"],
) -> Float[np.ndarray, "3 h w"]:
    """Fill `inside` with the scene's gradients and the image's values at its border.

    At the image's edge and next to `unknown` pixels the border is free.

    Args:
        image: Image, kept outside, (3, h, w).
        scene: Scene, read inside and at adjacent border pixels, (3, h, w).
        inside: Pixels to fill, (h, w).
        unknown: Pixels outside that are not a border, such as another hole's, (h, w).

    Raises:
        ValueError: A component of `inside` has no border, so that nothing fixes its brightness and colour.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import splu

    if not bordered(inside, unknown)[inside].all():
        raise ValueError("inside: every component needs a kept pixel beside it")
    rows, columns = inside.nonzero()
    count = len(rows)
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    # One equation per filled pixel: its differences to the neighbours sum up to the scene's. Kept neighbours are
    # constants on the right-hand side.
    diagonal, right = np.zeros(count), np.zeros((3, count))
    first, second = [np.arange(count)], [np.arange(count)]
    for down, across in STEPS:
        r, c = rows + down, columns + across
        there = (r >= 0) & (c >= 0) & (r < inside.shape[0]) & (c < inside.shape[1])
        r, c = np.where(there, r, 0), np.where(there, c, 0)
        there &= ~unknown[r, c]
        diagonal += there
        right += np.where(there, scene[:, rows, columns] - scene[:, r, c], 0)
        right += np.where(there & ~inside[r, c], image[:, r, c], 0)
        linked = there & inside[r, c]
        first.append(linked.nonzero()[0])
        second.append(number[r[linked], c[linked]])
    entries = np.concatenate(first), np.concatenate(second)
    values = np.concatenate([diagonal, np.full(len(entries[0]) - count, -1.0)])
    equations = csr_array((values, entries), shape=(count, count)).tocsc()
    filled = image.astype(np.float64)
    filled[:, inside] = splu(equations, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right.T).T
    return np.asarray(filled)


def bordered(inside: Bool[np.ndarray, "h w"], unknown: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Mark the pixels of `inside` whose 4-connected component has a kept pixel beside it."""
    from scipy import ndimage

    labels, _ = ndimage.label(inside)
    return np.asarray(inside & np.isin(labels, labels[ndimage.binary_dilation(~inside & ~unknown)]))
