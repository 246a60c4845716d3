"""Schema of each command's root configuration, `conf/COMMAND.yaml`; refuses misspelt keys and wrong types."""

from dataclasses import dataclass, field
from typing import Any, Optional

from pose_inpaint.config.block_schema import (
    AUTO,
    EACH_PHASE,
    SPLITS,
    TRAINING,
    BatchnormSettings,
    CheckpointSettings,
    ContactSheetSettings,
    DataSettings,
    EmaSettings,
    GuardSettings,
    LossSettings,
    OptimSettings,
    PoseSettings,
    SampleSettings,
    ScheduleSettings,
    SweepSettings,
    TestSettings,
    check_at_least,
    check_one_of,
    check_scale,
    check_seed,
    check_trainer,
    check_value,
)
from pose_inpaint.errors import InputError

# OmegaConf reads these annotations, and understands Optional[...] in every version.
# ruff: noqa: UP045


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
    augment: dict[str, Any]
    logger: dict[str, Any] = field(default_factory=dict)
    max_minutes: Optional[float] = None
    discriminator: Optional[dict[str, Any]] = None
    resume: Optional[str] = None
    init_from: Optional[str] = None

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_value("max_minutes", self.max_minutes, "must be positive, or null for no budget", lambda v: v > 0)
        check_trainer(self.trainer)
        phases = (phase.name for phase in self.schedule.phases)
        check_one_of("optim.schedule_over", self.optim.schedule_over, (TRAINING, EACH_PHASE, *phases))


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
    network: HourglassSettings
    epochs: int
    lr: float
    weight_decay: float
    logger: dict[str, Any] = field(default_factory=dict)
    resume: Optional[str] = None

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for key, value in {"epochs": self.epochs, "lr": self.lr}.items():
            check_value(key, value, "must be positive", lambda v: v > 0)
        if self.data.batch_size < 2:
            raise InputError(f"data.batch_size={self.data.batch_size}: batch normalisation needs at least 2")
        check_at_least(0, weight_decay=self.weight_decay)
        check_one_of("resume", self.resume or AUTO, (AUTO,))
        check_trainer(self.trainer)


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

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_one_of("split", self.split, SPLITS)
        check_at_least(0, examples=self.examples)


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
    logger: dict[str, Any] = field(default_factory=dict)
    scores: Optional[list[str]] = None
    intervals: str = "full"
    names: Optional[dict[str, str]] = None

    def __post_init__(self) -> None:
        for name in self.logger:
            if name not in ("csv", "wandb"):
                raise InputError(
                    f"logger={name}: a report can be logged to W&B alone; give logger=wandb, or logger=csv for none"
                )
        check_seed(self.seed)
        check_one_of("images", self.images, ("raw", "composite"))
        check_one_of("intervals", self.intervals, ("full", "half", "none"))
        for name, printed in (self.names or {}).items():
            check_value(f"names.{name}", printed, "must have a letter", lambda v: bool(v.strip()))


@dataclass
class CurvesSettings:
    """`conf/curves.yaml`."""

    runs: list[str]
    output: str
    show: list[str]


@dataclass
class MethodSettings:
    """Entry of `methods`: a model that needs no training, an experiment to train, or a checkpoint."""

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
    seeds: list[int]
    device: str
    train: list[str]
    evaluate: list[str]
    report: list[str]
    redo: list[str]
    warm: bool

    def __post_init__(self) -> None:
        for seed in (self.seed, *self.seeds):
            check_seed(seed)
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds={self.seeds}: give each seed once")


@dataclass
class PredictMaskSettings:
    """`mask` of the predict command."""

    source: Any  # a source or a list of them
    invert: bool
    grow: int
    feather: int
    fit: str

    def __post_init__(self) -> None:
        sources = self.source if isinstance(self.source, list) else [self.source]
        if not sources or not all(isinstance(source, str | int | float) for source in sources):
            raise InputError(f"mask.source={self.source}: give a source of masks, or a list, mask=[A,B]")
        self.source = [str(source) for source in sources]  # a file's name may be a number
        check_at_least(0, mask__grow=self.grow, mask__feather=self.feather)
        check_one_of("mask.fit", self.fit, ("error", "resize"))


@dataclass
class OutputSettings:
    """`output` of the predict command."""

    dir: str
    form: str
    suffix: str
    quality: int
    metadata: bool
    overwrite: bool
    raw: Optional[bool] = None

    def __post_init__(self) -> None:
        check_one_of("output.suffix", self.suffix, ("png", "jpg", "webp", "same"))
        check_value("output.quality", self.quality, "must be in 1..100", lambda v: 1 <= v <= 100)


@dataclass
class PredictSettings:
    """`conf/predict.yaml`."""

    input: str
    mask: PredictMaskSettings
    output: OutputSettings
    preview: bool
    device: str
    postprocess: dict[str, Any]
    model: Optional[dict[str, Any]] = None
    checkpoint: Optional[str] = None
    scale: Any = None

    def __post_init__(self) -> None:
        if self.scale is not None:
            check_scale(self.scale)


@dataclass
class UploadSettings:
    """`upload` of the demo command: largest photo."""

    megabytes: float
    megapixels: float

    def __post_init__(self) -> None:
        for key in ("megabytes", "megapixels"):
            check_value(f"upload.{key}", getattr(self, key), "must be in (0, 500]", lambda v: 0 < v <= 500)


@dataclass
class DemoSettings:
    """`conf/demo.yaml`."""

    checkpoint: str
    host: str
    port: int
    queue: int
    upload: UploadSettings
    device: str
    seed: int
    examples: int
    pose: PoseSettings
    beside: Optional[str] = None

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_value("port", self.port, "must be in 0..65535, 0 for any that is free", lambda v: 0 <= v <= 65535)
        check_value("queue", self.queue, "must be in 1..1000", lambda v: 1 <= v <= 1000)
        check_value("examples", self.examples, "must be in 0..20", lambda v: 0 <= v <= 20)


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

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_one_of("split", self.split, SPLITS)
        for key, value in {"orientations": self.orientations, "scales": self.scales}.items():
            check_value(key, value, "must be in 1..16", lambda v: 1 <= v <= 16)


@dataclass
class WeightsSettings:
    """`conf/weights.yaml`."""

    folder: Optional[str] = None


@dataclass
class ReleaseSettings:
    """`conf/release.yaml`."""

    checkpoint: str
    output: str
    precision: str
    scores: list[str]
    data_terms: str
    public: bool
    upload: Optional[str] = None
    limits: Optional[str] = None
    name: Optional[str] = None

    def __post_init__(self) -> None:
        check_one_of("precision", self.precision, ("fp16", "fp32"))


@dataclass
class ExportSettings:
    """`conf/export.yaml`."""

    data: DataSettings
    mask: dict[str, Any]
    output: str
    int8: bool
    calibration: int
    seed: int
    model: Optional[dict[str, Any]] = None
    checkpoint: Optional[str] = None

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_at_least(1, calibration=self.calibration)


@dataclass
class VerifySettings:
    """`conf/verify.yaml`."""

    data: DataSettings
    mask: dict[str, Any]
    seed: int
    splits: list[str]

    def __post_init__(self) -> None:
        check_seed(self.seed)
        must = f"choose from {', '.join(SPLITS)}"
        check_value("splits", self.splits, must, lambda v: bool(v) and set(v) <= set(SPLITS))
