"""The demo's server."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from gradio.utils import get_upload_folder
from PIL import Image

from pose_inpaint.config.schema import DemoSettings
from pose_inpaint.web.actions import Actions
from pose_inpaint.web.gate import Gate
from pose_inpaint.web.page import CSS, build_page
from pose_inpaint.web.photos import MEGABYTE
from pose_inpaint.web.restorer import Restorer
from pose_inpaint.web.store import Store

KEPT = 2**29
"""Most bytes of uploads that wait for their event, and of outputs that wait to be fetched."""

UPLOAD_SECONDS, DOWNLOAD_SECONDS = 600, 1800


def listen(host: str, port: int) -> socket.socket:
    """Open the port; raise `OSError` if it is taken, or can't be opened."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # Windows would share a port that is taken
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen()
    except OSError:
        opened.close()
        raise
    return opened


def make_server(restorer: Restorer, settings: DemoSettings, examples: Sequence[Image.Image]) -> uvicorn.Server:
    """Make the server; its `run(sockets=[listen(...)])` serves until it is stopped.

    Args:
        restorer: What inpaints.
        settings: Settings of the command.
        examples: Photos that visitors can begin with.
    """
    uploads, downloads = Store(KEPT, UPLOAD_SECONDS), Store(KEPT, DOWNLOAD_SECONDS)
    largest = int(settings.upload.megabytes * MEGABYTE)
    page = build_page(Actions(restorer, settings.upload, downloads, examples), settings, uploads)
    application = gr.mount_gradio_app(
        FastAPI(),
        page,
        "/",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        max_file_size=largest,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css=CSS,
    )
    gate = Gate(application, uploads, downloads, Path(get_upload_folder()), largest)
    return uvicorn.Server(uvicorn.Config(gate, log_level="warning", timeout_graceful_shutdown=2))
