"""Lucy-Richardson stops by itself where it is best, though it does not know the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data

from napari_selfsup_recon.core.events import Done, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.methods import RichardsonLucy, RichardsonLucyOptions
from napari_selfsup_recon.methods.richardson_lucy import _twin
from napari_selfsup_recon.methods.richardson_lucy._iteration import Iteration
from napari_selfsup_recon.metrics import psnr
from napari_selfsup_recon.physics import Blur, Gaussian, Identity, PoissonGaussian
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate
from napari_selfsup_recon.physics.outliers import repair_outliers
from napari_selfsup_recon.simulate import degrade, published_psf_2d
from napari_selfsup_recon.simulate.scenes import cells_2d, nuclei_3d

Array = NDArray[Any]


def gaussian(shape: tuple[int, ...], width: float) -> Array:
    axes = np.ix_(*(np.arange(n) - n // 2 for n in shape))
    psf = np.exp(-sum((a / width) ** 2 for a in axes) / 2)
    return psf / psf.sum()


def recorded(
    shape: tuple[int, ...], psf: Array, photons: float, seed: int = 0
) -> tuple[Blur, Array, Array]:
    """Physics, truth and what a camera of gain 1 and read noise 2 makes of it; offset removed."""
    blur = Blur(psf, shape)
    wide = blur.image_shape
    scene: Array = cells_2d(wide, seed) if len(wide) == 2 else nuclei_3d(wide, seed)  # type: ignore[arg-type]
    light = torch.from_numpy(photons * scene / scene.max())[None, None]
    noise = PoissonGaussian(gain=1.0, sigma=2.0)
    y = noise.sample(blur.A(light), torch.Generator().manual_seed(seed))
    return blur, blur.field_of_view(light)[0, 0].numpy(), y[0, 0].numpy()


def loss(blur: Blur, truth: Array, y: Array, chosen: int, most: int, *, accelerate: bool) -> float:
    """Decibels below the best iteration by truth."""
    work = Iteration(blur, torch.from_numpy(y).float(), accelerate=accelerate)
    reached = []
    for _ in range(most):
        for _ in work.step():
            pass
        image = blur.field_of_view(work.estimate[None, None])[0, 0].numpy()
        reached.append(psnr(truth, image, data_range=float(truth.max())))
    return max(reached) - reached[chosen - 1]


CASES = (
    ((160, 150), gaussian((11, 11), 1.5), 20.0),
    ((160, 150), gaussian((13, 13), 2.0), 200.0),
    ((110, 120), gaussian((17, 17), 3.0), 500.0),
    ((12, 48, 48), gaussian((7, 9, 9), 1.4), 100.0),
)


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize(("shape", "psf", "photons"), CASES)
def test_little_is_lost_without_the_truth(
    shape: tuple[int, ...], psf: Array, photons: float, accelerate: bool
) -> None:
    blur, truth, y = recorded(shape, psf, photons)
    options = RichardsonLucyOptions(acceleration=accelerate, max_iterations=80)
    lr = RichardsonLucy(blur, options)
    image = lr.reconstruct(y)
    assert lr.iterations is not None
    assert lr.accelerated == (accelerate and photons > 20)
    plain = RichardsonLucyOptions(iterations=lr.iterations, acceleration=lr.accelerated)
    np.testing.assert_array_equal(image, RichardsonLucy(blur, plain).reconstruct(y))
    assert loss(blur, truth, y, lr.iterations, 80, accelerate=lr.accelerated) < 0.3


@pytest.mark.parametrize("repair", [False, True])
@pytest.mark.parametrize("name", ["camera", "coins"])
def test_little_is_lost_with_clipping_and_impulses(name: str, repair: bool) -> None:
    psf = published_psf_2d()
    pair = degrade(getattr(data, name)()[:240, :240], psf, seed=0)
    blur = Blur(psf, pair.noisy.shape)
    lr = RichardsonLucy(blur, RichardsonLucyOptions(repair=repair))
    image = lr.reconstruct(pair.noisy)
    y = repair_outliers(pair.noisy, psf).values if repair else pair.noisy
    assert lr.iterations is not None
    assert loss(blur, pair.truth, y, lr.iterations, 20, accelerate=False) < 0.3
    if repair:
        kept = RichardsonLucyOptions(iterations=lr.iterations, repair=False)
        worse = RichardsonLucy(blur, kept).reconstruct(pair.noisy)
        assert psnr(pair.truth, image.clip(0, 1)) > psnr(pair.truth, worse.clip(0, 1))


def test_events_tell_of_repair_and_choice() -> None:
    blur, _, y = recorded((120, 110), gaussian((11, 11), 1.5), 100.0)
    y[30, 40] = 900.0
    told = list(RichardsonLucy(blur).run(y))
    stages = [event for event in told if isinstance(event, Stage)]
    assert [stage.name for stage in stages] == ["Choosing the iterations", "Lucy-Richardson"]
    notices = [event.message for event in told if isinstance(event, Notice)]
    assert notices[0] == "1 of 13,200 pixels was repaired (hot, dead or hit)."
    (done,) = (event for event in told if isinstance(event, Done))
    assert (
        notices[1] == f"{done.step} iterations, the best for a simulated twin of the measurement."
    )
    assert stages[1].total == done.step
    split = told.index(stages[1])
    tries = [event for event in told[:split] if isinstance(event, Step) and event.finished]
    assert [event.index for event in tries] == list(range(1, len(tries) + 1))
    assert all(event.index <= event.total for event in tries)
    assert {"object", "best"} == set(tries[0].details)
    steps = [event for event in told[split:] if isinstance(event, Step) and event.finished]
    # A few iterations are shown before their number is chosen; the others follow on them.
    first = next(event for event in told if isinstance(event, Preview))
    assert told.index(first) < told.index(stages[0])
    assert first.image.shape == y.shape
    assert [event.index for event in steps] == list(range(first.step + 1, done.step + 1))
    given = RichardsonLucyOptions(iterations=done.step)
    np.testing.assert_array_equal(done.result, RichardsonLucy(blur, given).reconstruct(y))


def test_few_iterations_are_not_accelerated() -> None:
    blur, _, y = recorded((90, 80), gaussian((9, 9), 1.5), 10.0)
    fast = RichardsonLucy(blur, RichardsonLucyOptions(acceleration=True))
    plain = RichardsonLucy(blur)
    np.testing.assert_array_equal(fast.reconstruct(y), plain.reconstruct(y))
    assert fast.iterations == plain.iterations
    told = [event.message for event in fast.run(y) if isinstance(event, Notice)]
    assert told == [
        f"{plain.iterations} iterations, the best for a simulated twin of the measurement; so few "
        "are not accelerated."
    ]


def test_the_choice_is_the_same_every_time_and_no_global_generator_moves() -> None:
    blur, _, y = recorded((90, 80), gaussian((9, 9), 1.5), 50.0)
    before = torch.get_rng_state()
    images = [RichardsonLucy(blur).reconstruct(y) for _ in range(2)]
    np.testing.assert_array_equal(images[0], images[1])
    assert torch.equal(before, torch.get_rng_state())


def test_more_light_asks_for_more_iterations() -> None:
    chosen = []
    for photons in (10.0, 100.0, 1000.0):
        blur, _, y = recorded((120, 120), gaussian((13, 13), 2.0), photons)
        lr = RichardsonLucy(blur)
        lr.reconstruct(y)
        chosen.append(lr.iterations)
    assert chosen == sorted(set(chosen))


def test_what_is_known_of_the_noise_counts() -> None:
    blur, _, y = recorded((120, 120), gaussian((13, 13), 2.0), 300.0)
    chosen = []
    for sigma in (2.0, 40.0):
        lr = RichardsonLucy(blur, noise=PoissonGaussian(gain=1.0, sigma=sigma))
        lr.reconstruct(y)
        chosen.append(lr.iterations)
    assert chosen[1] < chosen[0]
    quiet = RichardsonLucy(blur, RichardsonLucyOptions(max_iterations=12), noise=Gaussian(0.0))
    told = [event.message for event in quiet.run(y) if isinstance(event, Notice)]
    assert told == ["10 iterations: there is no noise that asks for an end."]


def test_it_goes_no_further_than_allowed() -> None:
    blur, _, y = recorded((100, 100), gaussian((17, 17), 3.0), 1e5)
    lr = RichardsonLucy(blur, RichardsonLucyOptions(max_iterations=5))
    told = [event.message for event in lr.run(y) if isinstance(event, Notice)]
    assert told == ["5 iterations, the most that are allowed; its twin wanted more."]
    assert lr.iterations == 5


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_image_is_no_problem(value: float) -> None:
    blur = Blur(gaussian((9, 9), 1.5), (40, 40))
    image = RichardsonLucy(blur).reconstruct(np.full((40, 40), value))
    np.testing.assert_allclose(image, value, rtol=0.02)


def test_without_blur_one_iteration_is_all() -> None:
    y = np.random.default_rng(0).poisson(20 * cells_2d((64, 64), 0)).astype(np.float32)
    np.testing.assert_allclose(RichardsonLucy(Identity((64, 64))).reconstruct(y), y, atol=1e-4)


def test_tiles_stand_in_for_what_is_large() -> None:
    blur, truth, y = recorded((620, 610), gaussian((7, 7), 1.5), 60.0)
    noise = NoiseEstimate(1.0, 0.0, 2.0)
    twins = _twin.Twins(
        blur, torch.from_numpy(y).float(), noise, background=0.0, accelerate=False, most=20
    )
    assert len(twins._tiles) == 4
    choice = exhaust(twins.choose())
    assert not choice.limited
    assert loss(blur, truth, y, choice.iterations, 12, accelerate=False) < 0.3
