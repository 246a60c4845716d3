"""From a block with a `_target_` to its object: the one place that calls Hydra's `instantiate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from torch import nn

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


def build(key: str, block: Mapping[str, Any], **arguments: Any) -> Any:
    """The object that a block's `_target_` names.

    Raises:
        InputError: there is no such target, or it refuses its arguments; the message starts with `key`.
    """
    if not block.get("_target_"):
        raise InputError(f"{key}: the block has no _target_; choose one of conf/{key.split('.')[0]}/")
    try:
        return instantiate(dict(block), **arguments, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, InputError):
            raise cause from error
        raise InputError(f"{key}: {block['_target_']}: {cause}") from error


def build_network(model: Mapping[str, Any]) -> nn.Module:
    """The network of a checkpoint's configuration; nothing but a network class is called, whatever the file says.

    Raises:
        InputError: the target is no network, or refuses its arguments.
    """
    arguments = {key: value for key, value in model.items() if key != "_target_"}
    try:
        network = get_class(str(model.get("_target_")))
        if not issubclass(network, nn.Module):
            raise TypeError(f"{network.__name__} is no network")
        return network(**arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"the checkpoint's model {dict(model)} can't be built: {error}") from error


def find_class(key: str, block: Mapping[str, Any]) -> type:
    """The class that a block's `_target_` names.

    Raises:
        InputError: there is no such class.
    """
    try:
        return get_class(str(block.get("_target_")))
    except Exception as error:
        raise InputError(f"{key}: {block.get('_target_')}: {error}") from error
