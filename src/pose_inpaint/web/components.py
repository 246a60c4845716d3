"""Gradio's components with images in memory instead of files.

Gradio writes what components take and show to files, which it then serves by their paths. Here, what visitors send
comes from the uploads in memory, and what they see are data URLs. (Subclasses would be plainer, but Gradio writes
a file beside the source of every subclass.)
"""

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

from gradio.data_classes import FileData
from PIL import Image

from pose_inpaint.web.photos import to_url
from pose_inpaint.web.store import KeptFile, Store


def in_memory(
    component: Any,
    *,
    read: Callable[[Any], Any] | None = None,
    show: Callable[[Any], Any] | None = None,
    value: Any = None,
) -> Any:
    """Let a component use no files.

    Args:
        component: Component of Gradio without a value; it is changed.
        read: Function from what the browser sends to what events get.
        show: Function from what events return to what the browser gets.
        value: What `show` gets for the page as it is loaded.

    Returns:
        The component.
    """

    async def keep_path(path: Any) -> str:
        return str(path)  # Gradio would copy a file, or fetch an address, that an event names

    component.async_move_resource_to_block_cache = keep_path
    if read is not None:
        component.preprocess = read
    if show is not None:
        component.postprocess = show
        component.value = None if value is None else show(value)
    return component


def reads_photo(uploads: Store) -> Callable[[FileData | None], KeptFile | None]:
    """Return the function by which `gr.File` reads its photo; None if there is none, or no longer."""
    return lambda payload: None if payload is None else uploads.take(_key(payload))


def reads_painting(uploads: Store) -> Callable[[Any], list[bytes]]:
    """Return the function by which `gr.ImageEditor` reads its layers, as PNG files; empty if they are gone."""

    def read(payload: Any) -> list[bytes]:
        if payload is None:
            return []
        for file in (payload.background, payload.composite):  # the server has the photo already
            if file is not None:
                uploads.take(_key(file))
        layers = [uploads.take(_key(layer)) for layer in payload.layers]
        return [layer.content if layer else b"" for layer in layers]

    return read


def show_photo(image: Image.Image | None) -> dict[str, Any] | None:
    """Show a photo to paint on in `gr.ImageEditor`, with nothing painted on it."""
    if image is None:
        return None
    return {"background": _inline(to_url(image)), "layers": [], "composite": None, "id": None}


def show_pair(urls: tuple[str, str] | None) -> list[dict[str, Any]] | None:
    """Show two images, given by their data URLs, in `gr.ImageSlider`."""
    return None if urls is None else [_inline(url) for url in urls]


def show_gallery(urls: Sequence[str]) -> list[dict[str, Any]]:
    """Show images, given by their data URLs, in `gr.Gallery`."""
    return [{"image": _inline(url), "caption": None} for url in urls]


def _inline(url: str) -> dict[str, Any]:
    """Describe an image to the browser; without the mark of Gradio's files, which it would look for on the disk."""
    return {"path": "", "url": url}


def _key(file: FileData) -> str:
    return PurePath(file.path).name
