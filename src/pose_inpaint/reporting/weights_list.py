"""Released weights that are at hand: in the package, in the cache of the Hugging Face Hub, and in a folder."""

import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_inpaint.errors import InputError
from pose_inpaint.models.hub import list_cached
from pose_inpaint.models.release import CARD, CONFIG, WEIGHTS, read_release_config
from pose_inpaint.models.release import PACKAGED as MODELS
from pose_inpaint.pose.hourglass import PACKAGED as HOURGLASSES


@dataclass(frozen=True)
class Weights:
    """Released weights, of which the configuration was read but not the weights.

    Attributes:
        use: Setting that selects them.
        folder: Folder of the release.
        config: Its configuration.
    """

    use: str
    folder: Path
    config: dict[str, Any]


def find_weights(folder: str | None) -> tuple[list[Weights], list[str]]:
    """Find released weights.

    Args:
        folder: Folder of a release or of several, besides the package and the hub's cache; None for none.

    Returns:
        The weights, and a line on each release of `folder` that can't be used.

    Raises:
        InputError: No such folder, or no release in it.
    """
    places = {f"model=pretrained model.weights={path.name}": path for path in sorted(MODELS.iterdir())}
    places |= {f"pose=hourglass pose.weights={name}": path for name, path in HOURGLASSES.items()}
    places |= {f"checkpoint={address}": path for address, path in list_cached((CONFIG, WEIGHTS)).items()}
    found, left_out = [], []
    for use, path in places.items():
        try:
            found.append(Weights(use, path, read_release_config(path)))
        except InputError:  # the hub's cache holds weights of other packages, too
            continue
    if folder is not None:
        given = sorted(path.parent for path in Path(folder).rglob(CONFIG) if path.with_name(WEIGHTS).exists())
        if not given:
            raise InputError(f"folder={folder}: no released weights in it; give a folder that release wrote, or above")
        for path in given:
            try:
                config = read_release_config(path, "folder")
            except InputError as error:
                left_out.append(str(error))
                continue
            pose = config["release"].get("kind") == "pose"
            found.append(Weights(f"{'pose=hourglass pose.weights' if pose else 'checkpoint'}={path}", path, config))
    return found, left_out


def describe_weights(weights: Weights) -> str:
    """Describe released weights in a paragraph: how to use them, their network, scores and terms."""
    release, config = weights.config["release"], weights.config
    network = str(config["model"]["_target_"]).split(".")[-2] if "model" in config else "hourglass"
    card = weights.folder / CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    size, terms = config["data"]["size"], _section(text, "Data and terms").partition("\n\n")[0]
    lines = [
        f"{config['name']}: {network}, {release['parameters']:,} parameters, learned at {size} pixels",
        *(read_scores(text) or ["not scored"]),
        f"Data and terms: {terms or 'not stated'}",
    ]
    width = min(120, shutil.get_terminal_size().columns)
    return "\n".join(
        [weights.use, *(textwrap.fill(line, width, initial_indent="  ", subsequent_indent="    ") for line in lines)]
    )


def read_scores(card: str) -> list[str]:
    """Read the table of scores in a card: a line for each set of images."""
    rows = [line.strip("| ").split(" | ") for line in _section(card, "Scores").splitlines() if line.startswith("|")]
    heads, values = (rows[0], rows[2:]) if rows else ([], [])  # the second row is a line
    return [
        f"{images}: " + "; ".join(f"{head} {cell}" for head, cell in zip(heads[1:], cells, strict=True))
        for images, *cells in values
    ]


def _section(card: str, heading: str) -> str:
    return card.partition(f"## {heading}\n")[2].partition("\n## ")[0].strip()
