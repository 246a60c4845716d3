"""Which networks step, and which loss terms count, in which epoch: a pure function of the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

from pose_inpaint.errors import InputError


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs.

    Attributes:
        name: names the phase in logs and checkpoints.
        epochs: how many, at least 1.
        generator: whether the generator steps.
        discriminator: whether the discriminator steps.
        terms: the generator's loss terms that count, by their keys in `loss.generator`.
        fresh_output: whether the discriminator judges a new forward pass, taken after the generator's step (the
            release), or the pass that the generator was trained on.
        discriminator_first: whether the discriminator steps before the generator, on the generator's pass (Iizuka et
            al. 2017, algorithm 1; Yu et al. 2018, algorithm 1), or after it.
        discriminator_steps: how many batches the discriminator steps on for each one that the generator steps on (Yu et
            al. 2018: 5).
    """

    name: str
    epochs: int
    generator: bool = True
    discriminator: bool = False
    terms: list[str] = field(default_factory=list)
    fresh_output: bool = False
    discriminator_first: bool = False
    discriminator_steps: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InputError(
                f"schedule.phases: phase {self.name!r} has epochs={self.epochs}: give at least 1 or leave it out"
            )
        if not self.generator and not self.discriminator:
            raise InputError(
                f"schedule.phases: phase {self.name!r} trains nothing: set generator or discriminator to true"
            )
        if self.generator and not self.terms:
            raise InputError(
                f"schedule.phases: phase {self.name!r} trains the generator on no loss term: list some in terms"
            )
        if self.discriminator_steps < 1 or (
            self.discriminator_steps > 1 and not (self.generator and self.discriminator)
        ):
            raise InputError(
                f"schedule.phases: phase {self.name!r} has discriminator_steps={self.discriminator_steps}: give at "
                "least 1, and more "
                "than 1 only where both networks step"
            )
        if self.fresh_output and self.discriminator_first:
            raise InputError(
                f"schedule.phases: phase {self.name!r} has fresh_output and discriminator_first: a new pass after "
                "the generator's step comes too late for a discriminator that steps first; choose one"
            )

    def generator_steps(self, batch: int) -> bool:
        """Whether the generator steps on a batch, counted from 0 over all of training."""
        return self.generator and (batch + 1) % self.discriminator_steps == 0


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
