"""The schema of our own blocks of the configuration: a misspelt key or a wrong type fails here, by name.

Blocks with a `_target_` (`dict[str, Any]` below) are checked by the constructor they name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    pass

AUTO = "auto"  # of `resume`: from the run's own last checkpoint, if there is one

# OmegaConf reads these annotations, and understands Optional[...] in every version.
# ruff: noqa: UP045


@dataclass
class DataSettings:
    """`data`: a source of images and how they come in batches."""

    size: int
    batch_size: int
    workers: int
    source: dict[str, Any]
    root: Optional[str] = None
    limit: Optional[int] = None
    names: str = "*"


@dataclass
class FeatureSettings:
    """`loss.features`: VGG16 of the perceptual term."""

    weights: str
    channels: str
    layers: list[str]


@dataclass
class LossSettings:
    """`loss`: the slides' alpha and beta, the generator's terms, the discriminator's loss."""

    generator: dict[str, Any]
    alpha: float = 0.0
    beta: float = 1.0
    features: Optional[FeatureSettings] = None
    discriminator: Optional[dict[str, Any]] = None


@dataclass
class PhaseSettings:
    """An entry of `schedule.phases`; `pose_inpaint.training.schedule.Phase` says what the keys mean."""

    name: str
    epochs: int
    terms: list[str]
    generator: bool = True
    discriminator: bool = False
    fresh_output: bool = False
    discriminator_first: bool = False
    discriminator_steps: int = 1


@dataclass
class ScheduleSettings:
    """`schedule`: the phases of training."""

    phases: list[PhaseSettings]


@dataclass
class OptimSettings:
    """`optim`: the generator's optimizer, and the discriminator's where it has one of another kind or rate."""

    lr: float
    optimizer: dict[str, Any]
    discriminator_optimizer: Optional[dict[str, Any]] = None
    clip_norm: Optional[float] = None
    lr_rule: str = "none"


@dataclass
class EmaSettings:
    """`ema`: the moving average of the generator's weights."""

    decay: Optional[float] = None


@dataclass
class BatchnormSettings:
    """`batchnorm`: which statistics scores and checkpoints have."""

    statistics: str
    batches: int


@dataclass
class CheckpointSettings:
    """`checkpoint`: what makes one the best of its phase, and how often one is written inside an epoch."""

    monitor: str
    every_minutes: Optional[float]


@dataclass
class TestSettings:
    """`test`: the scoring at the end of training."""

    enabled: bool
    checkpoint: str


@dataclass
class SampleSettings:
    """`samples`: the sheet of sample images."""

    count: int


@dataclass
class SweepSettings:
    """`sweep`: what a multirun does about jobs that fail, and which one it goes on with."""

    on_error: str
    resume: Optional[str] = None


@dataclass
class GuardSettings:
    """`guard`: when to warn that the adversarial game has stopped; `CollapseGuard` says what the keys mean."""

    batches: int
    discriminator_loss: Optional[float] = None
    generator_gradient: Optional[float] = None


@dataclass
class TrainSettings:
    """`conf/train.yaml`."""

    name: str
    seed: int
    run_dir: str
    model: dict[str, Any]
    loss: LossSettings
    data: DataSettings
    mask: dict[str, Any]
    schedule: ScheduleSettings
    optim: OptimSettings
    trainer: dict[str, Any]
    logger: dict[str, Any]
    metric: dict[str, Any]
    ema: EmaSettings
    batchnorm: BatchnormSettings
    validation: list[str]
    checkpoint: CheckpointSettings
    test: TestSettings
    samples: SampleSettings
    optimized_metric: str
    sweep: SweepSettings
    guard: GuardSettings
    discriminator: Optional[dict[str, Any]] = None
    resume: Optional[str] = None
    init_from: Optional[str] = None


@dataclass
class HourglassSettings:
    """`network` of the train_pose command."""

    width: int
    stacks: int
    depth: int


@dataclass
class TrainPoseSettings:
    """`conf/train_pose.yaml`."""

    name: str
    seed: int
    run_dir: str
    data: DataSettings
    mask: dict[str, Any]
    trainer: dict[str, Any]
    logger: dict[str, Any]
    network: HourglassSettings
    epochs: int
    lr: float
    weight_decay: float


@dataclass
class ContactSheetSettings:
    """`sheet`: the sheet of best, median and worst images."""

    rank_by: str
    each: int


@dataclass
class PoseSettings:
    """`pose`: an estimator of joints, and what its answers are compared with."""

    reference: str
    joints: str
    images: list[str]
    bounds: bool
    resave_quality: int
    scores: dict[str, Any]
    estimator: Optional[dict[str, Any]] = None
    weights: Optional[str] = None
    model_dir: Optional[str] = None


@dataclass
class EvaluateSettings:
    """`conf/evaluate.yaml`."""

    data: DataSettings
    mask: dict[str, Any]
    metric: dict[str, Any]
    split: str
    seed: int
    device: str
    postprocess: dict[str, Any]
    run_dir: str
    images: list[str]
    regions: list[str]
    mask_ratio_edges: list[float]
    contact_sheet: ContactSheetSettings
    pose: PoseSettings
    examples: int
    name: Optional[str] = None
    predictions: Optional[str] = None
    model: Optional[dict[str, Any]] = None
    checkpoint: Optional[str] = None


@dataclass
class ReportSettings:
    """`conf/report.yaml`."""

    name: str
    runs: list[str]
    output: str
    run_dir: str
    seed: int
    mask_ratio_edges: list[float]
    images: str
    logger: dict[str, Any]
    scores: Optional[list[str]] = None


@dataclass
class MethodSettings:
    """An entry of `methods`: a model that needs no training, an experiment to train, or a checkpoint."""

    model: Optional[str] = None
    experiment: Optional[str] = None
    checkpoint: Optional[str] = None
    overrides: list[str] = field(default_factory=list)


@dataclass
class BenchmarkSettings:
    """`conf/benchmark.yaml`."""

    data: DataSettings
    mask: dict[str, Any]
    metric: dict[str, Any]
    pose: PoseSettings
    methods: dict[str, Optional[MethodSettings]]
    output: str
    seed: int
    device: str
    train: list[str]
    evaluate: list[str]
    report: list[str]
    redo: list[str]


@dataclass
class PredictMaskSettings:
    """`mask` of the predict command."""

    source: str
    invert: bool


@dataclass
class OutputSettings:
    """`output` of the predict command."""

    dir: str
    form: str
    overwrite: bool
    raw: Optional[bool] = None


@dataclass
class PredictSettings:
    """`conf/predict.yaml`."""

    input: str
    mask: PredictMaskSettings
    output: OutputSettings
    device: str
    postprocess: dict[str, Any]
    model: Optional[dict[str, Any]] = None
    checkpoint: Optional[str] = None
    size: Optional[int] = None


@dataclass
class IndexSettings:
    """`conf/index.yaml`."""

    data: DataSettings
    mask: dict[str, Any]
    output: str
    split: str
    seed: int
    orientations: int
    scales: int


@dataclass
class VerifySettings:
    """`conf/verify.yaml`."""

    data: DataSettings
    mask: dict[str, Any]
    seed: int
    splits: list[str]
