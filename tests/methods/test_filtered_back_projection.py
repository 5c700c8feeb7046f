"""Filtered back-projection as a method: filters, stacks, counts, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_selfsup_recon import (
    FanBeam,
    FilteredBackProjection,
    FilteredBackProjectionOptions,
    Identity,
    Transmission,
)
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Step
from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.methods import METHODS
from napari_selfsup_recon.metrics import psnr
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam

FILTERS = ("ramp", "shepp-logan", "cosine", "hamming", "hann")


def disc(n: int) -> np.ndarray[Any, Any]:
    y, x = np.ogrid[:n, :n]
    image = np.zeros((n, n))
    image[(y - 0.45 * n) ** 2 + (x - 0.55 * n) ** 2 < (0.25 * n) ** 2] = 1.0
    return image


def scene(n: int = 48, views: int = 90) -> tuple[ParallelBeam, Any, Any]:
    beam = ParallelBeam((n, n), np.arange(views) * np.pi / views)
    truth = disc(n)
    y = beam.A(torch.from_numpy(truth)[None, None])[0, 0].float().numpy()
    return beam, truth, y


def test_is_the_dagger_of_the_beam() -> None:
    beam, truth, y = scene()
    x = FilteredBackProjection(beam).reconstruct(y)
    assert x.dtype == np.float32
    wanted = beam.A_dagger(torch.from_numpy(y)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(x, wanted, atol=1e-6)
    assert psnr(truth, x) > 22
    assert float(x[14:30, 19:34].mean()) == pytest.approx(1, abs=0.01)


def test_filters_smooth_more_and_more() -> None:
    beam, _, y = scene()
    noise = numpy_generator("noise").standard_normal(y.shape).astype(np.float32)
    levels = [
        float(
            FilteredBackProjection(beam, FilteredBackProjectionOptions(filter=f))
            .reconstruct(noise)
            .std()
        )
        for f in FILTERS
    ]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] < 0.6 * levels[0]


def test_positive_cuts_off_and_nothing_else() -> None:
    beam, _, y = scene(32, 12)
    free = FilteredBackProjection(beam).reconstruct(y)
    cut = FilteredBackProjection(beam, FilteredBackProjectionOptions(positive=True)).reconstruct(y)
    assert free.min() < 0
    assert np.array_equal(cut, np.maximum(free, 0))


def test_counts_are_taken_as_line_integrals() -> None:
    beam, truth, y = scene()
    physics = Transmission(beam, I0=1e4, attenuation=0.03)
    counts = physics.A(torch.from_numpy(truth)[None, None])[0, 0].float().numpy()
    plain = FilteredBackProjection(beam).reconstruct(y)
    of_counts = FilteredBackProjection(physics).reconstruct(counts)
    np.testing.assert_allclose(of_counts, plain, atol=2e-3)
    counts[:, 5] = 0
    counts[7, 9] = -3
    assert np.isfinite(FilteredBackProjection(physics).reconstruct(counts)).all()
    with pytest.raises(InputError, match=r"Most counts are above.*flat fields"):
        FilteredBackProjection(physics).reconstruct(5 * counts)


def test_fan_beams() -> None:
    angles = np.arange(180) * 2 * np.pi / 180
    beam = FanBeam((48, 48), angles, source_distance=150, detector_distance=150)
    truth = disc(48)
    y = beam.A(torch.from_numpy(truth)[None, None])[0, 0].float().numpy()
    x = FilteredBackProjection(beam).reconstruct(y)
    assert psnr(truth, x) > 20
    assert float(x[14:30, 19:34].mean()) == pytest.approx(1, abs=0.02)


def test_stacks_tensors_and_events() -> None:
    beam, _, y = scene(24, 12)
    method = FilteredBackProjection(beam)
    one = method.reconstruct(y)
    stack = method.reconstruct(np.stack([y, 2 * y])[None])
    assert stack.shape == (1, 2, 24, 24)
    np.testing.assert_allclose(stack[0, 1], 2 * one, atol=1e-5)
    assert np.array_equal(method.reconstruct(torch.from_numpy(y)).numpy(), one)
    events = list(method.run(y))
    assert [type(e) for e in events] == [Step, Done]
    assert np.array_equal(events[-1].result, one)


def test_lazy_stacks_stay_lazy() -> None:
    da = pytest.importorskip("dask.array")
    beam, _, y = scene(24, 12)
    method = FilteredBackProjection(beam)
    lazy = method.reconstruct(da.from_array(np.stack([y, 2 * y]), chunks=(1, 6, -1)))
    assert lazy.shape == (2, 24, 24)
    np.testing.assert_allclose(lazy.compute()[1], 2 * method.reconstruct(y), atol=1e-5)


def test_bad_input_is_refused_with_the_way_out() -> None:
    beam, _, y = scene(24, 12)
    with pytest.raises(InputError, match=r"Identity is none.*least squares or total variation"):
        FilteredBackProjection(Identity((24, 24)))
    with pytest.raises(InputError, match="lies on its side"):
        FilteredBackProjection(beam).reconstruct(y.T)
    with pytest.raises(InputError, match="5 views, but there are 12 angles"):
        FilteredBackProjection(beam).reconstruct(y[:5])
    with pytest.raises(InputError, match="NaN"):
        list(FilteredBackProjection(beam).run(y * np.nan))
    with pytest.raises(InputError, match="One measurement"):
        list(FilteredBackProjection(beam).run(np.stack([y, y])))
    with pytest.raises(ValueError, match="filter"):
        FilteredBackProjectionOptions(filter="sharp")


def test_it_is_registered() -> None:
    entry = METHODS.find("filtered-back-projection")
    assert entry.load_method() is FilteredBackProjection
    assert entry.load_options() is FilteredBackProjectionOptions
    assert entry.tasks == ("reconstruct",)
    assert (
        tuple(FilteredBackProjectionOptions.model_json_schema()["properties"]["filter"]["enum"])
        == FILTERS
    )
