"""Cheapest seam between scene and image through the context, by minimum cut.

Hays and Efros 2007, section 5, after Kwatra et al. 2003 (https://doi.org/10.1145/882262.882264). Seams are cheap where
the difference of both images varies little, since blending removes a constant difference.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

CAPACITY = 2**20  # SciPy's flows are integers, so costs are scaled to at most this
LENGTH = 0.02  # cost per step of the seam, which favours short seams where costs are equal; not in the paper


def choose_scene_pixels(
    image: Float[np.ndarray, "3 h w"],
    scene: Float[np.ndarray, "3 h w"],
    masked: Bool[np.ndarray, "h w"],
    free: Bool[np.ndarray, "h w"],
    unknown: Bool[np.ndarray, "h w"],
    keep: float,
) -> Bool[np.ndarray, "h w"]:
    """Choose the pixels to take from the scene.

    Args:
        image: Query image in [0, 1], (3, h, w).
        scene: Scene in [0, 1], aligned with the query, (3, h, w).
        masked: Pixels that must come from the scene, (h, w).
        free: Pixels that may come from either, (h, w); all others stay the image's.
        unknown: Other pixels whose difference says nothing, (h, w): other holes, and those the scene doesn't cover.
        keep: Factor of the price (keep d)^3 of taking a free pixel at distance d from the hole, in 1/pixels.
    """
    return minimum_cut(masked, free, pixel_prices(masked, keep), *step_costs(image, scene, masked | unknown))


def nearest_known(unknown: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "2 h w"]:
    """Row and column of the nearest known pixel of every pixel; a known pixel's are its own."""
    from scipy import ndimage

    indices = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return np.asarray(indices, dtype=np.int64)


def pixel_prices(masked: Bool[np.ndarray, "h w"], keep: float) -> Float[np.ndarray, "h w"]:
    """Price of replacing each pixel at distance d from the hole: (keep d)^3."""
    from scipy import ndimage

    return np.asarray((keep * ndimage.distance_transform_edt(~masked)) ** 3, dtype=np.float64)


def step_costs(
    image: Float[np.ndarray, "3 h w"], scene: Float[np.ndarray, "3 h w"], unknown: Bool[np.ndarray, "h w"]
) -> tuple[Float[np.ndarray, "h-1 w"], Float[np.ndarray, "h w-1"]]:
    """Cost of a seam between each pixel and the next below and right: the mean gradient of the images' difference."""
    # The difference is undefined at unknown pixels, so take it from the nearest known one. Otherwise a seam along a
    # hole's border would cost nothing, or as much as the black of the hole differs.
    rows, columns = nearest_known(unknown)
    difference = (image - scene)[:, rows, columns]
    change = np.zeros(unknown.shape)
    for axis in (1, 2):
        if difference.shape[axis] > 1:
            change += (np.gradient(difference, axis=axis) ** 2).sum(0)
    change = np.sqrt(change)[rows, columns] + LENGTH
    return (change[1:] + change[:-1]) / 2, (change[:, 1:] + change[:, :-1]) / 2


def minimum_cut(
    masked: Bool[np.ndarray, "h w"],
    free: Bool[np.ndarray, "h w"],
    price: Float[np.ndarray, "h w"],
    down: Float[np.ndarray, "h-1 w"],
    right: Float[np.ndarray, "h w-1"],
) -> Bool[np.ndarray, "h w"]:
    """Find the set of all masked and some free pixels with the lowest sum of prices and of steps across its border."""
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    number = np.full(masked.shape, 1)  # node 0: the scene with all masked pixels; 1: the image with all kept ones
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
    graph = csr_array(coo_array((whole, (rows, columns)), shape=(nodes, nodes)))  # duplicate links add up
    left = csr_array(graph - maximum_flow(graph, 0, 1).flow)
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    # The minimum cut separates the nodes that the source still reaches in the residual graph.
    reached = np.zeros(nodes, dtype=bool)
    reached[breadth_first_order(left, 0, return_predecessors=False)] = True
    return np.asarray(masked | (free & reached[number]))
