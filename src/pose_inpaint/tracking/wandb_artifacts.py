"""Files and artifacts sent to W&B, redacted."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from pose_inpaint.tracking.provenance import write_records
from pose_inpaint.tracking.redaction import redact

RECORDED = "recorded"


def send_record(run: Any, record: dict[str, Any]) -> None:
    """Send the package's source and a redacted record (configuration, with `run.json` under "run") to `recorded/`.

    Files instead of an artifact, since an offline run keeps them in its own folder, which may move before the upload.
    """
    folder = Path(run.dir) / RECORDED
    write_records(folder, {key: value for key, value in record.items() if key != "run"}, record.get("run", {}))
    _zip_source(folder / "code.zip")
    run.save(str(folder / "*"), base_path=run.dir, policy="now")


def _zip_source(path: Path) -> None:
    """Write the package's modules to a zip file, with the same bytes for the same source."""
    source = Path(__file__).parents[1]
    with zipfile.ZipFile(path, "w") as archive:
        for module in sorted(source.rglob("*.py")):
            name = (Path(source.name) / module.relative_to(source)).as_posix()
            archive.writestr(zipfile.ZipInfo(name), module.read_bytes(), zipfile.ZIP_DEFLATED)


def send_checkpoint(run: Any, path: Path, callback: ModelCheckpoint) -> None:
    """Send a checkpoint as an artifact named by run and file, with its phase and monitored score.

    Lightning gives all checkpoints of a run the same name. A redacted copy is sent, since a checkpoint contains the
    configuration with its paths.
    """
    import wandb

    score = callback.best_model_score
    metadata = {
        "phase": getattr(callback, "phase", None),
        "monitor": callback.monitor,
        "score": None if score is None else float(score),
    }
    artifact = wandb.Artifact(f"{run.id}-{path.stem}", "model", metadata=metadata)
    content = redact(torch.load(path, map_location="cpu", weights_only=True))
    with artifact.new_file(path.name, mode="wb") as file:
        torch.save(content, file)
    run.log_artifact(artifact)
