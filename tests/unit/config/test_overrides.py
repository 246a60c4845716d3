import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from pose_inpaint.config.overrides import as_value, changes, without_replaced


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1.5, 1e-12, "plain", "/a/b.c-d", "null", "True", "12", "1e5", "a b", "it's", "a\\'b", "a,b=c",
        "[x]", "", "~/x", [1, "a b", None], {"a": 1, "b": {"c": ["x", "2"]}}, "lspet_*",
    ],
)  # fmt: skip
def test_values_are_read_back_by_hydra_as_they_were(value):
    assert OverridesParser.create().parse_override(f"key={as_value(value)}").value() == value


def test_a_later_choice_of_a_group_takes_back_what_was_said_of_it():
    given = ["+experiment=a", "mask=folder", "mask.root=M", "data.size=32", "mask=squares", "mask.vary=true"]
    assert without_replaced(given) == ["+experiment=a", "data.size=32", "mask=squares", "mask.vary=true"]


def test_changes_are_set_added_and_taken_away():
    old = {"root": None, "source": {"counts": {"train": 2, "val": 1}, "seed": 1}, "gone": 1, "same": [1]}
    new = {"root": "a b", "source": {"counts": {"train": 3, "val": 1}, "seed": 1, "more": {"x": 1}}, "same": [1]}
    assert changes("data", old, new) == [
        "~data.gone", "data.root='a b'", "data.source.counts.train=3", "+data.source.more={x:1}",
    ]  # fmt: skip
