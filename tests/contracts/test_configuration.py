"""Every option in conf/ composes, fits its schema and builds."""

from dataclasses import dataclass
from urllib.error import URLError

import pytest
import torch
from conftest import HYDRAS
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict
from torch import nn

from pose_inpaint import build
from pose_inpaint.config import instantiate
from pose_inpaint.config.command import CONF
from pose_inpaint.config.schema import (
    BenchmarkSettings,
    CurvesSettings,
    DemoSettings,
    EvaluateSettings,
    ExportSettings,
    IndexSettings,
    PredictSettings,
    ReleaseSettings,
    ReportSettings,
    SweepSettings,
    TrainPoseSettings,
    TrainSettings,
    VerifySettings,
    WeightsSettings,
)
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError
from pose_inpaint.training.factory import build_module
from pose_inpaint.training.trainer import build_trainer
from pose_inpaint.types import InpaintingOutput

ROOTS = {
    "train": TrainSettings, "evaluate": EvaluateSettings, "predict": PredictSettings, "verify": VerifySettings,
    "report": ReportSettings, "train_pose": TrainPoseSettings, "benchmark": BenchmarkSettings,
    "index": IndexSettings, "release": ReleaseSettings, "weights": WeightsSettings, "demo": DemoSettings,
    "export": ExportSettings, "curves": CurvesSettings,
}  # fmt: skip


@dataclass
class SweepBlock:
    """Keys of every file in conf/sweep besides those of Hydra."""

    sweep: SweepSettings


def options(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def composed(root, *overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(root, [*overrides], return_hydra_config=False)
    with open_dict(config):
        if "run_dir" in config:
            config.run_dir = "unused"  # hydra:runtime exists only in a real run
    return config


def settings(root, *overrides):
    return read_settings(composed(root, *overrides), ROOTS[root])


def test_every_root_fits_its_schema():
    for root in ROOTS:
        extra = {
            "predict": ["input=a", "mask.source=black", "output.dir=b"], "report": ["runs=[a]", "output=b"],
            "benchmark": ["output=b"], "index": ["output=b"], "release": ["checkpoint=a", "output=b"],
            "export": ["output=b"], "curves": ["runs=[a]", "output=b"],
        }  # fmt: skip
        assert isinstance(settings(root, *extra.get(root, [])), ROOTS[root])


def test_schema_and_roots_name_the_same_keys():
    for root, schema in ROOTS.items():
        keys = {str(key) for key in composed(root)} - {"hydra"}
        fields = schema.__dataclass_fields__
        assert keys <= set(fields), root
        assert {key for key in set(fields) - keys if fields[key].default is not None} == set(), root


def test_no_file_sets_hydras_mode():
    for path in CONF.rglob("*.yaml"):
        assert OmegaConf.select(OmegaConf.load(path), "hydra.mode") is None, path


def test_tests_compose_what_hydra_composes(monkeypatch):
    one = ["+experiment=authors2018", "sweep=optuna", "data=chalearn", "~augment", "+metric@metric.more=lpips"]
    other = ["+experiment=glcic", "data=chalearn", "hydra/launcher=joblib"]
    calls = [[*one, "data.size=32", "~optim.lr"], [*one, "data.size=64", "+data.root.more=1"], other]

    def compose_all():
        with initialize_config_dir(str(CONF), version_base="1.3"):
            found = [compose("train", call, return_hydra_config=True) for call in calls]
        return [(OmegaConf.to_yaml(each), each._metadata.flags) for each in found]

    ours = compose_all()
    for replaced in HYDRAS:
        monkeypatch.setattr(*replaced)
    assert compose_all() == ours


BENCHMARKS = [name for name in options("experiment") if "methods" in OmegaConf.load(CONF / f"experiment/{name}.yaml")]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_uses_existing_options(name):
    found = settings("benchmark", f"+experiment={name}", "output=o")
    for method in filter(None, found.methods.values()):
        if method.model is not None:
            assert method.model in options("model")
            assert isinstance(settings("evaluate", f"model={method.model}", *method.overrides), EvaluateSettings)
        else:
            assert method.experiment in set(options("experiment")) - set(BENCHMARKS)
            assert isinstance(settings("train", f"+experiment={method.experiment}", *method.overrides), TrainSettings)


@pytest.mark.parametrize("name", [name for name in options("experiment") if name not in BENCHMARKS])
def test_every_experiment_builds(name, tiny_data):
    features = composed("train", f"+experiment={name}", "data.root=unused").loss.get("features")
    found = settings(
        "train", f"+experiment={name}", "data=chalearn", f"data.root={tiny_data}", "model.width=2", "data.size=32",
        "trainer=cpu", *(["loss.features.weights=random"] if features else []),
    )  # fmt: skip
    data = build.build_data(found.data, found.mask, found.seed)
    module = build_module(found, data, {})
    assert sum(parameter.numel() for parameter in module.generator.parameters()) > 0
    assert module.schedule.phases[-1].discriminator == (module.discriminator is not None)
    for phase in module.schedule.phases:
        assert set(phase.terms) <= set(found.loss.generator)


@pytest.mark.parametrize("name", options("model"))
def test_every_model_is_an_inpainter(name, tiny_index, tiny_onnx):
    model = OmegaConf.load(CONF / "model" / f"{name}.yaml")
    for key, file in {"index": tiny_index, "file": tiny_onnx}.items():
        if OmegaConf.is_missing(model, key):
            model[key] = str(file)
    inpainter = build.build_inpainter(OmegaConf.to_container(model))
    known, mask = torch.rand(2, 3, 16, 32) * 2 - 1, torch.zeros(2, 1, 16, 32)
    mask[..., 4:9, 3:20] = 1
    if isinstance(inpainter, nn.Module):
        inpainter.eval()
    with torch.no_grad():
        output = inpainter(torch.where(mask > 0, -1, known), mask, samples=1, generator=torch.Generator())
    assert isinstance(output, InpaintingOutput)
    assert output.raw.shape == (2, 1, 3, 16, 32)
    assert output.raw.abs().max() <= 1 + 1e-6
    assert output.raw.isfinite().all()


@pytest.mark.parametrize("name", options("mask"))
def test_every_mask_builds(name, tmp_path):
    extra = [f"mask.root={tmp_path}"] if name == "folder" else []
    masks = instantiate.build("mask", settings("verify", f"mask={name}", *extra).mask)
    assert masks.uses_maskdata("train") == (name == "maskdata")


@pytest.mark.parametrize("name", options("data"))
def test_every_data_set_builds(name, tiny_data):
    known = {
        "mannequins": ["data.source.counts={train: 2, val: 1, test: 1}", "data.source.size=32"],
        "mannequins_small": ["data.source.counts={train: 2, val: 1, test: 1}", "data.source.size=32"],
        "folder": [f"data.root={tiny_data}", "mask=squares"],
        "chalearn": [f"data.root={tiny_data}"],
    }
    found = settings("verify", f"data={name}", *known.get(name, [f"data.root={tiny_data}"]))
    if name not in known:
        pytest.skip("fits the schema; its own test has files in its layout")
    assert len(build.build_data(found.data, found.mask, 0).images("train")) > 0


@pytest.mark.parametrize("name", options("metric"))
def test_every_metric_builds_by_its_full_name(name):
    blocks = settings("evaluate", f"metric=[{name}]").metric
    if name == "frechet":
        blocks["frechet_vgg16"]["weights"] = "random"
    for metric in blocks:
        if metric in ("fid", "kid", "lpips"):  # need downloads
            continue
        found = build.build_metric(f"{metric}_raw_hole", blocks)
        assert (found.image, found.region) == ("raw", "hole")


def offline(*_, **__):
    raise URLError("offline")


@pytest.mark.parametrize("name", options("pose"))
def test_every_pose_estimator_builds_or_names_its_missing_files(name, monkeypatch):
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    monkeypatch.setattr("pose_inpaint.pose.hourglass.PACKAGED", {})
    found = settings("evaluate", f"pose={name}").pose
    assert set(found.scores) == {"wnjd", "pck", "found"}
    if name == "none":
        assert build.build_judge(found, torch.device("cpu")) is None
        return
    with pytest.raises(InputError, match=r"pose\.(weights|model_dir)"):
        build.build_judge(found, torch.device("cpu"))


@pytest.mark.parametrize("name", [name for name in options("trainer") if name in ("auto", "cpu")])
def test_every_trainer_builds(name):
    trainer = build_trainer(settings("train", f"trainer={name}").trainer, "unused", 1, [], [])
    assert trainer.max_epochs == 1


@pytest.mark.parametrize("name", options("sweep"))
def test_every_sweep_has_a_sweeper(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"sweep={name}", "hydra.sweep.dir=unused"], return_hydra_config=True)
    found = read_settings(OmegaConf.create({"sweep": config.sweep}), SweepBlock)
    assert (found.sweep.on_error, found.sweep.resume) == ("continue", None)
    assert instantiate.find_class("hydra.sweeper", config.hydra.sweeper).__name__ in ("BasicSweeper", "OptunaSweeper")
    for key in config.hydra.sweeper.get("params") or {}:
        assert OmegaConf.select(config, key) is not None, key


def test_every_option_has_a_comment():
    for path in CONF.rglob("*.yaml"):
        assert "# " in path.read_text(), path


def test_the_numbers_of_the_slides():
    found = settings("train", "+experiment=slides2018")
    terms = found.loss.generator
    assert (found.loss.alpha, found.loss.beta) == (1e-6, 0.01)
    assert (found.optim.lr, found.data.batch_size, found.data.size) == (1e-3, 12, 128)
    assert [(p.epochs, p.generator, p.discriminator, p.terms) for p in found.schedule.phases] == [
        (5, True, False, ["reconstruction", "mask", "perceptual"]),
        (15, True, True, ["adversarial", "perceptual"]),
    ]
    assert (terms["reconstruction"]["weight"], terms["reconstruction"]["region"]) == (1.0, "whole")
    assert terms["mask"]["weight"] == 1e-6
    assert found.loss.discriminator["beta"] == 0.01
    assert (terms["perceptual"]["image"], found.loss.features.weights) == ("raw", "coco")
    assert found.model["predict_mask"] is True


def test_the_numbers_of_the_authors_code():
    found = settings("train", "+experiment=authors2018")
    terms = found.loss.generator
    assert (terms["hole"]["weight"], terms["known"]["weight"]) == (6, 1)
    assert (terms["adversarial"]["weight"], terms["adversarial"]["image"]) == (1e-3, "composite")
    assert (terms["perceptual"]["weight"], terms["perceptual"]["image"]) == (1e-12, "composite")
    assert terms["perceptual"]["scale"] == "-255..255"
    assert found.loss.features.layers == ["conv2_2", "conv3_3", "conv4_3", "conv5_3"]
    assert (found.loss.beta, found.loss.discriminator["image"]) == (6, "composite")
    assert (found.optim.lr, found.data.batch_size, found.model["predict_mask"]) == (1e-3, 12, False)
    assert [(p.epochs, p.discriminator, p.fresh_output, p.terms) for p in found.schedule.phases] == [
        (5, False, False, ["hole", "known", "perceptual"]),
        (15, True, True, ["hole", "known", "adversarial", "perceptual"]),
    ]


def test_the_numbers_of_the_context_encoder():
    found = settings("train", "+experiment=context_encoder")
    terms = found.loss.generator
    assert (terms["reconstruction"]["weight"], terms["reconstruction"]["region"]) == (0.999, "hole")
    assert (terms["adversarial"]["weight"], terms["adversarial"]["form"]) == (0.001, "non_saturating")
    assert found.optim.optimizer["betas"] == found.optim.discriminator_optimizer["betas"] == [0.5, 0.999]
    assert (found.optim.lr, found.optim.discriminator_optimizer["lr"]) == (2e-3, 2e-4)
    assert (found.data.batch_size, found.data.size, found.model["size"]) == (64, 128, 128)
    assert [
        (p.epochs, p.discriminator, p.discriminator_first, p.discriminator_steps) for p in found.schedule.phases
    ] == [(500, True, True, 1)]


def test_the_numbers_of_glcic():
    found = settings("train", "+experiment=glcic")
    terms, judge = found.loss.generator, found.loss.discriminator
    assert (terms["reconstruction"]["weight"], terms["reconstruction"]["region"]) == (0.25, "hole")
    assert (terms["adversarial"]["weight"], terms["adversarial"]["form"]) == (0.0004, "saturating")
    assert (found.loss.beta, judge["real_views"]) == (1, "other")
    assert found.optim.optimizer["_target_"] == "torch.optim.Adadelta"
    assert [(p.generator, p.discriminator, p.discriminator_first, p.terms) for p in found.schedule.phases] == [
        (True, False, False, ["reconstruction"]),
        (False, True, False, []),
        (True, True, True, ["reconstruction", "adversarial"]),
    ]
    batches = [p.epochs * (28_755 // found.data.batch_size) for p in found.schedule.phases]
    assert batches == pytest.approx([90_000, 10_000, 400_000], rel=0.015)  # T_C, T_D and the rest of T_train


def test_the_numbers_of_contextual_attention():
    found = settings("train", "+experiment=contextual_attention")
    terms, judge = found.loss.generator, found.loss.discriminator
    assert {name: term["weight"] for name, term in terms.items()} == {
        "coarse_hole": 1.44, "hole": 1.2, "coarse_known": 1.44, "known": 1.2, "adversarial": 0.001,
    }  # fmt: skip
    assert [terms[name]["discount"] for name in ("coarse_hole", "hole")] == [0.99, 0.99]
    assert judge["form"] == "wasserstein"
    assert judge["penalties"]["gradient"]["weight"] == 10
    assert judge["penalties"]["gradient"]["region"] == "hole"
    assert (found.optim.lr, found.optim.optimizer["betas"], found.data.batch_size) == (1e-4, [0.5, 0.9], 16)
    (phase,) = found.schedule.phases
    assert (phase.discriminator_first, phase.discriminator_steps, phase.own_batch) == (True, 5, True)
    assert phase.epochs * (28_755 // 16) / 6 == pytest.approx(1_000_000, rel=0.001)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("noskip", {"model"}), ("nodilation", {"model"}), ("noadversarial", {"discriminator", "schedule"}),
        ("noperceptual", {"schedule"}),
    ],
)  # fmt: skip
def test_an_ablation_changes_one_setting(name, changed):
    whole, ablated = (vars(settings("train", f"+experiment={e}")) for e in ("slides2018", f"unet2018_{name}"))
    assert {key for key in whole if whole[key] != ablated[key]} == {"name", *changed}
