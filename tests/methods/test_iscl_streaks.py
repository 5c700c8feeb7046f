"""Rare strikes along scan lines: how they are drawn, found, and told from other noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl._noise_fit import fit_noise
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel, Spoiler
from napari_selfsup_recon.methods.iscl._spectra import BANDS
from napari_selfsup_recon.methods.iscl._streaks import (
    Streaks,
    choose_strikes,
    find_streaks,
    off_ridge,
    strikes_of,
)
from napari_selfsup_recon.simulate import charge_noise, film_noise

TAIL = 12.0


def scenes(number: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Blobs between 0 and 2."""
    random = np.random.default_rng(seed)
    rough = gaussian_filter(random.standard_normal((number, 96, 96)), (0, 3, 3), mode="wrap")
    return 1 + np.tanh(2 * rough / rough.std())


def charged(number: int, seed: int, **more: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return charge_noise(scenes(number, seed), seed=seed, **more).astype(float)


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("side", [-1, 0, 1])
def test_strikes_have_tails_on_their_side_and_lines_know_nothing_of_each_other(
    axis: Any, side: Any
) -> None:
    streaks = Streaks(axis, TAIL, 1 / 200, side)
    field = streaks.draw((24, 96, 96), torch_generator(1)).double()
    assert float(field.var()) == pytest.approx(1, rel=0.1)
    lines = (field if axis == -1 else field.mT).reshape(-1, 96)
    assert abs(float((lines[1:] * lines[:-1]).mean())) < 0.05
    # From the strongest value of a line on the tail decays on its side, and falls off on the other.
    struck = lines.abs().amax(1) > 4
    top = lines.abs().argmax(1)[struck]
    assert len(top) > 50
    rows = torch.arange(len(lines))[struck]
    before, after = (
        float((lines[rows, (top + step) % 96] / lines[rows, top]).median()) for step in (-4, 4)
    )
    decayed = np.exp(-4 / TAIL)
    assert after == pytest.approx(decayed if side >= 0 else 0, abs=0.17)
    assert before == pytest.approx(decayed if side <= 0 else 0, abs=0.17)


def test_streaks_are_found_along_their_axis_and_nowhere_else() -> None:
    clean, noisy = scenes(48, 0), charged(48, 1, streaks=0.4, tail=TAIL)
    found = find_streaks(clean, noisy)
    assert found is not None
    assert found.axis == -1
    assert found.tail == pytest.approx(TAIL, rel=0.35)
    turned = find_streaks(clean, noisy.swapaxes(-1, -2))
    assert turned is not None
    assert turned.axis == -2
    for other in (scenes(48, 1), charged(48, 1, streaks=0.0), film_noise(scenes(48, 1))):
        assert find_streaks(clean, np.asarray(other, float)) is None
    assert find_streaks(clean[:, :32, :32], noisy[:, :32, :32]) is None  # too small to tell
    assert find_streaks(clean, clean) is None
    assert find_streaks(clean, charged(48, 1, streaks=0.9, tail=1.0)) is None  # ends too soon


def test_the_fit_tells_gain_rate_and_side() -> None:
    clean = scenes(40, 0)[:, :72, :72]
    noisy = charged(40, 1, streaks=0.5, tail=TAIL, strength=0.3, grain=12.0)[:, :72, :72]
    model, _ = exhaust(fit_noise(clean, noisy, 0))
    streaks = model.streaks
    assert streaks is not None
    assert streaks.side == 1
    assert 1 / 512 <= streaks.rate <= 1 / 32  # one in 96
    # Of the gain, a half of 0.3 squared.
    assert streaks.gained == pytest.approx(0.3 * 0.5**0.5, rel=0.3)
    assert streaks.added < streaks.gained / 2
    assert not model.isotropic

    def apply(other: Streaks) -> Any:
        white = np.zeros((2, len(clean), 72, 37), complex)
        return model.apply(clean, white, strikes_of(other, clean.shape, 0))

    chosen = exhaust(choose_strikes(streaks, apply, noisy[..., ::-1]))
    assert chosen.side == -1


def test_g_puts_the_strikes_of_the_model_on_images() -> None:
    flat = np.full(BANDS, -20.0)
    streaks = Streaks(-2, TAIL, 1 / 50, 1, added=0.2, gained=0.1)
    model = NoiseModel(-1.0, flat, flat, np.ones((96, 96)), streaks)
    spoil = Spoiler(model)
    clean = torch.linspace(0, 2, 6)[:, None, None, None].expand(6, 4, 96, 48)
    noisy = spoil(clean, torch_generator(0)).detach()
    assert torch.equal(noisy, spoil(clean, torch_generator(0)).detach())
    noise = (noisy - clean).flatten(1).std(1)
    torch.testing.assert_close(noise, model.deviation(clean[:, 0, 0, 0]), rtol=0.25, atol=0)
    assert (noise.diff() > 0).all()
    one = strikes_of(streaks, (2, 96, 96), 0)
    made = model.apply(np.ones((2, 96, 96)), np.zeros((2, 2, 96, 49), complex), one)
    np.testing.assert_allclose(made, -1 + (2 + 0.2 * one) * np.exp(0.1 * one))
    without = replace(model, streaks=None)
    np.testing.assert_allclose(
        without.apply(np.ones((2, 96, 96)), np.zeros((2, 2, 96, 49), complex)), 1
    )


def test_the_ridge_of_streaks_is_taken_out_of_a_spectrum() -> None:
    ridge = np.ones((64, 64))
    ridge[:, :2] = 50
    ridge[0, :] = 3
    smooth = off_ridge(ridge, Streaks(-1, TAIL, 1.0, 0))
    assert (smooth[4:61] <= 3).all()
    assert (smooth[4:61, 1] == 1).all()
    np.testing.assert_array_equal(smooth[:, 4:61], ridge[:, 4:61])
