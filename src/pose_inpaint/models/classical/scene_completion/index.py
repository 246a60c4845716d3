"""Index of an image collection for scene completion: descriptors, files and nearest-neighbour search."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pose_inpaint.data.images import read_image, to_signed
from pose_inpaint.errors import InputError
from pose_inpaint.models.classical.scene_completion.gist import BLOCKS, SceneFilters
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.runtime.hashing import file_digest
from pose_inpaint.runtime.optional import import_extra

FORMAT = "pose_inpaint scenes"
VERSION = 1
COLOURS = 3
GIST_WEIGHT = 2.0  # relative to colour (Hays and Efros 2007, section 3)
FAISS_FROM = 1_000_000  # number of images from which faiss searches; smaller collections are searched exhaustively
CHUNK = 65536  # number of images compared at once, to limit memory
BUILD = "build one with python -m pose_inpaint.index data=... output=FILE"


@dataclass(frozen=True)
class SceneIndex:
    """Descriptors of a collection of images.

    Attributes:
        descriptors: Filter responses, then L*, a*, b* of each block, (n, 16, d), scaled so that the mean squared
            distance of two images is `GIST_WEIGHT` for gist and 1 for colour.
        scale: Factors applied to the descriptors, (d,).
        names: Names of the images.
        paths: Absolute paths of the images.
        digests: SHA-256 of each file, in hexadecimal.
        sizes: Height and width of each image in pixels, (n, 2).
        filters: Filters of the descriptors.
    """

    descriptors: Float[Tensor, "n 16 d"]
    scale: Float[Tensor, " d"]
    names: list[str]
    paths: list[str]
    digests: list[str]
    sizes: Int[Tensor, "n 2"]
    filters: SceneFilters

    def save(self, path: Path) -> None:
        """Write the index atomically."""
        content = {field.name: getattr(self, field.name) for field in fields(self)} | {"filters": asdict(self.filters)}
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            torch.save({**content, "format": FORMAT, "version": VERSION}, part)

    def nearest(
        self,
        descriptor: Float[Tensor, "16 d"],
        share: Float[Tensor, " 16"],
        count: int,
        usable: Bool[Tensor, " n"],
        faiss_from: int = FAISS_FROM,
    ) -> tuple[list[int], list[float]]:
        """Find the nearest images: their indices and squared distances, nearest first.

        Raises `InputError` if faiss is needed but not installed.

        Args:
            descriptor: Query's descriptor from `SceneFilters.describe`, (16, d).
            share: Known share of each block, its weight in the distance, (16,).
            count: Maximum number of images.
            usable: Images to search, (n,).
            faiss_from: Number of images from which faiss searches. Its results are ranked again by exact distances.
        """
        query, weight = descriptor * self.scale, share * BLOCKS / share.sum().clamp(min=1e-6)
        indices = usable.nonzero()[:, 0]
        if len(self.names) >= faiss_from:
            # Twice as many as needed, since rounding in the inner products can swap close neighbours.
            indices = self._search_by_faiss(query, weight, 2 * count, indices)
        parts = [indices[first : first + CHUNK] for first in range(0, len(indices), CHUNK)]
        distances = torch.cat([((self.descriptors[p] - query).square().sum(2) * weight).sum(1) for p in parts])
        order = distances.argsort(stable=True)[:count]
        return indices[order].tolist(), distances[order].tolist()

    @cached_property
    def _faiss(self) -> tuple[Any, Any]:
        """The faiss module and its index of all images, built once.

        Block weights differ between queries, so the squared distance is expanded: only -2 w q x + w x^2 of w (q - x)^2
        depends on x, an inner product with x and the squared norm of each of its blocks.
        """
        faiss = import_extra("faiss", "model.index: so many images are searched by faiss", "scenes")
        rows = torch.cat([self.descriptors.flatten(1), self.descriptors.square().sum(2)], 1).contiguous()
        search = faiss.IndexFlatIP(rows.shape[1])
        search.add(rows.numpy())
        return faiss, search

    def _search_by_faiss(
        self, query: Float[Tensor, "16 d"], weight: Float[Tensor, " 16"], count: int, indices: Int[Tensor, " m"]
    ) -> Int[Tensor, " k"]:
        """Find the nearest among `indices`."""
        faiss, search = self._faiss
        asked = torch.cat([(2 * weight[:, None] * query).flatten(), -weight])[None].contiguous()
        chosen = faiss.SearchParameters(sel=faiss.IDSelectorBatch(indices.numpy()))
        _, nearest = search.search(asked.numpy(), min(count, len(indices)), params=chosen)
        return torch.from_numpy(nearest[0])

    def image(self, place: int) -> Float[Tensor, "3 h w"]:
        """Read an image, in [-1, 1]; raise `InputError` if its file is missing or has changed since it was indexed."""
        path = Path(self.paths[place])
        if not path.is_file():
            raise InputError(f"{path}: listed in model.index, but no such file; restore it or rebuild the index")
        if file_digest(path) != self.digests[place]:
            raise InputError(f"{path}: changed since model.index was built; rebuild the index")
        return to_signed(read_image(path))


def build_index(
    images: Iterable[tuple[str, Path]], filters: SceneFilters, on_image: Callable[[], object] | None = None
) -> SceneIndex:
    """Build the index of a collection; raise `InputError` if there is no image or a file can't be used.

    Args:
        images: Names and paths of the images.
        filters: Filters of the descriptors.
        on_image: Callback after each image, for progress.
    """
    entries = []
    for name, path in images:
        image = to_signed(read_image(path))
        described = filters.describe(image)[0]
        entries.append((described, name, str(path.resolve()), file_digest(path), image.shape[-2:]))
        if on_image:
            on_image()
    if not entries:
        raise InputError("data: no image to index; give a folder or split with images")
    descriptors, names, paths, digests, sizes = zip(*entries, strict=True)
    scale = _scales(torch.stack(descriptors))
    scaled = torch.stack(descriptors) * scale
    return SceneIndex(scaled, scale, list(names), list(paths), list(digests), torch.tensor(sizes), filters)


def _scales(descriptors: Float[Tensor, "n 16 d"]) -> Float[Tensor, " d"]:
    """Factors that scale the mean squared distance of two images to `GIST_WEIGHT` for gist and 1 for colour."""
    spread = 2 * descriptors.var(0, correction=0).sum(0)  # mean of (x - y)^2 over all pairs, by channel
    gist, colour = spread[:-COLOURS], spread[-COLOURS:]
    parts = [(gist, GIST_WEIGHT), (colour, 1)]
    return torch.cat([(weight / part.sum().clamp(min=1e-9)).sqrt().expand(len(part)) for part, weight in parts])


def is_index(path: Path) -> bool:
    """Whether a regular file is a scene index, of any version."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return bool(content["format"] == FORMAT)
    except Exception:  # torch raises many kinds
        return False


def read_index(path: str) -> SceneIndex:
    """Read an index without running code from the file; raise `InputError` unless it is one of this format version."""
    if not Path(path).is_file():
        raise InputError(f"model.index={path}: no such file; {BUILD}")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
        kind = content.pop("format")
    except Exception as error:
        raise InputError(f"model.index={path}: not a scene index; {BUILD}") from error
    if kind != FORMAT or content.pop("version", None) != VERSION:
        raise InputError(f"model.index={path}: not in format version {VERSION}, which this package reads; {BUILD}")
    try:
        return SceneIndex(**{**content, "filters": SceneFilters(**content["filters"])})
    except (TypeError, KeyError) as error:
        raise InputError(f"model.index={path}: damaged ({error}); {BUILD}") from error
