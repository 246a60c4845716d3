"""Where a scene's pixels give way to the image's: the cheapest seam through the context, by minimum cut.

Hays and Efros 2007, section 5, after Kwatra et al. 2003 (https://doi.org/10.1145/882262.882264): seams are cheap where
the difference of both images varies little, since blending can take a constant away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

CAPACITY = 2**20  # SciPy's flows are whole numbers; a link that may not be cut is larger than all others together
LENGTH = 0.02
"""Cost of a step of the seam itself, which prefers a short one where nothing else matters; ours."""


def choose_scene_pixels(
    image: Float[np.ndarray, "3 h w"],
    scene: Float[np.ndarray, "3 h w"],
    masked: Bool[np.ndarray, "h w"],
    free: Bool[np.ndarray, "h w"],
    keep: float,
) -> Bool[np.ndarray, "h w"]:
    """Which pixels to take from the scene.

    Args:
        image: the query, in [0, 1].
        scene: the scene as it lies over the query.
        masked: pixels that must come from the scene.
        free: pixels that may come from either; all others stay the image's.
        keep: price of a free pixel taken from the scene at a distance d from the hole: (keep d)^3, d in pixels.
    """
    price = pixel_prices(masked, keep)
    across = step_costs(image, scene, masked)
    return minimum_cut(masked, free, price, *across)


def pixel_prices(masked: Bool[np.ndarray, "h w"], keep: float) -> Float[np.ndarray, "h w"]:
    """(keep d)^3 of every pixel at a distance d from the hole: the image's own pixels are the better ones."""
    from scipy import ndimage

    return np.asarray((keep * ndimage.distance_transform_edt(~masked)) ** 3, dtype=np.float64)


def step_costs(
    image: Float[np.ndarray, "3 h w"], scene: Float[np.ndarray, "3 h w"], masked: Bool[np.ndarray, "h w"]
) -> tuple[Float[np.ndarray, "h-1 w"], Float[np.ndarray, "h w-1"]]:
    """Cost of a seam between each pixel and the one below it, and the one to its right.

    It is the mean of how fast the difference of both images changes at the two; inside the hole, where there is no
    difference, as at the nearest pixel outside. Else a seam along the hole's border would cost nothing.
    """
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(masked, return_distances=False, return_indices=True)
    difference = (image - scene)[:, nearest[0], nearest[1]]
    change = np.zeros(masked.shape)
    for axis, side in ((1, masked.shape[0]), (2, masked.shape[1])):
        if side > 1:
            change += (np.gradient(difference, axis=axis) ** 2).sum(0)
    change = np.sqrt(change)[nearest[0], nearest[1]] + LENGTH
    return (change[1:] + change[:-1]) / 2, (change[:, 1:] + change[:, :-1]) / 2


def minimum_cut(
    masked: Bool[np.ndarray, "h w"],
    free: Bool[np.ndarray, "h w"],
    price: Float[np.ndarray, "h w"],
    down: Float[np.ndarray, "h-1 w"],
    right: Float[np.ndarray, "h w-1"],
) -> Bool[np.ndarray, "h w"]:
    """The cheapest set of pixels that holds all masked and perhaps some free ones.

    It costs the price of every free pixel in it and every step between a pixel in it and a neighbour that is not.
    """
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    number = np.full(masked.shape, 1)  # 0: the scene, with all masked pixels; 1: the image, with all that must stay
    number[masked] = 0
    number[free] = np.arange(free.sum()) + 2
    pairs = [(number[:-1], number[1:], down), (number[:, :-1], number[:, 1:], right)]
    first, second, cost = (np.concatenate([pair[part].ravel() for pair in pairs]) for part in range(3))
    differs = (first != second) & ~((first < 2) & (second < 2))
    first, second, cost = first[differs], second[differs], cost[differs]
    nodes = int(free.sum()) + 2
    rows = np.concatenate([first, second, number[free]])
    columns = np.concatenate([second, first, np.ones(nodes - 2, dtype=int)])
    costs = np.concatenate([cost, cost, price[free]])
    whole = np.rint(costs * (CAPACITY / max(costs.max(initial=0), 1e-12))).astype(np.int32)
    graph = csr_array(coo_array((whole, (rows, columns)), shape=(nodes, nodes)))  # doubled links add up
    flow = maximum_flow(graph, 0, 1).flow
    left = csr_array(graph - flow)
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = np.zeros(nodes, dtype=bool)
    reached[breadth_first_order(left, 0, return_predecessors=False)] = True
    return np.asarray(masked | (free & reached[number]))
