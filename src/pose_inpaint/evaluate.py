"""`python -m pose_inpaint.evaluate checkpoint=PATH data=...` or `model=mean data=...`: scores a system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pose_inpaint import build
from pose_inpaint.checkpoint import Checkpoint, load_generator, read_checkpoint
from pose_inpaint.cli import run_command
from pose_inpaint.config import EvaluateSettings, plain_config, read_settings
from pose_inpaint.data.dataset import collate
from pose_inpaint.data.sources import SPLITS
from pose_inpaint.errors import InputError
from pose_inpaint.provenance import describe_run, write_json, write_records
from pose_inpaint.scoring import Scores, score
from pose_inpaint.sheet import draw_sheet, panels
from pose_inpaint.systems.mean import MeanFill

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from omegaconf import DictConfig

    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.types import Inpainter

PICTURES = ("composite", "raw")
REGIONS = ("whole", "hole")
DECIMALS = {"mse": 4, "psnr": 2, "psnr_pooled": 2, "ssim": 4, "dssim": 4}


def main() -> None:
    """The command."""
    run_command("evaluate", run)


def run(config: DictConfig) -> None:
    """Scores as configured.

    Raises:
        InputError: something that the user gave can't be used; nothing is written then.
    """
    settings = read_settings(config, EvaluateSettings)
    if settings.split not in SPLITS:
        message = f"split={settings.split}: not one of {', '.join(SPLITS)}"
        raise InputError(message)
    device = build.choose_device(settings.device)
    inpainter, checkpoint = choose_inpainter(settings.model, settings.checkpoint, device)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    _demand_rankable(settings)
    inspections = data.inspect(settings.split)
    if inspections[0].blind:
        message = (
            f"split={settings.split}: {inspections[0].blind} pictures have no original to score against; use predict"
        )
        raise InputError(message)
    scores = score_split(
        inpainter, data, settings.split, settings.metric, device, settings.seed, settings.pictures, settings.regions
    )
    ranked = scores.ranked(settings.sheet.rank_by)
    folder = Path(settings.run_dir)
    plain = plain_config(config)
    summary = scores.summary(settings.share_edges)
    write_records(folder, plain, describe_run(plain, inspections, str(device), None))
    write_json(folder / "scores.json", {"split": settings.split, **_origin(settings, checkpoint), **summary})
    scores.write_csv(folder / "scores.csv")
    _draw_ranked(inpainter, data, settings, scores, ranked, device, folder / "sheet.png")
    print(table(summary, settings.pictures, settings.regions))
    print(f"\n{summary['n']} pictures, {summary['mean_hidden_share']:.1%} hidden on average. Written to {folder}")


def _demand_rankable(settings: EvaluateSettings) -> None:
    """Raises `InputError`, before anything is scored, unless the score that ranks pictures will be taken."""
    names = score_names(settings.metric, settings.pictures, settings.regions)
    if settings.sheet.rank_by not in names:
        message = f"sheet.rank_by={settings.sheet.rank_by}: not one of {', '.join(names)}"
        raise InputError(message)


def choose_inpainter(
    model: Mapping[str, Any] | None, checkpoint: str | None, device: torch.device
) -> tuple[Inpainter, Checkpoint | None]:
    """The system that `checkpoint` or `model` names, ready on a device.

    Raises:
        InputError: neither or both are given, or the model is a network without weights.
    """
    if (model is None) == (checkpoint is None):
        message = "give either checkpoint=PATH or model=mean|telea|navier_stokes" + (", not both" if model else "")
        raise InputError(message)
    if checkpoint is not None:
        read = read_checkpoint(checkpoint)
        return load_generator(read).to(device), read
    inpainter = build.build_inpainter(model or {})
    if isinstance(inpainter, nn.Module):
        message = "model: a network without weights scores nothing worth reading; give checkpoint=PATH of a trained one"
        raise InputError(message)
    return inpainter, None


def score_names(metrics: Iterable[str], pictures: Sequence[str], regions: Sequence[str]) -> list[str]:
    """Full names METRIC_PICTURE_REGION of every combination."""
    return [f"{metric}_{picture}_{region}" for metric in metrics for picture in pictures for region in regions]


def score_split(
    inpainter: Inpainter,
    data: InpaintingData,
    split: str,
    metric_blocks: Mapping[str, Any],
    device: torch.device | str,
    seed: int,
    pictures: Sequence[str] = PICTURES,
    regions: Sequence[str] = REGIONS,
) -> Scores:
    """Every metric, of every picture and region asked for, over a split."""
    names = score_names(metric_blocks, pictures, regions)
    metrics = {name: build.build_metric(name, metric_blocks) for name in names}
    return score(inpainter, data.split_dataloader(split), metrics, device, seed=seed, title=f"Scoring {split}")


def compare_with_mean(
    scores: Scores, data: InpaintingData, split: str, metric_blocks: Mapping[str, Any], seed: int
) -> tuple[str, dict[str, float]]:
    """What the scores mean beside filling every hole with the picture's mean colour, in words and in numbers."""
    every = torch.ones(len(scores.names), dtype=torch.bool)
    ours = scores.over(every)
    mean = score_split(MeanFill(), data, split, metric_blocks, "cpu", seed, ("composite",)).over(every)
    error, baseline = ours["mse_composite_hole"], mean["mse_composite_hole"]
    better = f"{1 - error / baseline:.0%} less error than" if error < baseline else "no better than"
    words = (
        f"On the {len(scores.names)} pictures of the {split} split the mean squared error inside the holes is "
        f"{error:.4f} (lower is better). Filling each hole with the picture's mean colour gives {baseline:.4f}: "
        f"the network makes {better} that.\nPSNR of the whole picture: {ours['psnr_composite_whole']:.2f} dB, "
        f"mean colour {mean['psnr_composite_whole']:.2f} dB (higher is better)."
    )
    return words, mean


def table(summary: Mapping[str, Any], pictures: Sequence[str], regions: Sequence[str]) -> str:
    """The scores as text: a row a picture and region, then one a group of hidden share."""
    metrics = list(dict.fromkeys(name.rsplit("_", 2)[0] for name in summary["scores"]))
    lines = [f"{'':<24}{'n':>6}" + "".join(f"{metric:>13}" for metric in metrics)]

    def row(label: str, count: int, scores: Mapping[str, float], suffix: str) -> str:
        cells = (f"{scores[f'{metric}_{suffix}']:>13.{DECIMALS.get(metric, 4)}f}" for metric in metrics)
        return f"{label:<24}{count:>6}" + "".join(cells)

    for picture in pictures:
        for region in regions:
            suffix = f"{picture}_{region}"
            lines.append(row(f"{picture}, {region}", summary["n"], summary["scores"], suffix))
    suffix = f"{pictures[0]}_{regions[-1]}"
    lines.append(f"\nBy hidden share ({pictures[0]}, {regions[-1]})")
    lines += [row(label, g["n"], g["scores"], suffix) for label, g in summary["by_hidden_share"].items()]
    return "\n".join(lines)


def _origin(settings: EvaluateSettings, checkpoint: Checkpoint | None) -> dict[str, Any]:
    if checkpoint is None:
        return {"model": settings.model}
    return {
        "model": checkpoint.config["model"],
        "checkpoint": {"file": checkpoint.path.name, "sha256": checkpoint.sha256(), "phase": checkpoint.phase},
        "batchnorm": checkpoint.config["batchnorm"]["statistics"],
    }


def _draw_ranked(
    inpainter: Inpainter,
    data: InpaintingData,
    settings: EvaluateSettings,
    scores: Scores,
    ranked: list[int],
    device: torch.device,
    path: Path,
) -> None:
    """The best, the median and the worst pictures."""
    each = min(settings.sheet.each, max(1, len(ranked) // 3))
    middle = len(ranked) // 2 - each // 2
    chosen = {"best": ranked[:each], "median": ranked[middle : middle + each], "worst": ranked[-each:]}
    places = [place for group in chosen.values() for place in group]
    pictures = data.pictures(settings.split)
    batch = collate([pictures[place] for place in places]).to(device)
    with torch.no_grad():
        completion = inpainter(batch.known, batch.mask, generator=torch.Generator(device).manual_seed(settings.seed))
    values = scores.metrics[settings.sheet.rank_by].per_picture()
    captions = [
        f"{label}: {scores.names[place]}  {settings.sheet.rank_by} {float(values[place]):.4f}"
        for label, group in chosen.items()
        for place in group
    ]
    draw_sheet(panels(batch, completion), captions=captions).save(path)


if __name__ == "__main__":
    main()
