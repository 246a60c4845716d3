import asyncio
import json
from pathlib import PurePath

import pytest

from pose_inpaint.web.gate import API, OVERHEAD, Gate, is_of_page
from pose_inpaint.web.store import KeptFile, Store

FOLDER = PurePath("/uploads")
FORM = (
    b'--x\r\ncontent-disposition: form-data; name="files"; filename="%b"\r\ncontent-type: image/png\r\n\r\n%b\r\n--x--'
)


async def gradio(scope, receive, send):
    await send({"type": "http.response.start", "status": 299, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"gradio"})


class Server:
    def __init__(self, largest=1000):
        self.uploads, self.downloads = Store(2**20, 60), Store(2**20, 60)
        self.gate = Gate(gradio, self.uploads, self.downloads, FOLDER, largest)

    def __call__(self, path, method="GET", body=b"", length=None, query=b"", kind=b"multipart/form-data; boundary=x"):
        headers = [(b"content-type", kind)]
        if length != "none":
            headers.append((b"content-length", str(len(body) if length is None else length).encode()))
        scope = {
            "type": "http", "path": path, "method": method, "headers": headers, "query_string": query,
        }  # fmt: skip
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(self.gate(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    def upload(self, name, content, query=b"upload_id=1"):
        status, _, body = self(f"{API}upload", "POST", FORM % (name, content), query=query)
        assert status == 200
        return json.loads(body)


@pytest.fixture
def server():
    return Server()


@pytest.mark.parametrize(
    "path",
    ["/", "/config", "/theme.css", "/assets/index.js", "/static/img/x.svg", f"{API}queue/join", f"{API}heartbeat/abc"],
)
def test_what_the_page_needs_passes_with_a_policy_against_other_servers(server, path):
    status, headers, body = server(path)
    assert (status, headers[b"a"], body) == (299, b"b", b"gradio")
    policy = headers[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'self'")
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(
    "path",
    [
        f"{API}file=/etc/passwd", f"{API}file/etc/passwd", f"{API}file=http://127.0.0.1/", f"{API}proxy=http://127.0.0.1/",
        f"{API}info", f"{API}run/inpaint", f"{API}call/inpaint", f"{API}component_server", f"{API}deep_link",
        f"{API}vibe-code/", f"{API}stream/1", f"{API}custom_component/1/client/component/x", f"{API}upload/../info",
        "/static/../../../../etc/passwd", "/assets/../x", "/svelte/x", "/monitoring", "/docs", "/openapi.json", "",
    ],
)  # fmt: skip
def test_all_else_that_gradio_has_is_closed(server, path):
    assert not is_of_page(path)
    status, _, body = server(path)
    assert (status, body) == (404, b"not found")


def test_an_upload_stays_in_memory_under_a_path_that_cant_be_guessed(server):
    (path,) = server.upload(b"me.png", b"pixels")
    (other,) = server.upload(b"me.png", b"pixels")
    assert path != other
    assert PurePath(path).parent == FOLDER
    assert server.uploads.find(PurePath(path).name) == KeptFile("me.png", b"pixels")


def test_a_name_with_folders_loses_them(server):
    (path,) = server.upload(b"../../etc/me.png", b"pixels")
    assert server.uploads.find(PurePath(path).name).name == "me.png"


def test_of_what_the_editor_sends_only_the_layers_are_kept(server):
    kept = [server.upload(name, b"pixels", b"") for name in (b"background.png", b"composite.png", b"layer_0.png")]
    contents = [server.uploads.find(PurePath(path).name).content for (path,) in kept]
    assert contents == [b"", b"", b"pixels"]


def test_a_large_file_of_a_form_is_never_on_the_disk(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a file was made")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", refuse)
    server = Server(largest=2**22)
    (path,) = server.upload(b"me.png", bytes(2**21))
    assert server.uploads.find(PurePath(path).name).content == bytes(2**21)


@pytest.mark.parametrize(("length", "status"), [(1001 + OVERHEAD, 413), ("none", 411), ("x", 411), ("-1", 411)])
@pytest.mark.parametrize("path", [f"{API}upload", f"{API}queue/join"])
def test_what_is_posted_has_a_length_that_is_checked_before_it_is_read(server, path, length, status):
    assert server(path, "POST", b"", length)[0] == status
    assert server(path, "POST", b"", 1000 + OVERHEAD)[0] in (200, 299)


@pytest.mark.parametrize("kind", [b"text/plain", b"multipart/form-data"])
def test_what_is_no_form_is_refused(server, kind):
    assert server(f"{API}upload", "POST", b"hello", kind=kind)[0] == 400


def test_a_download_has_its_name_and_is_not_cached(server):
    key = server.downloads.keep(KeptFile("Ü 1 inpainted.png", b"png"))
    status, headers, body = server(f"/download/{key}")
    assert (status, body, headers[b"content-type"]) == (200, b"png", b"image/png")
    assert headers[b"content-disposition"] == b"attachment; filename*=UTF-8''%C3%9C%201%20inpainted.png"
    assert headers[b"cache-control"] == b"no-store"
    assert server(f"/download/{key[:-1]}")[0] == server("/download/")[0] == 404


def test_an_upload_is_no_download(server):
    (path,) = server.upload(b"me.png", b"pixels")
    assert server(f"/download/{PurePath(path).name}")[0] == 404


def test_the_progress_of_an_upload_is_answered_at_once(server):
    assert server(f"{API}upload_progress") == (
        200,
        {**server(f"{API}upload_progress")[1], b"content-type": b"text/event-stream"},
        b'data: {"msg": "done"}\n\n',
    )
