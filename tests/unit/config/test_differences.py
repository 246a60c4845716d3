"""Configurations compared key by key."""

import pytest

from pose_inpaint.config.differences import check_same_settings, with_defaults
from pose_inpaint.errors import InputError

NETWORK = "pose_inpaint.models.networks.residual_unet.Generator"


def test_an_argument_that_came_later_is_no_difference_at_its_default():
    before = {"model": {"_target_": NETWORK, "width": 32}}
    now = {"model": {"_target_": NETWORK, "width": 32, "depths": [2, 3, 3, 2], "prefill": True}}
    check_same_settings(before, now, "init_from=A", ["model"])
    check_same_settings(now, before, "init_from=A", ["model"])
    now["model"]["prefill"] = False
    words = "init_from=A: made with model.prefill=True, but this run has model.prefill=False; give the same"
    with pytest.raises(InputError, match=words):
        check_same_settings(before, now, "init_from=A", ["model"])


def test_values_given_and_targets_that_no_longer_exist_stay_as_they_are():
    settings = {
        "a": {"_target_": "pose_inpaint.gone.Network", "width": 1},
        "b": {"c": {"_target_": NETWORK, "width": 9}},
    }
    whole = with_defaults(settings)
    assert whole["a"] == settings["a"]
    assert whole["b"]["c"]["width"] == 9
    assert whole["b"]["c"]["attention"] is True
