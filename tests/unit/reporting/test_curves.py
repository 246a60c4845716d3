"""What is drawn, and whether it is all within the figure."""

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pose_inpaint.reporting.curves import draw_curves
from pose_inpaint.reporting.groups import GroupScore


def point(index, score="mse_raw_whole", ratio=0.25, by="mask ratio"):
    return GroupScore(index, score, by, "20-30%", ratio, {"value": 0.5, "low": 0.25, "high": 0.5, "n": 3})


def test_methods_keep_their_colour_in_panels_that_others_are_missing_from(tmp_path, monkeypatch):
    drawn, draw = [], Axes.errorbar

    def errorbar(self, x, y, **style):
        drawn.append((style["color"], x, y.tolist(), [each.tolist() for each in style["yerr"]]))
        return draw(self, x, y, **style)

    monkeypatch.setattr(Axes, "errorbar", errorbar)
    groups = [point(0), point(1), point(1, "ssim_raw_whole"), point(0, by="source")]
    assert draw_curves(["a", "b"], groups, [tmp_path / "curves.png"])
    bars = [0.5], [[0.25], [0.0]]
    assert drawn == [("C0", [24.75], *bars), ("C1", [25.25], *bars), ("C1", [25.25], *bars)]
    assert not draw_curves(["a"], [point(0, by="source")], [tmp_path / "none.png"])
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


SIXTY = "_a_method_with_sixty_characters_of_$x$_and_$_in_it_and_no_sp"


@pytest.mark.parametrize(
    ("name", "count", "scores", "grid"),
    [
        ("m", 1, 1, (1, 1)), (SIXTY, 1, 1, (1, 1)), (SIXTY, 4, 2, (1, 2)), ("W w " * 30, 2, 1, (1, 1)),
        ("m", 11, 4, (2, 2)),
    ],
)  # fmt: skip
def test_names_of_any_length_stand_within_the_figure(tmp_path, monkeypatch, name, count, scores, grid):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, part, **_: figures.append(self) or part.touch())
    names = [f"{name}{index}" for index in range(count)]
    groups = [point(i, score) for i in range(count) for score in [f"{m}_raw_whole" for m in "abcd"[:scores]]]
    draw_curves(names, groups, [tmp_path / "curves.png"])
    (figure,) = figures
    assert figure.axes[0].get_gridspec().get_geometry() == grid
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert [text.get_text().replace("\n", "").replace(" ", "") for text in legend.get_texts()] == [
        name.replace(" ", "") for name in names
    ]
    assert min(axes.get_window_extent().height for axes in figure.axes) > 200
