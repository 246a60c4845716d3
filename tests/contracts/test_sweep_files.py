"""The sweep files of W&B, which an agent runs: they fit W&B's rules, and every command that one stands for composes."""

import ast

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from pose_inpaint.config.command import CONF
from pose_inpaint.config.schema import TrainSettings
from pose_inpaint.config.settings import read_settings

FILES = sorted((CONF / "sweep" / "wandb").glob("*.yaml"))
SOURCE = CONF.parent / "src" / "pose_inpaint"


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def sweep(request):
    from wandb.sdk.launch.sweeps.utils import load_sweep_config  # W&B is slow to import for those that only collect

    return load_sweep_config(str(request.param))


def ends(parameter):
    """The first and last value of a parameter."""
    values = parameter["values"] if "values" in parameter else [parameter["min"], parameter["max"]]
    return values[0], values[-1]


def arguments(sweep, chosen):
    """What the agent runs with the chosen values, without interpreter and module."""
    head, tail = sweep["command"][:4], sweep["command"][4:]
    assert head == ["${env}", "python", "-m", "pose_inpaint.train"]
    assert tail[-1] == "${args_no_hyphens}"
    return [*tail[:-1], *(f"{key}={value}" for key, value in chosen.items())]


def test_wandb_accepts_it(sweep):
    from wandb.apis.public.sweeps import _validate_config_and_fill_distribution

    assert set(sweep) <= {"program", "project", "method", "metric", "parameters", "command", "run_cap"}
    assert sweep["method"] in ("grid", "bayes")
    assert _validate_config_and_fill_distribution(sweep)["parameters"] == sweep["parameters"]
    for key, parameter in sweep["parameters"].items():
        first, last = ends(parameter)
        assert first < last, key
        if sweep["method"] == "grid":
            assert set(parameter) == {"values"}  # a grid can't search a range
        else:
            assert parameter["distribution"] == "log_uniform_values"
            assert all(isinstance(end, float) and end > 0 for end in (first, last)), key
    assert (CONF.parent / sweep["program"]).is_file()


def test_its_metric_is_logged_and_its_goal_is_the_score_s(sweep):
    validated = OmegaConf.load(CONF / "train.yaml").validation
    assert sweep["metric"]["name"].removeprefix("val/") in validated
    assert sweep["metric"]["goal"] == "minimize"  # a squared error


def test_its_commands_compose_and_set_what_they_name(sweep):
    for which in (0, 1):
        chosen = {key: ends(parameter)[which] for key, parameter in sweep["parameters"].items()}
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("train", arguments(sweep, chosen))
        with open_dict(config):
            config.run_dir = "unused"
        assert isinstance(read_settings(config, TrainSettings), TrainSettings)
        assert {key: OmegaConf.select(config, key) for key in chosen} == chosen
    terms = config.loss.generator
    used = {term for phase in config.schedule.phases for term in phase.terms}
    weights = {key.split(".")[2] for key in chosen if key.startswith("loss.generator")}
    assert weights <= used <= set(terms)


def test_wandb_is_imported_only_where_it_is_used():
    for path in SOURCE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "wandb"], path
