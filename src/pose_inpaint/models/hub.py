"""Released weights on the Hugging Face Hub: `hf://OWNER/NAME`, or `hf://OWNER/NAME@REVISION`."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pose_inpaint.errors import InputError, first_line
from pose_inpaint.runtime.optional import import_extra

SCHEME = "hf://"
NAME = r"[\w.-]+/[\w.-]+"

REASONS = {
    "GatedRepoError": "its owner has to give you access first: ask on its page",
    "RepositoryNotFoundError": "no such repository, or a private one: check the name, or log in with hf auth login",
    "RevisionNotFoundError": "no such revision: give a branch, a tag or a commit after @",
    "LocalEntryNotFoundError": "can't be reached, and isn't in the cache: connect to the network, or give a folder",
    "LocalTokenNotFoundError": "log in with hf auth login",
    "HFValidationError": "not a name of the hub: give OWNER/NAME",
}
"""What the hub's errors mean to a user, by the name of their class; the first that fits."""


def is_on_hub(path: str | Path) -> bool:
    """Whether a setting names a repository of the hub."""
    return str(path).startswith(SCHEME)


def download(address: str, files: Sequence[str], key: str) -> Path:
    """Download files of a repository into the hub's cache, unless they are there.

    Args:
        address: `hf://OWNER/NAME`, the newest revision, or the cached one without a network; or
            `hf://OWNER/NAME@REVISION`, a branch, tag or commit.
        files: Names of the files.
        key: Setting that named it, for messages.

    Returns:
        Folder with the files, to be read only.

    Raises:
        InputError: Another form of address, no such repository or revision, no access, no network, or the package
            huggingface_hub isn't installed.
    """
    matched = re.fullmatch(rf"{SCHEME}({NAME})(?:@([\w./-]+))?", address)
    if matched is None:
        raise InputError(f"{key}={address}: give hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
    hub = _import_hub(f"{key}={address}")
    with _errors_in_one_line(f"{key}={address}"):
        return Path(hub.snapshot_download(matched[1], revision=matched[2], allow_patterns=list(files)))


def list_cached(files: Sequence[str]) -> dict[str, Path]:
    """Map addresses, with their commit, to the folders in the hub's cache that hold all of some files."""
    if find_spec("huggingface_hub") is None:
        return {}
    hub = _import_hub("cache")
    try:
        repositories = hub.scan_cache_dir().repos
    except hub.CacheNotFound:
        return {}
    revisions = [(each.repo_id, revision) for each in repositories for revision in each.revisions]
    folders = {f"{SCHEME}{name}@{one.commit_hash}": Path(one.snapshot_path) for name, one in revisions}
    return {address: folders[address] for address in sorted(folders) if _holds(folders[address], files)}


def _holds(folder: Path, files: Sequence[str]) -> bool:
    return all((folder / name).is_file() for name in files)


def create_repository(repository: str, *, public: bool) -> None:
    """Create a repository, `OWNER/NAME`, unless it exists.

    Raises:
        InputError: Another form of name, the existing one is public and `public` is False or the other way round, no
            right to create it, or no network.
    """
    setting = f"upload={repository}"
    if re.fullmatch(NAME, repository) is None:
        raise InputError(f"{setting}: give OWNER/NAME")
    api = _import_hub(setting).HfApi()
    with _errors_in_one_line(setting):
        api.create_repo(repository, private=not public, exist_ok=True)
        private = api.repo_info(repository).private
    if private == public:
        found, way_out = ("private", "public=false") if private else ("public", "public=true")
        raise InputError(f"{setting}: exists and is {found}; give {way_out}, or another name")


def upload(folder: Path, repository: str, files: Sequence[str], card: str) -> str:
    """Upload files of a folder in one commit, and return the address of that revision.

    Args:
        folder: Folder of the files.
        repository: `OWNER/NAME`; it exists.
        files: Names of the files.
        card: The one of them that is also uploaded as `README.md`, which the hub shows.

    Raises:
        InputError: The upload failed.
    """
    setting = f"upload={repository}"
    hub = _import_hub(setting)
    paths = {**{name: folder / name for name in files}, "README.md": folder / card}
    operations = [hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in paths.items()]
    with _errors_in_one_line(setting, f"; {folder} is written, upload it with: hf upload {repository} {folder}"):
        commit = hub.HfApi().create_commit(repository, operations, commit_message="Upload a release of pose_inpaint")
    return f"{SCHEME}{repository}@{commit.oid}"


def _import_hub(setting: str) -> Any:
    return import_extra("huggingface_hub", f"{setting}: needs huggingface_hub", "hub")


@contextmanager
def _errors_in_one_line(setting: str, more: str = "") -> Iterator[None]:
    try:
        yield
    except Exception as error:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if not kinds & {"OSError", "ValueError", "HTTPError"}:  # the last one is httpx's
            raise
        reason = next((text for name, text in REASONS.items() if name in kinds), "")
        raise InputError(f"{setting}: {reason or first_line(error)}{more}") from error
