"""SSI end to end on small images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_selfsup_recon import SSI, Blur, Identity, SSIOptions
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Checkpoint, Done, Step

QUICK = {"steps": 60, "crop": 48, "batch": 2, "width": 8, "learning_rate": 4e-3}


def scene(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Smooth bright blobs on black."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    x = np.zeros(shape)
    for _ in range(12):
        centre = [rng.uniform(0, n) for n in shape]
        squares = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
        x += rng.uniform(0.3, 1) * np.exp(-squares / (2 * rng.uniform(2, 5) ** 2))
    return x.astype(np.float32)


def psf(ndim: int) -> np.ndarray:
    grid = np.meshgrid(*[np.arange(5) - 2] * ndim, indexing="ij")
    kernel = np.exp(-sum(g.astype(float) ** 2 for g in grid) / 2)
    return kernel / kernel.sum()


def blurred(shape: tuple[int, ...], sigma: float = 0.08) -> tuple[np.ndarray, np.ndarray, Blur]:
    blur = Blur(psf(len(shape)), shape)
    truth = scene(blur.image_shape)
    clean = blur.A(torch.from_numpy(truth)[None, None])[0, 0].numpy()
    noisy = clean + sigma * np.random.default_rng(1).standard_normal(clean.shape)
    visible = blur.field_of_view(torch.from_numpy(truth)[None, None])[0, 0].numpy()
    return visible, (100 + 50 * noisy).astype(np.float32), blur


def error(a: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(((a - 100) / 50 - truth) ** 2))


@pytest.mark.parametrize("shape", [(64, 72), (12, 40, 40)])
def test_it_sharpens_and_quietens(shape: tuple[int, ...]) -> None:
    truth, y, blur = blurred(shape)
    kept = y.copy()
    ssi = SSI(blur, SSIOptions(**QUICK, volume_depth=12)).fit(y, progress=False)
    x = ssi.reconstruct(y)
    assert x.shape == shape
    assert x.dtype == np.float32
    assert error(x, truth) < 0.25 * error(y, truth)
    assert ssi.scores["chosen"] < 0.7 * ssi.scores["constant"]
    assert ssi.scores["reported"] == pytest.approx(ssi.scores["chosen"], rel=0.35)
    assert np.array_equal(y, kept)


def test_with_identity_it_denoises_several_images_at_once() -> None:
    truth = np.stack([scene((48, 48), seed) for seed in range(3)])
    rng = np.random.default_rng(0)
    y = (100 + 50 * (truth + 0.15 * rng.standard_normal(truth.shape))).astype(np.float32)
    ssi = SSI(Identity((48, 48)), SSIOptions(**QUICK)).fit(y, progress=False)
    x = ssi.reconstruct(y)
    assert x.shape == y.shape
    assert error(x, truth) < 0.3 * error(y, truth)


def test_the_same_seed_gives_the_same_array_and_another_does_not() -> None:
    _, y, blur = blurred((40, 40))
    options = SSIOptions(**{**QUICK, "steps": 8})
    first, second = (SSI(blur, options).fit(y, progress=False).reconstruct(y) for _ in range(2))
    assert np.array_equal(first, second)
    other = options.model_copy(update={"seed": 1})
    assert not np.array_equal(first, SSI(blur, other).fit(y, progress=False).reconstruct(y))


def test_resuming_from_a_checkpoint_is_bit_exact() -> None:
    _, y, blur = blurred((40, 40))
    options = SSIOptions(**{**QUICK, "steps": 130})
    through = SSI(blur, options)
    state: Any = None
    for event in through.train(y):
        if isinstance(event, Checkpoint):
            state = event.state
            assert event.step == 100
    resumed = SSI(blur, options)
    steps = [e.index for e in resumed.train(y, state=state) if isinstance(e, Step) and e.finished]
    assert steps == list(range(101, 131))
    assert np.array_equal(resumed.reconstruct(y), through.reconstruct(y))
    assert resumed.scores == through.scores


def test_stopping_early_leaves_a_usable_method() -> None:
    _, y, blur = blurred((40, 40))
    ssi = SSI(blur, SSIOptions(**QUICK))
    run = ssi.train(y)
    for event in run:
        if isinstance(event, Step) and event.score is not None:
            break
    preview = ssi.reconstruct(y[:20, :24])
    assert preview.shape == (20, 24)
    assert np.isfinite(preview).all()
    run.close()
    assert np.isfinite(ssi.reconstruct(y)).all()


def test_units_do_not_matter() -> None:
    _, y, blur = blurred((40, 40))
    options = SSIOptions(**{**QUICK, "steps": 10})
    plain = SSI(blur, options).fit(y, progress=False).reconstruct(y)
    scaled = 1000 * y - 300
    other = SSI(blur, options).fit(scaled, progress=False).reconstruct(scaled)
    assert np.allclose((other + 300) / 1000, plain, atol=0.02 * np.ptp(plain))


def test_a_psf_that_does_not_sum_to_one_keeps_its_gain() -> None:
    _, y, blur = blurred((40, 40))
    options = SSIOptions(**{**QUICK, "steps": 10, "background": 0.0})
    plain = SSI(blur, options).fit(y, progress=False).reconstruct(y)
    double = SSI(Blur(2 * blur.psf, y.shape), options).fit(y, progress=False).reconstruct(y)
    assert double.mean() == pytest.approx(plain.mean() / 2, rel=0.05)


def test_saving_and_loading_gives_the_same_reconstruction(tmp_path: Any) -> None:
    from napari_selfsup_recon import load

    _, y, blur = blurred((40, 40))
    ssi = SSI(blur, SSIOptions(**{**QUICK, "steps": 5})).fit(y, progress=False)
    path = ssi.save(tmp_path / "cells.nsr")
    same = load(path)
    assert isinstance(same, SSI)
    assert same.options == ssi.options
    assert same.scores == ssi.scores
    assert np.array_equal(same.reconstruct(y), ssi.reconstruct(y))


def test_running_reports_tiles_and_ends_with_the_result() -> None:
    _, y, blur = blurred((40, 40))
    ssi = SSI(blur, SSIOptions(**{**QUICK, "steps": 5})).fit(y, progress=False)
    events = list(ssi.run(y))
    assert isinstance(events[-1], Done)
    assert np.array_equal(events[-1].result, ssi.reconstruct(y))
    assert [e.index for e in events[:-1] if isinstance(e, Step)][-1] == events[-2].total


def test_small_images_and_large_psfs_work() -> None:
    y = np.random.default_rng(0).random((20, 60)).astype(np.float32)
    blur = Blur(np.ones((9, 33)) / 297, y.shape)
    for crop in (16, 128):
        options = SSIOptions(steps=3, width=4, batch=1, crop=crop)
        assert SSI(blur, options).fit(y, progress=False).reconstruct(y).shape == y.shape


def test_other_boundaries_train_on_the_extended_object() -> None:
    _, y, blur = blurred((40, 40))
    options = SSIOptions(**{**QUICK, "steps": 4})
    circular = Blur(blur.psf, y.shape, boundary="circular")
    assert np.array_equal(
        SSI(circular, options).fit(y, progress=False).reconstruct(y),
        SSI(blur, options).fit(y, progress=False).reconstruct(y),
    )


def test_bad_input_is_refused_before_any_work() -> None:
    _, y, blur = blurred((40, 40))
    ssi = SSI(blur, SSIOptions(**QUICK))
    with pytest.raises(InputError, match="not trained yet"):
        ssi.reconstruct(y)
    with pytest.raises(InputError, match="not \\(40, 39\\)"):
        next(ssi.train(y[:, :39]))
    with pytest.raises(InputError, match="NaN"):
        next(ssi.train(np.full_like(y, np.nan)))
    with pytest.raises(InputError, match="takes SSIOptions"):
        SSI(blur, Identity((3, 3)))  # type: ignore[arg-type]
