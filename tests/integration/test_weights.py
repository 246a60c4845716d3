"""The list of released weights."""

import shutil
from types import SimpleNamespace

import huggingface_hub
import pytest
from omegaconf import OmegaConf

from pose_inpaint.models.release import PACKAGED

CARD = """# pretrained

## Data and terms

12 drawings.

Training: an hour.

## Scores

| images | MSE, hole | DSSIM |
|---|---|---|
| people, test, n = 5 | 0.1 [0.0, 0.2] | - |

95 % bootstrap intervals over images.

## Limits

None.
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """A hub's cache with a release, and weights of another package."""
    ours = shutil.copytree(PACKAGED / "pretrained", tmp_path / "cache" / "ours")
    (ours / "card.md").write_text(CARD)
    config = OmegaConf.load(ours / "config.yaml")
    config.release.parameters = 1234567
    OmegaConf.save(config, ours / "config.yaml")
    other = tmp_path / "cache" / "other"
    other.mkdir()
    (other / "config.yaml").write_text("model: other")
    (other / "model.safetensors").touch()
    (tmp_path / "cache" / "empty").mkdir()
    repos = [
        SimpleNamespace(
            repo_id=f"owner/{path.name}", revisions=[SimpleNamespace(commit_hash="abc", snapshot_path=path)]
        )
        for path in (ours, other, tmp_path / "cache" / "empty")
    ]
    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", lambda: SimpleNamespace(repos=repos))
    monkeypatch.setenv("COLUMNS", "500")


def test_releases_of_package_cache_and_folder_are_listed_with_scores_and_terms(command, tmp_path):
    for name in ("a", "b/c", "damaged"):
        shutil.copytree(PACKAGED / "pretrained", tmp_path / "mine" / name)
    (tmp_path / "mine" / "damaged" / "config.yaml").write_text("release: {format: 99, weights_sha256: 0}")
    (tmp_path / "mine" / "b" / "c" / "card.md").unlink()
    outcome = command("weights", f"folder={tmp_path}/mine")
    assert outcome.status == 0
    blocks = {block.splitlines()[0]: block.splitlines()[1:] for block in outcome.out.strip().split("\n\n")}
    assert {
        "model=pretrained model.weights=pretrained", "checkpoint=hf://owner/ours@abc",
        f"checkpoint={tmp_path}/mine/a", f"checkpoint={tmp_path}/mine/b/c",
    } == {use for use in blocks if "hourglass" not in use}  # fmt: skip
    first, *others = (line.strip() for line in blocks["checkpoint=hf://owner/ours@abc"])
    assert first == "pretrained: residual_unet, 1,234,567 parameters, learned at 128 pixels"
    assert others == ["people, test, n = 5: MSE, hole 0.1 [0.0, 0.2]; DSSIM -", "Data and terms: 12 drawings."]
    assert "people, test, n = " in " ".join(blocks["model=pretrained model.weights=pretrained"])
    assert [line.strip() for line in blocks[f"checkpoint={tmp_path}/mine/b/c"]][1:] == [
        "not scored", "Data and terms: not stated",
    ]  # fmt: skip
    assert outcome.err == (
        f"left out: folder={tmp_path}/mine/damaged: format 99, but this version reads 1; release it again\n"
    )


@pytest.mark.parametrize("folder", ["none", "cache/empty"])
def test_a_folder_without_releases_is_an_error(command, tmp_path, folder):
    outcome = command("weights", f"folder={tmp_path}/{folder}")
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: folder={tmp_path}/{folder}: no released weights in it; give")


def test_without_a_cache_the_package_is_listed(command, monkeypatch):
    def fail():
        raise huggingface_hub.CacheNotFound("no cache", "folder")

    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", fail)
    outcome = command("weights")
    assert outcome.status == 0
    assert outcome.out.startswith("model=pretrained model.weights=pretrained\n")
    assert "hf://" not in outcome.out
