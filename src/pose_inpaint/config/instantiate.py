"""Instantiation of blocks with a `_target_`: the only place that calls Hydra's `instantiate`."""

from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from torch import Tensor, nn

from pose_inpaint.errors import InputError


def build(key: str, block: Mapping[str, Any], **arguments: Any) -> Any:
    """Build the object that a block's `_target_` names; raise `InputError` if it can't be built."""
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
    """Build the network of a checkpoint's configuration; the file can't make it call anything but a network class.

    Raises:
        InputError: The target is not a network class, or refuses its arguments.
    """
    arguments = {key: value for key, value in model.items() if key != "_target_"}
    try:
        network = get_class(str(model.get("_target_")))
        if not issubclass(network, nn.Module):
            raise TypeError(f"{network.__name__} is not a network")
        return network(**arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"the checkpoint's model {dict(model)} can't be built: {error}") from error


def load_network(model: Mapping[str, Any], weights: Mapping[str, Tensor], named: str) -> nn.Module:
    """Build a network with its weights, in evaluation mode.

    Raises:
        InputError: The network can't be built, or the weights don't fit it; then the message begins with `named`.
    """
    network = build_network(model)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{named}: its weights don't fit its model: {str(error).splitlines()[-1]}") from error
    return network.eval()


def find_class(key: str, block: Mapping[str, Any]) -> type:
    """Find the class that a block's `_target_` names; raise `InputError` if it does not exist."""
    try:
        return get_class(str(block.get("_target_")))
    except Exception as error:
        raise InputError(f"{key}: {block.get('_target_')}: {error}") from error
