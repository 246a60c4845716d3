"""The logger of `logger=wandb`: one run a job, over the count of batches, without what is nobody's business."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from pose_inpaint.errors import InputError
from pose_inpaint.tracking.files import CHECKPOINTS
from pose_inpaint.tracking.provenance import write_json
from pose_inpaint.tracking.redaction import redact
from pose_inpaint.tracking.wandb_artifacts import send_checkpoint, send_record
from pose_inpaint.types import check_choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning.pytorch.callbacks import ModelCheckpoint

Mode = Literal["online", "offline"]
KEPT = "wandb.json"
"""In the run's folder: which W&B run it is."""


class RunLogger(WandbLogger):
    """Logs a job to a W&B run of its own, which a job that goes on in the same folder goes on with.

    Args:
        save_dir: the run's folder.
        project: of W&B.
        entity: user or team; None: the one logged in.
        group: of runs; None for none.
        name: of the run; None: W&B makes one up.
        job_type: the command.
        mode: "online", "offline", or None for W&B's own setting.
        log_model: checkpoints as artifacts: False: none; True: the best of each phase and the last, when training is
            done; "all": each whenever it is written.
        log_code: whether the package's source, the resolved configuration and the run's record are sent as files.
        settings: further settings of `wandb.init`.

    Raises:
        InputError: an argument is none of the choices, or W&B is online and nobody is logged in.
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
            check_choice("logger.mode", mode, Mode)
        if log_model not in (True, False, "all"):
            raise InputError(f"logger.log_model={log_model}: not one of false, true, all")
        check_login(entity, mode)
        check_settings(settings or {})
        super().__init__(
            redact(name), save_dir, id=_kept_id(Path(save_dir)), project=project, entity=entity, group=redact(group),
            job_type=job_type, mode=mode, settings=settings,
        )  # fmt: skip
        self._wandb_init.pop("anonymous", None)  # Lightning passes it always, and W&B warns of it always
        self.folder, self.sends, self.log_code = Path(save_dir), log_model, log_code
        self._batch: int | None = None
        self._checkpoints: dict[int, ModelCheckpoint] = {}
        self._sent: dict[Path, int] = {}  # when each checkpoint that was sent had been written

    @rank_zero_only
    def begin(self, record: dict[str, Any]) -> None:
        """Starts the run with `record`, a configuration that may hold the run's record as "run"."""
        self.folder.mkdir(parents=True, exist_ok=True)
        record = redact(record)
        self.log_hyperparams(record)
        run = self.experiment
        run.define_metric("*", step_metric="batch", step_sync=True)  # in place of Lightning's count
        write_json(self.folder / KEPT, {"id": run.id, "project": run.project, "group": run.group, "name": run.name})
        if self.log_code:
            send_record(run, record)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Logs over the count of batches seen; what has no step of its own stands where the last did.

        Lightning's `step` of a logger counts batches from 0, not the optimizers' steps.
        """
        if step is not None:
            self._batch = step + 1
        axis = {} if self._batch is None else {"batch": self._batch}
        super().log_metrics({**axis, **metrics})

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **each: Any) -> None:
        """Logs images; `each` holds lists such as `caption`."""
        super().log_image(key, images, step, **redact(each))

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Sends a checkpoint that was just written, or remembers to when training is done."""
        self._checkpoints[id(checkpoint_callback)] = checkpoint_callback
        if self.sends == "all":
            self._send_checkpoints()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Sends the checkpoints of a training that reached its end."""
        if status == "success" and self.sends:
            self._send_checkpoints()

    @rank_zero_only
    def _send_checkpoints(self) -> None:
        """Sends each file that is new since it was last sent."""
        for callback in self._checkpoints.values():
            for name in dict.fromkeys((callback.best_model_path, callback.last_model_path)):
                path = Path(name)
                if path.is_file() and self._sent.get(path) != path.stat().st_mtime_ns:
                    send_checkpoint(self.experiment, path, callback)
                    self._sent[path] = path.stat().st_mtime_ns


def check_login(entity: str | None, mode: str | None) -> None:
    """Looks for a login before anything is computed or written.

    Raises:
        InputError: W&B is online and knows no key here, nor a terminal to ask for one.
    """
    import wandb

    if mode == "offline" or wandb.setup().settings.mode != "online":
        return
    try:
        found = wandb.login()
    except wandb.errors.Error:
        found = False
    if not found:
        key = "logger=wandb" if entity is None else f"logger.entity={entity}"
        raise InputError(
            f"{key}: nobody is logged in to W&B here; run `wandb login` first, set WANDB_API_KEY, or give "
            "logger.mode=offline"
        )


def check_settings(settings: dict[str, Any]) -> None:
    """Looks whether W&B knows the settings.

    Raises:
        InputError: it doesn't know one, or not with this value.
    """
    import wandb

    try:
        wandb.Settings(**settings)
    except ValueError as error:
        _, key, fault, *_ = str(error).splitlines()  # a heading, then each key and what is wrong with it
        raise InputError(f"logger.settings.{key}: {fault.strip()}; wandb.Settings says what there is") from error


def _kept_id(folder: Path) -> str | None:
    """The id of the W&B run of a training that goes on in its own folder, or None.

    Commands refuse a folder with checkpoints in it unless they go on from one of them.
    """
    if not (folder / KEPT).is_file() or not (folder / CHECKPOINTS).is_dir():
        return None
    return str(json.loads((folder / KEPT).read_text(encoding="utf-8"))["id"])
