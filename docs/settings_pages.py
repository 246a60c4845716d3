"""Write a page of every command's settings from the configuration files and their schema."""

import dataclasses
import re
import types
import typing
from pathlib import Path
from typing import Any

from pose_inpaint.config import schema

CONF = Path(__file__).parents[1] / "conf"
SCHEMAS = {
    "".join(re.findall("[A-Z][a-z]+", name)[:-1]).lower(): each
    for name, each in vars(schema).items()
    if name.endswith("Settings") and dataclasses.is_dataclass(each)
}
ROOTS = {path.stem: SCHEMAS[path.stem.replace("_", "")] for path in sorted(CONF.glob("*.yaml"))}


def write(folder: Path) -> None:
    """Write `index.md`, a page of each command, and a page of each configuration group."""
    folder.mkdir(exist_ok=True)
    for page in folder.glob("*.md"):  # of settings that there are no longer
        page.unlink()
    groups = sorted(path.name for path in CONF.iterdir() if path.is_dir() and any(path.glob("*.yaml")))
    pages = {f"command_{command}.md": _command(command) for command in ROOTS}
    pages |= {f"group_{group}.md": _group(group) for group in groups}
    listed = "\n".join(name.removesuffix(".md") for name in pages)
    pages["index.md"] = (
        "# Settings\n\nEvery key of every command, and every choice of each group, with type, default and meaning, "
        f"from the files in `conf/` and their schema.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def _command(command: str) -> str:
    path = CONF / f"{command}.yaml"
    head, rows = read_keys(path)
    names = annotations(ROOTS[command])
    table = _table([(key, names.get(key, ""), *rest) for key, *rest in rows])
    return f"# {command}\n\n`{head}`\n\n{table}"


def _group(group: str) -> str:
    text = [f"# {group}=..."]
    for path in sorted((CONF / group).glob("*.yaml")):
        head, rows = read_keys(path)
        names = annotations(ROOTS["train"])
        table = _table([(key, names.get(f"{group}.{key}", ""), *rest) for key, *rest in rows])
        text.append(f"## {group}={path.stem}\n\n{head}\n\n{table}")
    return "\n\n".join(text)


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    if not rows:
        return "It has no keys.\n"
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, kind, default, meaning in rows:
        cells = (f"`{key}`", f"`{kind}`" if kind else "", f"`{default}`" if default else "", meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def read_keys(path: Path) -> tuple[str, list[tuple[str, str, str]]]:
    """Return the first comment of a YAML file, and the full key, value and comment of each line with a value."""
    parents: list[tuple[int, str]] = []
    head, rows, hidden = "", [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith("#"):
            comment = text.removeprefix("#").strip()
            if rows and line.startswith(" " * 15):  # goes on from the line before
                key, value, meaning = rows.pop()
                rows.append((key, value, f"{meaning} {comment}"))
            elif not rows and not head and not comment.startswith("@"):
                head = comment
            continue
        indent = len(line) - len(line.lstrip())
        matched = re.match(r"([\w.]+|\"[^\"]+\"): *(.*)$", text)
        if not text or matched is None:
            continue
        hidden = matched[1] in ("defaults", "hydra") if indent == 0 else hidden
        parents = [parent for parent in parents if parent[0] < indent]
        if hidden:
            continue
        parents.append((indent, matched[1]))
        value, _, comment = _split(matched[2])
        if value or comment:
            rows.append((".".join(name for _, name in parents), value, comment))
    return head, rows


def _split(text: str) -> tuple[str, str, str]:
    """Divide a line's value from the comment behind it."""
    value, mark, comment = (" " + text).partition(" #") if '"' not in text else text.partition(" # ")
    return value.strip(), mark, comment.strip()


def annotations(of: Any, prefix: str = "") -> dict[str, str]:
    """Map the full keys of a schema's dataclass to their types, as a user would write them."""
    found = {}
    for key, kind in typing.get_type_hints(of).items():
        inner = [each for each in typing.get_args(kind) or (kind,) if dataclasses.is_dataclass(each)]
        found[prefix + key] = _shown(kind)
        for each in inner:
            found |= annotations(each, f"{prefix}{key}.")
    return found


def _shown(kind: Any) -> str:
    if dataclasses.is_dataclass(kind):
        return "block"
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join("null" if each is type(None) else _shown(each) for each in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return f"list of {_shown(typing.get_args(kind)[0])}"
    if typing.get_origin(kind) is dict:
        return "block"
    return {"str": "text", "int": "integer", "float": "number", "bool": "true or false", "Any": "value"}.get(
        getattr(kind, "__name__", ""), str(kind)
    )
