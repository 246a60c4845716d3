"""The page as its visitors have it: one server in this process, plain HTTP, and a browser where there is one."""

import base64
import http.client
import json
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO

import numpy as np
import pytest
from conftest import PATIENCE
from PIL import Image

from pose_inpaint.api import Model
from pose_inpaint.config.schema import DemoSettings, PoseSettings, UploadSettings
from pose_inpaint.models.classical.push_pull import PushPullFill
from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.web.photos import PAINT
from pose_inpaint.web.restorer import Restorer

VISITORS = 20
POSE = PoseSettings("estimated", "both", [], bounds=False, resave_quality=90, scores={})


class OneAtATime(PushPullFill):
    """Counts its calls, and how many there are at once."""

    def __init__(self):
        self.calls = self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, *arguments, **options):
        with self.lock:
            self.calls, self.now = self.calls + 1, self.now + 1
            self.most = max(self.most, self.now)
        try:
            return super().__call__(*arguments, **options)
        finally:
            with self.lock:
                self.now -= 1


def encoded(image, form="PNG"):
    buffer = BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def decoded(content):
    return np.array(Image.open(BytesIO(content)).convert("RGB"), dtype=int)


class Page:
    """A server of the page."""

    def __init__(self, folder, port, inpainter):
        self.folder, self.port, self.inpainter = folder, port, inpainter
        self.config = json.loads(self.get("/config")[1])
        self.events = {each["api_name"]: each for each in self.config["dependencies"]}

    def request(self, method, path, body=b"", kind="application/json"):
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)) as connection:
            connection.request(method, path, body, {"content-type": kind})  # the path as it is, with its dots
            response = connection.getresponse()
            return response.status, response.read()

    def get(self, path):
        return self.request("GET", path)


class Visitor:
    """Does what the browser of a visitor does."""

    def __init__(self, page, name):
        self.page, self.session = page, f"session{name}"

    def upload(self, name, content, query="?upload_id=1"):
        form = f'--x\r\ncontent-disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        form += content + b"\r\n--x--"
        kind = "multipart/form-data; boundary=x"
        status, answer = self.page.request("POST", f"/gradio_api/upload{query}", form, kind)
        assert status == 200, answer
        return {"path": json.loads(answer)[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def event(self, name, *data):
        """Send an event, and return its message: what it shows, or why it failed."""
        event = self.page.events[name]
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session}
        status, answer = self.page.request("POST", "/gradio_api/queue/join", json.dumps(body).encode())
        assert status == 200, answer
        _, stream = self.page.get(f"/gradio_api/queue/data?session_hash={self.session}")
        messages = [json.loads(line[6:]) for line in stream.decode().splitlines() if line.startswith("data: ")]
        (completed,) = (each for each in messages if each["msg"] == "process_completed")
        return completed["output"]

    def paint(self, opacity):
        layer = np.dstack([np.zeros((*opacity.shape, 3), dtype=np.uint8), opacity.astype(np.uint8) * 255])
        return {"background": None, "layers": [self.upload("layer_0.png", encoded(Image.fromarray(layer)), "")]}

    def inpaint(self, opacity, seed=0):
        failed = self.event("inpaint", None, None, self.paint(opacity), seed, 1, False)
        return failed if "error" in failed else self.event("show_answer", None)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A server whose every file would be in an empty folder of its own."""
    gradio = pytest.importorskip("gradio", reason="the demo's page needs gradio (extra demo)")
    assert int(gradio.__version__.split(".")[0]) == 6
    from pose_inpaint.web.server import listen, make_server

    folder, inpainter = tmp_path_factory.mktemp("temporary"), OneAtATime()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        patch.setattr(tempfile, "tempdir", str(folder))
        settings = DemoSettings("push_pull", "127.0.0.1", 0, 2 * VISITORS, UploadSettings(1, 0.1), "cpu", 0, 1, POSE)
        restorer = Restorer(Model("push_pull", ImageInpainter(inpainter)), {})
        server = make_server(restorer, settings, [Image.new("RGB", (64, 48), "navy")])
        opened = listen("127.0.0.1", 0)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
        thread.start()
        try:
            yield Page(folder, opened.getsockname()[1], inpainter)
        finally:
            server.should_exit = True
            thread.join()
            opened.close()


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


HOLE = np.zeros((48, 64), dtype=bool)
HOLE[10:30, 20:50] = True


def test_twenty_visitors_at_once_are_served_in_turn_and_see_their_own_photos(page):
    colours = [(10 * i, 250 - 10 * i, (70 * i) % 256) for i in range(VISITORS)]
    together = threading.Barrier(VISITORS, timeout=PATIENCE)  # each step is over for all before the next
    page.inpainter.calls = 0

    def visit(i):
        visitor = Visitor(page, f"twenty{i}")
        photo = visitor.upload("me.png", encoded(Image.new("RGB", (64, 48), colours[i])))
        together.wait()
        loaded = visitor.event("load", photo)
        painted = visitor.paint(HOLE)
        together.wait()
        inpainted = visitor.event("inpaint", None, None, painted, i, 1, False)
        together.wait()
        assert "error" not in {**loaded, **inpainted}
        return visitor.event("show_answer", None)

    with ThreadPoolExecutor(VISITORS) as pool:
        answers = list(pool.map(visit, range(VISITORS)))
    assert (page.inpainter.calls, page.inpainter.most) == (2 * VISITORS, 1)  # the inpainted one, and the raw output
    for i, answer in enumerate(answers):
        summary, _, link, pair, *_, figures = answer["data"]
        assert f"seed {i}:" in summary
        urls = [image["url"] for image in pair] + re.findall('src="([^"]*)"', figures)
        assert len(urls) == 2 + 4
        for n, url in enumerate(urls):
            shown = decoded(base64.b64decode(url.partition("base64,")[2]))
            far = slice(0, 8) if n == 3 else ...  # from what is painted, which JPEG smears
            assert np.abs(shown - colours[i])[far].max() <= 3
        (key,) = re.findall('href="download/([^"]*)"', link)
        status, png = page.get(f"/download/{key}")
        assert status == 200
        assert (decoded(png) == colours[i]).all()
    assert files(page.folder) == []  # no photo was ever there: nothing removes one


def test_known_pixels_are_the_photos_at_its_own_resolution(page):
    pixels = np.random.default_rng(3).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    visitor = Visitor(page, "resolution")
    visitor.event("load", visitor.upload("me.png", encoded(Image.fromarray(pixels))))
    answer = visitor.inpaint(np.pad(np.ones((50, 60), dtype=bool), ((20, 130), (40, 200))))
    (key,) = re.findall('href="download/([^"]*)"', answer["data"][2])
    changed = (decoded(page.get(f"/download/{key}")[1]) != pixels).any(2)
    assert changed[20:70, 40:100].mean() > 0.95
    changed[20:70, 40:100] = False
    assert not changed.any()


def test_squares_are_placed_without_a_hand(page):
    visitor = Visitor(page, "squares")
    empty = {"background": None, "layers": []}
    assert "error" not in visitor.event("place_square", None, None, empty, 50, 100, 0)
    answer = visitor.event("inpaint", None, None, empty, 0, 1, False)
    assert "error" not in answer
    _, _, _, _, _, _, figures = visitor.event("show_answer", None)["data"]
    painted = decoded(base64.b64decode(re.findall('src="[^"]*base64,([^"]*)"', figures)[1]))
    expected = np.zeros((48, 64), dtype=bool)
    expected[:24, 40:] = True
    assert ((painted[..., 0] > 128) == expected).all()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"hello", "a.txt is not an image that can be read"),
        ("a<b>.png", b"hello", "a&lt;b&gt;.png is not an image"),
        ("a.png", encoded(Image.new("RGB", (400, 300))), "a.png has 400 x 300 pixels (0.1 megapixels), and this page"),
        ("a.png", bytes(2**20 + 2**17), "a.png has 1.1 MB, and this page takes 1 MB at most"),
    ],
)
def test_a_photo_that_cant_be_used_is_one_message_and_changes_nothing(page, name, content, says):
    visitor = Visitor(page, f"bad{len(content)}{name[:2]}")
    assert visitor.event("load", visitor.upload(name, content))["error"].startswith(says)
    assert "error" not in visitor.inpaint(HOLE)  # the example, with which the page begins


@pytest.mark.parametrize(("filled", "says"), [(False, "Nothing is painted."), (True, "Everything is painted.")])
def test_nothing_or_everything_painted_is_one_message(page, filled, says):
    assert Visitor(page, says[:4]).inpaint(np.full_like(HOLE, filled))["error"].startswith(says)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(page):
    with closing(http.client.HTTPConnection("127.0.0.1", page.port, timeout=300)) as connection:
        connection.putrequest("POST", "/gradio_api/upload")
        connection.putheader("content-length", str(10**9))
        connection.endheaders()
        assert connection.getresponse().status == 413


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file={secret}", "/gradio_api/file/{secret}", "/file={secret}",
        "/gradio_api/file={folder}/../{name}",
        "/static/../../../../../../../../../../../..{secret}", "/assets/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..{secret}",
        "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e{secret}", "/static/{secret}",
        "/assets//{secret}", "/download/../{name}", "/download/{secret}", "/gradio_api/proxy=file://{secret}",
        "/gradio_api/file=http://127.0.0.1:{port}/config",
    ],
)  # fmt: skip
def test_no_file_of_the_machine_can_be_read(page, tmp_path, path):
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden words")
    asked = path.format(secret=secret, name=secret.name, folder=page.folder, port=page.port)
    status, content = page.get(asked)
    assert status in (403, 404), content[:200]
    assert b"hidden words" not in content


@pytest.mark.parametrize("path", ["{secret}", "{folder}/../{name}", "http://127.0.0.1:{port}/config"])
def test_an_event_reads_no_file_and_no_address_that_it_names(page, tmp_path, path):
    secret = page.folder.parent / "secret.png"
    secret.write_bytes(encoded(Image.new("RGB", (64, 48), "red")))
    named = path.format(secret=secret, name=secret.name, folder=page.folder, port=page.port)
    file = {"path": named, "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    assert "There is no photo" in Visitor(page, f"named{len(path)}").event("load", file)["error"]


def test_the_page_reports_nothing_and_begins_with_examples(page):
    assert page.config["analytics_enabled"] is False
    status, html = page.get("/")
    assert status == 200
    assert b'<script src="http' not in html
    assert b"fonts.googleapis" not in html + page.get("/theme.css")[1]
    (gallery,) = (each for each in page.config["components"] if each["type"] == "gallery")
    (url,) = (each["image"]["url"] for each in gallery["props"]["value"])
    assert np.abs(decoded(base64.b64decode(url.partition("base64,")[2])) - (0, 0, 128)).max() <= 3


@pytest.fixture(scope="module")
def chromium():
    """A browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser test needs pip install playwright")
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("the browser test needs Chromium or Chrome on the PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 390])
def test_a_photo_is_loaded_painted_and_inpainted_in_a_browser(page, chromium, tmp_path, width):
    coarse = np.random.default_rng(4).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    coarse[..., 0] //= 3  # unlike the paint
    photo = Image.fromarray(coarse).resize((300, 200), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "me.png")
    (tmp_path / "note.png").write_text("hello")
    view = chromium.new_page(viewport={"width": width, "height": 800})
    view.set_default_timeout(1000 * PATIENCE)
    asked = []
    view.on("request", lambda request: asked.append(request.url))
    view.goto(f"http://127.0.0.1:{page.port}/")
    view.wait_for_selector("canvas")

    def load(name):
        view.locator("input[type=file]").first.set_input_files(tmp_path / name)

    load("note.png")
    view.get_by_text("note.png is not an image that can be read").wait_for()
    view.get_by_text("Click to Upload").wait_for()
    load("me.png")
    canvas = view.locator("canvas").first

    def middle():
        pixels = decoded(canvas.screenshot())
        row, column = pixels.shape[0] // 2, pixels.shape[1] // 2
        return pixels[row - 20 : row + 20, column - 20 : column + 20]

    def wait(seen):
        while not seen():  # nothing on the page says when the editor has drawn
            view.wait_for_timeout(200)

    wait(lambda: middle().std() > 30)  # the photo in place of the plain example
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    row, column = box["y"] + box["height"] / 2, box["x"] + box["width"] / 2
    view.mouse.move(column, row)
    view.mouse.down()
    view.mouse.move(column + 20, row + 10, steps=3)
    view.mouse.up()
    view.get_by_role("button", name="Inpaint", exact=True).press("Enter")
    view.wait_for_selector(".downloads a")
    link = view.locator(".downloads a").get_attribute("href")
    painted = view.get_by_alt_text("Painted", exact=True).get_attribute("src")
    painted = decoded(base64.b64decode(painted.partition("base64,")[2]))
    painted = np.abs(painted - PAINT[:3]).max(2) < 60  # JPEG
    assert 20 < painted.sum() < 20000
    changed = (decoded(page.get(f"/{link}")[1]) != np.array(photo)).any(2)
    assert (changed & painted).sum() > 0.8 * painted.sum()
    rows, columns = painted.nonzero()
    changed[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = False
    assert not changed.any()
    assert view.evaluate("document.documentElement.scrollWidth") <= width

    wait(lambda: middle()[..., 0].mean() > 150)
    view.get_by_label("Clear canvas").press("Enter")  # which would leave the editor without a photo
    wait(lambda: middle().std() > 30 and middle()[..., 0].mean() < 100)
    view.get_by_role("button", name="Inpaint", exact=True).press("Enter")
    view.get_by_text("Nothing is painted").wait_for()
    view.get_by_role("button", name="Squares, instead").press("Enter")
    view.get_by_role("button", name="Place a square").press("Enter")
    wait(lambda: middle()[..., 0].mean() > 150)
    view.get_by_role("button", name="Inpaint", exact=True).press("Enter")
    wait(lambda: view.locator(".downloads a").get_attribute("href") != link)
    new = view.locator(".downloads a").get_attribute("href")
    changed = (decoded(page.get(f"/{new}")[1]) != np.array(photo)).any(2)
    assert changed[75:125, 125:175].mean() > 0.95
    changed[75:125, 125:175] = False
    assert not changed.any()
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {f"127.0.0.1:{page.port}"}
    assert files(page.folder) == []
    view.close()


@pytest.mark.parametrize(
    "given", [["port=70000"], ["queue=0"], ["upload.megabytes=0"], ["beside=nothing"], ["examples=99"]]
)
def test_a_bad_setting_is_one_line(command, given):
    pytest.importorskip("gradio")
    outcome = command("demo", "checkpoint=mean", "device=cpu", *(["port=0"] if "port" not in given[0] else []), *given)
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: {given[0]}: ")
    assert len(outcome.err.splitlines()) == 1


def test_a_port_that_is_taken_is_one_line(command):
    pytest.importorskip("gradio")
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        outcome = command("demo", f"port={port}")
    assert outcome.status == 1
    assert outcome.err.startswith(f"error: host=127.0.0.1 port={port}: Address already in use; give another")
    assert len(outcome.err.splitlines()) == 1


def test_without_gradio_the_extra_is_named(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    outcome = command("demo")
    assert outcome.status == 2
    assert outcome.err == "error: the demo needs Gradio: pip install 'pose-inpaint[demo]'\n"


def test_the_command_says_where_the_page_is_and_leaves_nothing(command, monkeypatch, tmp_path):
    uvicorn = pytest.importorskip("uvicorn")
    folders = []

    def run(self, sockets):
        folders.append(list(tmp_path.iterdir()))
        assert sockets[0].getsockname()[0] == "127.0.0.1"
        assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, None)
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    outcome = command("demo", "checkpoint=mean", "device=cpu", "port=0", "examples=1")
    assert outcome.status == 0, outcome.err
    assert re.search(
        r"<pose_inpaint model mean on cpu>: http://127\.0\.0\.1:\d+ \(Ctrl-C stops\)\nstopped\n", outcome.out
    )
    assert len(folders[0]) == 1
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
