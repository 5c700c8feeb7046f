"""Noise is read off images whose noise is known."""

from __future__ import annotations

import pytest
import torch
from skimage import data

from napari_selfsup_recon.simulate import degrade, published_psf_2d, sample
from napari_selfsup_recon.training.noise_facts import noise_facts
from napari_selfsup_recon.training.scaling import estimate_scaling


@pytest.mark.parametrize("name", ["camera", "coins", "text"])
def test_the_published_noise_is_found_through_clipping_and_outliers(name: str) -> None:
    noisy = degrade(getattr(data, name)(), published_psf_2d(), seed=0).noisy
    facts = noise_facts(torch.from_numpy(noisy.copy())[None, None])
    assert facts.sigma == pytest.approx(0.102, rel=0.06)
    assert not facts.coarse


@pytest.mark.parametrize("name", ["cells_2d", "nuclei_3d", "noisy_2d"])
def test_photons_of_a_camera_are_found(name: str) -> None:
    scene = sample(name)
    y = torch.from_numpy(scene.measured.astype("f4"))[None, None]
    facts = noise_facts(y)
    assert facts.slope == pytest.approx(1.0, abs=0.08)  # grey values a photon
    level = torch.tensor([scene.offset + 100.0])
    assert float(facts.deviation(level)) == pytest.approx((100 + 4) ** 0.5, rel=0.06)
    assert estimate_scaling(y, facts).low == pytest.approx(scene.offset, abs=6)


def test_flat_noise_has_no_slope() -> None:
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 10, 256)[:, None].expand(1, 1, 256, 256)
    facts = noise_facts(ramp + torch.randn(1, 1, 256, 256, generator=generator))
    assert float(facts.deviation(torch.tensor([0.0]))) == pytest.approx(1.0, rel=0.08)
    assert float(facts.deviation(torch.tensor([10.0]))) == pytest.approx(1.0, rel=0.08)


def test_a_few_photons_are_coarse() -> None:
    x = torch.full((1, 1, 100, 100), 1.5)
    y = torch.poisson(x, generator=torch.Generator().manual_seed(0))
    facts = noise_facts(y)
    assert facts.coarse
    assert facts.clipped_low is None
    assert facts.sigma == pytest.approx(1.5**0.5, rel=0.05)


def test_what_piles_up_was_cut_off() -> None:
    generator = torch.Generator().manual_seed(1)
    y = 0.5 + 0.4 * torch.randn(1, 1, 100, 100, generator=generator)
    assert noise_facts(y).clipped_low is None
    facts = noise_facts(y.clamp(0, 1))
    assert (facts.clipped_low, facts.clipped_high) == (0.0, 1.0)


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (1, 1, 2, 9, 8), (3, 1, 8, 300)])
def test_small_and_flat_images_give_finite_facts(shape: tuple[int, ...]) -> None:
    y = torch.zeros(shape)
    y[..., 0, 0] = 1.0
    facts = noise_facts(y)
    assert facts.sigma > 0
    assert bool(torch.isfinite(facts.deviation(y)).all())
