"""What the buttons of the demo's page do, without Gradio."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from PIL import Image

from pose_inpaint.config.schema import UploadSettings
from pose_inpaint.errors import InputError
from pose_inpaint.web.photos import add_square, encode, paint_over, read_painting, read_upload, to_shown, to_url
from pose_inpaint.web.restorer import Restorer
from pose_inpaint.web.store import KeptFile, Store


@dataclass(frozen=True)
class Canvas:
    """What a visitor paints on.

    Attributes:
        image: Photo as it is shown, with the squares on it.
        placed: Squares, and what was painted by hand before them: a PNG file with transparency, or None.
    """

    image: Image.Image
    placed: bytes | None = None

    def all_of(self, layers: Sequence[bytes]) -> list[bytes]:
        """Return what is placed and what is painted on this canvas."""
        return [*layers] if self.placed is None else [self.placed, *layers]


@dataclass(frozen=True)
class Answer:
    """What a visitor gets for a painted photo.

    Attributes:
        summary: Model, device, seed and seconds.
        urls: Images as they are shown: data URLs by caption.
        downloads: Keys of the outputs at the photo's own resolution, by label.
    """

    summary: str
    urls: dict[str, str]
    downloads: dict[str, str]


class Actions:
    """Actions of all visitors; what belongs to one of them is passed in and returned.

    Args:
        restorer: What inpaints.
        limits: Largest photo.
        downloads: Where outputs wait to be fetched.
        examples: Photos that visitors can begin with.
    """

    def __init__(
        self, restorer: Restorer, limits: UploadSettings, downloads: Store, examples: Sequence[Image.Image]
    ) -> None:
        self.restorer, self.limits, self.downloads = restorer, limits, downloads
        self.examples = [KeptFile(f"example {i}.png", encode(image)) for i, image in enumerate(examples, start=1)]

    def show(self, photo: KeptFile | None) -> Canvas:
        """Show a photo with nothing painted on it; raise `InputError` if it can't be used."""
        return Canvas(to_shown(self._open(photo)))

    def place_square(
        self, photo: KeptFile | None, canvas: Canvas, layers: Sequence[bytes], side: float, left: float, top: float
    ) -> Canvas:
        """Paint a square; side and position in percent, as in `add_square`."""
        shown = to_shown(self._open(photo))
        placed = add_square(canvas.all_of(layers), shown.size, side / 100, left / 100, top / 100)
        return Canvas(paint_over(shown, placed), placed)

    def place_at_random(self, photo: KeptFile | None, canvas: Canvas, layers: Sequence[bytes], side: float) -> Canvas:
        """Paint a square anywhere."""
        return self.place_square(photo, canvas, layers, side, random.uniform(0, 100), random.uniform(0, 100))

    def inpaint(
        self,
        photo: KeptFile | None,
        canvas: Canvas,
        layers: Sequence[bytes],
        seed: int = 0,
        samples: int = 1,
        *,
        pose: bool = False,
    ) -> Answer:
        """Inpaint what is painted.

        Raises:
            InputError: There is no photo, nothing or everything is painted, or a method can't inpaint it.
        """
        image = self._open(photo)
        painted = read_painting(canvas.all_of(layers), image.width, image.height)
        restored = self.restorer(image, painted, seed=seed, samples=samples, pose=pose)
        downloads = {}
        name = PurePath(photo.name).stem if photo else ""
        for i, sample in enumerate(restored.samples, start=1):
            number = f" {i}" if samples > 1 else ""
            key = self.downloads.keep(KeptFile(f"{name} inpainted{number}.png", encode(sample)))
            downloads[f"Download PNG{number} ({sample.width} x {sample.height})"] = key
        seconds = ", ".join(f"{caption} {value:.2f} s" for caption, value in restored.seconds.items())
        model = self.restorer.model
        return Answer(
            f"{PurePath(model.name).name} on {model.images.device}, seed {seed}: {seconds}",
            {caption: to_url(image) for caption, image in restored.shown.items()},
            downloads,
        )

    def _open(self, photo: KeptFile | None) -> Image.Image:
        if photo is None:
            raise InputError("There is no photo, or it is no longer in memory. Load one.")
        return read_upload(photo.content, photo.name, self.limits)
