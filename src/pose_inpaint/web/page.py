"""The demo's page, in Gradio 6 (https://www.gradio.app/docs)."""

import functools
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import gradio as gr

from pose_inpaint.config.schema import DemoSettings
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.devices import is_out_of_memory
from pose_inpaint.web.actions import Actions, Answer, Canvas
from pose_inpaint.web.components import (
    in_memory,
    reads_painting,
    reads_photo,
    show_gallery,
    show_pair,
    show_photo,
)
from pose_inpaint.web.gate import DOWNLOAD
from pose_inpaint.web.photos import PAINT, SHOWN, to_url
from pose_inpaint.web.restorer import PHOTO
from pose_inpaint.web.store import KeptFile, Store

HOUR = 3600

CSS = """
.images {display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 0.75rem}
@media (max-width: 640px) {.images {grid-template-columns: 1fr 1fr}}
.images figure {margin: 0}
.images img {width: 100%; border-radius: 4px}
#examples .grid-wrap {min-height: 0}
#examples .grid-container {
  grid-template: none / repeat(auto-fill, minmax(4.5rem, 1fr)); grid-auto-rows: auto; gap: 0.5rem
}
.downloads a {
  display: inline-block; margin: 0 0.5rem 0.5rem 0; padding: 0.6rem 1.2rem; border-radius: 4px; font-weight: 600;
  text-decoration: none; color: var(--button-primary-text-color); background: var(--button-primary-background-fill)
}
"""


def build_page(actions: Actions, settings: DemoSettings, uploads: Store) -> Any:
    """Build the page.

    Args:
        actions: What the buttons do.
        settings: Settings of the command.
        uploads: Where uploads wait for their event.

    Returns:
        The `gradio.Blocks`.
    """
    restorer = actions.restorer
    examples = [actions.show(example) for example in actions.examples]
    limits = f"at most {settings.upload.megabytes:g} MB, {settings.upload.megapixels:g} megapixels"

    def load(photo: KeptFile | None) -> tuple[KeptFile | None, Canvas]:
        return photo, actions.show(photo)

    def load_example(chosen: gr.SelectData) -> tuple[KeptFile | None, Canvas]:
        return load(actions.examples[chosen.index])

    def inpaint(
        photo: KeptFile | None, canvas: Canvas, layers: list[bytes], seed: float, samples: float, pose: bool
    ) -> Answer:
        return actions.inpaint(photo, canvas, layers, int(seed), int(samples), pose=pose)

    def show_answer(answer: Answer) -> tuple[Any, ...]:
        captions = list(answer.urls)
        inpainted = captions[2]  # after the photo and what is painted
        return (
            answer.summary,
            gr.Column(visible=True),
            links(answer),
            (answer.urls[PHOTO], answer.urls[inpainted]),
            gr.Radio(choices=captions, value=PHOTO),
            gr.Radio(choices=captions, value=inpainted),
            figures(answer.urls),
        )

    def compare(answer: Answer, left: str, right: str) -> tuple[str, str]:
        return answer.urls[left], answer.urls[right]

    with gr.Blocks(title="pose_inpaint", analytics_enabled=False) as page:
        gr.Markdown("# Inpaint a photo\nLoad a photo, paint over what is to be replaced, and press **Inpaint**.")
        photo = gr.State(actions.examples[0] if examples else None, time_to_live=HOUR)
        canvas = gr.State(examples[0] if examples else None, time_to_live=HOUR)
        answer = gr.State(None, time_to_live=HOUR)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                file = gr.File(label=f"Photo ({limits})", file_types=["image"], height=150)
                in_memory(file, read=reads_photo(uploads))
                gallery = gr.Gallery(
                    label="Drawings to try", elem_id="examples", show_label=False, allow_preview=False, buttons=[],
                    height="auto", visible=bool(examples),
                )  # fmt: skip
                in_memory(gallery, show=show_gallery, value=[to_url(each.image) for each in examples])
                with gr.Accordion("Squares, instead of painting by hand", open=False):
                    side = gr.Slider(5, 80, 25, step=1, label="Side (% of the photo's shorter side)")
                    left = gr.Slider(0, 100, 50, step=1, label="From left (0) to right (100)")
                    top = gr.Slider(0, 100, 50, step=1, label="From top (0) to bottom (100)")
                    place = gr.Button("Place a square")
                    place_at_random = gr.Button("Place one at random")
            with gr.Column(scale=2, min_width=320):
                painting = gr.ImageEditor(
                    label="Paint here", sources=(), transforms=(), layers=False, buttons=[], format="png",
                    brush=gr.Brush(
                        default_size=40, colors=[("#{:02x}{:02x}{:02x}".format(*PAINT), PAINT[3] / 255)],
                        color_mode="fixed",
                    ),
                    canvas_size=(SHOWN, SHOWN), height="min(65vh, 110vw)",
                )  # fmt: skip
                shown = examples[0].image if examples else None
                in_memory(painting, read=reads_painting(uploads), show=show_photo, value=shown)
                with gr.Row():
                    seed = gr.Number(settings.seed, label="Seed", precision=0, minimum=0, maximum=2**32 - 1)
                    samples = gr.Slider(1, 6, 1, step=1, label="Samples", visible=restorer.draws_samples)
                    pose = gr.Checkbox(False, label="Draw the pose", visible=restorer.estimator is not None)
                with gr.Row():
                    clear = gr.Button("Clear", scale=1, min_width=120)
                    button = gr.Button("Inpaint", variant="primary", scale=2, min_width=160)
        summary = gr.Markdown()
        with gr.Column(visible=False) as results:
            downloads = gr.HTML(padding=False)
            comparison = gr.ImageSlider(show_label=False, buttons=[], interactive=False, max_height=700)
            in_memory(comparison, show=show_pair)
            with gr.Row():
                on_left, on_right = gr.Radio(label="On the left"), gr.Radio(label="On the right")
            images = gr.HTML(padding=False)

        # Each action leaves its outcome with the server, and only then is it shown, so that an error changes nothing on
        # the page. One group computes, so that visitors are served in turn.
        turn: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "turn", "api_visibility": "private"}
        at_once: dict[str, Any] = {"concurrency_limit": None, "api_visibility": "private", "show_progress": "hidden"}
        loaded = file.upload(says(load), file, [photo, canvas], **turn)
        for outcome in (loaded.success, loaded.failure):
            outcome(lambda: None, None, file, **at_once)  # ready for the next one
        painted = [photo, canvas, painting]
        for event in (
            loaded,
            gallery.select(says(load_example), None, [photo, canvas], **turn),
            clear.click(says(actions.show), photo, canvas, **turn),
            painting.clear(says(actions.show), photo, canvas, **turn),  # which removes the photo, too
            place.click(says(actions.place_square), [*painted, side, left, top], canvas, **turn),
            place_at_random.click(says(actions.place_at_random), [*painted, side], canvas, **turn),
        ):
            event.success(lambda canvas: canvas.image, canvas, painting, **at_once)
        options = [*painted, seed, samples, pose]
        inpainted = button.click(says(inpaint), options, answer, show_progress_on=summary, **turn)
        outputs = [summary, results, downloads, comparison, on_left, on_right, images]
        inpainted.success(show_answer, answer, outputs, **at_once)
        for radio in (on_left, on_right):
            radio.input(compare, [answer, on_left, on_right], comparison, **at_once)
    page.queue(max_size=settings.queue, default_concurrency_limit=1)
    page.state_session_capacity = settings.queue
    return page


def says(action: Callable[..., Any]) -> Callable[..., Any]:
    """Let an action tell the visitor of an `InputError`, or that memory ran out."""

    @functools.wraps(action)
    def guarded(*arguments: Any) -> Any:
        try:
            return action(*arguments)
        except InputError as error:
            raise gr.Error(escape(str(error)), print_exception=False) from error
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            message = "This photo is too large for the memory of the server. Load a smaller one."
            raise gr.Error(message, print_exception=False) from error

    return guarded


def links(answer: Answer) -> str:
    """Return the links by which the outputs are fetched, as HTML."""
    path = DOWNLOAD.removeprefix("/")
    each = (f'<a href="{path}{key}" download>{escape(label)}</a>' for label, key in answer.downloads.items())
    return f'<div class="downloads">{"".join(each)}</div>'


def figures(urls: Mapping[str, str]) -> str:
    """Return images with their captions, as HTML."""
    each = (
        f'<figure><img src="{url}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'
        for caption, url in urls.items()
    )
    return f'<div class="images">{"".join(each)}</div>'
