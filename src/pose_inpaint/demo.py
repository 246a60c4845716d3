"""`python -m pose_inpaint.demo`: a web page on which visitors paint on a photo and have it inpainted."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import DemoSettings
from pose_inpaint.config.settings import read_settings

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES_SEED, EXAMPLES_SIDE = 7, 512


def main() -> None:
    """Run the command until Ctrl-C; exit with status 1 if the port can't be opened."""
    run_command("demo", run)


def run(config: DictConfig) -> None:
    """Serve the page.

    Raises:
        InputError: Invalid setting, no such model, or Gradio is not installed.
    """
    settings = read_settings(config, DemoSettings)
    with tempfile.TemporaryDirectory(prefix="pose_inpaint_demo_") as folder:
        # Before Gradio is imported. Its own choice is a folder that all users of a machine share.
        os.environ["GRADIO_TEMP_DIR"], os.environ["GRADIO_ANALYTICS_ENABLED"] = folder, "False"
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # removes the folder
        try:
            serve(settings)
        except KeyboardInterrupt:
            print("stopped")
        finally:
            signal.signal(signal.SIGTERM, before)


def serve(settings: DemoSettings) -> None:
    """Serve the page until Ctrl-C or SIGTERM; raises as `run`."""
    from PIL import Image

    from pose_inpaint import build
    from pose_inpaint.data.mannequins import draw
    from pose_inpaint.runtime.devices import choose_device
    from pose_inpaint.runtime.optional import import_extra
    from pose_inpaint.web.restorer import Restorer, load_models

    import_extra("gradio", "the demo needs Gradio", "demo")
    from pose_inpaint.web.server import listen, make_server

    try:
        opened = listen(settings.host, settings.port)
    except OSError as error:
        reason = f"{error.strerror}; give another, or port=0 for any that is free"
        print(f"error: host={settings.host} port={settings.port}: {reason}", file=sys.stderr)
        raise SystemExit(1) from error
    with opened:
        model, others = load_models(settings.checkpoint, settings.beside, settings.device)
        judge = build.build_judge(settings.pose, choose_device(settings.device))
        restorer = Restorer(model, others, None if judge is None else judge.estimator)
        examples = [draw(EXAMPLES_SEED, i, EXAMPLES_SIDE).image for i in range(1, settings.examples + 1)]
        server = make_server(restorer, settings, [Image.fromarray(example) for example in examples])
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        print(f"{model!r}: http://{host}:{opened.getsockname()[1]} (Ctrl-C stops)", flush=True)
        server.run(sockets=[opened])


if __name__ == "__main__":
    main()
