"""Scaling, schedule, averaging, devices, micro-batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from napari_selfsup_recon.core.errors import InputError, OutOfMemoryError
from napari_selfsup_recon.physics.noise import Gaussian, PoissonGaussian
from napari_selfsup_recon.training.averaging import AveragedModel
from napari_selfsup_recon.training.device import laid_out, memory_guard, pick_device
from napari_selfsup_recon.training.micro import MicroBatch
from napari_selfsup_recon.training.noise_facts import noise_facts
from napari_selfsup_recon.training.scaling import Scaling, estimate_scaling, facts_of
from napari_selfsup_recon.training.schedule import warm_cosine

CPU = torch.device("cpu")


@given(
    low=st.floats(-1e4, 1e4),
    span=st.floats(1e-2, 1e5),
    values=st.lists(st.floats(0, 1), min_size=1),
)
def test_scaling_is_inverted_exactly(low: float, span: float, values: list[float]) -> None:
    scaling = Scaling(low, low + span)
    y = torch.tensor(values, dtype=torch.float64) * span + low
    assert torch.allclose(
        scaling.invert(scaling.apply(y)), y, rtol=1e-9, atol=1e-9 * (abs(low) + span)
    )


def test_the_zero_level_of_a_clipped_image_is_where_it_clips() -> None:
    y = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)).clamp_min(0)
    scaling = estimate_scaling(y, noise_facts(y))
    assert scaling.low == 0


def test_the_zero_level_is_never_above_the_darkest_parts() -> None:
    generator = torch.Generator().manual_seed(0)
    y = 100 + 5 * torch.randn(1, 1, 128, 128, generator=generator)
    y[..., 40:80, 40:80] += 400
    scaling = estimate_scaling(y, noise_facts(y))
    assert float(y.min()) <= scaling.low < 102
    assert abs(scaling.high - 505) < 15
    assert estimate_scaling(y, noise_facts(y), background=90.0).low == 90.0


def test_the_learning_rate_warms_up_peaks_and_falls() -> None:
    rates = [warm_cosine(i, 500) for i in range(500)]
    peak = int(np.argmax(rates))
    assert 25 <= peak <= 31
    assert rates[peak] == pytest.approx(1.0)
    assert rates[0] < 0.05
    assert rates[-1] < 0.03
    assert all(a >= b for a, b in zip(rates[peak:], rates[peak + 1 :], strict=False))
    assert warm_cosine(0, 1) == 1.0


def test_the_average_follows_its_formula() -> None:
    model = nn.Linear(1, 1)
    average = AveragedModel(model, decay=0.9)
    expected = model.weight.detach().clone()
    for step in range(30):
        with torch.no_grad():
            model.weight.add_(1.0)
        average.update(model, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    assert torch.allclose(average.weights()["weight"], expected)


def test_unknown_devices_are_refused_with_the_way_out() -> None:
    assert pick_device("cpu") == CPU
    with pytest.raises(InputError, match="auto or cpu"):
        pick_device("cuda:77")
    with pytest.raises(InputError, match="cannot be used"):
        pick_device("toaster")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
    ],
)
def test_every_kind_of_memory_error_becomes_one(error: Exception) -> None:
    with pytest.raises(OutOfMemoryError, match="memory of the CPU ran out"), memory_guard(CPU):
        raise error


def test_other_errors_pass_the_memory_guard() -> None:
    with pytest.raises(RuntimeError, match="sizes do not match"), memory_guard(CPU):
        raise RuntimeError("sizes do not match")


def test_micro_batches_on_the_cpu_depend_on_the_crop_alone() -> None:
    assert MicroBatch(8, 192 * 192, CPU).size == 1
    assert MicroBatch(8, 96 * 96, CPU).size == 4
    assert MicroBatch(2, 32 * 32, CPU).size == 2
    assert MicroBatch(8, 192 * 192, CPU, fixed=3).size == 3


def test_micro_batches_shrink_on_a_slow_accelerator() -> None:
    micro = MicroBatch(16, 192 * 192, torch.device("meta"))
    assert micro.size == 16
    micro.begin()
    micro.end()  # the first piece warms up
    micro._began -= 1.0
    micro.end()
    assert micro.size == 3


def test_known_noise_follows_the_scaling() -> None:
    scaling = Scaling(low=100.0, high=300.0)
    y = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    found = noise_facts(y)
    known = PoissonGaussian(gain=2.0, sigma=4.0, offset=100.0)
    facts = facts_of(found, known, scaling)
    level = torch.tensor([0.25])  # 150 grey values: 50 above the offset
    wanted = (2.0 * 50 + 4.0**2) ** 0.5 / 200
    assert float(facts.floor + facts.slope * level) ** 0.5 == pytest.approx(wanted)
    assert facts_of(found, Gaussian(4.0), scaling).sigma == pytest.approx(0.02)
    assert facts_of(found, None, scaling) is found


def test_models_keep_their_values_when_laid_out() -> None:
    model = nn.Conv2d(2, 3, 3)
    before = model.weight.detach().clone()
    assert torch.equal(laid_out(model, 2, CPU).weight, before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_channels_come_last_on_gpus() -> None:
    model = laid_out(nn.Conv3d(2, 3, 3), 3, torch.device("cuda"))
    assert model.weight.is_contiguous(memory_format=torch.channels_last_3d)
