import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pose_inpaint.models.inference import ImageInpainter

HEIGHT, WIDTH = 37, 53
HOLE = (slice(5, 17), slice(20, 32))
MEAN = "model=mean"


def image(seed=0, height=HEIGHT, width=WIDTH):
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def hole(height=HEIGHT, width=WIDTH):
    masked = np.zeros((height, width), dtype=bool)
    masked[HOLE] = True
    return masked


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def load(path):
    with Image.open(path) as opened:
        assert opened.mode == "RGB"
        return np.array(opened)


@pytest.fixture
def job(tmp_path):
    """Folders of three images and their masks, one of each in a subfolder."""
    for number, name in enumerate(("a", "b", "sub/a")):
        save(tmp_path / "in" / f"{name}.png", image(number))
        save(tmp_path / "masks" / f"{name}.png", hole().astype(np.uint8) * 255)
    return tmp_path


def arguments(job, mask="masks", output="out"):
    return [f"input={job}/in", f"mask={job}/{mask}", f"output={job}/{output}", "device=cpu"]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_trained_network_inpaints_any_size_and_keeps_known_pixels_exactly(job, command, tiny_checkpoint):
    assert command("predict", f"checkpoint={tiny_checkpoint}", *arguments(job)).status == 0
    assert files(job / "out") == ["a.png", "b.png", "sub/a.png"]
    for name in files(job / "out"):
        before, after = load(job / "in" / name), load(job / "out" / name)
        assert after.shape == (HEIGHT, WIDTH, 3)
        assert (after == before)[~hole()].all()
        assert (after != before)[hole()].mean() > 0.9


def test_mean_fill_needs_no_checkpoint(job, command):
    result = command("predict", MEAN, *arguments(job))
    assert result.status == 0
    assert "3 images inpainted, 0 already existed, 0 skipped" in result.out
    for name in files(job / "out"):
        before, after = load(job / "in" / name), load(job / "out" / name)
        assert (after == before)[~hole()].all()
        assert np.abs(after[hole()] - before[~hole()].mean(axis=0)).max() <= 1


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_other_formats_are_saved_as_png(job, command, suffix):
    (job / "in" / "a.png").unlink()
    save(job / "in" / f"a{suffix}", image())
    assert command("predict", MEAN, *arguments(job)).status == 0
    with Image.open(job / "out" / "a.png") as written:
        assert written.format == "PNG"
    assert (load(job / "out" / "a.png") == load(job / "in" / f"a{suffix}"))[~hole()].all()


def one_mask(job):
    return f"mask={job}/masks/a.png"


def maskdata(job):
    (job / "maskdata.json").write_text(json.dumps({name: [[5, 20, 12]] for name in ("a.png", "b.png", "sub/a.png")}))
    return f"mask={job}/maskdata.json"


def black(job):
    for name in ("a", "b", "sub/a"):
        pixels = load(job / "in" / f"{name}.png")
        pixels[hole()] = 0
        save(job / "in" / f"{name}.png", pixels)
    return "mask=black"


@pytest.mark.parametrize("kind", [one_mask, maskdata, black])
def test_masks_come_from_one_file_maskdata_or_black(job, command, kind):
    mask = kind(job)
    assert command("predict", MEAN, f"input={job}/in", mask, f"output={job}/out").status == 0
    assert files(job / "out") == ["a.png", "b.png", "sub/a.png"]
    for name in files(job / "out"):
        changed = (load(job / "out" / name) != load(job / "in" / name)).any(axis=2)
        assert not changed[~hole()].any()
        assert changed[hole()].mean() > 0.95


def test_inverted_masks_mask_dark_pixels(job, command):
    for name in ("a", "b", "sub/a"):
        save(job / "masks" / f"{name}.png", np.where(hole(), 0, 255).astype(np.uint8))
    assert command("predict", MEAN, *arguments(job), "mask.invert=true").status == 0
    assert (load(job / "out" / "a.png") == load(job / "in" / "a.png")).all(axis=2)[~hole()].all()


def test_a_single_image_is_inpainted(job, command):
    result = command("predict", MEAN, f"input={job}/in/sub/a.png", one_mask(job), f"output={job}/out")
    assert result.status == 0
    assert files(job / "out") == ["a.png"]


def test_raw_output_is_not_composited(job, command, tiny_checkpoint):
    for output, raw in (("raw", "true"), ("composite", "false")):
        result = command(
            "predict",
            f"checkpoint={tiny_checkpoint}",
            *arguments(job, output=output),
            f"output.raw={raw}",
            "scale=native",
        )
        assert result.status == 0
    raw, composite, before = (load(job / folder / "b.png") for folder in ("raw", "composite", "in"))
    assert (raw == composite)[hole()].all()
    assert (raw != before)[~hole()].mean() > 0.9


def test_working_at_another_size_keeps_resolution_and_known_pixels(job, command, tiny_checkpoint):
    assert command("predict", f"checkpoint={tiny_checkpoint}", *arguments(job), "scale=32").status == 0
    assert command("predict", f"checkpoint={tiny_checkpoint}", *arguments(job, output="own")).status == 0
    small, own, before = (load(job / folder / "a.png") for folder in ("out", "own", "in"))
    assert (small == before)[~hole()].all()
    assert (small != own)[hole()].any()


def test_a_second_run_skips_existing_outputs(job, command):
    command("predict", MEAN, *arguments(job))
    (job / "out" / "b.png").unlink()
    before = {name: (job / "out" / name).stat().st_mtime_ns for name in ("a.png", "sub/a.png")}
    result = command("predict", MEAN, *arguments(job))
    assert result.status == 0
    assert "1 images inpainted, 2 already existed" in result.out
    assert files(job / "out") == ["a.png", "b.png", "sub/a.png"]
    assert {name: (job / "out" / name).stat().st_mtime_ns for name in before} == before


def test_existing_outputs_are_overwritten_on_request(job, command, tiny_checkpoint):
    command("predict", f"checkpoint={tiny_checkpoint}", *arguments(job))
    before = load(job / "out" / "a.png")
    result = command("predict", MEAN, *arguments(job), "output.overwrite=true")
    assert "3 images inpainted, 0 already existed" in result.out
    assert (load(job / "out" / "a.png") != before)[hole()].any()


@pytest.mark.parametrize("overwrite", ["false", "true"])
def test_files_of_others_are_named_and_never_replaced(job, command, overwrite):
    (job / "out").mkdir()
    (job / "out" / "a.png").write_bytes(b"edited by hand")
    (job / "out" / "b.png").symlink_to(job / "masks" / "b.png")
    before = (job / "masks" / "b.png").read_bytes()
    result = command("predict", MEAN, *arguments(job), f"output.overwrite={overwrite}")
    assert result.status == 1
    assert "1 images inpainted, 0 already existed, 2 skipped" in result.out
    for name in ("a.png", "b.png"):
        assert f"skipped: {job}/out/{name}: exists, and was not written by predict" in result.err
    assert (job / "out" / "a.png").read_bytes() == b"edited by hand"
    assert (job / "masks" / "b.png").read_bytes() == before
    assert (job / "out" / "b.png").is_symlink()


@pytest.mark.parametrize("source", ["in", "in/sub/a.png"])
def test_an_output_over_the_input_is_refused(job, command, source):
    before = {name: (job / "in" / name).read_bytes() for name in files(job / "in")}
    output = "in" if source == "in" else "in/sub"
    result = command("predict", MEAN, f"input={job}/{source}", one_mask(job), f"output={job}/in/../{output}")
    assert result.status == 2
    assert f"error: output={job}/in/../{output}: " in result.err
    assert {name: (job / "in" / name).read_bytes() for name in files(job / "in")} == before


def test_files_that_are_not_images_are_counted_and_named(job, command):
    for name in ("notes.txt", "sub/c.pdf"):
        (job / "in" / name).write_text("x")
    Image.fromarray(image()).save(job / "in" / "d.gif", save_all=True, append_images=[Image.fromarray(image(1))])
    save(job / "masks" / "d.png", hole().astype(np.uint8) * 255)
    result = command("predict", MEAN, *arguments(job))
    assert result.status == 0
    assert "4 images inpainted, 0 already existed, 0 skipped, 2 files left out" in result.out
    assert result.err.splitlines()[-1] == "not images, left out: notes.txt, sub/c.pdf"
    assert f"{job}/in/d.gif: only the first of its 2 frames is used" in result.err.splitlines()


def test_masks_are_united_and_grown_and_the_output_fades_into_the_image(job, command):
    other = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    other[25, 10] = 255
    save(job / "other.png", other)
    masks = [f"mask=[{job}/masks,{job}/other.png]", "mask.grow=2"]
    given = [MEAN, f"input={job}/in/a.png", *masks]
    assert command("predict", *given, f"output={job}/grown").status == 0
    assert command("predict", *given, "mask.feather=3", f"output={job}/faded").status == 0
    changed = (load(job / "grown" / "a.png") != image(0)).any(axis=2)
    grown = np.zeros((HEIGHT, WIDTH), dtype=bool)
    grown[3:19, 18:34] = grown[23:28, 8:13] = True
    assert not changed[~grown].any()
    assert changed[grown].mean() > 0.95
    faded = (load(job / "faded" / "a.png") != image(0)).any(axis=2)
    assert faded[0:22, 15:37].mean() > changed[0:22, 15:37].mean() + 0.2
    assert not faded[:, :4].any()


def test_a_preview_shows_the_mask_and_leaves_the_output_to_come(job, command):
    for invert in ("true", "false"):  # a second look replaces the first
        result = command("predict", *arguments(job), "preview=true", f"mask.invert={invert}", "checkpoint=none.ckpt")
        assert result.status == 0
        assert "3 images previewed, 0 already existed, 0 skipped" in result.out
    assert files(job / "out") == ["a.preview.png", "b.preview.png", "sub/a.preview.png"]
    drawn, before = load(job / "out" / "a.preview.png").astype(int), image(0).astype(int)
    assert np.abs(drawn[hole()] - (before[hole()] + [255, 0, 0]) / 2).max() <= 1
    assert (drawn[4:18, 19] == [255, 255, 0]).all()
    outside = hole()
    outside[4:18, 19:33] = True
    assert (drawn == before)[~outside].all()
    assert "3 images inpainted, 0 already existed" in command("predict", MEAN, *arguments(job)).out


def test_outputs_in_other_formats_are_known_again(job, command):
    save(job / "in" / "c.jpg", image(3))
    given = [MEAN, f"input={job}/in", one_mask(job), f"output={job}/out", "output.suffix=same", "output.quality=80"]
    assert command("predict", *given).status == 0
    assert files(job / "out") == ["a.png", "b.png", "c.jpg", "sub/a.png"]
    assert "0 images inpainted, 4 already existed" in command("predict", *given).out
    save(job / "out" / "c.jpg", image(4))
    result = command("predict", *given, "output.overwrite=true")
    assert "3 images inpainted, 0 already existed, 1 skipped" in result.out
    assert f"skipped: {job}/out/c.jpg: exists, and was not written by predict" in result.err


@pytest.mark.parametrize("metadata", [True, False])
def test_metadata_are_left_out_on_request(job, command, metadata):
    exif = Image.Exif()
    exif[271] = "Maker"
    save(job / "in" / "a.png", image(), exif=exif.tobytes(), dpi=(300, 300))
    given = [MEAN, f"input={job}/in/a.png", one_mask(job), f"output={job}/out", f"output.metadata={metadata}"]
    assert command("predict", *given).status == 0
    with Image.open(job / "out" / "a.png") as written:
        assert (written.getexif().get(271) == "Maker") == metadata
        assert round(written.info["dpi"][0]) == 300
    assert "0 images inpainted, 1 already existed" in command("predict", *given).out


def test_an_empty_mask_is_named_and_counted(job, command):
    save(job / "masks" / "b.png", np.zeros((HEIGHT, WIDTH), dtype=np.uint8))
    result = command("predict", MEAN, *arguments(job))
    assert result.status == 1
    assert "2 images inpainted, 0 already existed, 1 skipped" in result.out
    assert "skipped: b.png: its mask covers nothing" in result.err
    assert files(job / "out") == ["a.png", "sub/a.png"]


def test_transparent_holes_become_opaque_and_other_transparency_stays(job, command):
    alpha = np.where(hole(), 0, 255).astype(np.uint8)
    save(job / "in" / "a.png", np.dstack([image(0), alpha]))
    result = command("predict", MEAN, f"input={job}/in/a.png", "mask=alpha", f"output={job}/alpha")
    assert result.status == 0
    after = load(job / "alpha" / "a.png")  # opaque
    assert (after == image(0))[~hole()].all()
    assert np.abs(after[hole()] - image(0)[~hole()].mean(axis=0)).max() <= 1
    alpha[30:] = 100
    save(job / "in" / "a.png", np.dstack([image(0), alpha]))
    assert command("predict", MEAN, f"input={job}/in/a.png", one_mask(job), f"output={job}/masked").status == 0
    with Image.open(job / "masked" / "a.png") as written:
        assert (np.array(written)[..., 3] == np.where(hole(), 255, alpha)).all()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError("Unable to allocate 9 GiB for an array"),
    ],
)
def test_an_image_that_is_too_large_for_the_memory_is_named_and_the_others_are_done(job, command, monkeypatch, error):
    many = ImageInpainter.many

    def run_out(self, images, *more, **options):
        if any((pixels[:, 0, 0].numpy() == image(0)[0, 0]).all() for pixels, _ in images):
            raise error
        return many(self, images, *more, **options)

    monkeypatch.setattr(ImageInpainter, "many", run_out)
    result = command("predict", MEAN, *arguments(job))
    assert result.status == 1
    assert "2 images inpainted, 0 already existed, 1 skipped" in result.out
    assert f"skipped: {job}/in/a.png: out of memory ({error}); give scale=auto or scale=N" in result.err
    assert files(job / "out") == ["b.png", "sub/a.png"]


def test_other_faults_of_the_method_are_not_hidden(job, command, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(ImageInpainter, "many", fail)
    with pytest.raises(RuntimeError, match="mat1"):
        command("predict", MEAN, *arguments(job))


def test_outputs_inside_the_input_folder_are_not_inputs(job, command):
    for _ in range(2):
        assert command("predict", MEAN, *arguments(job, output="in/out")).status == 0
    assert files(job / "in" / "out") == ["a.png", "b.png", "sub/a.png"]


def test_invalid_images_are_reported_and_skipped(job, command):
    (job / "in" / "a.png").write_text("not an image")
    save(job / "masks" / "b.png", np.zeros((2, 2), dtype=np.uint8))
    save(job / "in" / "unmasked.png", image())
    result = command("predict", MEAN, *arguments(job))
    assert result.status == 1
    assert files(job / "out") == ["sub/a.png"]
    assert "1 images inpainted, 0 already existed, 3 skipped" in result.out
    assert f"skipped: {job}/in/a.png: not an image that Pillow can read" in result.err
    assert f"skipped: b.png: its mask {job}/masks/b.png has 2x2 pixels, the image {HEIGHT}x{WIDTH}" in result.err
    assert f"skipped: unmasked.png: no mask image unmasked.* in {job}/masks; add one" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input": "{job}/none"}, "error: input={job}/none: no such file or folder"),
        ({"input": "{job}/empty"}, "error: input={job}/empty: contains no images"),
        ({"mask": "{job}/none"}, "error: mask={job}/none: no such file or folder"),
        ({"mask": "{job}/none.json"}, "error: mask={job}/none.json: no such file or folder"),
        ({"mask": "{job}/broken.json"}, "error: {job}/broken.json: not JSON"),
        ({"model": None, "checkpoint": "{job}/none.ckpt"}, "{job}/none.ckpt"),
        ({"model": None, "checkpoint": "{job}/broken.json"}, "{job}/broken.json"),
        ({"model": "telepathy"}, "telepathy"),
        ({"mask.grow": "-1"}, "error: mask.grow=-1: must be at least 0"),
        ({"mask.feather": "-1"}, "error: mask.feather=-1: must be at least 0"),
        ({"mask.feather": "2", "output.raw": "true", "scale": "native"}, "error: mask.feather=2: fades composites"),
        ({"mask.fit": "crop"}, "error: mask.fit=crop: not one of error, resize"),
        ({"mask": "[]"}, "error: mask.source=[]: give a source of masks, or a list, mask=[A,B]"),
        ({"mask": "[{job}/masks,{job}/none]"}, "error: mask={job}/none: no such file or folder"),
        ({"output.suffix": "gif"}, "error: output.suffix=gif: not one of png, jpg, webp, same"),
        ({"output.quality": "0"}, "error: output.quality=0: must be in 1..100"),
        ({"output": "{job}/broken.json/out"}, "error: output={job}/broken.json/out: can't be written"),
        ({"scale": "30"}, "error: scale=30: must be auto, native, or a multiple of 4"),
        ({"scale": "0"}, "error: scale=0: must be auto, native, or a multiple of 4"),
        ({"scale": "1000000"}, "error: scale=1000000: must be auto, native, or a multiple of 4 of at most 16384"),
        ({"device": "abacus"}, "error: device=abacus"),
        ({"colour": "red"}, "colour"),
        ({"input": None}, "input"),
        ({"mask": None}, "mask.source"),
        ({"output": None}, "output.dir"),
    ],
)
def test_command_line_errors_are_one_line_and_write_nothing(job, command, change, says):
    (job / "empty").mkdir()
    (job / "broken.json").write_text("[")
    given = {"model": "mean", "input": "{job}/in", "mask": "{job}/masks", "output": "{job}/out"} | change
    result = command("predict", *(f"{key}={value.format(job=job)}" for key, value in given.items() if value))
    assert result.status == 2
    assert result.err.startswith("error: ")
    assert len(result.err.splitlines()) == 1
    assert says.format(job=job) in result.err
    assert not (job / "out").exists()
    assert list(Path.cwd().iterdir()) == []


def test_images_that_differ_only_in_their_extension_keep_it(job, command):
    save(job / "in" / "a.jpg", image())
    assert command("predict", MEAN, *arguments(job)).status == 0
    assert files(job / "out") == ["a.jpg.png", "a.png.png", "b.png", "sub/a.png"]


def test_two_images_with_the_same_output_are_rejected(job, command):
    for name in ("a.jpg", "a.jpg.png"):
        save(job / "in" / name, image())
    result = command("predict", MEAN, *arguments(job))
    assert result.status == 2
    assert f"a.jpg and a.jpg.png would both be written to {job}/out/a.jpg.png; rename one" in result.err
    assert not (job / "out").exists()


def test_an_error_that_says_nothing_is_named_by_its_type(job, command, monkeypatch):
    def fail(*_, **__):
        raise OSError

    monkeypatch.setattr("pose_inpaint.data.photos.save_photo", fail)
    outcome = command("predict", MEAN, *arguments(job))
    assert outcome.status == 1
    assert f"skipped: {job}/in/a.png: OSError" in outcome.err


def test_without_a_model_the_pretrained_one_is_used(job, command):
    assert command("predict", *arguments(job)).status == 0
    assert command("predict", "model=pretrained", *arguments(job, output="named")).status == 0
    assert files(job / "named") == ["a.png", "b.png", "sub/a.png"]
    for name in files(job / "named"):
        assert (job / "named" / name).read_bytes() == (job / "out" / name).read_bytes()
