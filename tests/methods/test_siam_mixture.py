"""The mean of SIAM's twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon import SIAM, Gaussian, SIAMOptions
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.io.models import load
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._units import Units
from napari_selfsup_recon.methods.siam._mixture import NONE, Mixture, mixed
from napari_selfsup_recon.physics.identity import Identity
from napari_selfsup_recon.physics.inpainting import Inpainting

SIDE = 20
UNITS = Units(image=2.0, measured=2.0, norm=1.0)


def noise(number: int, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(3, 1, SIDE, SIDE, generator=torch_generator(number))


def found(
    truth: Tensor, z: Tensor, w: Tensor, mask: Tensor, spread: float = 0.0, *, seen: bool = True
) -> Any:
    """Return the shares for twins of which ``mask`` says what was measured, by all values."""
    mixture, check = Mixture(UNITS), Mixture(UNITS)
    parts = (z, (w - z) * mask, (w - z) * (1 - mask))
    for which, number in ((mixture, 9), (check, 10)):
        y = UNITS.image * (truth + noise(number, spread))
        which.add(parts, Part(y, Identity((SIDE, SIDE))), None)
    return mixture.shares(seen=seen, check=check)


def test_shares_are_those_of_the_least_error() -> None:
    truth, mask = noise(0), (noise(1) > 0).float()
    # Independent errors: the best share of the second is v1 / (v1 + v2).
    z = truth + noise(2, 0.1)
    w = truth + noise(3) * (0.3 * mask + 0.1 * (1 - mask))
    shares = found(truth, z, w, mask)
    assert shares[0] == pytest.approx(0.1, abs=0.03)
    assert shares[1] == pytest.approx(0.5, abs=0.05)
    # Noise of what is asked for does not move them, but for its own chance.
    assert found(truth, z, w, mask, spread=0.05) == pytest.approx(shares, abs=0.06)


def test_shares_stay_between_nothing_and_all() -> None:
    truth, mask = noise(0), (noise(1) > 0).float()
    z = truth + noise(2, 0.1)
    assert found(truth, z, 2 * z - truth, mask) == NONE  # worse wherever it differs
    assert found(truth, z, z, mask) == NONE
    measured, missed = found(truth, z, truth + (z - truth) / 2, mask)
    assert measured == missed == 1


def test_what_was_not_asked_for_has_no_share() -> None:
    truth, mask = noise(0), (noise(1) > 0).float()
    measured, missed = found(truth, truth + noise(2), truth + noise(3), mask, seen=False)
    assert measured == 0
    assert missed == pytest.approx(0.5, abs=0.05)


def test_a_gain_that_other_images_do_not_have_is_chance() -> None:
    truth, mask = noise(0), (noise(1) > 0).float()
    z, w = truth + noise(2, 0.1), truth + noise(3, 0.1)
    mixture, check = Mixture(UNITS), Mixture(UNITS)
    for which, target in ((mixture, truth), (check, z)):
        parts = (z, (w - z) * mask, (w - z) * (1 - mask))
        which.add(parts, Part(UNITS.image * target, Identity((SIDE, SIDE))), None)
    assert min(mixture.shares(seen=True, check=mixture)) > 0.4
    assert mixture.shares(seen=True, check=check) == NONE


def test_a_mean_is_of_both_parts() -> None:
    parts = (noise(0), noise(1), noise(2))
    assert torch.equal(mixed(parts, NONE, positive=False), parts[0])
    whole = mixed(parts, (1.0, 1.0), positive=False)
    assert torch.allclose(whole, parts[0] + parts[1] + parts[2])
    assert torch.equal(mixed(parts, (1.0, 1.0), positive=True), whole.clamp_min(0))


def scenes(count: int) -> np.ndarray:
    random = np.random.default_rng(4)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    images = np.zeros((count, SIDE, SIDE), np.float32)
    for image in images:
        for _ in range(4):
            row, column = random.uniform(-0.3, 0.3, 2)
            image += random.uniform(0.2, 0.5) * (np.hypot(rows - row, columns - column) < 0.2)
    return images


def test_the_result_is_the_mean_and_is_saved_with_its_shares(tmp_path: Any) -> None:
    images = scenes(10)
    masks = np.random.default_rng(5).random((10, 1, SIDE, SIDE)) < 0.5
    physics, level = Inpainting(masks), Gaussian(0.05)
    y = level.sample(physics.A(torch.from_numpy(images[:, None])), torch_generator(6))
    y = (y * physics.observed(y))[:, 0].numpy()
    quick = SIAMOptions(
        steps=2, width=4, iterations=1, batch=4, device="cpu", orientations=False, begin=0.0
    )
    method = SIAM(physics, quick, noise=level).fit(y, progress=False)
    found = method.state()[0]["shares"]
    assert all(0 <= share <= 1 for share in found)
    shares = method._facts["shares"] = [0.25, 0.5]
    first, second = method.twins(y)
    part = np.where(masks[:, 0], shares[0], shares[1])
    result = method.reconstruct(y)
    assert np.allclose(result, (first + part * (second - first)).clip(0), atol=1e-5)
    assert np.abs(result - first).max() > 1e-3
    assert np.array_equal(load(method.save(tmp_path / "model")).reconstruct(y), result)
    # The same network without the mean is the first twin.
    alone = SIAM(physics, quick.model_copy(update={"average": False}), noise=level)
    alone.fit(y, progress=False)
    assert np.array_equal(alone.reconstruct(y), first)
