"""Whether there is noise to remove at all, told before training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_selfsup_recon import ISCL, Identity, ISCLOptions
from napari_selfsup_recon.core.events import Notice, Stage
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.methods.iscl import _noise_fit
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._excess import Excess, apart, doubt, find_excess
from napari_selfsup_recon.simulate import charge_noise, correlated_noise, film_noise

Images = np.ndarray[Any, Any]


def textures(count: int, seed: int, side: int = 96) -> Images:
    """Blobs with sharp edges, each image another place."""
    draw = np.random.default_rng(seed).standard_normal((count, side, side))
    smooth = gaussian_filter(draw, (0, 4, 4), mode="wrap")
    fine = gaussian_filter(draw[:, ::-1], (0, 0.7, 0.7), mode="wrap")
    return (np.tanh(6 * smooth / smooth.std()) + 0.1 * fine / fine.std()).astype(np.float32)


CLEAN, OTHER = textures(16, 0), textures(16, 1)


def excess(clean: Images, noisy: Images) -> Excess:
    return exhaust(find_excess(clean[:, :64, :64], noisy[:, :64, :64], (len(clean), len(noisy))))


@pytest.mark.parametrize(
    "noise",
    [
        lambda x: x,
        lambda x: correlated_noise(x, strength=0.5, grain=1, seed=int(10 * abs(x[0, 0, 0]))),
    ],
    ids=["none", "in both"],
)
def test_domains_of_one_kind_are_not_told_apart(noise: Any) -> None:
    found = excess(noise(CLEAN), noise(OTHER))
    assert not found.noisier
    assert not found.cleaner
    assert "no noise to remove" in doubt(found, 0.2)


@pytest.mark.parametrize(
    "noise",
    [
        lambda x: correlated_noise(x, strength=0.15, grain=0),
        lambda x: film_noise(x, strength=0.3),
        lambda x: charge_noise(x, strength=0.25, grain=8),
    ],
    ids=["white", "film", "charge"],
)
def test_noise_is_told(noise: Any) -> None:
    found = excess(CLEAN, noise(OTHER))
    assert found.noisier
    assert doubt(found, 0.2) == ""


def test_noise_is_told_beside_something_bright() -> None:
    def with_metal(images: Images) -> Images:
        images = 0.02 * images
        images[:, 24:40, 24:40] += 10
        return images

    noise = 0.05 * np.random.default_rng(2).standard_normal(OTHER.shape).astype(np.float32)
    found = excess(with_metal(CLEAN), with_metal(OTHER) + noise)
    assert found.noisier
    assert not excess(with_metal(CLEAN), with_metal(OTHER)).noisier


def test_examples_that_are_the_noisier_ones_are_told() -> None:
    found = excess(film_noise(CLEAN, strength=0.5), OTHER)
    assert found.cleaner
    assert "Exchange the two" in doubt(found, 0.2)


def test_strong_noise_of_the_model_counts_too() -> None:
    """Slow gain hardly shows in the spectrum, but in how it grows with brightness."""
    assert doubt(excess(CLEAN, OTHER), 0.6) == ""


def test_windows_that_overlap_are_not_counted() -> None:
    domain = Domain(torch.from_numpy(CLEAN)[None], 32, seed=0, name="clean", below=0.1)
    assert apart(domain, 32) == 16 * 2 * 3
    assert apart(domain, 64) == 16


@pytest.mark.parametrize("noisy", [False, True])
def test_it_is_said_before_training(noisy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_noise_fit, "_ROUNDS", 0)
    y = film_noise(OTHER, strength=0.5) if noisy else OTHER
    options = ISCLOptions(steps=2, crop=64, width=2, batch=2, device="cpu", neighbours="none")
    told = []
    for event in ISCL(Identity(y.shape), options).train(y, clean=CLEAN):
        if isinstance(event, Stage) and event.name == "Training":
            break
        told.append(event)
    said = [e for e in told if isinstance(e, Notice) and "no noise to remove" in e.message]
    assert len(said) == (not noisy)
    assert all(e.level == "warning" and "Choose clean examples" in e.message for e in said)
