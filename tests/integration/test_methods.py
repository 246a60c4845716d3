"""Every learning method beside the 2018 one: trained by the real command, and what it can't be trained on."""

import json

import pytest
import torch
from PIL import Image

SMALL = (
    "trainer=cpu", "data=chalearn", "data.size=32", "data.batch_size=4", "data.workers=0", "model.width=2",
    "discriminator.width=2", "trainer.enable_progress_bar=false", "trainer.log_every_n_steps=1", "batchnorm.batches=2",
    "samples.count=2",
)  # fmt: skip
PHASES = {"context_encoder": 1, "glcic": 3, "contextual_attention": 1}


def train(command, data, folder, name, *more):
    phases = [f"schedule.phases.{place}.epochs=1" for place in range(PHASES[name])]
    arguments = [f"+experiment={name}", *SMALL, *phases, f"data.root={data}", f"hydra.run.dir={folder}", *more]
    return command("train", *arguments)


@pytest.mark.parametrize("name", PHASES)
def test_a_method_trains_through_its_phases_and_is_scored(command, tiny_data, tmp_path, name):
    outcome = train(command, tiny_data, tmp_path / "run", name)
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "run/scores.json").read_text())
    assert record["n"] == 4
    assert 0 < record["scores"]["mse_composite_hole"]["value"] < 1
    assert len(list((tmp_path / "run/checkpoints").glob("best-*.ckpt"))) == PHASES[name]
    outcome = command(
        "predict", f"checkpoint={tmp_path}/run/checkpoints/last.ckpt", f"input={tiny_data}/test/Y",
        f"mask={tiny_data}/test/maskdata.json", f"output={tmp_path}/out",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    with Image.open(tmp_path / "out/000.png") as image:
        assert image.size == (40, 48)  # the images' own, no multiple of what the networks halve


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(command, tiny_data, tmp_path):
    more = ["schedule.phases.0.epochs=4", "schedule.phases.0.discriminator_steps=2", "test.enabled=false"]
    for folder, stop in (("whole", []), ("part", ["trainer.max_epochs=2"])):
        assert train(command, tiny_data, tmp_path / folder, "contextual_attention", *more, *stop).status == 0
    last = tmp_path / "part/checkpoints/last.ckpt"
    outcome = train(command, tiny_data, tmp_path / "part", "contextual_attention", *more, f"resume={last}")
    assert outcome.status == 0, outcome.err
    states = [
        torch.load(tmp_path / folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for folder in ("whole", "part")
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def hide(data, blocks):
    path = data / "train/maskdata.json"
    listed = json.loads(path.read_text())
    listed["003.png"] = blocks
    path.write_text(json.dumps(listed))


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (
            [[0, 0, 40]],
            [
                "003.png",
                "covers the discriminator's whole local patch of 16x16",
                "discriminator.patch",
                "mask=challenge",
            ],
        ),
        ([], ["003.png"]),
    ],
)
@pytest.mark.parametrize("name", ["glcic", "contextual_attention"])
def test_images_without_a_local_view_are_refused_before_training(command, tiny_data, tmp_path, name, blocks, words):
    hide(tiny_data, blocks)
    outcome = train(command, tiny_data, tmp_path / "run", name, "mask=maskdata")
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err
    assert not (tmp_path / "run").exists()


def test_holes_drawn_anew_may_fill_a_view(command, tiny_data, tmp_path):
    more = ["mask.side=[0.9, 0.9]", "mask.max_share=0.9", "mask.count=[1, 1]", "discriminator.patch=16"]
    assert train(command, tiny_data, tmp_path / "run", "contextual_attention", *more).status == 0


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("glcic", ["data.size=48"], ["discriminator.size=48", "32, 64, 128"]),
        ("glcic", ["discriminator.patch=64"], ["discriminator.patch=64", "discriminator.size=32"]),
        ("contextual_attention", ["discriminator.size=64"], ["discriminator.size=64", "data.size=32"]),
        ("contextual_attention", ["data.size=36"], ["discriminator.size=36", "16"]),
        ("context_encoder", ["data.size=48"], ["model.size=48", "power of two"]),
        ("contextual_attention", ["model=unet2018"], ["image=coarse"]),
        ("glcic", ["loss.discriminator.real_views=none"], ["real_views=none", "same, other"]),
        ("contextual_attention", ["discriminator=discriminator2018"], ["gradient penalty", "batch normalisation"]),
        ("contextual_attention", ["loss.beta=0.5"], ["loss.beta=0.5", "Wasserstein"]),
        (
            "contextual_attention",
            ["loss.generator.adversarial.form=saturating"],
            ["adversarial.form=saturating", "linear"],
        ),
        ("glcic", ["loss.generator.adversarial.form=linear"], ["form=linear", "logistic needs non_saturating"]),
        ("glcic", ["data.batch_size=1"], ["data.batch_size=1", "real_views=other needs at least 2"]),
        ("context_encoder", ["optim=adadelta"], ["optim", "betas"]),
        ("context_encoder", ["optim.discriminator_optimizer.lr=-1"], ["optim", "-1"]),
        ("contextual_attention", ["schedule.phases.0.discriminator_steps=0"], ["discriminator_steps=0"]),
    ],
)
def test_settings_that_do_not_fit_are_refused(command, tiny_data, tmp_path, name, more, words):
    outcome = train(command, tiny_data, tmp_path / "run", name, *more)
    assert outcome.status == 2, outcome.err
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err
    assert not (tmp_path / "run").exists()


def test_blending_changes_holes_alone_and_is_named_in_the_record(command, tiny_data, tmp_path):
    folders = {}
    for name in ("none", "blend"):
        folders[name] = tmp_path / name
        outcome = command(
            "evaluate", "model=mean", "data=chalearn", f"data.root={tiny_data}", "data.size=32", "data.batch_size=4",
            "data.workers=0", f"postprocess={name}", "device=cpu", f"hydra.run.dir={folders[name]}",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
    records = {name: json.loads((folder / "scores.json").read_text()) for name, folder in folders.items()}
    assert records["blend"]["postprocess"]["_target_"].endswith("Blended")
    assert records["none"]["postprocess"]["_target_"] is None
    plain, blended = (records[name]["scores"]["mse_composite_hole"]["value"] for name in ("none", "blend"))
    assert blended < plain  # a mean fill has the wrong colour at every rim


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["+postprocess.radus=3"], ["postprocess", "radus"]),
        (["postprocess.radius=0"], ["postprocess.radius=0"]),
        (["postprocess=sharpen"], ["postprocess/sharpen"]),
    ],
)
def test_bad_postprocessing_is_refused(command, tiny_data, tmp_path, more, words):
    outcome = command(
        "evaluate", "model=mean", "data=chalearn", f"data.root={tiny_data}", "postprocess=blend", "data.workers=0",
        f"hydra.run.dir={tmp_path}/run", *more,
    )  # fmt: skip
    assert outcome.status == 2, outcome.err
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err
    assert not (tmp_path / "run").exists()


def test_predictions_are_not_postprocessed(command, tiny_data, tmp_path):
    outcome = command(
        "evaluate", f"predictions={tiny_data}/test/Y", "data=chalearn", f"data.root={tiny_data}", "postprocess=blend",
        f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert outcome.status == 2
    assert "postprocess: predictions are scored unchanged" in outcome.err
