import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from pose_inpaint.config import resolvers as job_names
from pose_inpaint.multirun.sweep.record import SweepRecord, write_record


@pytest.fixture
def running(monkeypatch):
    """Make Hydra report that it runs a job."""

    def start(mode, folder="runs/x/now"):
        hydra = {"mode": mode, "sweep": {"dir": "runs/x/today_sweep", "subdir": "3"}, "job": {"config_name": "train"}}
        hydra["runtime"] = {"output_dir": str(folder)}
        monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
        monkeypatch.setattr(HydraConfig, "get", lambda: OmegaConf.create(hydra))

    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    return start


def found():
    block = {"name": "slides2018", "group": "${job_group:${name}}", "run": "${job_name:}", "kind": "${job_kind:}"}
    job_names.register_resolvers()
    container = OmegaConf.to_container(OmegaConf.create(block), resolve=True)
    return container["group"], container["run"], container["kind"]


def test_a_single_run_is_grouped_by_its_experiment(running):
    running(RunMode.RUN)
    assert found() == ("slides2018", None, "train")


def test_a_job_of_a_sweep_is_named_by_the_folders(running):
    running(RunMode.MULTIRUN)
    assert found() == ("today_sweep", "3", "train")


def test_so_is_one_that_is_a_command_of_its_own(running, tmp_path):
    running(RunMode.RUN, tmp_path / "today_sweep" / "3")
    assert found() == ("slides2018", None, "train")
    write_record(tmp_path / "today_sweep", SweepRecord([], [], "m", "minimize", 1))
    assert found() == ("today_sweep", "3", "train")


@pytest.mark.parametrize("mode", list(RunMode))
def test_a_run_of_an_agent_is_left_to_the_agent(running, monkeypatch, mode):
    monkeypatch.setenv("WANDB_SWEEP_ID", "abcd1234")
    running(mode)
    assert found() == (None, None, "train")


def test_outside_of_hydra_nothing_is_known(monkeypatch):
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    monkeypatch.setattr(HydraConfig, "initialized", lambda: False)
    assert found() == ("slides2018", None, None)
