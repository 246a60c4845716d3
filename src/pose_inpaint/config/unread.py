"""Settings that a training does not read, and why: switched off, or referred to by nothing that it reads."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pose_inpaint.config.overrides import key_of

REFERRED = ("data.root", "loss.alpha", "loss.beta", "loss.features", "optim.lr")
"""Keys that only other settings read, as `${KEY}`."""

WITHOUT_DISCRIMINATOR = re.compile(r"pose_inpaint\.losses\.(?!.*(Adversarial|FeatureMatching))")
"""Our loss terms that need no discriminator."""


def unread(config: DictConfig, keys: Iterable[str]) -> dict[str, str]:
    """Return the reason for each of `keys` that a training with a composed, valid configuration does not read.

    A key that another key decides on, such as the weight 0 of a term, counts as read.
    """
    off = dict(_switched_off(config))
    references = dict(_references(OmegaConf.to_container(config)))
    reasons = {key: _reason(key, off, references) for key in keys}
    return {key: reason for key, reason in reasons.items() if reason is not None}


def _reason(key: str, off: Mapping[str, str], references: Mapping[str, list[str]]) -> str | None:
    for prefix, reason in off.items():
        if _within(key, prefix):
            return reason
    if not any(_within(key, referred) for referred in REFERRED):
        return None
    places = [place for place, named in references.items() if any(_within(n, key) or _within(key, n) for n in named)]
    reasons = [_reason(place, off, references) for place in places]
    if None in reasons:
        return None
    return f"only {places[0]} refers to it, and {reasons[0]}" if places else "no other setting refers to it"


def _within(key: str, block: str) -> bool:
    return key == block or key.startswith(block if block.endswith(".") else f"{block}.")


def _references(value: Any, place: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every value that refers to others, by its full key, with their keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from _references(inner, f"{place}.{name}" if place else str(name))
    if isinstance(value, str) and "${" in value:
        yield place, re.findall(r"\$\{([\w.]+)\}", value)


def _switched_off(config: DictConfig) -> Iterator[tuple[str, str]]:
    """Keys and blocks (ending in a dot: only what is inside) that are switched off, with the reason."""

    def get(key: str) -> Any:
        return OmegaConf.select(config, key)

    for block in ("augment", "discriminator"):
        if not get(f"{block}._target_"):
            yield f"{block}.", f"{block} is switched off"
    begun: list[Any] = []
    end = get("trainer.max_epochs")
    for index, phase in enumerate(get("schedule.phases")):
        place, name = f"schedule.phases.{index}", phase.get("name")
        if end is not None and sum(each.epochs for each in begun) >= end:
            yield place, f"trainer.max_epochs={end} ends the training before phase {name!r}"
            continue
        begun.append(phase)
        if not phase.get("discriminator"):
            yield f"{place}.fresh_output", f"phase {name!r} trains no discriminator"
        if not phase.get("generator", True):
            yield f"{place}.terms", f"phase {name!r} doesn't train the generator"
    terms = get("loss.generator")
    listed = {term for phase in begun if phase.get("generator", True) for term in phase.get("terms", [])}
    for name, block in terms.items():
        if name not in listed:
            yield f"loss.generator.{name}", f"no phase that is trained lists the term {name!r}"
        elif get(f"loss.generator.{name}.weight") == 0:
            for key in set(block) - {"weight"}:
                yield f"loss.generator.{name}.{key}", f"loss.generator.{name}.weight is 0"
    if not any(phase.get("discriminator") for phase in begun):
        for key in ("loss.discriminator", "optim.discriminator_optimizer", "optim.discriminator_schedule"):
            yield key, "no phase that is trained trains the discriminator"
        targets = [str(get(f"loss.generator.{name}._target_")) for name in listed]
        if get("discriminator._target_") and all(WITHOUT_DISCRIMINATOR.match(t) for t in targets):
            yield "discriminator", "no phase that is trained has a discriminator"
    if get("ema.decay") is None:
        yield "ema.warmup", "ema.decay is null"
    if get("batchnorm.statistics") == "running":
        yield "batchnorm.batches", "batchnorm.statistics=running recalibrates nothing"
    shapes = {get("optim.schedule"), get("optim.discriminator_schedule") or "none"}
    if shapes == {"none"} and not get("optim.warmup"):
        yield "optim.schedule_over", "optim.schedule is none"
    if str(get("trainer.devices")) == "1" and (get("trainer.num_nodes") or 1) == 1:
        yield "optim.lr_rule", "there is one device"
    if not get("test.enabled"):
        yield "test.checkpoint", "test.enabled is false"
        for name in get("metric"):
            if not any(score.startswith(f"{name}_") for score in get("validation")):
                yield f"metric.{name}", f"test.enabled is false, and no score of validation is of {name!r}"


def warn_unread(config: DictConfig, overrides: Iterable[str]) -> None:
    """Print which overrides have no effect; a weight of 0 may switch off what is off already."""
    given = {key_of(override): override for override in overrides}
    for key, reason in unread(config, given).items():
        if not (key.endswith(".weight") and OmegaConf.select(config, key) == 0):
            print(f"warning: {given[key]}: has no effect: {reason}", file=sys.stderr, flush=True)
