"""Card of released weights: what they are, where they come from, how good they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from pose_inpaint.evaluation.scores_file import ScoresFile
from pose_inpaint.metrics.score_names import ScoreName
from pose_inpaint.reporting.markup import markdown_table

SHOWN = ("mse_composite_hole", "mse_composite_whole", "psnr_composite_whole", "dssim_composite_whole")
"""Scores of a card, besides those of poses."""


def model_card(
    name: str,
    config: Mapping[str, Any],
    parameters: int,
    precision: str,
    scores: Sequence[ScoresFile],
    data_terms: str,
    limits: str,
    source_sha256: str,
) -> str:
    """Write a card as Markdown; `{sha256}` stands for the digest of the weights, which are not written yet.

    Args:
        name: Name of the model.
        config: Configuration of its training.
        parameters: Number of its parameters.
        precision: Precision of the stored weights.
        scores: Evaluations of the model.
        data_terms: Images it was trained on, and their terms.
        limits: What it is not good for.
        source_sha256: Digest of the checkpoint.
    """
    phases = ", ".join(f"{phase['name']} ({', '.join(phase['terms'])})" for phase in config["schedule"]["phases"])
    optim = config["optim"]
    settings = {
        "network": config["model"]["_target_"],
        "its settings": _inline({key: value for key, value in config["model"].items() if key != "_target_"}),
        "parameters": f"{parameters:,}, stored as {precision}",
        "image side": f"{config['data']['size']} pixels",
        "phases": phases,
        "optimizer": f"{optim['optimizer']['_target_']}, learning rate {optim['lr']:g}, schedule {optim['schedule']}",
        "images per step": config["data"]["batch_size"],
        "moving average": config["ema"]["decay"] or "none",
        "seed": config["seed"],
    }
    lines = [
        f"# {name}",
        "",
        "Weights that restore missing parts of photos of people. Use them by "
        "`python -m pose_inpaint.predict checkpoint=THIS_FOLDER input=PHOTOS mask=MASKS output=DIR`.",
        "",
        "## Data and terms",
        "",
        data_terms,
        "",
        "## Scores",
        "",
        *_scores(scores),
        "",
        "## Limits",
        "",
        limits,
        "",
        "## Settings",
        "",
        *markdown_table(["setting", "value"], [[key, str(value)] for key, value in settings.items()]),
        "",
        "`config.yaml` has all of them.",
        "",
        "## Digests (SHA-256)",
        "",
        "- model.safetensors: `{sha256}`",
        f"- checkpoint it was made from: `{source_sha256}`",
    ]
    return "\n".join(lines) + "\n"


def _scores(scores: Sequence[ScoresFile]) -> list[str]:
    if not scores:
        return ["Not scored yet."]
    names = [name for name in scores[0].scores if name in SHOWN or ScoreName.parse(name).is_pose]
    rows = []
    for file in scores:
        cells = [
            "-" if (estimate := file.estimate(name)) is None else ScoreName.parse(name).format_estimate(estimate)
            for name in names
        ]
        rows.append([f"{file.data.name}, {file.split}, n = {file.n}", *cells])
    heads = ["images", *(ScoreName.parse(name).label for name in names)]
    return [*markdown_table(heads, rows), "", "95 % bootstrap intervals over images."]


def _inline(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "defaults"
