"""Checked settings from the composed configuration."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pose_inpaint.config.renamed import check_renamed_config
from pose_inpaint.config.schema import BenchmarkSettings, TrainSettings
from pose_inpaint.errors import InputError, first_line

Settings = TypeVar("Settings")


def accept_one(config: DictConfig, key: str) -> None:
    """Make a list of one of a single text, for the short form KEY=VALUE of KEY=[VALUE]."""
    if isinstance(config.get(key), str):
        config[key] = [config[key]]


def read_settings(config: DictConfig, schema: type[Settings]) -> Settings:
    """Check a composed configuration against its schema and return it as plain, resolved objects.

    Raises:
        InputError: A key is unknown or missing, or its value has the wrong type.
    """
    unresolved: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    if "methods" in config and schema is not BenchmarkSettings:
        raise InputError("methods: is a setting of benchmarks; run python -m pose_inpaint.benchmark +experiment=NAME")
    check_renamed_config(unresolved)
    missing = list(_missing(unresolved))
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(f"{', '.join(missing)} {verb} missing: give {' '.join(f'{key}=VALUE' for key in missing)}")
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        settings = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), plain))
    except OmegaConfBaseException as error:
        raise InputError(f"{error.full_key or error.key or 'configuration'}: {first_line(error)}") from error
    return settings  # type: ignore[return-value]


def _missing(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Full keys of the values that the user has to give."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _missing(value, f"{prefix}{key}.")
        elif value == MISSING:
            yield f"{prefix}{key}"


def planned_epochs(settings: TrainSettings) -> int:
    """Return the number of epochs of all phases, limited by `trainer.max_epochs`."""
    epochs = sum(phase.epochs for phase in settings.schedule.phases)
    return min(epochs, settings.trainer.get("max_epochs") or epochs)


def plain_config(config: DictConfig) -> dict[str, Any]:
    """Return the resolved configuration as plain data, for records and checkpoints."""
    plain = OmegaConf.to_container(config, resolve=True)
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}
