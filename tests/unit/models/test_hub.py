"""Weights on a hub, which is faked: no test needs a network."""

import shutil
import sys
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import errors

from pose_inpaint import load
from pose_inpaint.errors import InputError
from pose_inpaint.models.hub import create_repository, download, upload
from pose_inpaint.models.pretrained import Pretrained
from pose_inpaint.models.release import FILES, PACKAGED, read_release
from pose_inpaint.pose.hourglass import read_hourglass
from pose_inpaint.training.checkpoint import read_checkpoint

PRETRAINED = PACKAGED / "pretrained"


@pytest.fixture
def cached(monkeypatch, tmp_path):
    """A hub whose every repository is the folder that it returns; its calls are in `asked`."""
    folder = shutil.copytree(PRETRAINED, tmp_path / "snapshots" / "0123")
    asked = []

    def snapshot(repo_id, **options):
        asked.append((repo_id, options))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    return SimpleNamespace(folder=folder, asked=asked)


@pytest.mark.parametrize(
    ("address", "repository", "revision"),
    [
        ("hf://owner/name", "owner/name", None),
        ("hf://an-owner/a.name_2@v1.0", "an-owner/a.name_2", "v1.0"),
        ("hf://owner/name@refs/pr/1", "owner/name", "refs/pr/1"),
    ],
)
def test_an_address_names_repository_and_revision(cached, address, repository, revision):
    release = read_release(address)
    assert cached.asked == [(repository, {"revision": revision, "allow_patterns": list(FILES)})]
    assert release.folder == cached.folder
    assert release.sha256 == read_release(PRETRAINED).sha256


@pytest.mark.parametrize(
    "read",
    [
        lambda address: read_checkpoint(address).sha256(),
        lambda address: Pretrained(address).release.sha256,
    ],
    ids=["checkpoint", "model"],
)
def test_whatever_takes_a_release_takes_an_address(cached, read):
    assert read("hf://owner/name") == read_release(PRETRAINED).sha256
    assert {repository for repository, _ in cached.asked} == {"owner/name"}


def test_load_takes_an_address(cached):
    model = load("hf://owner/name", device="cpu")
    assert repr(model) == "<pose_inpaint model hf://owner/name on cpu, learned at 128 pixels>"
    assert [repository for repository, _ in cached.asked] == ["owner/name"]


def test_weights_of_another_kind_are_refused(cached):
    with pytest.raises(InputError, match=r"weights of the kind 'inpainting', which are for checkpoint=FOLDER"):
        read_hourglass("hf://owner/name")
    assert cached.asked


def test_damaged_weights_are_refused_by_their_digest(cached):
    with (cached.folder / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"model\.safetensors has the digest .* but config\.yaml says"):
        read_checkpoint("hf://owner/name")


@pytest.mark.parametrize(
    "address", ["hf://name", "hf://owner/name@", "hf://owner/name/more", "hf://own er/name", "hf://"]
)
def test_another_form_of_address_is_an_error(cached, address):
    with pytest.raises(InputError, match=r"checkpoint=hf://.*: give hf://OWNER/NAME or hf://OWNER/NAME@REVISION"):
        read_checkpoint(address)
    assert not cached.asked


def http_error(kind):
    """An error of the hub's without the answer that it tells of."""
    error = kind.__new__(kind)
    error.args = ("404 Client Error.\n\nRepository Not Found for url",)
    return error


class HTTPError(Exception):
    """As httpx has it: not an OSError."""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (http_error(errors.RepositoryNotFoundError), "no such repository, or a private one"),
        (http_error(errors.GatedRepoError), "its owner has to give you access first"),
        (http_error(errors.RevisionNotFoundError), "no such revision"),
        (
            errors.LocalEntryNotFoundError("Cannot find an appropriate cached snapshot"),
            "can't be reached, and isn't in",
        ),
        (errors.OfflineModeIsEnabled("HF_HUB_OFFLINE=1 is set"), "HF_HUB_OFFLINE=1 is set"),
        (errors.HFValidationError("Repo id must be"), "not a name of the hub"),
        (HTTPError("[Errno -2] Name or service not known"), "Name or service not known"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
def test_what_the_hub_answers_is_one_line(monkeypatch, error, says):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(InputError, match=rf"weights=hf://owner/name: .*{says}") as raised:
        download("hf://owner/name", FILES, "weights")
    assert "\n" not in str(raised.value)


def test_other_faults_are_not_hidden(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: {}["missing"])
    with pytest.raises(KeyError):
        download("hf://owner/name", FILES, "weights")


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        InputError, match=r"checkpoint=hf://o/n: needs huggingface_hub: pip install 'pose-inpaint\[hub\]'"
    ):
        read_checkpoint("hf://o/n")


@pytest.fixture
def api(monkeypatch):
    """The hub's interface, with one repository: whether it is private, and what was uploaded."""
    state = SimpleNamespace(private=None, uploaded={}, error=None)

    class Api:
        def create_repo(self, repository, *, private, exist_ok):
            assert exist_ok
            state.private = private if state.private is None else state.private

        def repo_info(self, repository):
            return SimpleNamespace(private=state.private)

        def create_commit(self, repository, operations, *, commit_message):
            if state.error:
                raise state.error
            state.uploaded = {each.path_in_repo: each.path_or_fileobj for each in operations}
            return SimpleNamespace(oid="abc123")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return state


def test_an_upload_is_private_unless_asked_and_shows_its_card(api):
    create_repository("owner/name", public=False)
    assert api.private is True
    assert upload(PRETRAINED, "owner/name", FILES, "card.md") == "hf://owner/name@abc123"
    assert {name: str(path) for name, path in api.uploaded.items()} == {
        **{name: str(PRETRAINED / name) for name in FILES}, "README.md": str(PRETRAINED / "card.md"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("private", "says"), [(True, "is private; give public=false"), (False, "is public; give public")]
)
def test_a_repository_that_others_see_differently_is_refused(api, private, says):
    api.private = private
    with pytest.raises(InputError, match=rf"upload=owner/name: exists and {says}"):
        create_repository("owner/name", public=private)
    create_repository("owner/name", public=not private)


def test_a_name_without_owner_is_refused(api):
    with pytest.raises(InputError, match="upload=name: give OWNER/NAME"):
        create_repository("name", public=False)


def test_an_upload_that_fails_says_how_to_repeat_it(api):
    api.error = HTTPError("connection lost")
    with pytest.raises(
        InputError, match=r"connection lost; .*pretrained is written, upload it with: hf upload owner/name"
    ):
        upload(PRETRAINED, "owner/name", FILES, "card.md")
