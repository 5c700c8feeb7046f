"""Crops, masks and symmetries: the parts on which self-supervision stands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_selfsup_recon.methods.ssi._crops import Canvas, mirror
from napari_selfsup_recon.methods.ssi._masking import fill
from napari_selfsup_recon.methods.ssi._problem import Problem
from napari_selfsup_recon.methods.ssi._symmetry import orientations, symmetries
from napari_selfsup_recon.physics import Blur, Identity
from napari_selfsup_recon.training.noise_facts import NoiseFacts

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(shape: tuple[int, ...], width: float = 1.5) -> np.ndarray:
    axes = np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij")
    psf = np.exp(-sum(a.astype(float) ** 2 for a in axes) / (2 * width**2))
    return psf / psf.sum()


@given(seed=st.integers(0, 1000), ndim=st.sampled_from([2, 3]), share=st.floats(0.01, 0.9))
def test_what_is_hidden_has_no_influence(seed: int, ndim: int, share: float) -> None:
    shape = (2, 1, *([9, 8, 7][:ndim]))
    y = torch.rand(shape, generator=generator(seed), dtype=torch.float64)
    hidden = torch.rand(shape, generator=generator(seed + 1)) < share
    other = torch.where(hidden, 1e6 * torch.rand(shape, generator=generator(3)).double(), y)
    filled = fill(y, hidden)
    assert torch.allclose(filled, fill(other, hidden), rtol=0, atol=1e-9)
    assert torch.equal(filled[~hidden], y[~hidden])


def test_hidden_pixels_of_a_ramp_are_interpolated() -> None:
    y = torch.arange(20.0).expand(1, 1, 20, 20).contiguous()
    hidden = torch.zeros(y.shape, dtype=torch.bool)
    hidden[..., 10, 10] = True
    assert torch.allclose(fill(y, hidden), y, atol=1e-5)


@given(
    n=st.integers(6, 40),
    kernel=st.integers(1, 9),
    window=st.integers(10, 50),
    seed=st.integers(0, 99),
)
def test_windows_predict_exactly_their_target(n: int, kernel: int, window: int, seed: int) -> None:
    shape = (n, n + 3)
    psf = np.random.default_rng(seed).random((kernel, kernel))
    blur = Blur(psf, shape)
    image = torch.rand(1, 1, *blur.image_shape, generator=generator(seed), dtype=torch.float64)
    whole = blur.A(image)
    canvas = Canvas(shape, blur.margins, (window, window))
    crop = canvas.random(1, generator(seed))
    start = [t.start for t in crop.target]
    part = image[..., start[0] : start[0] + canvas.size[0], start[1] : start[1] + canvas.size[1]]
    predicted = blur.restrict(crop.target).A(part)
    assert torch.allclose(predicted, whole[..., crop.target[0], crop.target[1]], atol=1e-10)


def test_every_pixel_is_a_target_somewhere() -> None:
    canvas = Canvas((30, 22), ((3, 3), (2, 2)), (16, 16))
    count = np.zeros((30, 22), int)
    draw = generator()
    for _ in range(5000):
        count[canvas.random(1, draw).target] += 1
    assert (count > 0).all()


@pytest.mark.parametrize("most", [3, 100])
def test_scoring_windows_do_not_overlap(most: int) -> None:
    canvas = Canvas((70, 50), ((3, 3), (2, 2)), (20, 20))
    crops = list(canvas.grid(2, most))
    count = np.zeros((2, 70, 50), int)
    for crop in crops:
        count[(crop.item, *crop.target)] += 1
    assert count.max() == 1
    assert len(crops) <= most


def test_mirror_equals_numpy() -> None:
    x = torch.rand(1, 1, 4, 5)
    ours = mirror(x, (2, 0), (1, 7))[0, 0].numpy()
    assert np.array_equal(ours, np.pad(x[0, 0].numpy(), ((2, 1), (0, 7)), mode="symmetric"))


@pytest.mark.parametrize("boundary_crop", [True, False])
def test_no_view_shows_what_it_asks_for(boundary_crop: bool) -> None:
    """Change every asked value: what the network sees must stay the same, mirror margins too."""
    shape = (24, 24)
    blur = Blur(gaussian((7, 7)), shape)
    y = torch.rand(1, 1, *shape, generator=generator(1))
    window = (40, 40) if boundary_crop else (20, 20)
    facts: dict[str, Any] = {
        "noise": NoiseFacts(floor=1.0, slope=0.0, sigma=1.0),
        "window": window,
        "held_out": 0.1,
        "mask_fraction": 0.1,
        "seed": 0,
        "device": CPU,
    }
    problem = Problem(blur, y, **facts)
    views = problem.training(3, generator(5))
    assert views.asked.any()
    changed = y.clone()
    changed[problem.role > 0] = 777.0
    again = Problem(blur, changed, **facts).training(3, generator(5))
    assert torch.equal(views.seen, again.seen), "held-out pixels leak into training"
    assert not (again.target[again.asked] == 777.0).any(), "held-out pixels are trained on"
    crops = problem.scoring(4)
    scored = problem.held_out(crops)
    again = Problem(blur, changed, **facts).held_out(crops)
    assert torch.equal(scored.seen, again.seen), "held-out pixels leak into the score"
    assert (again.target[again.asked] == 777.0).all()
    chosen = problem.held_out(crops).asked
    reported = problem.held_out(crops, report=True).asked
    assert chosen.any()
    assert reported.any()
    assert not (chosen & reported).any()


def test_orientations_are_undone() -> None:
    x = torch.rand(2, 1, 4, 6, 6)
    for turn in orientations(3):
        assert torch.equal(turn.undo(turn.apply(x)), x)
    assert len(orientations(3)) == 16
    assert len(orientations(2, square=False)) == 4


def test_only_true_symmetries_of_the_psf_are_used() -> None:
    assert len(symmetries(None, 2)) == 8
    assert len(symmetries(gaussian((9, 9)), 2)) == 8
    assert len(symmetries(gaussian((9, 9)), 2, scale=(2.0, 1.0))) == 4
    wide = gaussian((9, 9)) * np.linspace(1, 1, 9)
    assert len(symmetries(wide[:, 2:-2] / wide[:, 2:-2].sum(), 2)) == 4
    lopsided = gaussian((9, 9))
    lopsided[:, 5:] *= 0.2
    kept = symmetries(lopsided, 2)
    assert [(turn.transpose, turn.flips) for turn in kept] == [
        (False, (False, False)),
        (False, (True, False)),
    ]


def test_a_problem_without_blur_has_no_margins() -> None:
    problem = Problem(
        Identity((16, 16)),
        torch.rand(2, 1, 16, 16),
        noise=NoiseFacts(floor=0.01, slope=0.0, sigma=0.1),
        window=(12, 12),
        held_out=0.1,
        mask_fraction=0.2,
        seed=0,
        device=CPU,
    )
    views = problem.training(4, generator())
    assert views.seen.shape == views.target.shape == (4, 1, 12, 12)
