"""Blocks of the configuration shared by several commands: types, defaults and ranges.

OmegaConf checks names and types, and `__post_init__` the range of single values, before anything is read or written.
What depends on two blocks is checked where objects are built. Blocks with a `_target_` (`dict[str, Any]`) are checked
by the constructor they name.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from pose_inpaint.errors import InputError

AUTO = "auto"  # value of `resume`: resume from the run's own last checkpoint, if there is one
TRAINING, EACH_PHASE = "training", "phases"  # values of `optim.schedule_over`, besides the name of a phase
SPLITS = ("train", "val", "test")
JOINTS = {"all": ("whole",), "masked": ("hole",), "both": ("whole", "hole")}  # regions by value of `pose.joints`

UNSUPPORTED = {
    "max_time": "an epoch that it cuts short counts as done; give max_minutes=MINUTES of train, or fewer epochs",
    "max_steps": "Lightning adds up the steps of both optimizers; give trainer.max_epochs or max_minutes",
    "fast_dev_run": "leaves no checkpoint to score; give trainer.max_epochs=1 +trainer.limit_train_batches=2",
    "overfit_batches": "replaces the sampler that resuming needs; give data.limit=N",
    "gradient_clip_val": "both networks are stepped by hand; give optim.clip_norm",
    "accumulate_grad_batches": "both networks are stepped by hand; give a larger data.batch_size",
}
"""Arguments of Lightning's trainer that don't fit two networks that step alternately, and what to give instead."""

# OmegaConf reads these annotations, and understands Optional[...] in every version.
# ruff: noqa: UP045


def check_value(key: str, value: Any, must: str, valid: Callable[[Any], bool]) -> None:
    """Raise `InputError` with the key, the value and the requirement `must`, unless the value is None or `valid`."""
    if value is not None and not valid(value):
        shown = f"{value:g}" if isinstance(value, float) else value  # -1, not -1.0, as it was typed
        raise InputError(f"{key}={shown}: {must}")


def check_scale(scale: object) -> None:
    """Raise `InputError` unless the scale of inpainting is "auto", "native", or a side in pixels."""
    if scale in ("auto", "native"):
        return
    if isinstance(scale, bool) or not isinstance(scale, int) or not 4 <= scale <= LARGEST_SIDE or scale % 4:
        raise InputError(f"scale={scale}: must be auto, native, or a multiple of 4 of at most {LARGEST_SIDE} pixels")


def check_at_least(least: float, **values: float | None) -> None:
    """Raise `InputError` if a value is below `least`; None is not checked, and __ in a name stands for a dot."""
    for name, value in values.items():
        check_value(name.replace("__", "."), value, f"must be at least {least:g}", lambda v: v >= least)


def check_weight(key: str, value: float) -> float:
    """Return a weight if it is finite and not negative; raise `InputError` otherwise."""
    check_value(key, value, "must be a finite number of at least 0", lambda v: 0 <= v < math.inf)
    return value


def check_one_of(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `InputError` if a value is not one of the choices."""
    check_value(key, value, f"not one of {', '.join(choices)}", lambda v: v in choices)


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Raise `InputError` for arguments of Lightning's trainer that would lose or falsify what a run leaves."""
    for key, reason in UNSUPPORTED.items():
        neutral = (0, -1, 1) if key == "accumulate_grad_batches" else (0, -1)
        if trainer.get(key) not in (None, *neutral):
            raise InputError(f"trainer.{key}={trainer[key]}: not supported: {reason}")
    for key in ("limit_train_batches", "limit_val_batches"):
        must = "must be positive: without batches there is nothing to train or to select a checkpoint by"
        check_value(f"trainer.{key}", trainer.get(key), must, lambda v: not isinstance(v, int | float) or v > 0)
    every = trainer.get("check_val_every_n_epoch")
    check_value("trainer.check_val_every_n_epoch", every, "must be an integer of at least 1", lambda v: v >= 1)


LARGEST_SIDE = 16384  # pixels; a square of single-precision RGB of this side takes 3 GB
LARGEST_SEED = 2**32 - 1  # NumPy's


def check_seed(seed: int) -> None:
    """Raise `InputError` unless every library takes the seed."""
    check_value("seed", seed, f"must be in 0..{LARGEST_SEED}", lambda v: 0 <= v <= LARGEST_SEED)


@dataclass
class DataSettings:
    """`data`: a source of images, their size and batches."""

    size: int
    batch_size: int
    workers: int
    source: dict[str, Any]
    root: Optional[str] = None
    limit: Optional[int] = None
    names: str = "*"
    half: Optional[str] = None
    resize: str = "antialias"
    packed: bool = True

    def __post_init__(self) -> None:
        check_one_of("data.resize", self.resize, ("antialias", "opencv"))
        check_one_of("data.half", self.half or "A", ("A", "B"))
        check_value("data.size", self.size, f"must be in 16..{LARGEST_SIDE}", lambda v: 16 <= v <= LARGEST_SIDE)
        check_at_least(1, data__batch_size=self.batch_size, data__limit=self.limit)
        check_at_least(0, data__workers=self.workers)


@dataclass
class FeatureSettings:
    """`loss.features`: the VGG16 network of the perceptual term."""

    weights: str
    channels: str
    layers: list[str]


@dataclass
class LossSettings:
    """`loss`: terms of the generator, loss of the discriminator, and the slides' alpha and beta."""

    generator: dict[str, Any]
    alpha: float = 0.0
    beta: float = 1.0
    features: Optional[FeatureSettings] = None
    discriminator: Optional[dict[str, Any]] = None

    def __post_init__(self) -> None:
        check_weight("loss.alpha", self.alpha)
        check_weight("loss.beta", self.beta)


@dataclass
class Phase:
    """Entry of `schedule.phases`: a number of epochs with the same steps and loss terms.

    Attributes:
        name: Name of the phase in logs and checkpoints.
        epochs: Number of epochs, at least 1.
        terms: Loss terms of the generator, by their keys in `loss.generator`.
        generator: Whether the generator steps.
        discriminator: Whether the discriminator steps.
        fresh_output: Whether the discriminator sees a new forward pass after the generator's step (the authors' code),
            or the pass that the generator was trained on.
        discriminator_first: Whether the discriminator steps before the generator, on the same forward pass (Iizuka et
            al. 2017, algorithm 1; Yu et al. 2018, algorithm 1), or after it.
        discriminator_steps: Number of discriminator steps per generator step, each on a new batch (Yu et al. 2018: 5).
        own_batch: Whether the generator steps on a batch of its own after those of the discriminator (Yu et al. 2018,
            algorithm 1), or on the last of them.
    """

    name: str
    epochs: int
    terms: list[str] = field(default_factory=list)
    generator: bool = True
    discriminator: bool = False
    fresh_output: bool = False
    discriminator_first: bool = False
    discriminator_steps: int = 1
    own_batch: bool = False

    def __post_init__(self) -> None:
        where = f"schedule.phases: phase {self.name!r}"
        if self.epochs < 1:
            raise InputError(f"{where} has epochs={self.epochs}: give at least 1, or remove the phase")
        if not self.generator and not self.discriminator:
            raise InputError(f"{where} trains nothing: set generator or discriminator to true")
        if self.generator and not self.terms:
            raise InputError(f"{where} trains the generator without a loss term: list some in terms")
        both = self.generator and self.discriminator
        if self.discriminator_steps < 1 or (self.discriminator_steps > 1 and not both):
            raise InputError(
                f"{where} has discriminator_steps={self.discriminator_steps}: give at least 1, and more than 1 only "
                "if both networks step"
            )
        if self.own_batch and not (both and self.discriminator_first):
            raise InputError(
                f"{where} has own_batch: it needs a generator and a discriminator that steps first; set "
                "discriminator_first, or remove own_batch"
            )
        if self.fresh_output and self.discriminator_first:
            raise InputError(
                f"{where} has fresh_output and discriminator_first: a discriminator that steps first can't see a pass "
                "after the generator's step; choose one"
            )

    def generator_steps(self, batch: int) -> bool:
        """Whether the generator steps on a batch, counted from 0 over the whole training."""
        return self.generator and (batch + 1) % (self.discriminator_steps + self.own_batch) == 0


@dataclass
class ScheduleSettings:
    """`schedule`: the phases of training."""

    phases: list[Phase]


@dataclass
class OptimSettings:
    """`optim`: optimizer of both networks, or of the generator if the discriminator has its own."""

    lr: float
    optimizer: dict[str, Any]
    discriminator_optimizer: Optional[dict[str, Any]] = None
    clip_norm: Optional[float] = None
    lr_rule: str = "none"
    schedule: str = "none"
    discriminator_schedule: Optional[str] = None
    schedule_over: str = TRAINING
    warmup: int = 0

    def __post_init__(self) -> None:
        for key in ("schedule", "discriminator_schedule"):
            check_one_of(f"optim.{key}", getattr(self, key) or "none", ("none", "linear", "cosine", "one_cycle"))
        check_at_least(0, optim__warmup=self.warmup)
        check_value("optim.lr", self.lr, "must be positive", lambda v: v > 0)
        check_value("optim.clip_norm", self.clip_norm, "must be positive, or null for none", lambda v: v > 0)
        check_one_of("optim.lr_rule", self.lr_rule, ("none", "linear", "sqrt"))


@dataclass
class EmaSettings:
    """`ema`: exponential moving average of the generator's weights."""

    decay: Optional[float] = None
    warmup: bool = False

    def __post_init__(self) -> None:
        check_value("ema.decay", self.decay, "must be in (0, 1), or null for none", lambda v: 0 < v < 1)


@dataclass
class BatchnormSettings:
    """`batchnorm`: batch-norm statistics for validation and checkpoints."""

    statistics: str
    batches: int

    def __post_init__(self) -> None:
        check_one_of("batchnorm.statistics", self.statistics, ("recalibrated", "running"))
        check_at_least(1, batchnorm__batches=self.batches)


@dataclass
class CheckpointSettings:
    """`checkpoint`: score that selects the best one, and minutes between those inside an epoch."""

    monitor: str
    every_minutes: Optional[float]

    def __post_init__(self) -> None:
        must = "must be at least 0, or null for none"
        check_value("checkpoint.every_minutes", self.every_minutes, must, lambda v: v >= 0)


@dataclass
class TestSettings:
    """`test`: scoring at the end of training."""

    enabled: bool
    checkpoint: str

    def __post_init__(self) -> None:
        check_one_of("test.checkpoint", self.checkpoint, ("best", "last"))


@dataclass
class SampleSettings:
    """`samples`: contact sheet drawn during training."""

    count: int
    beside: Optional[str] = None

    def __post_init__(self) -> None:
        check_at_least(1, samples__count=self.count)


@dataclass
class SweepSettings:
    """`sweep`: treatment of failed jobs, and sweep to resume."""

    on_error: str
    resume: Optional[str] = None


@dataclass
class GuardSettings:
    """`guard`: thresholds of the warning that adversarial training has collapsed; see `CollapseGuard`."""

    batches: int
    discriminator_loss: Optional[float] = None
    generator_gradient: Optional[float] = None

    def __post_init__(self) -> None:
        check_value("guard.batches", self.batches, "must be positive", lambda v: v > 0)
        for key in ("discriminator_loss", "generator_gradient"):
            check_value(f"guard.{key}", getattr(self, key), "must be positive, or null not to check", lambda v: v > 0)


@dataclass
class ContactSheetSettings:
    """`contact_sheet`: best, median and worst images."""

    rank_by: str
    each: int

    def __post_init__(self) -> None:
        check_at_least(1, contact_sheet__each=self.each)


@dataclass
class PoseSettings:
    """`pose`: pose estimator, and the reference for its joints."""

    reference: str
    joints: str
    images: list[str]
    bounds: Any  # auto, true or false
    resave_quality: int
    scores: dict[str, Any]
    estimator: Optional[dict[str, Any]] = None
    weights: Optional[str] = None
    model_dir: Optional[str] = None

    def __post_init__(self) -> None:
        check_one_of("pose.joints", self.joints, tuple(JOINTS))
        must = "must be auto, true or false"
        check_value("pose.bounds", self.bounds, must, lambda v: isinstance(v, bool) or v == "auto")
        check_value("pose.resave_quality", self.resave_quality, "must be in 1..100", lambda v: 1 <= v <= 100)
