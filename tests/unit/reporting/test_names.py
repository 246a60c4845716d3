"""Names that a report prints."""

import pytest
from test_tables import File, Run

from pose_inpaint.errors import InputError
from pose_inpaint.reporting.names import print_names


def runs(folder, *names):
    """A run of each name, in folders a, b, c."""
    made = [Run(folder / letter) for letter, _ in zip("abc", names, strict=False)]
    for run, name in zip(made, names, strict=True):
        run.file = File()
        run.file.name = name
    return made


@pytest.mark.parametrize(
    ("names", "wanted", "printed"),
    [
        (["telea", "mean"], {}, ["telea", "mean"]),
        (["telea", "mean"], {"telea": "Telea"}, ["Telea", "mean"]),
        (["mean", "mean"], {}, ["mean (a)", "mean (b)"]),
        (["mean", "mean"], {"mean": "Mean"}, ["Mean (a)", "Mean (b)"]),
        (["mean", "mean", "telea"], {"mean (b)": "Second"}, ["mean", "Second", "telea"]),
        (["telea", "mean"], {"telea": "Fill", "mean": "Fill"}, ["Fill (a)", "Fill (b)"]),
    ],
)
def test_runs_are_printed_under_the_names_that_are_asked_for_and_told_apart(tmp_path, names, wanted, printed):
    assert print_names(runs(tmp_path, *names), wanted, []) == printed


def test_a_name_of_no_run_is_refused_unless_it_may_be_of_one_that_was_left_out(tmp_path):
    says = "names: no run is called Mean; there are mean, mean (a), mean (b)"
    with pytest.raises(InputError) as caught:
        print_names(runs(tmp_path, "mean", "mean"), {"mean": "M", "Mean": "X"}, [])
    assert str(caught.value) == says
    faults = ["runs: other: no such folder"]
    assert print_names(runs(tmp_path, "mean", "mean"), {"mean": "M", "Mean": "X"}, faults) == ["M (a)", "M (b)"]
    assert faults == ["runs: other: no such folder", says]
