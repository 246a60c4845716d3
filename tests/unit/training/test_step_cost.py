"""What a training step does, in counts that no machine changes: passes through networks, and looks at the device."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader

from pose_inpaint.config.block_schema import Phase
from pose_inpaint.losses import AbsoluteError, DiscriminatorLoss, GeneratorAdversarial, GeneratorLoss, Perceptual
from pose_inpaint.models.networks.unet2018 import Discriminator, Generator
from pose_inpaint.models.networks.vgg16 import VGG16Features
from pose_inpaint.training.lightning_module import InpaintingModule
from pose_inpaint.training.schedule import Schedule
from pose_inpaint.types import Batch

BATCHES = 5


class Looks(TorchDispatchMode):
    """Counts values that Python reads of a tensor, each of which waits for a GPU."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


class Counted(InpaintingModule):
    """Keeps what each batch took: passes through generator, discriminator and VGG16, backward passes, and looks."""

    def on_fit_start(self):
        super().on_fit_start()
        self.counts, self.now = [], {}
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        networks["vgg16"] = self.generator_loss.terms["perceptual"].features
        for name, network in networks.items():
            network.register_forward_pre_hook(lambda *_, name=name: self.add(name))

    def add(self, name):
        self.now[name] = self.now.get(name, 0) + 1

    def manual_backward(self, *arguments, **options):
        self.add("backward")
        super().manual_backward(*arguments, **options)

    def training_step(self, batch, batch_idx):
        self.now = {}
        with Looks() as looks:
            outputs = super().training_step(batch, batch_idx)
        self.counts.append({**self.now, "looks": looks.count})
        return outputs


def counts_of(phase):
    """What the batches between the first and the last one took, which are logged."""
    torch.manual_seed(0)
    terms = {"l1": AbsoluteError(1), "adversarial": GeneratorAdversarial(1)}
    terms["perceptual"] = Perceptual(1, VGG16Features("random", ["conv1_1"]))
    module = Counted(
        Generator(2), Discriminator(2, size=32), GeneratorLoss(terms), DiscriminatorLoss(1), Schedule([phase]),
        lambda weights: torch.optim.SGD(weights, lr=0.1), {},
    )  # fmt: skip
    batch = Batch(torch.rand(2, 3, 32, 32) * 2 - 1, (torch.rand(2, 1, 32, 32) > 0.6).float(), ("a", "b"))
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader([batch] * BATCHES, batch_size=None))
    return module.counts[1:-1]


RECONSTRUCTION = {"generator": 1, "vgg16": 2, "backward": 1, "looks": 1}
ADVERSARIAL = {"generator": 1, "discriminator": 3, "vgg16": 2, "backward": 2, "looks": 2}
LOGGED = {**ADVERSARIAL, "looks": 2 + 6 + 6}  # losses, gradient norm and learning rate of each network
DISCRIMINATOR = {"generator": 1, "discriminator": 2, "backward": 1, "looks": 1}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"terms": ["l1", "perceptual"]}, [RECONSTRUCTION] * 3),
        # The 2018 method's: a second pass shows the discriminator the generator after its step.
        ({"discriminator": True, "fresh_output": True}, [{**ADVERSARIAL, "generator": 2}] * 3),
        ({"discriminator": True, "discriminator_first": True}, [ADVERSARIAL] * 3),
        ({"discriminator": True, "generator": False}, [DISCRIMINATOR] * 3),
        # The generator steps on the second and the fourth of five batches; its first step is logged.
        ({"discriminator": True, "discriminator_steps": 2}, [LOGGED, DISCRIMINATOR, ADVERSARIAL]),
    ],
)
def test_passes_of_a_step(options, expected):
    assert counts_of(Phase("phase", 1, **{"terms": ["l1", "adversarial", "perceptual"], **options})) == expected
