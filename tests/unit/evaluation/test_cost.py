import time

import pytest
import torch
from torch import nn

from pose_inpaint.evaluation.cost import Meter, count_flop, describe_cost, resident_peak
from pose_inpaint.models.networks.unet2018 import Generator
from pose_inpaint.reporting.cost_table import describe_cost_briefly, format_cost
from pose_inpaint.types import InpaintingOutput


def test_the_generator_of_2018_has_its_parameters_and_arithmetic():
    cost = describe_cost(Meter("cpu"), Generator().eval(), 128, 12)
    assert cost["parameters"] == 6_890_400
    assert cost["gflop"] == pytest.approx(20.236468224, abs=1e-9)


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, known, mask):
        return InpaintingOutput(self.weight(torch.cat([known, mask], 1))[:, None])


def test_a_multiply_add_counts_as_two():
    assert count_flop(Convolution(), 16, "cpu") == 2 * 16 * 16 * 3 * 4 * 9


def test_time_is_a_mean_over_images_without_the_first_batch(monkeypatch):
    clock = iter([0, 100, 200, 203, 300, 301])  # three batches: 100, 3 and 1 seconds
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    meter = Meter("cpu")
    with meter.measuring(2):
        pass
    assert meter.seconds_per_image == 50  # the only batch
    for images in (6, 2):
        with meter.measuring(images):
            pass
    assert meter.seconds_per_image == 4 / 8
    assert meter.gpu_peak is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_memory_on_a_gpu_is_that_of_inpainting():
    meter = Meter("cuda")
    weights = torch.zeros(2**20, device="cuda")
    torch.zeros(2**26, device="cuda")  # freed before the batch
    with meter.measuring(1):
        weights + 1
    assert 2 * 2**22 <= meter.gpu_peak < 2**26
    assert describe_cost(meter, None, 128, 1)["peak_memory_of"] == "inpainting, allocated on the GPU"


def test_resident_memory_is_in_bytes_and_remembers_its_peak():
    torch.ones(2**27)  # half a GiB, written and freed
    assert 2**29 < resident_peak() < 2**36


def test_costs_as_text():
    cost = {
        "parameters": 1234, "gflop": 0.5, "seconds_per_image": 0.0021, "batch_size": 3, "peak_memory_bytes": 2**20,
        "device": "cpu", "threads": 1,
    }  # fmt: skip
    assert format_cost(cost) == ["1,234", "0.50", "2.1", "1", "cpu, 1 thread"]
    assert format_cost(cost | {"threads": 2})[-1] == "cpu, 2 threads"
    assert format_cost(None) == ["-"] * 5
    assert describe_cost_briefly(cost | {"gflop": None}) == (
        "Cost: parameters 1,234, GFLOP an image -, ms an image 2.1, peak memory (MiB) 1, device cpu, 1 thread, "
        "batches of 3"
    )
