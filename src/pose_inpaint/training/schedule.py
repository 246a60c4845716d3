"""Schedule of training phases: networks that step and loss terms, as a pure function of the epoch."""

from pose_inpaint.config.block_schema import Phase
from pose_inpaint.errors import InputError


class Schedule:
    """Sequence of one or more phases with distinct names; other phases raise `InputError`."""

    def __init__(self, phases: list[Phase]) -> None:
        names = [phase.name for phase in phases]
        if not phases or len(set(names)) < len(names):
            raise InputError(f"schedule.phases={names}: give at least one phase, and each a different name")
        self.phases = tuple(phases)

    @property
    def epochs(self) -> int:
        """Total number of epochs."""
        return sum(phase.epochs for phase in self.phases)

    def at(self, epoch: int) -> Phase:
        """Return the phase of an epoch, counted from 0; the last phase beyond the end."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        return self.phases[-1]
