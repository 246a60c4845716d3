"""The order of the rooms: each imports from itself and from rooms before it."""

import ast
import graphlib
from pathlib import Path

import pose_inpaint

PACKAGE = Path(pose_inpaint.__file__).parent
ROOMS = (
    "errors", "types", "runtime", "config", "data", "models", "losses", "pose", "metrics", "tracking", "build",
    "training", "evaluation", "api", "web", "reporting", "multirun",
)  # fmt: skip
"""Every room, and module at the root that is no command, in the order in which they may import each other."""


def modules():
    """Each module's dotted name below the package, and its path."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path, names):
    """The modules of the package that one of its files imports, TYPE_CHECKING included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            whole = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            # `from pose_inpaint.data import masks` is a module, `from pose_inpaint.data.masks import Masks` a name.
            whole = [
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}"[13:] in names else node.module
                for alias in node.names
            ]
        else:
            continue
        yield from (name[13:] for name in whole if name.split(".")[0] == "pose_inpaint")


def graph():
    paths = dict(modules())
    return {name: set(imported(path, paths)) - {name} for name, path in paths.items()}


def is_command(name):
    return "." not in name and "def main(" in (PACKAGE / f"{name}.py").read_text(encoding="utf-8")


def rank(name):
    room = name.split(".")[0]
    return ROOMS.index(room) if room in ROOMS else len(ROOMS)


def test_the_root_holds_commands_contracts_and_rooms_alone():
    roots = {name for name in graph() if name and "." not in name}
    assert {name for name in roots if not (PACKAGE / name).is_dir() and not is_command(name)} == {
        "errors", "types", "build", "api",
    }  # fmt: skip
    assert {name for name in roots if (PACKAGE / name).is_dir()} == {*ROOMS} - {"errors", "types", "build", "api"}


def test_rooms_import_one_way_and_no_command_imports_a_command():
    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        if name and other and (rank(other) > rank(name) or (rank(other) == rank(name) == len(ROOMS)))
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_no_two_files_import_each_other_in_a_loop():
    try:
        graphlib.TopologicalSorter(graph()).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None
