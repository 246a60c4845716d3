"""Scene completion: fill holes with a piece of another photo of a similar scene.

Hays and Efros, Scene Completion Using Millions of Photographs, SIGGRAPH 2007
(https://doi.org/10.1145/1276377.1276382). docs/methods/scene_completion.md lists the differences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pose_inpaint.data.images import resize
from pose_inpaint.errors import InputError
from pose_inpaint.models.classical.scene_completion.context_matching import Hole, Matcher, Placement
from pose_inpaint.models.classical.scene_completion.index import read_index
from pose_inpaint.models.classical.scene_completion.poisson import blend, bordered
from pose_inpaint.models.classical.scene_completion.seam import choose_scene_pixels, nearest_known
from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.types import InpaintingOutput, Source, check_choice

Seam = Literal["cut", "hole"]
PAPER_SIDE = 1024  # longer side in pixels of the images that the paper's lengths refer to


@dataclass(frozen=True)
class Candidate:
    """Scene with a placement for every hole."""

    name: str
    image: Float[Tensor, "3 h w"]
    placements: Sequence[Placement]
    distance: float  # mean of the contexts, weighted by the holes' areas
    scene_distance: float  # squared, between descriptors


class SceneCompletion:
    """Find similar scenes, match the holes' contexts, choose seams and blend.

    Raises `InputError` if SciPy is not installed, the index can't be used, or an argument is out of range.

    Args:
        index: File written by `python -m pose_inpaint.index`.
        scenes: Number of most similar scenes whose contexts are matched.
        band: Width of the context around a hole, as a share of the image's longer side, in (0, 1].
        scales: Scales of the scenes, each in [0.1, 10].
        texture: Weight of the gradient's squared difference, relative to a colour's.
        shift: Relative increase of the distance for a shift by the image's whole side.
        seam: Course of the seam: "cut" for the cheapest one through the context, "hole" for the hole's border.
        same: RMS difference of known pixels, on the scale [0, 1], up to which a scene counts as the image itself.
        near_duplicate: Context distance in units of L*a*b* up to which a scene is reported as a near-duplicate.
    """

    def __init__(
        self,
        index: str,
        scenes: int = 20,
        band: float = 0.078125,
        scales: Sequence[float] = (0.81, 0.9, 1.0),
        texture: float = 1.0,
        shift: float = 1.0,
        seam: Seam = "cut",
        same: float = 0.07,
        near_duplicate: float = 14.0,
    ) -> None:
        numbers = {"texture": texture, "shift": shift, "same": same, "near_duplicate": near_duplicate}
        checks: list[tuple[str, object, bool, str]] = [
            ("scenes", scenes, scenes >= 1, "at least 1"),
            ("band", band, 0 < band <= 1, "in (0, 1]"),
            ("scales", scales, bool(scales) and all(0.1 <= s <= 10 for s in scales), "one or more of 0.1..10"),
            *((key, value, value >= 0, "at least 0") for key, value in numbers.items()),
        ]
        for key, given, good, what in checks:
            if not good:
                raise InputError(f"model.{key}={given}: must be {what}")
        check_choice("model.seam", seam, Seam)
        import_extra("scipy.sparse.csgraph", "model=scene_completion needs SciPy", "scenes")
        self.index, self.scenes, self.band, self.seam = read_index(index), scenes, band, seam
        self.matcher = Matcher(tuple(scales), texture, shift)
        self.same, self.near_duplicate = same, near_duplicate

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint each image on the CPU from `samples` different scenes, best first.

        Raises `InputError` if an image is completely masked, or too few scenes of the index can inpaint it.
        """
        pairs = zip(known.detach().cpu().float(), mask.cpu(), strict=True)
        raw, sources = zip(*(self._inpaint(image, hole, samples) for image, hole in pairs), strict=True)
        return InpaintingOutput(raw=torch.stack(raw).to(known), sources=sources)

    def _inpaint(
        self, known: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"], samples: int
    ) -> tuple[Float[Tensor, "s 3 h w"], tuple[Source, ...]]:
        masked = mask[0] > 0
        if masked.all():
            raise InputError("model=scene_completion: a completely masked image has no similar scene; remove the image")
        if not masked.any():
            return known.expand(samples, -1, -1, -1).clone(), (Source("-", 0.0, near_duplicate=False),) * samples
        holes = find_holes(masked, round(self.band * max(masked.shape)) or 1)
        best = self._candidates(known, mask, holes, samples)[:samples]
        if len(best) < samples:
            raise InputError(
                f"model.index: only {len(best)} of its images can inpaint this one, asked for {samples}; "
                "give fewer samples, a larger model.scenes or a larger collection"
            )
        sources = tuple(Source(c.name, c.distance, near_duplicate=c.distance <= self.near_duplicate) for c in best)
        return torch.stack([self._compose(known, masked, holes, candidate) for candidate in best]), sources

    def _candidates(
        self, known: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"], holes: Sequence[Hole], samples: int
    ) -> list[Candidate]:
        """Scenes that can inpaint an image, best first."""
        described = self.index.filters.describe(known, mask)
        usable = self._large_enough(holes)
        nearest, scene_distances = self.index.nearest(*described, max(self.scenes, samples), usable)
        rows, columns = torch.from_numpy(nearest_known(mask[0].numpy() > 0))
        features = self.matcher.features(known[:, rows, columns])  # the holes' black would be an edge in the texture
        area = torch.tensor([float(hole.masked.sum()) for hole in holes])
        candidates = []
        for i, scene_distance in zip(nearest, scene_distances, strict=True):
            scene = self.index.image(i)
            if is_same(known, mask[0] > 0, scene, self.same):
                continue
            placements = self.matcher.place(features, holes, scene)
            if placements:
                distances = torch.tensor([placement.distance for placement in placements])
                context = float((distances * area).sum() / area.sum())
                candidates.append(Candidate(self.index.names[i], scene, placements, context, scene_distance))
        # Both distances have equal weight (section 5), so each is divided by its mean over the scenes.
        contexts = sum(c.distance for c in candidates) / max(len(candidates), 1) or 1
        scenes = sum(c.scene_distance for c in candidates) / max(len(candidates), 1) or 1
        return sorted(candidates, key=lambda c: c.distance / contexts + c.scene_distance / scenes)

    def _large_enough(self, holes: Sequence[Hole]) -> Bool[Tensor, " n"]:
        """Mark the images of the index that cover the largest hole at their largest scale."""
        boxes = [hole.masked.nonzero() for hole in holes]
        need = torch.stack([box.amax(0) - box.amin(0) + 1 for box in boxes]).amax(0)
        usable = (self.index.sizes * max(self.matcher.scales)).round() >= need
        if not usable.all(1).any():
            largest = "x".join(map(str, self.index.sizes.amax(0).tolist()))
            raise InputError(
                f"model.index: its images have at most {largest} pixels, but a hole needs "
                f"{'x'.join(map(str, need.tolist()))}; index larger images"
            )
        return usable.all(1)

    def _compose(
        self, known: Float[Tensor, "3 h w"], masked: Bool[Tensor, "h w"], holes: Sequence[Hole], candidate: Candidate
    ) -> Float[Tensor, "3 h w"]:
        image, left = (known.double().numpy() + 1) / 2, masked.numpy().copy()
        keep = 0.002 * PAPER_SIDE / max(masked.shape)  # section 5: k = 0.002 at 1,024 pixels
        for hole, placement in zip(holes, candidate.placements, strict=True):
            scene, covered = lay_over(candidate.image, placement, masked.shape)
            own, free = hole.masked.numpy(), hole.context.numpy() & covered
            inside, elsewhere = own, left & ~own
            if self.seam == "cut":
                inside = choose_scene_pixels(image, scene, own, free, elsewhere | ~covered, keep)
                # Where all known pixels around a hole are free, the cheapest cut takes them all and leaves no border.
                inside = own | bordered(inside, elsewhere)
            image = blend(image, scene, inside, elsewhere)
            left &= ~own
        return torch.from_numpy(image).float().clamp(0, 1) * 2 - 1


def find_holes(masked: Bool[Tensor, "h w"], band: int) -> list[Hole]:
    """Find the 8-connected holes, with the known pixels up to `band` pixels away, in row-major order."""
    from scipy import ndimage

    labels, count = ndimage.label(masked.numpy(), structure=np.ones((3, 3)))
    holes = []
    for label in range(1, count + 1):
        own = labels == label
        near = ndimage.distance_transform_edt(~own) <= band
        rows, columns = near.nonzero()
        box = int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1
        holes.append(Hole(torch.from_numpy(own), torch.from_numpy(near) & ~masked, *box))
    return holes


def is_same(
    known: Float[Tensor, "3 h w"], masked: Bool[Tensor, "h w"], scene: Float[Tensor, "3 h2 w2"], tolerance: float
) -> bool:
    """Whether a scene's known pixels are the image's, even if it was mirrored, resized or compressed."""
    laid = resize(scene, *known.shape[-2:])
    differences = (laid - known)[:, ~masked], (laid.flip(2) - known)[:, ~masked]
    return any(float(each.square().mean().sqrt()) / 2 <= tolerance for each in differences)


def lay_over(
    scene: Float[Tensor, "3 h2 w2"], placement: Placement, shape: tuple[int, ...]
) -> tuple[Float[np.ndarray, "3 h w"], Bool[np.ndarray, "h w"]]:
    """Align a scene with the query, in [0, 1], edges repeated, and mark the pixels that it covers."""
    height, width = (round(side * placement.scale) for side in scene.shape[-2:])
    scaled = (resize(scene, height, width).double().numpy() + 1) / 2
    rows, columns = np.arange(shape[0]) + placement.row, np.arange(shape[1]) + placement.column
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
    return scaled[:, rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)[None]], inside
