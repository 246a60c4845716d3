"""CIE L*a*b* of sRGB images, and the features of context matching."""

import torch
from jaxtyping import Float
from torch import Tensor

TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
"""Linear sRGB to XYZ; ITU-R BT.709 primaries (https://www.itu.int/rec/R-REC-BT.709)."""
WHITE = (0.95047, 1.0, 1.08883)
"""XYZ of CIE standard illuminant D65, 2 degree observer."""


def to_lab(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """Convert sRGB in [-1, 1] to L* in [0, 100] and a*, b* in about [-110, 110] (CIE 15:2004, D65)."""
    rgb = (image.clamp(-1, 1) + 1) / 2
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)  # IEC 61966-2-1
    xyz = torch.einsum("ij,jhw->ihw", torch.tensor(TO_XYZ), linear) / torch.tensor(WHITE)[:, None, None]
    root = torch.where(xyz > 0.008856, xyz.clamp(min=1e-9) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def matching_features(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "4 h w"]:
    """Compute colour (L*, a*, b*) and texture (magnitude of L*'s gradient per pixel, by central differences)."""
    lab = to_lab(image)
    down, right = torch.gradient(lab[0], edge_order=1)
    return torch.cat([lab, (down.square() + right.square()).sqrt()[None]])
