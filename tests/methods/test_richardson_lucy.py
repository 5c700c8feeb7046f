"""Lucy-Richardson does what its formula says, and behaves as the theory wants it to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import convolve
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Preview, Step
from napari_selfsup_recon.methods import METHODS, RichardsonLucy, RichardsonLucyOptions, SSIOptions
from napari_selfsup_recon.methods.richardson_lucy import method as method_module
from napari_selfsup_recon.methods.richardson_lucy._iteration import Iteration
from napari_selfsup_recon.methods.richardson_lucy._passes import BlurPasses
from napari_selfsup_recon.methods.richardson_lucy._sensitivity import sensitivity
from napari_selfsup_recon.physics import Blur, Identity, Physics, as_physics
from napari_selfsup_recon.physics.blur import Boundary
from napari_selfsup_recon.physics.checks import to_matrix
from napari_selfsup_recon.simulate import lucy_richardson_mirror

BOUNDARIES: tuple[Boundary, ...] = ("extended", "circular", "reflect", "zero")
Array = NDArray[Any]


def skewed(shape: tuple[int, ...]) -> Array:
    """A PSF with a tail to one side of its centre."""
    axes = np.ix_(*(np.arange(n) - n // 2 for n in shape))
    psf = np.exp(-sum(np.where(a > 0, a / 2.0, a / 0.9) ** 2 for a in axes) / 2)
    return psf / psf.sum()


def scene(physics: Physics, seed: int = 0, photons: float = 50.0) -> tuple[Array, Array]:
    """Spots on a weak background, and their noisy measurement."""
    rng = np.random.default_rng(seed)
    truth = np.full(physics.image_shape, 0.1)
    for _ in range(12):
        truth[tuple(rng.integers(n) for n in truth.shape)] += rng.uniform(2, 30)
    clean = physics.A(torch.from_numpy(truth)[None, None])[0, 0].numpy()
    return truth, rng.poisson(photons * clean.clip(0)) / photons


def iterated(work: Iteration, count: int) -> Array:
    for _ in range(count):
        for _ in work.step():
            pass
    return work.estimate.numpy().copy()


def reference(y: Array, psf: Array, count: int, background: float = 0.0) -> Array:
    """The formula in float64 with direct convolutions; extended boundary, Bertero weights."""
    flipped = psf[tuple([slice(None, None, -1)] * psf.ndim)]
    seen = convolve(np.ones(y.shape), flipped, mode="full", method="direct")
    bright = seen >= 0.01 * seen.max()
    x = np.where(bright, y.mean() - background, 0.0)
    for _ in range(count):
        expected = convolve(x, psf, mode="valid", method="direct") + background
        ratio = convolve(y / expected, flipped, mode="full", method="direct")
        x = np.where(bright, x * ratio / np.where(bright, seen, 1.0), 0.0)
    inner = tuple(
        slice(k - 1 - k // 2, k - 1 - k // 2 + n) for k, n in zip(psf.shape, y.shape, strict=True)
    )
    return x[inner]


@pytest.mark.parametrize("background", [0.0, 0.05])
@pytest.mark.parametrize(("shape", "side"), [((40, 37), (9, 12)), ((9, 16, 13), (4, 7, 5))])
def test_equals_the_formula(
    shape: tuple[int, ...], side: tuple[int, ...], background: float
) -> None:
    psf = skewed(side)
    physics = Blur(psf, shape)
    y = (scene(physics)[1] + background).astype(np.float32)
    wanted = reference(y.astype(np.float64), psf, 20, background) + background
    options = RichardsonLucyOptions(iterations=20, background=background, repair=False)
    got = RichardsonLucy(physics, options).reconstruct(y)
    assert got.dtype == np.float32
    assert got.shape == y.shape
    assert np.linalg.norm(got - wanted) < 1e-6 * np.linalg.norm(wanted)
    assert np.abs(got - wanted).max() < 1e-6 * wanted.max()


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("shape", "side"), [((17, 14), (6, 5)), ((6, 9, 8), (5, 2, 9))])
def test_fast_passes_are_exact(
    shape: tuple[int, ...], side: tuple[int, ...], boundary: Boundary, accelerate: bool
) -> None:
    physics = Blur(skewed(side), shape, boundary=boundary)
    y = torch.from_numpy(scene(physics)[1])
    plain = as_physics(Foreign(physics), physics.image_shape, physics.measurement_shape)
    fast = iterated(Iteration(physics, y, accelerate=accelerate), 8)
    slow = iterated(Iteration(plain, y, accelerate=accelerate), 8)
    np.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-12)


class Foreign:
    """A blur in disguise."""

    def __init__(self, blur: Blur) -> None:
        self.A, self.A_adjoint, self.A_dagger = blur.A, blur.A_adjoint, blur.A_dagger


@settings(deadline=None, max_examples=40)
@given(
    side=st.tuples(*[st.integers(1, 6)] * 3),
    shape=st.tuples(*[st.integers(1, 8)] * 3),
    ndim=st.sampled_from((2, 3)),
    boundary=st.sampled_from(BOUNDARIES),
    part_bytes=st.sampled_from((1, 300, 2**20)),
)
def test_passes_are_the_operator(
    side: tuple[int, ...],
    shape: tuple[int, ...],
    ndim: int,
    boundary: Boundary,
    part_bytes: int,
) -> None:
    blur = Blur(np.random.default_rng(0).random(side[:ndim]), shape[:ndim], boundary=boundary)
    passes = BlurPasses(blur, torch.zeros(1, dtype=torch.float64), part_bytes=part_bytes)
    x = torch.rand(blur.image_shape, dtype=torch.float64)
    y = torch.rand(blur.measurement_shape, dtype=torch.float64)
    stored = passes.store(x)
    for part in passes.image_parts:
        passes.put(part, stored[part], image=True)
    list(passes.transform(transposed=False))
    seen = torch.cat([passes.take(part, image=False) for part in passes.measurement_parts])
    torch.testing.assert_close(seen, blur.A(x[None, None])[0, 0])
    for part in passes.measurement_parts:
        passes.put(part, y[part], image=False)
    list(passes.transform(transposed=True))
    back = torch.cat([passes.take(part, image=True) for part in passes.image_parts])
    back = passes.crop(back, blur.image_shape)
    torch.testing.assert_close(back, blur.A_adjoint(y[None, None])[0, 0])


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("shape", "side"), [((5, 7), (4, 3)), ((3, 4), (6, 7)), ((3, 4, 2), (2, 3, 3))]
)
def test_sensitivity_is_the_sum_of_columns(
    shape: tuple[int, ...], side: tuple[int, ...], boundary: Boundary
) -> None:
    blur = Blur(np.random.default_rng(0).random(side), shape, boundary=boundary)
    wanted = to_matrix(blur).sum(0).reshape(blur.image_shape)
    like = torch.zeros(1, dtype=torch.float64)
    torch.testing.assert_close(sensitivity(blur, like), wanted, rtol=1e-12, atol=1e-14)
    assert sensitivity(blur, like.float()).dtype == torch.float32


def test_equals_the_published_variant() -> None:
    # Symmetric, since the published variant mirrors the ratio as well.
    axis = np.arange(9) - 4
    psf = np.exp(-(axis[:, None] ** 2 + axis**2) / 6.0)
    psf /= psf.sum()
    physics = Blur(psf, (60, 51), boundary="reflect")
    y = (scene(physics)[1] / 40).clip(0, 1).astype(np.float32)
    for count in (1, 5, 20):
        got = RichardsonLucy(physics, RichardsonLucyOptions(iterations=count)).reconstruct(y)
        wanted = lucy_richardson_mirror(y, psf, count)
        assert np.linalg.norm(got.clip(-1, 1) - wanted) < 2e-6 * np.linalg.norm(wanted)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_light_is_conserved(boundary: Boundary) -> None:
    physics = Blur(skewed((6, 5)), (30, 31), boundary=boundary)
    y = torch.from_numpy(scene(physics)[1])
    work = Iteration(physics, y)
    for _ in range(5):
        x = iterated(work, 1)
        explained = physics.A(torch.from_numpy(x)[None, None]).sum()
        assert float(explained) == pytest.approx(float(y.sum()), rel=1e-12)


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_no_light_is_negative(boundary: Boundary, accelerate: bool) -> None:
    physics = Blur(skewed((6, 5)), (30, 31), boundary=boundary)
    y = torch.from_numpy(scene(physics, photons=1.0)[1]).float()
    assert (y == 0).any()
    work = Iteration(physics, y, accelerate=accelerate)
    for _ in range(30):
        x = iterated(work, 1)
        assert np.isfinite(x).all()
        assert x.min() >= 0


@pytest.mark.parametrize("background", [0.0, 0.3])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_likelihood_rises(boundary: Boundary, background: float) -> None:
    physics = Blur(skewed((6, 5)), (30, 31), boundary=boundary)
    y = scene(physics)[1] + background
    work = Iteration(physics, torch.from_numpy(y), background=background)
    before, reported = np.inf, []
    for _ in range(30):
        x = iterated(work, 1)
        reported.append(work.divergence)
        expected = physics.A(torch.from_numpy(x)[None, None])[0, 0].numpy() + background
        logs = np.log(np.where(y > 0, y, 1.0) / expected)
        divergence = float((y * logs - y + expected).mean())
        assert divergence < before
        before = divergence
    iterated(work, 1)
    # What is reported belongs to the image before the step.
    assert work.divergence == pytest.approx(before, rel=1e-9)
    assert reported == sorted(reported, reverse=True)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_momentum_saves_iterations(boundary: Boundary) -> None:
    physics = Blur(skewed((9, 8)), (40, 41), boundary=boundary)
    y = torch.from_numpy(scene(physics)[1])
    plain, fast = Iteration(physics, y), Iteration(physics, y, accelerate=True)
    iterated(plain, 60)
    iterated(fast, 21)
    assert fast.divergence < plain.divergence
    # Even after many iterations the fit gets no worse for long: momentum starts again.
    best, since = np.inf, 0
    for _ in range(150):
        iterated(fast, 1)
        since = 0 if fast.divergence <= best else since + 1
        best = min(best, fast.divergence)
        assert since <= 3


def misfit(y: Array, expected: Array) -> float:
    """The generalised Kullback-Leibler divergence per voxel."""
    logs = np.log(np.where(y > 0, y, 1.0) / expected)
    return float((y * logs - y + expected).mean())


@pytest.mark.parametrize("photons", [3.0, 1000.0])
@pytest.mark.parametrize(
    ("shape", "side"), [((64, 60), (9, 8)), ((80, 81), (21, 21)), ((12, 32, 30), (5, 9, 8))]
)
def test_fifteen_fast_iterations_fit_like_fifty(
    shape: tuple[int, ...], side: tuple[int, ...], photons: float
) -> None:
    width = tuple(n / 6 for n in side)
    axes = np.ix_(*((np.arange(n) - n // 2) / w for n, w in zip(side, width, strict=True)))
    psf = np.exp(-sum(a**2 for a in axes) / 2)
    physics = Blur(psf / psf.sum(), shape)
    y = scene(physics, photons=photons)[1]
    fits = {}
    for accelerate, count in ((False, 50), (True, 15)):
        work = Iteration(physics, torch.from_numpy(y), accelerate=accelerate)
        iterated(work, count)
        expected = physics.A(work.estimate[None, None])[0, 0].numpy()
        fits[accelerate] = misfit(y, expected.clip(1e-9))
    assert fits[True] <= fits[False]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_ten_and_ten_are_twenty(boundary: Boundary) -> None:
    physics = Blur(skewed((6, 5)), (30, 31), boundary=boundary)
    y = torch.from_numpy(scene(physics)[1]).float()
    whole = iterated(Iteration(physics, y), 20)
    half = iterated(Iteration(physics, y), 10)
    again = iterated(Iteration(physics, y, start=torch.from_numpy(half)), 10)
    np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize("factor", [1e-4, 0.5, 4096.0])
@pytest.mark.parametrize("accelerate", [False, True])
def test_scale_of_the_data_does_not_matter(factor: float, accelerate: bool) -> None:
    physics = Blur(skewed((6, 5)), (30, 31))
    y = scene(physics)[1]

    def run(scale: float) -> Array:
        options = RichardsonLucyOptions(
            iterations=12, acceleration=accelerate, background=0.02 * scale
        )
        return RichardsonLucy(physics, options).reconstruct(y * scale)

    np.testing.assert_allclose(run(factor) / factor, run(1.0), rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("shape", "side"), [((31, 30), (9, 9)), ((32, 31), (8, 10)), ((9, 16, 17), (4, 7, 6))]
)
def test_a_point_comes_back_in_its_place(
    shape: tuple[int, ...], side: tuple[int, ...], boundary: Boundary
) -> None:
    psf = skewed(side)
    physics = Blur(psf, shape, boundary=boundary)
    place = tuple(n // 2 - 1 for n in shape)
    image = np.zeros(physics.image_shape)
    image[tuple(p + before for p, (before, _) in zip(place, physics.margins, strict=True))] = 100.0
    y = physics.A(torch.from_numpy(image)[None, None])[0, 0].numpy().clip(0)
    options = RichardsonLucyOptions(iterations=60, acceleration=True)
    x = RichardsonLucy(physics, options).reconstruct(y)
    assert np.unravel_index(x.argmax(), shape) == place
    centre = [
        float((x.sum(tuple(set(range(x.ndim)) - {a})) * np.arange(shape[a])).sum() / x.sum())
        for a in range(x.ndim)
    ]
    np.testing.assert_allclose(centre, place, atol=0.02)
    assert x[place] > 50


def test_what_lies_beyond_the_edge_does_not_pile_up() -> None:
    physics = Blur(skewed((11, 11)), (40, 40))
    truth = np.full(physics.image_shape, 1.0)
    truth[:, :9] = 20.0  # a bright body that the edge cuts
    y = physics.A(torch.from_numpy(truth)[None, None])[0, 0].numpy()
    inside = physics.field_of_view(torch.from_numpy(truth)).numpy()
    options = RichardsonLucyOptions(iterations=50)
    error = {}
    for boundary in BOUNDARIES:
        x = RichardsonLucy(Blur(physics.psf, (40, 40), boundary=boundary), options).reconstruct(y)
        edge = np.abs(x - inside) / inside
        error[boundary] = float(np.concatenate([edge[:, -4:], edge[:4].T, edge[-4:].T]).mean())
    assert error["extended"] < 0.15
    assert error["extended"] < min(error["zero"], error["circular"])


def test_identity_returns_the_measurement() -> None:
    y = np.random.default_rng(0).random((8, 9)).astype(np.float32) - 0.2
    options = RichardsonLucyOptions(iterations=3)
    x = RichardsonLucy(Identity((8, 9)), options).reconstruct(y)
    np.testing.assert_allclose(x, y.clip(0), rtol=1e-6, atol=1e-7)


def test_negative_values_count_as_zero() -> None:
    physics = Blur(skewed((5, 4)), (20, 21))
    y = scene(physics)[1].astype(np.float32) - 0.2
    kept = y.copy()
    lr = RichardsonLucy(physics)
    np.testing.assert_array_equal(lr.reconstruct(y), lr.reconstruct(y.clip(0)))
    np.testing.assert_array_equal(y, kept)


def test_an_image_without_light_stays_dark() -> None:
    physics = Blur(skewed((5, 4)), (20, 21))
    for accelerate in (False, True):
        lr = RichardsonLucy(physics, RichardsonLucyOptions(acceleration=accelerate))
        np.testing.assert_array_equal(lr.reconstruct(np.zeros((20, 21))), np.zeros((20, 21)))


def test_background_is_modelled_and_stays_where_it_was() -> None:
    physics = Blur(skewed((5, 4)), (24, 25))
    _, y = scene(physics)
    hazy = y + 1.0
    modelled = RichardsonLucyOptions(iterations=50, acceleration=True, background=1.0)
    x = RichardsonLucy(physics, modelled).reconstruct(hazy)
    assert x.mean() == pytest.approx(y.mean() + 1.0, rel=0.05)
    assert x.min() >= 1.0
    ignored = RichardsonLucyOptions(iterations=50, acceleration=True)
    haze = RichardsonLucy(physics, ignored).reconstruct(hazy)
    assert haze.mean() == pytest.approx(y.mean() + 1.0, rel=0.05)
    # Under haze dark places stay dark only where it is modelled.
    assert np.median(x) < 1.2
    assert haze.min() < 0.9  # without the model nothing holds the dark parts at the background


def events(y: Any, physics: Physics, **options: Any) -> list[Event]:
    return list(RichardsonLucy(physics, RichardsonLucyOptions(**options)).run(y))


def test_events_tell_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method_module, "_EVENT_EVERY", 100.0)
    physics = Blur(skewed((5, 4)), (20, 21))
    y = scene(physics)[1]
    told = events(y, physics, iterations=7)
    steps = [event for event in told if isinstance(event, Step)]
    assert [step.index for step in steps] == list(range(1, 8))
    assert all(step.total == 7 and step.finished for step in steps)
    misfits = [step.details["divergence"] for step in steps]
    assert misfits == sorted(misfits, reverse=True)
    assert steps[-1].seconds_left == 0
    previews = [event for event in told if isinstance(event, Preview)]
    assert [preview.step for preview in previews] == [1]
    assert previews[0].image.dtype == np.float32
    assert previews[0].image.shape == y.shape
    done = told[-1]
    assert isinstance(done, Done)
    assert (done.step, done.reason) == (7, "finished")
    assert done.result.dtype == np.float32
    assert done.result.flags.c_contiguous
    lr = RichardsonLucy(physics, RichardsonLucyOptions(iterations=7))
    np.testing.assert_array_equal(done.result, lr.reconstruct(y))


def test_slow_iterations_give_others_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method_module, "_EVENT_EVERY", 0.0)
    monkeypatch.setattr(method_module, "_PREVIEW_EVERY", 0.0)
    physics = Blur(skewed((5, 4)), (20, 21))
    told = events(scene(physics)[1], physics, iterations=3)
    between = [event for event in told if isinstance(event, Step) and not event.finished]
    assert {step.index for step in between} == {0, 1, 2}
    assert len(between) >= 12
    previews = [event.image for event in told if isinstance(event, Preview)]
    assert len(previews) == 2
    assert not np.array_equal(previews[0], previews[1])  # a preview is a copy


def test_a_run_can_be_left_at_any_event() -> None:
    physics = Blur(skewed((5, 4)), (20, 21))
    run = RichardsonLucy(physics, RichardsonLucyOptions(iterations=1000)).run(scene(physics)[1])
    assert isinstance(next(run), Step)
    run.close()  # type: ignore[attr-defined]
    assert list(run) == []


def test_takes_and_returns_what_is_given() -> None:
    da = pytest.importorskip("dask.array")
    physics = Blur(skewed((3, 5, 4)), (6, 20, 21))
    first, second = (scene(physics, seed)[1].astype(np.float32) for seed in (1, 2))
    lr = RichardsonLucy(physics, RichardsonLucyOptions(iterations=3))
    wanted = np.stack([lr.reconstruct(first), lr.reconstruct(second)])
    both = np.stack([first, second])
    np.testing.assert_array_equal(lr.reconstruct(both), wanted)
    from_tensor = lr.reconstruct(torch.from_numpy(both)[:, None])
    assert isinstance(from_tensor, Tensor)
    np.testing.assert_array_equal(from_tensor.numpy()[:, 0], wanted)
    for dtype in (torch.float64, torch.int32):
        counts_as_tensor = torch.from_numpy(first * 100).to(dtype)
        assert lr.reconstruct(counts_as_tensor).dtype == torch.float32
    lazy = lr.reconstruct(da.from_array(both, chunks=(1, 3, 10, 10)))
    np.testing.assert_array_equal(lazy.compute(), wanted)
    out = np.zeros(both.shape, np.float32)
    lr.reconstruct(both, out=out)
    np.testing.assert_array_equal(out, wanted)
    counts = (first * 100).astype(np.uint16)
    np.testing.assert_array_equal(lr.reconstruct(counts), lr.reconstruct(counts.astype(np.float64)))
    (done,) = (event for event in lr.run(first[None, None]) if isinstance(event, Done))
    np.testing.assert_array_equal(done.result, wanted[0])


def test_refuses_bad_input() -> None:
    physics = Blur(skewed((5, 4)), (20, 21))
    good = np.ones((20, 21), np.float32)
    for value in (np.nan, np.inf):
        bad = good.copy()
        bad[3, 4] = value
        for call in (
            RichardsonLucy(physics).reconstruct,
            lambda y: list(RichardsonLucy(physics).run(y)),
        ):
            with pytest.raises(InputError, match="NaN or infinite"):
                call(bad)
    with pytest.raises(InputError, match=r"shape \(21, 20\), the physics is for \(20, 21\)"):
        RichardsonLucy(physics).reconstruct(good.T)
    with pytest.raises(InputError, match="2 spatial axes"):
        RichardsonLucy(physics).reconstruct(good[0])
    with pytest.raises(InputError, match="2 were given"):
        list(RichardsonLucy(physics).run(np.stack([good, good])))
    with pytest.raises(InputError, match="background 2 is above every voxel"):
        RichardsonLucy(physics, RichardsonLucyOptions(background=2.0)).reconstruct(good)
    with pytest.raises(InputError, match="cannot be used here"):
        RichardsonLucy(physics, RichardsonLucyOptions(device="cuda:77")).reconstruct(good)
    with pytest.raises(InputError, match="takes RichardsonLucyOptions"):
        RichardsonLucy(physics, SSIOptions())  # type: ignore[arg-type]
    negative = skewed((5, 4)).copy()
    negative[0, 0] = -0.01
    with pytest.raises(InputError, match="negative values"):
        RichardsonLucy(Blur(negative, (20, 21)))


def test_options_are_ranged() -> None:
    for bad in ({"iterations": 0}, {"background": -1.0}, {"background": np.inf}, {"speed": 3}):
        with pytest.raises(ValueError, match="validation error"):
            RichardsonLucyOptions(**bad)


def test_the_registry_knows_it() -> None:
    entry = METHODS["richardson-lucy"]
    assert entry.load_method() is RichardsonLucy
    assert entry.load_options() is RichardsonLucyOptions
    assert RichardsonLucy.key == entry.key


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_gpu_agrees_with_the_cpu(boundary: Boundary) -> None:
    physics = Blur(skewed((4, 7, 5)), (13, 21, 18), boundary=boundary)
    y = scene(physics)[1]
    one, other = (
        RichardsonLucy(physics, RichardsonLucyOptions(iterations=10, device=device)).reconstruct(y)
        for device in ("cpu", "cuda")
    )
    assert np.linalg.norm(one - other) < 1e-5 * np.linalg.norm(one)
