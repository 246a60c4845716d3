"""Cards of released weights: what they are, where they come from, how good they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pose_inpaint.evaluation.scores_file import ScoresFile
from pose_inpaint.metrics.score_names import ScoreName
from pose_inpaint.reporting.markup import markdown_table

SHOWN = ("mse_composite_hole", "mse_composite_whole", "psnr_composite_whole", "dssim_composite_whole")
"""Scores of a card, besides those of poses."""
LIMITS = (
    "Holes larger than those it was trained with, and images unlike those it was trained on, come out blurred. What it "
    "draws is plausible, not true: don't use it to identify people or as evidence."
)
POSE_LIMITS = (
    "It gives one pose an image, that of a person who fills most of it, as in the training photos. It was trained on "
    "whole images: a joint in a hole is a guess. Don't use it to identify people or to judge them."
)


@dataclass(frozen=True)
class Released:
    """What the cards of all weights have in common.

    Attributes:
        name: Name of the weights.
        config: Configuration of their training.
        parameters: Number of parameters.
        precision: Precision of the stored weights.
        data_terms: Images they were trained on, and their terms.
        source_sha256: Digest of the checkpoint.
        limits: What they are not good for; None for the text of their kind.
    """

    name: str
    config: Mapping[str, Any]
    parameters: int
    precision: str
    data_terms: str
    source_sha256: str
    limits: str | None = None


def model_card(release: Released, scores: Sequence[ScoresFile]) -> str:
    """Write the card of an inpainting model as Markdown; `{sha256}` stands for the digest of weights not written yet.

    Args:
        release: Weights.
        scores: Evaluations of the model.
    """
    config = release.config
    optim, phases, trained = config["optim"], config["schedule"]["phases"], config.get("trained", {})
    names = [phase["name"] for phase in phases]
    if trained.get("phase") in names:  # later ones have had no effect on the weights
        phases = phases[: names.index(trained["phase"]) + 1]
    settings = {
        "network": config["model"]["_target_"],
        "its settings": _inline({key: value for key, value in config["model"].items() if key != "_target_"}),
        "image side": f"{config['data']['size']} pixels",
        "phases": ", ".join(f"{phase['name']} ({', '.join(phase['terms'])})" for phase in phases),
        "optimizer": f"{optim['optimizer']['_target_']}, learning rate {optim['lr']:g}, schedule {optim['schedule']}",
        "images per step": trained.get("images_per_step") or config["data"]["batch_size"],
        "moving average": config["ema"]["decay"] or "none",
    }
    if trained:
        settings["training"] = f"{trained['batches']:,} batches, {trained['minutes']:g} minutes"
    use = (
        "Weights that restore missing parts of photos of people. Use them by "
        "`python -m pose_inpaint.predict checkpoint=THIS_FOLDER input=PHOTOS mask=MASKS output=DIR`."
    )
    return _card(release.name, use, _scores(scores), LIMITS, release, settings)


def pose_card(release: Released, accuracies: Sequence[Mapping[str, Any]]) -> str:
    """Write the card of a pose estimator as Markdown; `{sha256}` stands for the digest of weights not written yet.

    Args:
        release: Weights.
        accuracies: Contents of the `scores.json` that `train_pose` wrote.
    """
    config, data = release.config, release.config["data"]
    names = "all" if data["names"] == "*" else data["names"]
    settings = {
        "network": "stacked hourglass (Newell et al. 2016)",
        "its settings": _inline(config["network"]),
        "image side": f"{data['size']} pixels",
        "training images": names if data["half"] is None else f"{names}, half {data['half']}",
        "epochs": config["epochs"],
        "optimizer": f"AdamW, learning rate {config['lr']:g} (one cycle), weight decay {config['weight_decay']:g}",
        "images per step": data["batch_size"],
    }
    use = (
        "Weights that find 14 joints of the person in a photo. Use them to score poses by "
        "`python -m pose_inpaint.evaluate pose=hourglass pose.weights=THIS_FOLDER`."
    )
    return _card(f"Stacked hourglass {release.name}", use, _accuracies(accuracies), POSE_LIMITS, release, settings)


def _card(
    title: str, use: str, scores: Sequence[str], limits: str, release: Released, settings: Mapping[str, Any]
) -> str:
    rows = {
        **settings,
        "parameters": f"{release.parameters:,}, stored as {release.precision}",
        "seed": release.config["seed"],
    }
    lines = [
        f"# {title}",
        "",
        use,
        "",
        "## Data and terms",
        "",
        release.data_terms,
        "",
        "## Scores",
        "",
        *(scores or ["Not scored yet."]),
        "",
        "## Limits",
        "",
        release.limits or limits,
        "",
        "## Settings",
        "",
        *markdown_table(["setting", "value"], [[key, str(value)] for key, value in rows.items()]),
        "",
        "`config.yaml` has all of them.",
        "",
        "## Digests (SHA-256)",
        "",
        "- model.safetensors: `{sha256}`",
        f"- checkpoint it was made from: `{release.source_sha256}`",
    ]
    return "\n".join(lines) + "\n"


def _scores(scores: Sequence[ScoresFile]) -> list[str]:
    if not scores:
        return []
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


def _accuracies(accuracies: Sequence[Mapping[str, Any]]) -> list[str]:
    if not accuracies:
        return []
    shown = {"pck": "PCK@0.2, of the person's box", "pck_torso": "PCK@0.2, of the torso", "found": "people found"}
    pck = ScoreName("pck", "raw", "whole")
    rows = [
        [f"{each['split']}, n = {each['found']['n']}", *(pck.format_estimate(each[key]) for key in shown)]
        for each in accuracies
    ]
    lines = markdown_table(["images", *shown.values()], rows)
    return [*lines, "", "95 % bootstrap intervals over images, against annotated joints."]


def _inline(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "defaults"
