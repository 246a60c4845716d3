"""Logger of `logger=wandb`: one W&B run per job, over the number of batches seen, redacted."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from pose_inpaint.errors import InputError, first_line
from pose_inpaint.tracking.files import CHECKPOINTS
from pose_inpaint.tracking.provenance import write_json
from pose_inpaint.tracking.redaction import redact
from pose_inpaint.tracking.wandb_artifacts import send_checkpoint, send_record
from pose_inpaint.types import check_choice

Mode = Literal["online", "offline"]
KEPT = "wandb.json"  # file in the run's folder with the id of the W&B run


class RunLogger(WandbLogger):
    """Logs a job to its own W&B run, which is continued when the job is resumed in the same folder.

    Args:
        save_dir: Folder of the run.
        project: W&B project.
        entity: User or team, or None for the one logged in.
        group: Group of runs, or None.
        name: Name of the run, or None for one that W&B makes up.
        job_type: Name of the command.
        mode: "online", "offline", or None for W&B's own setting.
        log_model: Checkpoints to send as artifacts: False for none, True for the best of each phase and the last at the
            end of training, "all" for each one when it is written.
        log_code: Whether to send the package's source, the resolved configuration and `run.json` as files.
        settings: Further settings of `wandb.init`.

    Raises:
        InputError: An argument has an unknown value, or W&B is online and no user is logged in.
    """

    def __init__(
        self,
        save_dir: str,
        project: str,
        *,
        entity: str | None = None,
        group: str | None = None,
        name: str | None = None,
        job_type: str | None = None,
        mode: str | None = None,
        log_model: bool | str = False,
        log_code: bool = True,
        settings: dict[str, Any] | None = None,
    ) -> None:
        if mode is not None:
            check_choice("logger.wandb.mode", mode, Mode)
        if log_model not in (True, False, "all"):
            raise InputError(f"logger.wandb.log_model={log_model}: not one of false, true, all")
        check_settings(settings or {}, project)
        check_login(entity, mode)
        super().__init__(
            redact(name), save_dir, id=_kept_id(Path(save_dir)), project=project, entity=entity, group=redact(group),
            job_type=job_type, mode=mode, settings=settings,
        )  # fmt: skip
        self._wandb_init.pop("anonymous", None)  # Lightning always passes it, and W&B then warns
        self.folder, self.sends, self.log_code = Path(save_dir), log_model, log_code
        self._batch: int | None = None
        self._checkpoints: dict[int, ModelCheckpoint] = {}
        self._sent: dict[Path, int] = {}  # modification time of each checkpoint when it was sent

    @rank_zero_only
    def begin(self, record: dict[str, Any]) -> None:
        """Start the run with `record`, a configuration that may have the content of `run.json` under "run"."""
        self.folder.mkdir(parents=True, exist_ok=True)
        record = redact(record)
        self.log_hyperparams(record)
        run = self.experiment
        run.define_metric("*", step_metric="batch", step_sync=True)  # instead of Lightning's step
        write_json(self.folder / KEPT, {"id": run.id, "project": run.project, "group": run.group, "name": run.name})
        if self.log_code:
            send_record(run, record)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log over the number of batches seen, or, without a step, at the last one logged.

        The `step` that Lightning passes to loggers counts batches from 0, not the optimizers' steps.
        """
        if step is not None:
            self._batch = step + 1
        axis = {} if self._batch is None else {"batch": self._batch}
        super().log_metrics({**axis, **metrics})

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **each: Any) -> None:
        """Log images; `each` holds lists such as `caption`."""
        super().log_image(key, images, step, **redact(each))

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Send a checkpoint that was just written, or note it for the end of training."""
        self._checkpoints[id(checkpoint_callback)] = checkpoint_callback
        if self.sends == "all":
            self._send_checkpoints()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Send the checkpoints if the training has succeeded."""
        if status == "success" and self.sends:
            self._send_checkpoints()

    @rank_zero_only
    def _send_checkpoints(self) -> None:
        """Send each checkpoint file that has changed since it was last sent."""
        for callback in self._checkpoints.values():
            for name in dict.fromkeys((callback.best_model_path, callback.last_model_path)):
                path = Path(name)
                if path.is_file() and self._sent.get(path) != path.stat().st_mtime_ns:
                    send_checkpoint(self.experiment, path, callback)
                    self._sent[path] = path.stat().st_mtime_ns


def check_login(entity: str | None, mode: str | None) -> None:
    """Raise `InputError` if W&B is online, and has neither a key nor a terminal to ask for one."""
    import wandb

    if mode == "offline" or wandb.setup().settings.mode != "online":
        return
    try:
        logged_in = wandb.login()
    except wandb.errors.Error:
        logged_in = False
    if not logged_in:
        key = "logger=wandb" if entity is None else f"logger.wandb.entity={entity}"
        raise InputError(
            f"{key}: not logged in to W&B; run `wandb login` first, set WANDB_API_KEY, or give "
            "logger.wandb.mode=offline"
        )


def check_settings(settings: dict[str, Any], project: str) -> None:
    """Check settings and project by W&B's own schema; raise `InputError` if one is unknown or invalid."""
    import wandb

    try:
        wandb.Settings(project=project)
    except (wandb.errors.Error, ValueError) as error:
        raise InputError(f"logger.wandb.project={project}: {first_line(error)}") from error
    try:
        wandb.Settings(**settings)
    except ValueError as error:
        _, key, reason, *_ = str(error).splitlines()  # a heading, then each key and the reason on lines of their own
        raise InputError(f"logger.wandb.settings.{key}: {reason.strip()}; see wandb.Settings for valid ones") from error


def _kept_id(folder: Path) -> str | None:
    """Id of the W&B run to continue: commands use a folder that has checkpoints only to resume from one of them."""
    if not (folder / KEPT).is_file() or not (folder / CHECKPOINTS).is_dir():
        return None
    return str(json.loads((folder / KEPT).read_text(encoding="utf-8"))["id"])
