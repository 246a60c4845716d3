"""Commands in the documentation compose, its examples run, and its links resolve."""

import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY, TINY
from omegaconf import OmegaConf
from PIL import Image

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


COMMANDS = [
    re.sub(r"^.*?-m pose_inpaint", "python -m pose_inpaint", line)  # drop uv run, srun, torchrun
    for document in DOCUMENTS
    for block in blocks(document.read_text(encoding="utf-8"), "bash")
    for piece in block.splitlines()
    for line in piece.split(" && ")
    if "-m pose_inpaint." in line
]

HELP = {path.stem: OmegaConf.load(path).hydra.help.header for path in sorted((REPOSITORY / "conf").glob("*.yaml"))}
EXAMPLES = [line for text in HELP.values() for line in text.splitlines() if line.startswith("python -m ")]


@pytest.mark.parametrize("line", COMMANDS + EXAMPLES)
def test_commands_compose(command, line):
    words = shlex.split(line)
    assert words[:2] == ["python", "-m"]
    arguments = [word for word in words[3:] if word != "-m"]
    arguments = [re.sub(r"=(?:tag\(log, ?)?interval\(([^,]+),.*", r"=\1", word) for word in arguments]  # first value
    arguments = [re.sub(r"^([^=]+=[^,\[{]+),.*", r"\1", word) for word in arguments]  # sweep: first value
    outcome = command(words[2].removeprefix("pose_inpaint."), *arguments, "--cfg", "job")
    assert outcome.status == 0, outcome.err


@pytest.mark.parametrize("name", HELP)
def test_help_shows_three_examples_and_the_keys_that_people_change(command, name):
    outcome = command(name, "--help")
    assert HELP[name].strip() in outcome.out
    assert sum(line.startswith(f"python -m pose_inpaint.{name}") for line in outcome.out.splitlines()) == 3
    composed = OmegaConf.load(REPOSITORY / "conf" / f"{name}.yaml")
    groups = {path.name for path in (REPOSITORY / "conf").iterdir() if path.is_dir()}
    for key in HELP[name].split("Often changed: ")[1].strip().split(", "):
        assert key.split(".")[0] in {*composed, *groups}, key


def test_the_first_commands_install_and_run():
    for heading, text in {
        "Quick start": "pip install uv && uv run python -m pose_inpaint.train +experiment=quickstart\n",
        "Tests": "pip install uv && uv run pytest\n",
    }.items():
        part = README.split(f"## {heading}\n")[1].split("\n## ")[0]
        assert blocks(part, "bash")[0] == text


def test_links_and_images_exist():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_tree_names_existing_files():
    (tree,) = blocks(README, "text")
    for name in re.findall(r"[\w/]+(?:\.py|/)", tree):
        paths = [REPOSITORY / name, REPOSITORY / "src" / "pose_inpaint" / name]
        assert any(path.exists() for path in paths), name


def add_part(tmp_path, monkeypatch, index, group, name):
    """Write the module and YAML file of an example in CONTRIBUTING.md outside the package."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    module, settings = blocks(text, "python")[index], blocks(text, "yaml")[index]
    path = re.search(r"^# src/(pose_inpaint/[\w/]+)\.py$", module, re.M)[1].replace("/", ".")
    assert f"# conf/{group}/{name}.yaml" in settings
    (tmp_path / f"example_{name}.py").write_text(module)
    (tmp_path / "conf" / group).mkdir(parents=True)
    (tmp_path / "conf" / group / f"{name}.yaml").write_text(settings.replace(path, f"example_{name}"))
    monkeypatch.syspath_prepend(tmp_path)
    return f"hydra.searchpath=[file://{tmp_path}/conf]"


def test_a_method_is_added_with_one_module_and_one_file(command, tiny_data, tmp_path, monkeypatch):
    search = add_part(tmp_path, monkeypatch, 0, "model", "small")
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = [shlex.split(line)[3:] for line in blocks(text, "text")[0].splitlines()]
    data = ["data=chalearn", f"data.root={tiny_data}", "data.size=32", "data.batch_size=4", "data.workers=0"]
    outcome = command(
        "train",
        *lines[0],
        *TINY,
        *data,
        search,
        f"hydra.run.dir={tmp_path}/run",
        "discriminator.width=2",
        "test.enabled=false",
    )
    assert outcome.status == 0, outcome.err
    outcome = command(
        "evaluate", lines[1][0].replace("RUN", f"{tmp_path}/run"), *data, f"hydra.run.dir={tmp_path}/scores"
    )
    sys.modules.pop("example_small", None)
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert record["n"] == 4
    assert record["cost"]["parameters"] == 4 * 9 * 2 + 2 + 2 * 9 * 2 + 2 + 2 * 9 * 3 + 3


def test_a_loss_is_added_with_one_module_and_one_file(command, tiny_data, tmp_path, monkeypatch):
    search = add_part(tmp_path, monkeypatch, 1, "loss", "smooth")
    tiny = [argument for argument in TINY if not argument.startswith("loss.generator")]
    outcome = command(
        "train", "+experiment=authors2018", f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/run", *tiny,
        search, "loss=smooth", "schedule.phases.0.terms=[hole,known,smooth]",
        "loss.generator.perceptual.weight=0", "test.enabled=false",
    )  # fmt: skip
    sys.modules.pop("example_smooth", None)
    assert outcome.status == 0, outcome.err
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert "train/generator/smooth" in header


def test_a_score_and_a_data_set_are_added_with_one_module_and_one_file_each(command, tmp_path, monkeypatch):
    """The outputs are 51 of 255 too bright everywhere, so the error is 0.2 in a hole and 0 beside it."""
    for folder, brighter in {"photos": 0, "outputs": 51}.items():
        (tmp_path / folder).mkdir()
        for index in range(3):
            pixels = np.random.default_rng(index).integers(0, 200, (32, 32, 3)) + brighter
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / f"{index}.png")
    (tmp_path / "photos/test.txt").write_text("2.png\n0.png\n")
    add_part(tmp_path, monkeypatch, 2, "metric", "mae")
    search = add_part(tmp_path, monkeypatch, 3, "data", "listed")
    arguments = [
        "evaluate", f"predictions={tmp_path}/outputs", "metric=[distortion,mae]", "data=listed",
        f"data.root={tmp_path}/photos", "mask=squares", "data.size=32", "data.workers=0", search,
        "regions=[hole,whole,known]", f"hydra.run.dir={tmp_path}/run",
    ]  # fmt: skip
    (tmp_path / "outputs/1.png").unlink()  # not of the split
    outcome = command(*arguments)
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "run/scores.json").read_text())
    assert (record["n"], record["scores"]["mae_composite_hole"]["n"]) == (2, 2)
    for name, value in {"raw_whole": 0.2, "composite_hole": 0.2, "composite_known": 0}.items():
        assert record["scores"][f"mae_{name}"]["value"] == pytest.approx(value, abs=1e-6)
    (tmp_path / "photos/test.txt").write_text("2.png\n3.png\n")
    outcome = command(*arguments)
    assert (outcome.status, outcome.err) == (
        2, f"error: {tmp_path}/photos/test.txt: 3.png is missing; add the image or remove the line\n",
    )  # fmt: skip
    for name in ("mae", "listed"):
        sys.modules.pop(f"example_{name}")


def test_the_code_of_the_examples_passes_the_checks_that_it_is_asked_to_pass(tmp_path):
    """With mypy's cache of the repository, which `uv run mypy` fills: without it, this takes as long as that."""
    examples = blocks((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"), "python")
    files = [tmp_path / f"example_{index}.py" for index in range(len(examples))]
    for file, code in zip(files, examples, strict=True):
        file.write_text(code, encoding="utf-8")
    environment = {**os.environ, "MYPYPATH": str(REPOSITORY / "src")}
    for tool in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "--strict"]):
        settings = ["--config-file" if tool[0] == "mypy" else "--config", str(REPOSITORY / "pyproject.toml")]
        done = subprocess.run(
            [sys.executable, "-m", *tool, *settings, *map(str, files)], cwd=REPOSITORY, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_python_of_the_pages_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.jpg")
    mask = np.zeros((48, 64), dtype=bool)
    mask[10:20, 30:40] = True
    Image.fromarray(mask).save("mask.png")
    for block in blocks((REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8"), "python"):
        exec(block, {})
    with Image.open("photo.jpg") as before, Image.open("restored.png") as after:
        assert (np.asarray(before) == np.asarray(after)).all(-1)[~mask].all()
    assert "divide 0..255 by 255" in capsys.readouterr().out


def test_the_pages_of_settings_have_every_key_with_type_default_and_meaning(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "docs")
    import settings_pages

    settings_pages.write(tmp_path / "settings")
    page = (tmp_path / "settings" / "command_predict.md").read_text(encoding="utf-8")
    assert "| `mask.invert` | `true or false` | `false` | polarity of mask images." in page
    assert "native, for form=challenge 128 |" in page  # a meaning of several lines
    assert "| `lr` | `number` | `2.0e-3` | ours |" in (tmp_path / "settings" / "group_optim.md").read_text()
    for command, schema in settings_pages.ROOTS.items():
        text = (tmp_path / "settings" / f"command_{command}.md").read_text(encoding="utf-8")
        groups = {path.name for path in settings_pages.CONF.iterdir() if path.is_dir()}
        for key in {each.split(".")[0] for each in settings_pages.annotations(schema)} - groups:
            assert re.search(rf"\| `{key}(\.|`)", text) or f"\n{key}:\n" in text, f"{command}: {key}"
