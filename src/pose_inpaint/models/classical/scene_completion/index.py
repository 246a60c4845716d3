"""The collection that scene completion looks in: descriptors, files, and the search for the nearest."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint.data.images import read_image, to_signed
from pose_inpaint.errors import InputError
from pose_inpaint.models.classical.scene_completion.gist import BLOCKS, SceneFilters
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.runtime.hashing import file_digest
from pose_inpaint.runtime.optional import import_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jaxtyping import Bool, Float, Int
    from torch import Tensor

FORMAT = "pose_inpaint scenes"
VERSION = 1
COLOURS = 3
GIST_WEIGHT = 2.0
"""Gist counts about twice as much as colour (Hays and Efros 2007, section 3)."""
FAISS_FROM = 1_000_000
"""Images; below it all distances are taken at once."""
CHUNK = 65536
"""Images, whose differences fit into memory."""
BUILD = "build one with python -m pose_inpaint.index data=... output=FILE"


@dataclass(frozen=True)
class SceneIndex:
    """Descriptors of a collection of images.

    Attributes:
        descriptors: (n, 16, d): by block, the filters' responses and then L*, a*, b*, each scaled so that the squared
            distance of two images of the collection is `GIST_WEIGHT` for gist and 1 for colour on average.
        scale: what the descriptors were multiplied by, (d,).
        names: of the images.
        paths: their files, absolute.
        digests: SHA-256 of each file, in hexadecimal.
        sizes: height and width of each in pixels, (n, 2).
        filters: that made the descriptors.
    """

    descriptors: Float[Tensor, "n 16 d"]
    scale: Float[Tensor, " d"]
    names: list[str]
    paths: list[str]
    digests: list[str]
    sizes: Int[Tensor, "n 2"]
    filters: SceneFilters

    def save(self, path: Path) -> None:
        """Writes the index, whole or not at all."""
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
        """Places and squared distances of the nearest images, nearest first.

        Args:
            descriptor: of the query, as `SceneFilters.describe` gives it.
            share: known share of each block, by which it counts.
            count: at most how many.
            usable: which images may be found.
            faiss_from: from so many images on faiss searches (and the distances are checked here).

        Raises:
            InputError: faiss is needed and not installed.
        """
        query, weight = descriptor * self.scale, share * BLOCKS / share.sum().clamp(min=1e-6)
        places = usable.nonzero()[:, 0]
        if len(self.names) >= faiss_from:
            places = self._search_by_faiss(query, weight, 2 * count, places)
        parts = [places[first : first + CHUNK] for first in range(0, len(places), CHUNK)]
        distances = torch.cat([((self.descriptors[p] - query).square().sum(2) * weight).sum(1) for p in parts])
        order = distances.argsort(stable=True)[:count]
        return places[order].tolist(), distances[order].tolist()

    @cached_property
    def _faiss(self) -> tuple[Any, Any]:
        """The library, and its index of every image, made once and kept.

        A block's weight differs from query to query, so the squared distance is written out: of w (q - x)^2 only
        -2 w q x + w x^2 depends on x, an inner product with x and the squared length of each of its blocks.
        """
        faiss = import_extra("faiss", "model.index: so many images are searched by faiss", "scenes")
        rows = torch.cat([self.descriptors.flatten(1), self.descriptors.square().sum(2)], 1).contiguous()
        search = faiss.IndexFlatIP(rows.shape[1])
        search.add(rows.numpy())
        return faiss, search

    def _search_by_faiss(
        self, query: Float[Tensor, "16 d"], weight: Float[Tensor, " 16"], count: int, places: Int[Tensor, " m"]
    ) -> Int[Tensor, " k"]:
        """The nearest of `places`."""
        faiss, search = self._faiss
        asked = torch.cat([(2 * weight[:, None] * query).flatten(), -weight])[None].contiguous()
        chosen = faiss.SearchParameters(sel=faiss.IDSelectorBatch(places.numpy()))
        _, found = search.search(asked.numpy(), min(count, len(places)), params=chosen)
        return torch.from_numpy(found[0])

    def image(self, place: int) -> Float[Tensor, "3 h w"]:
        """An image of the collection, in [-1, 1].

        Raises:
            InputError: its file is gone or has changed since the index was built.
        """
        path = Path(self.paths[place])
        if not path.is_file():
            raise InputError(f"{path}: listed in model.index, but no such file; put it back or build the index anew")
        if file_digest(path) != self.digests[place]:
            raise InputError(f"{path}: changed since model.index was built; build the index anew")
        return to_signed(read_image(path))


def build_index(
    images: Iterable[tuple[str, Path]], filters: SceneFilters, on_image: Callable[[], object] | None = None
) -> SceneIndex:
    """Describes every image of a collection.

    Args:
        images: names and files.
        filters: to describe them with.
        on_image: called after each image, for progress.

    Raises:
        InputError: there is none, or a file can't be used.
    """
    names, paths, digests, sizes, found = [], [], [], [], []
    for name, path in images:
        image = to_signed(read_image(path))
        found.append(filters.describe(image)[0])
        names.append(name)
        paths.append(str(path.resolve()))
        digests.append(file_digest(path))
        sizes.append([image.shape[-2], image.shape[-1]])
        if on_image:
            on_image()
    if not found:
        raise InputError("data: there is no image to index; give a folder or split that has some")
    descriptors = torch.stack(found)
    scale = _scales(descriptors)
    return SceneIndex(descriptors * scale, scale, names, paths, digests, torch.tensor(sizes), filters)


def _scales(descriptors: Float[Tensor, "n 16 d"]) -> Float[Tensor, " d"]:
    """Factors that make gist's and colour's mean squared distance of two images `GIST_WEIGHT` and 1."""
    spread = 2 * descriptors.var(0, correction=0).sum(0)  # mean of (x - y)^2 over all pairs, by channel
    gist, colour = spread[:-COLOURS].sum(), spread[-COLOURS:].sum()
    scale = torch.ones(descriptors.shape[-1])
    scale[:-COLOURS] = (GIST_WEIGHT / gist.clamp(min=1e-9)).sqrt()
    scale[-COLOURS:] = (1 / colour.clamp(min=1e-9)).sqrt()
    return scale


def read_index(path: str) -> SceneIndex:
    """Reads an index; nothing in the file is run.

    Raises:
        InputError: there is no such file, or it is no index, or of another format.
    """
    if not Path(path).is_file():
        raise InputError(f"model.index={path}: no such file; {BUILD}")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
        kind = content.pop("format")
    except Exception as error:
        raise InputError(f"model.index={path}: not a scene index; {BUILD}") from error
    if kind != FORMAT or content.pop("version", None) != VERSION:
        raise InputError(f"model.index={path}: of another format than version {VERSION} of this package; {BUILD}")
    try:
        return SceneIndex(**{**content, "filters": SceneFilters(**content["filters"])})
    except (TypeError, KeyError) as error:
        raise InputError(f"model.index={path}: damaged ({error}); {BUILD}") from error
