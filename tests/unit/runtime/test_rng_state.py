import io
import random

import numpy as np
import torch

from pose_inpaint.runtime.rng_state import restore_random_state, take_random_state


def draws():
    return torch.rand(3).tolist(), np.random.rand(3).tolist(), [random.random() for _ in range(3)]  # noqa: NPY002


def test_a_state_saved_and_loaded_gives_the_same_draws():
    file = io.BytesIO()
    torch.save(take_random_state(), file)
    expected = draws()
    file.seek(0)
    restore_random_state(torch.load(file, weights_only=True))
    assert draws() == expected
