"""What the learning of volumes starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_selfsup_recon import SSI, Blur, PoissonGaussian, SSIOptions, load, psf
from napari_selfsup_recon.core.events import Preview, Step
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.methods.ssi._problem import Problem
from napari_selfsup_recon.methods.ssi._start import FOLDS, Start, Starter
from napari_selfsup_recon.methods.total_variation._data import Data
from napari_selfsup_recon.methods.total_variation._measured import Measured
from napari_selfsup_recon.methods.total_variation._solver import Solver
from napari_selfsup_recon.methods.total_variation._splitting import (
    Splitting,
    _differences,
    _transposed_differences,
)
from napari_selfsup_recon.physics.neighbours import surroundings
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate
from napari_selfsup_recon.physics.norm import operator_norm
from napari_selfsup_recon.simulate.scenes import nuclei_3d
from napari_selfsup_recon.training.noise_facts import NoiseFacts

SHAPE = (12, 24, 24)
NOISE = NoiseEstimate(gain=0.01, offset=0.0, sigma=0.02)


@pytest.fixture(scope="module")
def blur() -> Blur:
    return Blur(psf.gaussian((4.0, 3.0, 3.0)), SHAPE)


@pytest.fixture(scope="module")
def y(blur: Blur) -> torch.Tensor:
    truth = torch.from_numpy(nuclei_3d(blur.image_shape))[None, None]
    noise = PoissonGaussian(gain=0.01, sigma=0.02)
    return noise.sample(blur.A(truth), torch.Generator().manual_seed(0))


def starter(
    blur: Blur, weight: float | None = 0.1, *, offset: float = 0.0, settled: bool = False
) -> Starter:
    return Starter(
        blur,
        replace(NOISE, offset=offset),
        gain=1.0,
        limits=(0.0, None),
        voxel_size=(1.0, 1.0, 1.0),
        settled=settled,
        weight=weight,
        device="cpu",
    )


def test_no_start_knows_what_is_hidden_from_it(blur: Blur, y: torch.Tensor) -> None:
    wrong = torch.zeros(y.shape, dtype=torch.bool)
    never = torch.rand(y.shape, generator=torch.Generator().manual_seed(1)) < 0.05
    starts = exhaust(starter(blur).folds(y, wrong, never, 0))
    assert len(starts) == FOLDS + 1
    assert all(bool((start.hidden & never).eq(never).all()) for start in starts)
    asked = [start.hidden & ~never for start in starts[:-1]]
    assert not bool((asked[0] & asked[1]).any())
    assert all(0.15 < float(part.float().mean()) < 0.25 for part in asked)
    for number in (0, FOLDS):
        changed = torch.where(starts[number].hidden, y + 7.0, y)
        again = exhaust(starter(blur).folds(changed, wrong, never, 0))[number]
        assert torch.equal(again.image, starts[number].image)
        assert torch.equal(again.expected, starts[number].expected)


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_the_darkest_level_is_the_smallest_value_where_that_predicts_better(
    blur: Blur, y: torch.Tensor, gain: float
) -> None:
    haze = 0.25
    wrong = torch.zeros(y.shape, dtype=torch.bool)
    made = Starter(
        Blur(gain * blur.psf, SHAPE),
        replace(NOISE, offset=haze),
        gain=gain,
        limits=(0.0, None),
        voxel_size=(1.0, 1.0, 1.0),
        settled=False,
        device="cpu",
    )
    starts = exhaust(made.folds(y + haze, wrong, wrong, 0))
    assert made.low == pytest.approx(haze, abs=0.05)
    assert float(starts[-1].image.min()) >= 0.99 * made.low


def test_the_smallest_value_stays_where_something_is_darker_than_the_darkest_level(
    blur: Blur, y: torch.Tensor
) -> None:
    wrong = torch.zeros(y.shape, dtype=torch.bool)
    too_high = starter(blur, None, offset=0.25)
    exhaust(too_high.folds(y, wrong, wrong, 0))
    assert 0.0 <= too_high.low < 0.05
    told = starter(blur, None, offset=0.25, settled=True)
    exhaust(told.folds(y + 0.25, wrong, wrong, 0))
    assert told.low == 0.0


def test_a_start_predicts_what_its_image_explains(blur: Blur, y: torch.Tensor) -> None:
    image, expected = exhaust(starter(blur).solve(y, torch.zeros(y.shape, dtype=torch.bool)))
    assert image.shape == expected.shape == y.shape
    assert float(image.min()) >= 0
    residual = (expected - y) / NOISE.deviation(expected)
    assert 0.7 < float(residual.std()) < 1.1


def test_volumes_in_parts_agree_with_the_whole(
    blur: Blur, y: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = torch.zeros(y.shape, dtype=torch.bool)
    whole = exhaust(starter(blur).whole(y, wrong))
    module = "napari_selfsup_recon.methods.ssi._start"
    monkeypatch.setattr(f"{module}.MOST_VOXELS", y.numel() // 2)
    monkeypatch.setattr(f"{module}._HALO", 8)
    parts = exhaust(starter(blur).whole(y, wrong))
    assert not torch.equal(parts, whole)
    assert float((parts - whole).abs().max()) < 0.05 * float(whole.max())


def test_windows_predict_like_the_whole(blur: Blur, y: torch.Tensor) -> None:
    """A change within the window changes the prediction as it does in the whole volume."""
    problem = Problem(
        blur,
        y,
        noise=NoiseFacts(4e-4, 0.01, 0.02),
        window=(8, 12, 12),
        held_out=0.02,
        mask_fraction=0.1,
        seed=0,
        device=torch.device("cpu"),
    )
    full = torch.rand(1, 1, *blur.image_shape, generator=torch.Generator().manual_seed(2))
    start = Start(problem.never, blur.field_of_view(full), blur.A(full))
    problem.start_from([start, start], blur, (8, 12, 12))
    crop = problem.canvas.at(0, (2, 5, 7))
    views = problem.held_out([crop])
    assert views.start is not None and views.expected is not None
    image = views.start + torch.rand(views.start.shape, generator=torch.Generator().manual_seed(3))
    changed = full.clone()
    where = [
        slice(block.start + before, block.stop + before)
        for block, (before, _) in zip(crop.block, blur.margins, strict=True)
    ]
    changed[(..., *where)] = image
    predicted = views.expected + views.physics.A(image - views.start)
    assert torch.allclose(predicted, blur.A(changed)[(..., *crop.target)], atol=1e-5)


def test_the_start_is_a_candidate(blur: Blur, y: torch.Tensor, tmp_path: Path) -> None:
    volume = y[0, 0].numpy()
    options = SSIOptions(steps=2, learning_rate=1e-12, volume_crop=16, volume_depth=8, batch=1)
    ssi = SSI(blur, options)
    ssi.fit(volume, progress=False)
    assert ssi.best_step in (0, 2)
    result = ssi.reconstruct(volume)
    (image,) = ssi._kept.values()
    low, high = ssi._facts["scaling"]["low"], ssi._facts["scaling"]["high"]
    expected = image[0, 0].numpy() * (high - low) + low
    assert np.allclose(result, expected, atol=1e-3 * float(np.ptp(expected)))
    again = load(ssi.save(tmp_path / "volume.nsr"))
    assert np.allclose(again.reconstruct(volume), result, atol=1e-5 * float(np.ptp(result)))


def test_what_learning_starts_from_is_shown_in_grey_values(blur: Blur, y: torch.Tensor) -> None:
    volume = 100 + 50 * y[0, 0].numpy()
    options = SSIOptions(steps=1, volume_crop=16, volume_depth=8, batch=1, background=100.0)
    ssi = SSI(blur, options)
    told = list(ssi.train(volume))
    (shown,) = (event for event in told if isinstance(event, Preview))
    assert shown.step == 0
    assert all(event.index == 0 for event in told[: told.index(shown)] if is_trained(event))
    assert shown.image.shape == volume.shape
    assert shown.image.min() >= 99.9
    assert np.corrcoef(shown.image.ravel(), volume.ravel())[0, 1] > 0.8
    assert np.isclose(shown.image.mean(), volume.mean(), rtol=0.05)


def is_trained(event: object) -> bool:
    return isinstance(event, Step) and event.finished


def test_held_out_predictions_do_not_know_the_held_out(blur: Blur, y: torch.Tensor) -> None:
    volume = y[0, 0].numpy()
    options = SSIOptions(steps=2, volume_crop=16, volume_depth=8, batch=1, held_out=0.1)
    ssi = SSI(blur, options)
    ssi.fit(volume, progress=False)
    mask, predicted = ssi.held_out(volume)
    assert 0.03 < mask.mean() < 0.07
    assert predicted.shape == volume.shape
    spoiled = np.where(mask, volume + 0.1 * np.ptp(volume), volume).astype(np.float32)
    assert np.array_equal(ssi.held_out(spoiled)[1][mask], predicted[mask])
    constant = np.mean((volume[mask] - np.median(volume)) ** 2)
    assert np.mean((volume[mask] - predicted[mask]) ** 2) < constant


def test_images_are_learned_from_nothing() -> None:
    image = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    ssi = SSI(Blur(psf.gaussian((3.0, 3.0)), image.shape), SSIOptions(steps=1, crop=16, batch=1))
    ssi.fit(image, progress=False)
    assert ssi._facts["start"] is None
    mask, predicted = ssi.held_out(image)
    assert mask.shape == predicted.shape == image.shape


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("axis", [0, 1])
def test_differences_and_their_transpose(order: int, axis: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, v = torch.randn(2, 7, 9, generator=generator, dtype=torch.float64)
    left = (_differences(x, axis, order) * v).sum()
    right = (x * _transposed_differences(v, axis, order)).sum()
    assert float((left - right).abs()) < 1e-12 * float(x.norm() * v.norm())


def test_both_iterations_reach_the_same_image(blur: Blur, y: torch.Tensor) -> None:
    def solved(kind: type[Solver] | type[Splitting], iterations: int) -> torch.Tensor:
        level = surroundings(y)[0, 0]
        measured = Measured(y[0, 0], level, torch.zeros(SHAPE, dtype=torch.bool), NOISE)
        data = Data(measured, background=0.0, robust=True)
        norm = operator_norm(blur, data.y)
        work = kind(blur, data, norm=norm, weight=0.2, limits=(0.0, None), scales=[1.0, 1.0, 1.0])
        for _ in range(iterations):
            exhaust_step(work)
        return blur.field_of_view(work.estimate[None, None])

    split, primal = solved(Splitting, 400), solved(Solver, 3000)
    # The torus joins opposite ends of the margin, so not to rounding.
    assert float((split - primal).norm() / primal.norm()) < 0.02


def exhaust_step(work: Solver | Splitting) -> None:
    for _ in work.step(watch=True):
        pass
