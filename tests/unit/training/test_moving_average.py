"""Moving average of weights and batch-norm statistics, by hand."""

import pytest
import torch
from torch import nn

from pose_inpaint.training.moving_average import moving_average


def network(value):
    layer = nn.BatchNorm2d(1)
    with torch.no_grad():
        layer.weight.fill_(value)
        layer.running_mean.fill_(10 * value)
        layer.num_batches_tracked.fill_(int(value))
    return layer


@pytest.mark.parametrize("warmup", [False, True])
def test_weights_and_statistics_follow_by_the_decay(warmup):
    source = network(0)
    average = moving_average(source, 0.9, warmup=warmup)
    expected = None
    for step in range(6):
        source.load_state_dict(network(step * step).state_dict())
        average.update_parameters(source)
        decay = min(0.9, (1 + step) / (10 + step)) if warmup else 0.9
        expected = step * step if expected is None else decay * expected + (1 - decay) * step * step
        assert average.module.weight.item() == pytest.approx(expected)
        assert average.module.running_mean.item() == pytest.approx(10 * expected)
        assert average.module.num_batches_tracked.item() == step * step


def test_the_first_weights_leave_a_short_average():
    shares = {}
    for warmup in (False, True):
        source = network(1)
        average = moving_average(source, 0.999, warmup=warmup)
        average.update_parameters(source)  # copies the first weights, 1
        for _ in range(480):
            source.load_state_dict(network(0).state_dict())
            average.update_parameters(source)
        shares[warmup] = average.module.weight.item()
    assert shares[False] == pytest.approx(0.999**480)  # 62 %
    assert shares[True] < 1e-6
