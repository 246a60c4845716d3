"""What installs the package."""

import tomllib

from conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_package_is_built_by_hatchling_and_has_a_script_for_each_command():
    assert PROJECT["build-system"]["build-backend"] == "hatchling.build"
    commands = {path.stem for path in (REPOSITORY / "src/pose_inpaint").glob("*.py")} & {
        script.partition(":")[0].removeprefix("pose_inpaint.") for script in PROJECT["project"]["scripts"].values()
    }
    roots = {path.stem for path in (REPOSITORY / "conf").glob("*.yaml")}
    assert commands == roots


def test_every_extra_is_installed_for_development_but_those_that_download_or_hold_others_back():
    extras = {name for name in PROJECT["project"]["optional-dependencies"] if name not in ("fid", "trackio")}
    packages = {line.split(">")[0].split("<")[0] for line in PROJECT["dependency-groups"]["dev"]}
    for extra in extras:
        for line in PROJECT["project"]["optional-dependencies"][extra]:
            assert line.split(">")[0].split("<")[0] in packages, line
