"""What the demo's server answers to: the requests of its page, and nothing else that Gradio has."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from pose_inpaint.web.store import KeptFile, Store

Header = tuple[bytes, bytes]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

DOWNLOAD = "/download/"

PAGE = ("/", "/config", "/config/", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json")
ASSETS = ("/assets/", "/static/")
API = "/gradio_api/"
EVENTS = ("queue/join", "queue/data", "startup-events", "cancel", "reset")
UPLOAD, PROGRESS = f"{API}upload", f"{API}upload_progress"

POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'; form-action 'self'; "
    "base-uri 'self'"
)
"""Content security policy: no browser is sent to another server."""

OVERHEAD = 2**20
"""Bytes that a request may have beside the photo."""


class FormInMemory(MultiPartParser):
    """Reads a form whose files stay in memory."""

    spool_max_size = 2**40


class Gate:
    """Let the events of the page through to Gradio, take uploads, serve downloads, and answer all else with an error.

    Gradio would keep uploads on the disk. It also serves files by their path, fetches addresses for visitors, and lists
    and runs functions; nothing of this is needed, so nothing of it is open.

    Args:
        application: Gradio's application.
        uploads: Where uploads wait for their event.
        downloads: Files to serve.
        folder: Folder that Gradio takes uploads from; nothing is written to it.
        largest: Most bytes of a photo.
    """

    def __init__(
        self, application: Application, uploads: Store, downloads: Store, folder: PurePath, largest: int
    ) -> None:
        self.application, self.uploads, self.downloads = application, uploads, downloads
        self.folder, self.largest = folder, largest

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI asks (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        path, posts = scope["path"], scope["method"] == "POST"
        length = Headers(scope=scope).get("content-length", "")
        if posts and not length.isdigit():
            await _reply(send, 411, b"length required")
        elif posts and int(length) > self.largest + OVERHEAD:
            await _reply(send, 413, b"This file is too large.")
        elif path.rstrip("/") == UPLOAD:
            await self._upload(scope, receive, send)
        elif path == PROGRESS:  # of an upload, for which the page would otherwise wait for seconds
            await _reply(send, 200, b'data: {"msg": "done"}\n\n', b"text/event-stream")
        elif path.startswith(DOWNLOAD):
            await self._download(path.removeprefix(DOWNLOAD), send)
        elif is_of_page(path):

            async def send_with_policy(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", []), *_HEADERS]
                await send(message)

            await self.application(scope, receive, send_with_policy)
        else:
            await _reply(send, 404, b"not found")

    async def _upload(self, scope: Message, receive: Receive, send: Send) -> None:
        """Keep the files of a form; answer, as Gradio does, with a path for each."""
        # Gradio's editor sends, at every stroke, the photo and a composite with what is painted, which nothing needs.
        # Its uploads have no `upload_id`.
        photo = b"upload_id=" in scope["query_string"]
        try:
            form = await FormInMemory(Headers(scope=scope), Request(scope, receive).stream(), max_files=10).parse()
        except (MultiPartException, KeyError) as error:
            await _reply(send, 400, f"not a form with files ({error})".encode())
            return
        paths = []
        for file in form.getlist("files"):
            if isinstance(file, UploadFile):
                name = PurePath(file.filename or "photo").name
                kept = KeptFile(name, await file.read() if photo or name.startswith("layer") else b"")
                paths.append(str(self.folder / self.uploads.keep(kept)))
        await _reply(send, 200, json.dumps(paths).encode(), b"application/json")

    async def _download(self, key: str, send: Send) -> None:
        found = self.downloads.find(key)
        if found is None:
            await _reply(send, 404, b"This image is no longer kept. Inpaint the photo again.")
            return
        disposition = f"attachment; filename*=UTF-8''{quote(found.name, safe='')}"
        headers = [(b"content-disposition", disposition.encode()), (b"cache-control", b"no-store")]
        await _reply(send, 200, found.content, b"image/png", *headers)


_HEADERS: list[Header] = [
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


def is_of_page(path: str) -> bool:
    """Whether the page needs a path of the server."""
    if ".." in path.split("/"):
        return False
    if path.startswith(API):
        event = path.removeprefix(API).rstrip("/")
        return event in EVENTS or event.startswith("heartbeat/")
    return path in PAGE or path.startswith(ASSETS)


async def _reply(send: Send, status: int, content: bytes, kind: bytes = b"text/plain", *more: Header) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode()), *_HEADERS, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
