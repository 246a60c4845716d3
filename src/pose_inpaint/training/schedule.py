"""Which networks step, and which loss terms count, in which epoch: a pure function of the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from pose_inpaint.config.blocks import Phase


class Schedule:
    """Phases, one after the other.

    Args:
        phases: at least one, with names of their own.

    Raises:
        InputError: there is no phase, or two share a name.
    """

    def __init__(self, phases: list[Phase]) -> None:
        names = [phase.name for phase in phases]
        if not phases or len(set(names)) < len(names):
            raise InputError(f"schedule.phases={names}: give at least one phase, each with a name of its own")
        self.phases = tuple(phases)

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs for phase in self.phases)

    def at(self, epoch: int) -> Phase:
        """The phase of an epoch, counted from 0; past the end it is the last one."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        return self.phases[-1]
