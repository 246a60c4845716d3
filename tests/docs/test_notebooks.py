"""Run the notebooks' cells in this process: a kernel of its own would import PyTorch again for each."""

import ast
import json
from pathlib import Path

import pytest
from PIL import Image

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def run(source, names):
    """Run a cell and return the value of its last expression, as a kernel does."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_says(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    values = [run("".join(cell["source"]), names) for cell in cells(path) if cell["cell_type"] == "code"]
    images = [value for value in values if isinstance(value, Image.Image)]
    assert images
    assert all(len(image.getcolors(2**24)) > 10 for image in images)  # not empty
    assert False not in values
    assert "False" not in capsys.readouterr().out


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_short_cells_without_output(path):
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells(path))
    assert max(len(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code") <= 15
