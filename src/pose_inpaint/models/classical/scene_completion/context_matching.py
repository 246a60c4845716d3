"""Context matching: the position in another image that matches a hole's surroundings best.

Hays and Efros 2007, section 4: the context is compared at all shifts and three scales by pixel-wise error in L*a*b* and
texture; large shifts are penalised.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pose_inpaint.data.images import resize
from pose_inpaint.models.classical.scene_completion.lab import matching_features

LEAST_COVERED = 0.5  # share of a context that the scene must cover for a placement to be considered
ROUNDING = 0.01  # smallest distance, in L*a*b* units: among exact fits, as in a plain background, the shift decides


@dataclass(frozen=True)
class Hole:
    """Connected hole and its surroundings.

    Attributes:
        masked: Pixels of the hole, (h, w).
        context: Known pixels within the context band around it, (h, w).
        top, left, bottom, right: Bounding box of both in pixels; bottom and right are exclusive.
    """

    masked: Bool[Tensor, "h w"]
    context: Bool[Tensor, "h w"]
    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Placement:
    """Position in another image that a hole is filled from.

    Attributes:
        scale: Scale of the other image.
        row, column: Pixel of the scaled image that falls on the query's pixel (0, 0); may be negative.
        distance: Root mean squared difference of the context in units of L*a*b*, increased for large shifts.
    """

    scale: float
    row: int
    column: int
    distance: float


@dataclass(frozen=True)
class Matcher:
    """Context matching with the scales, texture and shift of `SceneCompletion`."""

    scales: Sequence[float]
    texture: float
    shift: float

    def features(self, image: Float[Tensor, "3 h w"]) -> Float[Tensor, "4 h w"]:
        """Compute colour and weighted texture, whose squared differences add up."""
        features = matching_features(image)
        return torch.cat([features[:3], features[3:] * self.texture**0.5])

    def place(
        self, features: Float[Tensor, "4 h w"], holes: Sequence[Hole], scene: Float[Tensor, "3 h2 w2"]
    ) -> list[Placement] | None:
        """Find the best placement of each hole in a scene, or None if a hole fits at no scale.

        Args:
            features: Features of the query, (4, h, w).
            holes: Holes of the query.
            scene: Other image in [-1, 1], (3, h2, w2).
        """
        options: list[list[Placement]] = [[] for _ in holes]
        for scale in self.scales:
            height, width = (round(side * scale) for side in scene.shape[-2:])
            scaled = self.features(resize(scene, height, width))
            for hole, placements in zip(holes, options, strict=True):
                placements += self._best(features, hole, scaled, scale)
        if not all(options):
            return None
        return [min(placements, key=lambda placement: placement.distance) for placements in options]

    def _best(
        self, features: Float[Tensor, "4 h w"], hole: Hole, scaled: Float[Tensor, "4 h2 w2"], scale: float
    ) -> list[Placement]:
        """Best placement at one scale, if any."""
        box = (slice(hole.top, hole.bottom), slice(hole.left, hole.right))
        weight = hole.context[box].float()
        rows, columns = (hole.masked[box].any(dim).nonzero()[:, 0] for dim in (1, 0))
        # All masked pixels must fall inside the scene; the context may be cut off.
        first_row, last_row = -int(rows[0]), scaled.shape[1] - int(rows[-1]) - 1
        first_column, last_column = -int(columns[0]), scaled.shape[2] - int(columns[-1]) - 1
        if first_row > last_row or first_column > last_column:
            return []
        error, covered = masked_differences(features[:, *box], weight, scaled)
        down, right = torch.arange(first_row, last_row + 1), torch.arange(first_column, last_column + 1)
        index = (down[:, None] % error.shape[0], right[None] % error.shape[1])  # negative shifts wrap to the end
        error, covered = error[index], covered[index]
        mean = torch.where(covered >= LEAST_COVERED * weight.sum(), error / covered.clamp(min=1), torch.inf)
        height, width = features.shape[-2:]
        # Shifts are measured between relative positions, so that scenes of all sizes are treated alike.
        middle_row, middle_column = (hole.top + hole.bottom) / 2, (hole.left + hole.right) / 2
        off_row = (down + (hole.bottom - hole.top) / 2) / scaled.shape[1] - middle_row / height
        off_column = (right + (hole.right - hole.left) / 2) / scaled.shape[2] - middle_column / width
        penalty = 1 + self.shift * (off_row[:, None].square() + off_column[None].square()).sqrt()
        distance = mean.clamp(min=ROUNDING**2).sqrt() * penalty
        best = int(distance.argmin())
        row, column = int(down[best // len(right)]), int(right[best % len(right)])
        value = float(distance.flatten()[best])
        return [Placement(scale, row - hole.top, column - hole.left, value)] if value < torch.inf else []


def masked_differences(
    template: Float[Tensor, "c h w"], weight: Float[Tensor, "h w"], image: Float[Tensor, "c h2 w2"]
) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
    """Weighted squared differences between a template and an image at every shift, and the weight inside the image.

    sum_p w(p) v(p + d) |t(p) - c(p + d)|^2 with v = 1 inside the image, expanded into three correlations that a Fourier
    transform computes for all d at once.

    Returns:
        Both, indexed by the position d of the template's first pixel in the image; negative d count from the end.
    """
    size = [_fast(a + b) for a, b in zip(template.shape[-2:], image.shape[-2:], strict=True)]
    # Expanded squares lose digits to cancellation; subtracting the template's mean colour keeps the terms small.
    offset = (template * weight).sum((1, 2)) / weight.sum().clamp(min=1e-9)
    t, c = template - offset[:, None, None], image - offset[:, None, None]
    inside = torch.ones_like(image[:1])
    left = torch.fft.rfft2(torch.cat([t * weight, (t.square().sum(0) * weight)[None], weight[None]]).double(), size)
    right = torch.fft.rfft2(torch.cat([c, inside, c.square().sum(0, keepdim=True)]).double(), size)
    left = left.conj()
    squares = left[-2] * right[-2] + left[-1] * right[-1]
    sums = torch.stack([squares - 2 * (left[:-2] * right[:-2]).sum(0), left[-1] * right[-2]])
    error, covered = torch.fft.irfft2(sums, size).float()
    return error, covered.round(decimals=3)


def _fast(size: int) -> int:
    """Round up to a power of 2 or three quarters of one, for a fast transform."""
    power = 1 << (size - 1).bit_length()
    return power * 3 // 4 if size <= power * 3 // 4 else power
