"""Loss terms: modules `forward(batch, output, discriminator) -> scalar`, each with a weight."""

from pose_inpaint.losses.adversarial import DiscriminatorLoss, GeneratorAdversarial
from pose_inpaint.losses.base import GeneratorLoss, LossTerm
from pose_inpaint.losses.feature_matching import FeatureMatching
from pose_inpaint.losses.gradient_penalty import GradientPenalty, R1Penalty
from pose_inpaint.losses.perceptual import Perceptual
from pose_inpaint.losses.reconstruction import AbsoluteError, MaskError, SquaredError
from pose_inpaint.losses.structure import FrequencyError, StructuralError

__all__ = [
    "AbsoluteError",
    "DiscriminatorLoss",
    "FeatureMatching",
    "FrequencyError",
    "GeneratorAdversarial",
    "GeneratorLoss",
    "GradientPenalty",
    "LossTerm",
    "MaskError",
    "Perceptual",
    "R1Penalty",
    "SquaredError",
    "StructuralError",
]
