"""The wheel holds all that the commands need."""

import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import PATIENCE, REPOSITORY
from PIL import Image


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=REPOSITORY, check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def photo(tmp_path):
    """A photo and its mask."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), ((20, 20), (20, 36)))).save(tmp_path / "mask.png")
    return tmp_path


def predict(python, folder, path):
    return subprocess.run(
        [python, "-m", "pose_inpaint.predict", "input=photo.png", "mask=mask.png", "output=out", "device=cpu"],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


def test_an_unpacked_wheel_restores_a_photo(wheel, photo):
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        content.extractall(photo / "installed")
    assert {"pose_inpaint/py.typed", "pose_inpaint/conf/train.yaml"} <= set(names)
    configuration = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "conf").rglob("*.yaml")}
    assert {f"pose_inpaint/{name}" for name in configuration} <= set(names)
    outcome = predict(sys.executable, photo, str(photo / "installed"))
    assert outcome.returncode == 0, outcome.stderr
    before, after = (np.asarray(Image.open(photo / name)) for name in ("photo.png", "out/photo.png"))
    changed = (before != after).any(-1)
    assert changed[20:28, 20:28].any()
    assert not np.delete(changed, np.s_[20:28], axis=0).any()


@pytest.mark.slow
def test_a_wheel_in_an_empty_environment_trains_and_restores(wheel, photo):
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the path")
    python = photo / "environment" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run([uv, "venv", "-q", str(photo / "environment")], check=True, timeout=PATIENCE)
    subprocess.run([uv, "pip", "install", "-q", "--python", str(python), str(wheel)], check=True, timeout=4 * PATIENCE)
    trained = subprocess.run(
        [str(python), "-m", "pose_inpaint.train", "+experiment=quickstart", "trainer=cpu"],
        cwd=photo, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, timeout=4 * PATIENCE,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    outcome = predict(str(python), photo, "")
    assert outcome.returncode == 0, outcome.stderr
