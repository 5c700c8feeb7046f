"""The image from which reconstruction networks start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.methods import EI, EIOptions, Supervised, SupervisedOptions
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon._scaled import scaled_equations
from napari_selfsup_recon.methods._recon._start import (
    differences,
    smooth_start,
    transposed_differences,
)
from napari_selfsup_recon.methods._recon._variation import between, outskirts
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam

SIDE = 24


def discs(count: int) -> Tensor:
    """Slices of two grey values each, ``(count, 1, SIDE, SIDE)``."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    images = [
        0.5 * (np.hypot(rows, columns) < 9) + 0.4 * (np.hypot(rows - n % 3, columns - 2) < 3)
        for n in range(count)
    ]
    return torch.from_numpy(np.stack(images)[:, None]).float()


def scan(views: int = 8) -> ParallelBeam:
    return ParallelBeam((SIDE, SIDE), np.arange(views) * np.pi / views)


def problem(physics: Physics, y: Tensor, **given: Any) -> Problem:
    return Problem(physics, y, held_out=0.3, seed=0, start="total-variation", **given)


def error(image: Tensor, truth: Tensor) -> float:
    return float((image - truth).square().mean().sqrt())


@pytest.mark.parametrize("shape", [(5, 7), (4, 5, 6)])
@pytest.mark.parametrize("between", [0.0, 0.5])
def test_differences_have_their_transpose(shape: tuple[int, ...], between: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64)
    axes = len(shape) + (between > 0)
    p = torch.randn(axes, 2, 3, *shape, generator=generator, dtype=torch.float64)
    left = (differences(x, between) * p).sum()
    right = (x * transposed_differences(p, between)).sum()
    assert abs(float(left - right)) < 1e-12 * float(x.norm() * p.norm())


def test_differences_are_zero_beyond_the_last_pixel() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    rows, columns = differences(x)
    assert rows.flatten().tolist() == [3, 3, 3, 0, 0, 0]
    assert columns.flatten().tolist() == [1, 1, 0, 1, 1, 0]


def test_few_views_give_a_better_image_than_their_back_projection() -> None:
    truth = discs(7)
    physics = scan()
    y = physics.A(truth)
    found = problem(physics, y, positive=True)
    units = found.units
    start = smooth_start(scaled_equations(physics, y, units), units.variation, positive=True)
    assert float(start.min()) >= 0
    assert error(start * units.image, truth) < 0.5 * error(physics.A_dagger(y), truth)


def test_the_start_is_the_minimum_of_its_objective() -> None:
    truth = discs(1)
    physics = scan()
    units = problem(physics, physics.A(discs(7)), positive=True).units
    system = scaled_equations(physics, physics.A(truth), units)
    weight = 1e-2

    def objective(x: Tensor) -> float:
        misfit = (system.forward(x) - system.values).square().sum() / 2
        return float(misfit + weight * differences(x).square().sum((0, 2)).sqrt().sum())

    best = smooth_start(system, weight, positive=True, effort=(300, 8))
    lowest = objective(best)
    assert objective(smooth_start(system, weight, positive=True)) < 1.05 * lowest
    generator = torch.Generator().manual_seed(1)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(5):
            other = best + size * torch.randn(best.shape, generator=generator)
            assert objective(other.clamp_min(0)) > lowest


def test_an_item_does_not_depend_on_its_batch() -> None:
    physics = scan()
    y = physics.A(discs(6))
    units = problem(physics, y, positive=True).units
    every = smooth_start(scaled_equations(physics, y, units), 1e-3, positive=True)
    alone = smooth_start(scaled_equations(physics, y[2:3], units), 1e-3, positive=True)
    assert torch.allclose(every[2:3], alone, atol=1e-4)


def test_noise_asks_for_less_variation() -> None:
    physics = scan(16)
    y = physics.A(discs(7))
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    quiet = problem(physics, y, positive=True).units.variation
    loud = problem(physics, y + 0.5 * noise, positive=True).units.variation
    assert loud >= 9 * quiet > 0


def test_the_weight_is_found_between_the_points_of_its_grid() -> None:
    scores = {n: float(np.exp((n - 0.3) ** 2)) for n in (-1, 0, 1)}
    assert between(scores, 0) == pytest.approx(0.3)
    assert between(scores, 1) == 0  # nothing was tried beyond it
    assert between(dict.fromkeys((-1, 0, 1), 2.0), 0) == 0


def test_channels_share_their_edges_and_k_space_is_judged_off_its_centre() -> None:
    kept = outskirts((10, 12))
    assert kept.shape == (10, 12)
    assert kept[5, 6] == 0
    assert kept[0, 0] == 1
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, ::3] = True
    mask[:, 10:14] = True
    truth = torch.cat([discs(7), 0.3 * discs(7)], dim=1)
    physics = MRI(mask)
    y = physics.A(truth)
    units = problem(physics, y).units
    start = smooth_start(scaled_equations(physics, y, units), units.variation, positive=False)
    assert error(start * units.image, truth) < 0.8 * error(physics.A_dagger(y), truth)


def test_masks_of_their_own_go_with_their_images() -> None:
    truth = discs(8)
    masks = torch.rand(8, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) < 0.6
    physics = Inpainting(masks.numpy())
    y = physics.A(truth)
    units = problem(physics, y, positive=True).units
    start = smooth_start(scaled_equations(physics, y, units), units.variation, positive=True)
    assert error(start * units.image, truth) < 0.4 * error(y, truth)


@pytest.mark.parametrize("network", ["unrolled", "unet"])
def test_before_learning_the_answer_is_about_the_start(network: Any) -> None:
    truth = discs(8)
    physics = scan()
    y = physics.A(truth)[:, 0].numpy()
    given: dict[str, Any] = {"steps": 1, "learning_rate": 1e-9, "width": 4, "device": "cpu"}
    method = EI(physics, EIOptions(network=network, **given)).fit(y, progress=False)
    published = EI(physics, EIOptions(network=network, start="inverse", **given))
    published.fit(y, progress=False)
    mine, theirs = (
        error(torch.from_numpy(m.reconstruct(y)), truth[:, 0]) for m in (method, published)
    )
    assert mine < 0.7 * theirs


def test_the_start_is_for_supervised_learning_too() -> None:
    truth = discs(8)
    physics = scan()
    y = physics.A(truth)[:, 0].numpy()
    method = Supervised(physics, SupervisedOptions(steps=2, width=4, device="cpu"))
    method.fit(y, clean=truth[:, 0].numpy(), progress=False)
    assert method.state()[0]["units"]["variation"] > 0


def test_few_images_with_a_mask_each_hold_entries_out() -> None:
    truth = discs(3)
    masks = torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) < 0.7
    physics = Inpainting(masks.numpy())
    y = physics.A(truth)[:, 0].numpy()
    method = EI(physics, EIOptions(steps=2, width=2, device="cpu")).fit(y, progress=False)
    assert method.reconstruct(y).shape == y.shape
    assert 0 < method.scores["chosen"] < method.scores["constant"]
