"""Bad input: one clear line, an exit status that isn't 0, nothing written."""

import json
import shutil

import pytest
import torch
from conftest import TINY

from pose_inpaint.models.networks.unet2018 import Generator


def train(command, data, tmp_path, *more):
    arguments = ["+experiment=authors2018", f"data.root={data}", f"hydra.run.dir={tmp_path}/run", *TINY, *more]
    return command("train", *arguments)


def refused(outcome, *words):
    assert outcome.status != 0
    assert outcome.err.startswith("error: "), outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert str(word) in outcome.err, outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data.root=/no/such/folder"], ["data.root=/no/such/folder", "no such folder"]),
        (["loss.betta=1"], ["loss.betta"]),
        (["+loss.betta=1"], ["loss.betta"]),
        (["loss.beta=-1"], ["loss.beta=-1", "at least 0"]),
        (["loss.beta=nan"], ["loss.beta=nan"]),
        (["loss.alpha=-1"], ["loss.alpha=-1"]),
        (["loss.beta=much"], ["loss.beta", "much"]),
        (["data.batch_size=few"], ["data.batch_size", "few"]),
        (["data.batch_size=0"], ["data.batch_size=0"]),
        (["data.batch_size=13"], ["data.batch_size=13", "12 training images"]),
        (["data.batch_size=1"], ["data.batch_size=1", "batch normalisation", "more than 1 value per channel"]),
        (["model.width=4,8"], ["model.width=4,8", "add -m", "model.width=[4,8]"]),
        (["mask=folder", "data.root=???"], ["data.root, mask.root are missing: give data.root=VALUE mask.root=VALUE"]),
        (["data.size=0"], ["data.size=0"]),
        (["schedule.phases.0.epochs=0"], ["'reconstruction'", "epochs=0"]),
        (
            ["loss.generator.hole.weight=0", "loss.generator.known.weight=0"],
            ["every term of reconstruction", "weight 0"],
        ),
        (["loss=slides2018", "schedule=slides2018", "model.predict_mask=false"], ["model.predict_mask=true"]),
        (["data.size=66"], ["discriminator.size=66"]),
        (["schedule.phases.0.terms=[hole,charm]"], ["'charm'", "hole, known"]),
        (["optim.lr=0"], ["optim.lr=0"]),
        (["optim.lr_rule=cubic"], ["optim.lr_rule=cubic", "none, linear, sqrt"]),
        (["checkpoint.every_minutes=-1"], ["checkpoint.every_minutes=-1"]),
        (["trainer=gpu"], ["trainer.accelerator=gpu", "trainer=cpu"]),
        (["trainer=mps"], ["trainer.accelerator=mps", "trainer=cpu"]),
        (["trainer=ddp"], ["trainer.accelerator=gpu"]),
        (["trainer=ddp_multinode"], ["trainer.num_nodes is missing"]),
        (["trainer.strategy=fsdp"], ["trainer.strategy=fsdp", "ddp"]),
        (["trainer.sync_batchnorm=true"], ["trainer.sync_batchnorm=true", "GPUs only"]),
        (["+trainer.num_nodes=2"], ["trainer.num_nodes=2", "srun or torchrun"]),
        (["optim.clip_norm=-1"], ["optim.clip_norm=-1"]),
        (["ema.decay=1"], ["ema.decay=1"]),
        (["batchnorm.statistics=fresh"], ["batchnorm.statistics=fresh", "recalibrated, running"]),
        (["checkpoint.monitor=beauty"], ["checkpoint.monitor=beauty"]),
        (["validation=[beauty_raw_whole]"], ["beauty_raw_whole", "mse"]),
        (["test.checkpoint=nicest"], ["test.checkpoint=nicest"]),
        (["model.width=3"], ["model.width=3"]),
        (["model.depth=3"], ["depth"]),
        (["+model.depth=3"], ["depth"]),
        (["discriminator=none"], ["discriminator=discriminator2018"]),
        (["discriminator=null"], ["discriminator"]),
        (["loss=nicer"], ["loss/nicer"]),
        (["+experiment=nothing"], ["experiment/nothing", "quickstart"]),
        (["data.root=~/photos"], ["data.root=~/photos", "$HOME"]),
        (["resume=/no/such.ckpt"], ["resume=/no/such.ckpt", "no such file"]),
        (["init_from=/no/such.ckpt"], ["init_from=/no/such.ckpt", "no such file"]),
        (["resume=a", "init_from=b"], ["resume and init_from"]),
        (["loss.generator.perceptual.weight=1", "loss.features.weights=/no.pt"], ["/no.pt", "no such file"]),
        (["mask=squares", "mask.max_share=1.5"], ["mask.max_share=1.5"]),
        (["mask=folder"], ["mask.root"]),
        (["mask=folder", "mask.root=/no/masks"], ["mask.root=/no/masks"]),
        (["trainer.max_epochs=0"], ["trainer.max_epochs=0"]),
        (["trainer.accelerator=abacus"], ["trainer", "abacus"]),
        (["seed=one"], ["seed", "one"]),
        (["samples.count=0"], ["samples.count=0"]),
        (["logger=carrier_pigeon"], ["logger/carrier_pigeon"]),
    ],
)
def test_settings_that_cannot_be_used(command, tiny_data, tmp_path, arguments, words):
    if arguments[0].startswith("+experiment"):
        outcome = command("train", *arguments)
    else:
        outcome = train(command, tiny_data, tmp_path, *arguments)
    refused(outcome, *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["+trainer.max_time=00:00:00:03"], ["trainer.max_time=00:00:00:03", "max_minutes"]),
        (["+trainer.max_steps=7"], ["trainer.max_steps=7", "trainer.max_epochs"]),
        (["+trainer.fast_dev_run=true"], ["trainer.fast_dev_run=True", "trainer.max_epochs=1"]),
        (["+trainer.gradient_clip_val=1"], ["trainer.gradient_clip_val=1", "optim.clip_norm"]),
        (["+trainer.accumulate_grad_batches=2"], ["trainer.accumulate_grad_batches=2", "data.batch_size"]),
        (["+trainer.overfit_batches=1"], ["trainer.overfit_batches=1", "data.limit"]),
        (["+trainer.limit_val_batches=0"], ["trainer.limit_val_batches=0", "select a checkpoint"]),
        (["+trainer.limit_val_batches=0.1"], ["trainer.limit_val_batches=0.1", "one of 1 batches"]),
        (["+trainer.limit_train_batches=0"], ["trainer.limit_train_batches=0"]),
        (["trainer.check_val_every_n_epoch=0"], ["trainer.check_val_every_n_epoch=0"]),
        (
            ["trainer.check_val_every_n_epoch=3", "schedule.phases.0.epochs=2"],
            ["trainer.check_val_every_n_epoch=3", "phase 'reconstruction' (epochs 1 to 2)"],
        ),
    ],
)
def test_trainer_arguments_that_would_lose_or_falsify(command, tiny_data, tmp_path, arguments, words):
    refused(train(command, tiny_data, tmp_path, *arguments), *words)
    assert not (tmp_path / "run").exists()


def test_a_model_that_does_not_learn_is_not_trained(command, tiny_data, tmp_path):
    more = [
        "model=mean",
        "discriminator.width=2",
        f"data.root={tiny_data}",
        f"hydra.run.dir={tmp_path}/run",
        "data.workers=0",
    ]
    refused(command("train", "data=chalearn", *more), "MeanFill has nothing to train", "evaluate")


def damage_truncate(data):
    path = data / "train/Y/003.png"
    path.write_bytes(path.read_bytes()[:200])
    return path


def damage_text(data):
    path = data / "train/Y/003.png"
    path.write_text("not an image")
    return path


def damage_empty(data):
    path = data / "train/Y/003.png"
    path.write_bytes(b"")
    return path


def damage_missing(data):
    (data / "train/Y/003.png").unlink()
    return "003.png"


def damage_split(data):
    shutil.rmtree(data / "val/Y")
    return data / "val"


def blocks(value):
    def damage(data):
        path = data / "train/maskdata.json"
        content = json.loads(path.read_text())
        content["003.png"] = value
        path.write_text(json.dumps(content))
        return "003.png"

    return damage


def maskdata(text):
    def damage(data):
        path = data / "train/maskdata.json"
        path.unlink() if text is None else path.write_text(text)
        return path

    return damage


def damage_unlisted(data):
    path = data / "train/maskdata.json"
    content = json.loads(path.read_text())
    del content["003.png"]
    path.write_text(json.dumps(content))
    return "003.png is not listed"


DAMAGES = {
    "truncated": damage_truncate,
    "text": damage_text,
    "empty file": damage_empty,
    "missing": damage_missing,
    "empty split": damage_split,
    "unlisted": damage_unlisted,
    "no maskdata": maskdata(None),
    "no json": maskdata("{"),
    "no object": maskdata("[]"),
    "outside": blocks([[40, 0, 16]]),
    "negative": blocks([[-1, 0, 16]]),
    "size 0": blocks([[1, 0, 0]]),
    "no numbers": blocks([["a", 0, 16]]),
    "two numbers": blocks([[1, 2]]),
    "no blocks": blocks([]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_training_and_verify_refuse_bad_data_with_the_same_words(command, tiny_data, tmp_path, damage):
    word = damage(tiny_data)
    outcome = train(command, tiny_data, tmp_path)
    refused(outcome, word)
    assert not (tmp_path / "run").exists()
    said = outcome.err.removeprefix("error: ").split(" (and ")[0].strip()
    verified = command("verify", "data=chalearn", f"data.root={tiny_data}", "data.size=32")
    assert verified.status == 1
    assert said in verified.err


def test_checkpoints_that_are_none(command, tiny_data, tiny_checkpoint, tmp_path):
    (tmp_path / "text.ckpt").write_text("hello")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    (tmp_path / "cut.ckpt").write_bytes(tiny_checkpoint.read_bytes()[:5000])
    for name in ("text", "other", "cut"):
        path = tmp_path / f"{name}.ckpt"
        refused(train(command, tiny_data, tmp_path, f"resume={path}"), f"resume={path}", "not a")
        refused(train(command, tiny_data, tmp_path, f"init_from={path}"), f"init_from={path}", "not a")
        refused(command("evaluate", f"checkpoint={path}"), f"checkpoint={path}", "not a")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["resume", "init_from"])
def test_a_checkpoint_of_another_width_is_refused_by_key_and_values(command, tiny_data, tiny_checkpoint, tmp_path, key):
    outcome = train(command, tiny_data, tmp_path, f"{key}={tiny_checkpoint}", "model.width=4")
    refused(outcome, f"{key}={tiny_checkpoint}", "model.width=2", "model.width=4")


def test_resuming_with_other_settings_is_refused_by_key_and_values(command, tiny_data, tiny_checkpoint, tmp_path):
    refused(
        train(command, tiny_data, tmp_path, f"resume={tiny_checkpoint}", "optim.lr=1e-4"),
        "optim.lr=0.001",
        "optim.lr=0.0001",
    )


def test_a_mistyped_resume_leaves_the_old_run_as_it_was(command, tiny_data, tiny_run):
    before = sorted((path, path.stat().st_mtime_ns) for path in tiny_run.rglob("*"))
    for wrong in ("lst.ckpt", "last.ckpt"):  # none, and a finished one
        refused(train(command, tiny_data, tiny_run.parent, f"resume={tiny_run}/checkpoints/{wrong}"), wrong)
    assert sorted((path, path.stat().st_mtime_ns) for path in tiny_run.rglob("*")) == before


def test_a_checkpoint_runs_no_code_of_its_own(command, tiny_checkpoint, tmp_path):
    content = torch.load(tiny_checkpoint, weights_only=True)
    content["pose_inpaint"]["config"]["model"] = {"_target_": "os.mkdir", "path": str(tmp_path / "made")}
    torch.save(content, tmp_path / "evil.ckpt")
    refused(command("evaluate", f"checkpoint={tmp_path}/evil.ckpt"), "can't be built")
    assert not (tmp_path / "made").exists()


def test_resuming_a_finished_run_says_what_to_do(command, tiny_data, tiny_checkpoint, tmp_path):
    refused(train(command, tiny_data, tmp_path, f"resume={tiny_checkpoint}"), "all 2 epochs are done", "more epochs")


def test_a_folder_that_holds_a_run_is_not_written_over(command, tiny_data, tiny_run):
    before = sorted((path, path.stat().st_mtime_ns) for path in tiny_run.rglob("*"))
    outcome = train(command, tiny_data, tiny_run.parent)
    refused(outcome, "holds a run already", "resume=auto")
    assert sorted((path, path.stat().st_mtime_ns) for path in tiny_run.rglob("*")) == before


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_a_folder_that_cannot_be_written(command, tiny_data, tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    more = list(TINY) if name == "train" else ["model=mean", "data=chalearn"]
    outcome = command(name, *more, f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/file/run")
    refused(outcome, f"{tmp_path}/file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["checkpoint=PATH", "model=mean"]),
        (["model=mean", "checkpoint=a"], ["not both"]),
        (["model=unet2018"], ["without weights"]),
        (["checkpoint=/no.ckpt"], ["checkpoint=/no.ckpt", "no such file"]),
        (["model=mean", "data.size=8"], ["data.size=8", "must be in 16..16384"]),
        (["model=mean", "split=exam"], ["split=exam", "train, val, test"]),
        (["model=mean", "images=[sketch]", "contact_sheet.rank_by=mse_sketch_hole"], ["sketch"]),
        (["model=mean", "contact_sheet.rank_by=beauty"], ["contact_sheet.rank_by=beauty"]),
        (["model=mean", "device=cuda:99"], ["device=cuda:99", "device=cpu"]),
        (["model=telea", "model.radius=0"], ["model.radius=0"]),
        (["model=patchmatch", "model.patch=4"], ["model.patch=4", "odd"]),
        (["model=patchmatch", "model.patch=-3"], ["model.patch=-3", "at least 3"]),
        (["model=patchmatch", "model.patch=33"], ["model.patch=33", "32x32"]),
    ],
)
def test_evaluate_refuses(command, tiny_data, tmp_path, arguments, words):
    data = ["data=chalearn", f"data.root={tiny_data}", "data.size=32", "data.workers=0"]
    refused(command("evaluate", *data, f"hydra.run.dir={tmp_path}/run", *arguments), *words)
    assert not (tmp_path / "run").exists()


def test_a_missing_extra_names_the_command_that_installs_it(command, tiny_data, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    outcome = command("evaluate", "model=telea", "data=chalearn", f"data.root={tiny_data}")
    refused(outcome, "pip install 'pose-inpaint[classic]'")
    monkeypatch.setitem(__import__("sys").modules, "patchmatch", None)
    outcome = command("evaluate", "model=patchmatch", "data=chalearn", f"data.root={tiny_data}")
    refused(outcome, "model=patchmatch", "pip install 'pose-inpaint[classic]'")


def test_evaluating_a_blind_split_is_refused(command, tiny_data, tmp_path):
    (tiny_data / "test/Y").rename(tiny_data / "test/X")
    data = ["data=chalearn", f"data.root={tiny_data}", "data.size=32", "data.workers=0"]
    for method in ("model=mean", f"predictions={tmp_path}/none"):  # said before predictions are read
        outcome = command("evaluate", method, *data, f"hydra.run.dir={tmp_path}/run")
        refused(outcome, "split=test", "4 images have no original", "predict")


def test_a_command_names_all_that_it_needs_at_once(command):
    keys = "input, mask.source, output.dir"
    refused(command("predict", "model=mean"), f"error: {keys} are missing: give input=VALUE mask.source=VALUE output")
    refused(command("index", "data=chalearn"), "data.root, output are missing")
    refused(command("report", "output=o"), "runs is missing: give runs=VALUE")


ALLOCATOR = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 9 bytes"


@pytest.fixture
def memory(monkeypatch):
    """Lets the memory last for so many more passes of the 2018 generator."""
    whole = Generator.forward

    def lasts_for(passes):
        left = iter(range(passes))

        def forward(self, *inputs, **options):
            if next(left, None) is None:
                raise RuntimeError(ALLOCATOR)
            return whole(self, *inputs, **options)

        monkeypatch.setattr(Generator, "forward", forward)

    return lasts_for


def test_training_without_enough_memory_ends_in_one_line_and_goes_on(command, tiny_data, tmp_path, memory):
    said = f"error: out of memory ({ALLOCATOR}); give a smaller data.batch_size, data.size or model.width, or free"
    more = ["schedule.phases.1.epochs=1", "checkpoint.every_minutes=0", "test.enabled=false", "mask=squares"]
    memory(0)  # already when the losses are tried out
    refused(train(command, tiny_data, tmp_path, *more), said)
    assert not (tmp_path / "run").exists()
    memory(3)  # that, and two batches
    refused(train(command, tiny_data, tmp_path, *more), said)
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert (status["state"], status["exception"], status["traceback"]) == ("failed", "InputError", None)
    assert status["error"].startswith(said.removeprefix("error: "))
    memory(1000)
    outcome = train(command, tiny_data, tmp_path, *more, "resume=auto")
    assert outcome.status == 0, outcome.err
    assert "2 batches in total" in outcome.out  # the checkpoint is of right before the batch that failed


def test_scoring_without_enough_memory_ends_in_one_line(command, tiny_data, tiny_checkpoint, tmp_path, memory):
    memory(0)
    data = [f"data.root={tiny_data}", "data.workers=0", f"hydra.run.dir={tmp_path}/run"]
    outcome = command("evaluate", f"checkpoint={tiny_checkpoint}", "data=chalearn", *data)
    refused(outcome, f"error: out of memory ({ALLOCATOR}); give a smaller data.batch_size or data.size, or free memory")
    assert not (tmp_path / "run/scores.json").exists()


def test_other_faults_are_not_called_a_lack_of_memory(command, tiny_data, tiny_checkpoint, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(Generator, "forward", fail)
    with pytest.raises(RuntimeError, match="mat1"):
        command("evaluate", f"checkpoint={tiny_checkpoint}", "data=chalearn", f"data.root={tiny_data}")


def test_one_image_a_batch_trains_where_no_layer_normalises_over_one_value(command, tiny_data, tmp_path):
    more = ["data.batch_size=1", "data.limit=3", "data.size=128", "test.enabled=false"]
    outcome = train(command, tiny_data, tmp_path, *more)  # the discriminator ends with 2x2 pixels
    assert outcome.status == 0, outcome.err


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["train_pose"],
        ["evaluate", "model=mean"],
        ["report", "runs=[a]", "output=b"],
        ["benchmark", "output=b", "+methods.mean={model: mean}"],
        ["index", "output=b"],
        ["verify"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_seed_that_not_every_library_takes_is_refused(command, tmp_path, monkeypatch, arguments, seed):
    monkeypatch.chdir(tmp_path)
    refused(command(*arguments, f"seed={seed}"), f"seed={seed}: must be in 0..4294967295")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "wrong",
    ["data.size=1000000", "data.source.seed=-1", "data.source.size=-8", "data.source.counts.val=-1"],
)
def test_sizes_and_counts_out_of_range_are_refused_before_anything_is_drawn(command, wrong):
    refused(command("verify", wrong), wrong, "must be")


def test_starting_in_the_folder_of_the_run_is_refused(command, tiny_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("evaluate", "model=mean", "data=chalearn", f"data.root={tiny_data.relative_to(tmp_path)}")
    refused(command(*arguments, "hydra.job.chdir=true", "hydra.run.dir=ev"), "hydra.job.chdir=true", "leave it out")
    assert not (tmp_path / "ev").exists()
