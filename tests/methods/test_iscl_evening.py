"""Brightness is evened out between slices where that serves, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_selfsup_recon import ISCL, Identity, ISCLOptions, load
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Notice, Step
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl import _noise_fit
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._evening import Evening, find_evening
from napari_selfsup_recon.methods.iscl._noise_fit import fit_noise
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel, Spoiler
from napari_selfsup_recon.methods.iscl._windows import Windows

pytestmark = pytest.mark.usefixtures("quick_noise_fit")

Stack = np.ndarray[Any, np.dtype[np.float32]]
SIDE, SLICES = 96, 16
GAIN = Evening(6.0, 2.0, gain=True, floor=-2.0)
ADDED = Evening(6.0, 2.0, gain=False, floor=0.0)


def content(seed: int, across: float = 5.0) -> Stack:
    """Blobs that go on over several slices, of mean 0 and deviation 1."""
    draw = np.random.default_rng(seed).standard_normal((SLICES, SIDE, SIDE))
    smooth = gaussian_filter(draw, (across, 3, 3), mode="wrap")
    edges = np.tanh(4 * smooth / smooth.std())
    return ((edges - edges.mean()) / edges.std()).astype(np.float32)


def fields(seed: int, *, alike: bool = False) -> Stack:
    """Coarse fields, one for each slice or the same for all."""
    draw = np.random.default_rng(seed).standard_normal((SLICES, SIDE, SIDE))
    smooth = gaussian_filter(draw, (0, 10, 10), mode="wrap")
    smooth = (smooth / smooth.std((1, 2), keepdims=True)).astype(np.float32)
    return np.broadcast_to(smooth[:1], smooth.shape) if alike else smooth


def charged(x: Stack, seed: int, *, alike: bool = False) -> Stack:
    noisy: Stack = (x + 2) * np.exp(0.4 * fields(seed, alike=alike)) - 2
    return noisy


def error(a: Any, b: Any) -> float:
    return float(np.mean((np.asarray(a) - np.asarray(b)) ** 2))


@pytest.fixture(scope="module")
def model(quick_noise_fit: None) -> NoiseModel:
    windows = content(0).astype(np.float64), charged(content(1), 2).astype(np.float64)
    found, _ = exhaust(fit_noise(*windows, 0))
    return found


@pytest.mark.parametrize("evening", [GAIN, ADDED])
def test_what_all_slices_share_stays(evening: Evening) -> None:
    same = torch.from_numpy(content(0)[:1]).expand(SLICES, -1, -1)
    torch.testing.assert_close(evening.apply(same), same, atol=1e-5, rtol=1e-5)
    one = same[:1]
    assert evening.apply(one) is one


def test_coarse_noise_of_single_slices_is_taken_out() -> None:
    x = content(0, across=30)
    for evening, noisy in ((GAIN, charged(x, 1)), (ADDED, x + 0.5 * fields(1))):
        before = noisy.copy()
        evened = evening.apply(torch.from_numpy(noisy))
        assert error(evened, x) < 0.4 * error(noisy, x)
        np.testing.assert_array_equal(noisy, before)
    # A gain scales what is above the floor and nothing else.
    black = torch.full((SLICES, 8, 8), GAIN.floor)
    torch.testing.assert_close(GAIN.apply(black), black)


def test_pieces_make_the_whole() -> None:
    stacks = torch.from_numpy(np.stack([charged(content(0), 1), content(2)]))
    evened = GAIN.apply(stacks)
    planes = stacks.numpy()
    whole = GAIN._moved(planes, GAIN._coarse(planes))
    np.testing.assert_allclose(evened.numpy(), whole, atol=1e-6)


def test_fine_detail_stays() -> None:
    fine = np.random.default_rng(0).standard_normal((SLICES, SIDE, SIDE)).astype(np.float32)
    assert error(ADDED.apply(torch.from_numpy(fine)), fine) < 0.01


@pytest.mark.parametrize("width", [0.0, -1.0, 1e9, float("nan")])
def test_widths_out_of_range_are_refused(width: float) -> None:
    for widths in ((width, 1.0), (1.0, width)):
        with pytest.raises(InputError, match="evened out"):
            Evening(*widths, gain=False, floor=0.0)


def found(clean: Stack, noisy: Stack, model: NoiseModel) -> Evening | None:
    domains = [
        Domain(torch.from_numpy(np.array(stack))[None], 32, seed=0, name=name)
        for stack, name in ((clean, "clean"), (noisy, "noisy"))
    ]
    return exhaust(find_evening(*domains, model, side=64, seed=0))


def test_it_is_found_where_it_serves(model: NoiseModel) -> None:
    noisy, truth = charged(content(1), 2), content(1)
    evening = found(content(0), noisy, model)
    assert evening is not None
    assert evening.gain
    assert error(evening.apply(torch.from_numpy(noisy)), truth) < 0.6 * error(noisy, truth)


@pytest.mark.parametrize(
    ("clean", "noisy", "why"),
    [
        (content(0, across=0.01), charged(content(1, across=0.01), 2), "slices that differ"),
        (content(0), charged(content(1), 2, alike=True), "the same noise in all slices"),
        (content(0)[:4], charged(content(1), 2), "too few clean slices"),
        (content(0), charged(content(1), 2)[:4], "too few noisy slices"),
        (content(0), charged(content(1, across=0.01), 2), "noisy slices that differ"),
    ],
)
def test_it_is_left_where_it_does_not(
    clean: Stack, noisy: Stack, why: str, model: NoiseModel
) -> None:
    assert found(clean, noisy, model) is None, why


def test_blocks_come_back_as_they_were(model: NoiseModel) -> None:
    domain = Domain(torch.from_numpy(content(0))[None], 32, seed=0, name="clean")

    def windows() -> Windows:
        return Windows(
            domain,
            GAIN,
            side=64,
            foreground=0.5,
            draw=(0, 0),
            turned=lambda block, generator: block.flip(-1),
        )

    spoiler = Spoiler(model)
    one, other = windows(), windows()
    crops = [one.pair(step, 1, spoiler, torch_generator(7, step)) for step in range(30)]
    for step in (29, 20):  # as after a pause
        again = other.pair(step, 1, spoiler, torch_generator(7, step))
        for a, b in zip(crops[step], again, strict=True):
            torch.testing.assert_close(a, b, atol=0, rtol=0)
    noisy, clean = crops[-1]
    assert noisy.shape == clean.shape == (3, 32, 32)
    assert len(one._made) <= 16


SMALL = {"steps": 6, "width": 2, "batch": 4, "crop": 32, "device": "cpu", "ensemble": False}


def test_training_evens_out_resumes_and_is_saved(tmp_path: Path) -> None:
    noisy, clean = charged(content(1), 2), content(0)
    options = ISCLOptions.model_validate(SMALL)
    one, other = (ISCL(Identity(noisy.shape), options) for _ in range(2))
    middle: Any = None
    said = []
    for event in one.train(noisy, clean=clean):
        if isinstance(event, Notice):
            said.append(event.message)
        if isinstance(event, Step) and event.finished and event.index == 5:
            assert one._loop is not None
            middle = one._loop.state()
    assert any("evened out" in text for text in said)
    for _ in other.train(noisy, clean=clean, state=middle):
        pass
    result = one.reconstruct(noisy)
    np.testing.assert_array_equal(other.reconstruct(noisy), result)
    same = load(one.save(tmp_path / "charge.nsr"))
    np.testing.assert_array_equal(same.reconstruct(noisy), result)
    # What networks see of a slice follows from slices beyond its neighbours.
    changed = noisy.copy()
    changed[6] *= 1.5
    far = np.abs(one.reconstruct(changed) - result).max((1, 2))
    assert far[9] > 1e-4


@pytest.mark.parametrize("more", [{"even": "off"}, {"neighbours": "none"}, {"warm_up": 0.5}])
def test_it_can_be_left_out(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_noise_fit, "_ROUNDS", 0)
    noisy = charged(content(1), 2)
    method = ISCL(Identity(noisy.shape), ISCLOptions.model_validate(SMALL | {"steps": 2} | more))
    method.fit(noisy, clean=content(0), progress=False)
    assert "evening" not in method._facts


def test_a_live_image_of_a_box_is_that_part_of_the_whole() -> None:
    noisy = charged(content(1), 2)
    method = ISCL(Identity(noisy.shape), ISCLOptions.model_validate(SMALL))
    method.fit(noisy, clean=content(0), progress=False)
    assert method._evening is not None
    whole = method.reconstruct(noisy)
    box = slice(5, 8), slice(10, 80), slice(20, 96)
    before = noisy.copy()
    quick, part = method.live(noisy, box)
    np.testing.assert_array_equal(noisy, before)
    assert quick._evening is None
    assert method._evening is not None
    *_, done = quick.run(part)
    # Of the middle slice both neighbours are in the box; the networks see past its other edges.
    np.testing.assert_allclose(done.result[1, 30:-30], whole[6, 40:50, 20:], atol=0.05)
    *_, alone = method.run(noisy[box])
    assert error(done.result[1], whole[6, 10:80, 20:]) < error(
        alone.result[1], whole[6, 10:80, 20:]
    )
