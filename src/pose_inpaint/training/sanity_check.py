"""Checks that networks, losses and images fit together, before anything is written."""

from typing import cast

import torch

from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.dataset import collate
from pose_inpaint.data.images import image_size
from pose_inpaint.errors import InputError, first_line
from pose_inpaint.models.layers.local_patch import hole_patches
from pose_inpaint.training.lightning_module import InpaintingModule
from pose_inpaint.types import Discriminator


def rehearse(module: InpaintingModule, data: InpaintingData) -> None:
    """Compute the losses of every phase once, on two validation images, and build the optimizers.

    Raises:
        InputError: Networks, losses and images don't fit together.
    """
    images = data.images("val")
    batch = collate([images[i] for i in range(min(2, len(images)))])
    module.eval()
    with torch.no_grad():
        output = module.generator(batch.known, batch.mask)
        for phase in module.schedule.phases:
            if phase.generator:
                module.generator_loss(batch, output, module.discriminator, phase.terms)
            if phase.discriminator and module.discriminator is not None and module.discriminator_loss is not None:
                module.discriminator_loss(batch, output, module.discriminator)
    module.train()
    try:
        module.configure_optimizers()
    except (TypeError, ValueError) as error:
        raise InputError(f"optim: {first_line(error)}") from error


def check_local_patches(module: InpaintingModule, data: InpaintingData) -> None:
    """Raise `InputError` if a training image has no hole, or one that covers the discriminator's whole local patch.

    Masks that vary from epoch to epoch are not checked: a patch that a random hole happens to cover is moved to the
    nearest known pixel.
    """
    if module.discriminator is None or data.masks.varies:
        return
    patch = cast("Discriminator", module.discriminator).patch
    if patch is None:
        return
    for record in data.images("train").records:
        masked = data.masks.mask(record, image_size(record.path), data.size, epoch=0)
        (patches,) = hole_patches(masked[None, None].float(), patch, [record.name])
        if all(covered for _, covered in patches):
            raise InputError(
                f"{record.name}: a hole covers the discriminator's whole local patch of {patch}x{patch} pixels; give a "
                "larger discriminator.patch, leave the image out, or draw the holes with mask=challenge or "
                "mask=squares"
            )
