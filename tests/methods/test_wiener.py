"""The Wiener filter is its formula, knows the noise, and leaves borders in peace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_selfsup_recon import Blur, Gaussian, Identity, Wiener, WienerOptions
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Notice, Step
from napari_selfsup_recon.methods import METHODS
from napari_selfsup_recon.methods.wiener._extension import extend, extended_shape
from napari_selfsup_recon.methods.wiener._spectrum import fit_spectrum, squared_frequencies
from napari_selfsup_recon.metrics import psnr

Array = NDArray[Any]


def skewed(shape: tuple[int, ...]) -> Array:
    """A PSF with a tail to one side of its centre."""
    axes = np.ix_(*(np.arange(n) - n // 2 for n in shape))
    psf = np.exp(-sum(np.where(a > 0, a / 2.0, a / 0.9) ** 2 for a in axes) / 2)
    return psf / psf.sum()


def texture(shape: tuple[int, ...], seed: int = 0, slope: float = 2.5) -> Array:
    """Noise whose power falls with the frequency, between 0 and 100."""
    rng = np.random.default_rng(seed)
    f = np.sqrt(sum(a**2 for a in np.ix_(*(np.fft.fftfreq(n) for n in shape))))
    f[(0,) * len(shape)] = 1.0
    image = np.fft.ifftn(np.fft.fftn(rng.standard_normal(shape)) * f ** (-slope / 2)).real
    image -= image.min()
    return 100 * image / image.max()


def measured(blur: Blur, truth: Array, sigma: float, seed: int = 1) -> Array:
    clean = blur.A(torch.from_numpy(truth)[None, None])[0, 0].numpy()
    return clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)


def test_equals_the_formula_where_the_world_is_circular() -> None:
    psf = skewed((5, 4))
    blur = Blur(psf, (24, 30), boundary="circular")
    y = measured(blur, texture((24, 30)), 1.0)
    placed = np.zeros((24, 30))
    placed[:5, :4] = psf
    transfer = np.fft.fftn(np.roll(placed, (-2, -2), axis=(0, 1)))
    power = np.abs(transfer) ** 2
    inverse = transfer.conj() / (power + 0.03 * power.max())
    mean = y.mean()
    wanted = np.fft.ifftn(inverse * np.fft.fftn(y - mean)).real + mean
    options = WienerOptions(balance=0.03, positive=False, repair=False)
    got = Wiener(blur, options).reconstruct(y.astype(np.float32))
    np.testing.assert_allclose(got, wanted, atol=2e-3)


@pytest.mark.parametrize("slope", [1.5, 2.5, 3.5])
def test_finds_the_spectrum(slope: float) -> None:
    shape = (160, 160)
    blur = Blur(skewed((7, 7)), shape, boundary="circular")
    y = torch.from_numpy(measured(blur, texture(shape, slope=slope), 2.0))
    spectrum = torch.fft.rfftn(y - y.mean())
    gain = blur.otf(y).abs().square()
    squares = squared_frequencies(shape, (1.0, 1.0), y.device)
    found = fit_spectrum(spectrum.abs().square() / y.numel(), gain, squares, 4.0)
    assert found.noise == pytest.approx(4.0, rel=0.2)
    if found.corner < 0.02:
        assert found.slope == pytest.approx(slope, abs=0.4)
    # At middle frequencies, where both matter, the powers are right to a factor of two.
    middle = torch.tensor([0.05**2])
    half = float(found.ratio(torch.tensor([0.1**2])) / found.ratio(middle))
    assert half == pytest.approx(2**slope, rel=0.5)


def test_auto_is_better_than_any_constant_balance() -> None:
    shape = (128, 120)
    blur = Blur(skewed((9, 9)), shape)
    truth = texture(blur.image_shape)
    y = measured(blur, truth, 3.0).astype(np.float32)
    inner = blur.field_of_view(torch.from_numpy(truth)[None, None])[0, 0].numpy()
    auto = psnr(inner, Wiener(blur).reconstruct(y))
    constant = [
        psnr(inner, Wiener(blur, WienerOptions(balance=b)).reconstruct(y))
        for b in (1e-3, 1e-2, 3e-2, 0.1, 0.3)
    ]
    assert auto > max(constant)
    assert auto > psnr(inner, y) + 1


@pytest.mark.parametrize("given", [None, Gaussian(3.0)])
def test_without_frequencies_that_the_blur_hides_the_estimated_noise_counts(
    given: Gaussian | None,
) -> None:
    shape = (96, 96)
    psf = np.zeros((3, 3))
    psf[1] = (0.15, 0.7, 0.15)
    blur = Blur(psf, shape)
    y = measured(blur, texture(blur.image_shape, slope=3.5), 3.0).astype(np.float32)
    wiener = Wiener(blur, noise=given)
    wiener.reconstruct(y)
    assert wiener.spectrum is not None
    assert wiener.spectrum.noise == pytest.approx(9.0, rel=0.25)


@pytest.mark.parametrize("boundary", ["extended", "reflect", "zero"])
def test_borders_do_not_ring(boundary: Any) -> None:
    # A steep ramp: as a period it would have a jump of its full height.
    ramp = np.linspace(10, 250, 90)[:, None] + np.zeros(80)
    blur = Blur(skewed((11, 11)), ramp.shape, boundary=boundary)
    y = ramp + 0.5 * np.random.default_rng(0).standard_normal(ramp.shape)
    x = Wiener(blur, WienerOptions(balance=1e-2)).reconstruct(y.astype(np.float32))
    error = np.abs(x - ramp)
    inner = float(error[20:-20, 20:-20].max())
    assert error.max() < inner + 10


def test_the_extension_has_no_edge() -> None:
    y = torch.from_numpy(texture((40, 33)))
    wide, kept = extend(y, extended_shape(y.shape, (9, 9)))
    assert torch.equal(wide[:40, :33], y)
    for axis in (0, 1):
        jumps = (wide - wide.roll(1, axis)).abs()
        inside = (y.diff(dim=axis)).abs().max()
        assert jumps.max() <= 1.5 * inside
    noise = torch.randn(200, 190, generator=torch.Generator().manual_seed(0))
    wide, kept = extend(noise, (260, 240))
    assert float(wide.square().mean()) == pytest.approx(kept, rel=0.03)


def test_short_and_single_axes() -> None:
    for shape, side in (((1, 40, 36), (1, 7, 7)), ((3, 30, 30), (9, 5, 5)), ((1, 50), (1, 5))):
        blur = Blur(skewed(side), shape)
        y = measured(blur, texture(blur.image_shape), 1.0).astype(np.float32)
        x = Wiener(blur, voxel_size=tuple(range(1, len(shape) + 1))).reconstruct(y)
        assert x.shape == shape
        assert np.isfinite(x).all()


def test_grey_values_scale_and_shift() -> None:
    blur = Blur(skewed((7, 7)), (64, 64))
    y = measured(blur, texture(blur.image_shape) + 50, 3.0).astype(np.float32)
    plain = Wiener(blur, WienerOptions(positive=False)).reconstruct(y)
    other = Wiener(blur, WienerOptions(positive=False)).reconstruct(16 * y + 1000)
    np.testing.assert_allclose((other - 1000) / 16, plain, atol=0.02 * plain.std())


def test_light_is_not_negative() -> None:
    blur = Blur(skewed((7, 7)), (48, 48))
    truth = np.zeros(blur.image_shape)
    truth[20:30, 20:30] = 100
    y = (measured(blur, truth, 2.0) + 20).astype(np.float32)
    x = Wiener(blur, WienerOptions(background=20, balance=1e-3)).reconstruct(y)
    assert x.min() == 20
    free = Wiener(blur, WienerOptions(background=20, balance=1e-3, positive=False)).reconstruct(y)
    assert free.min() < 20
    assert free.mean() == pytest.approx(float(y.mean()), rel=0.02)


def test_events_end_with_the_image() -> None:
    blur = Blur(skewed((7, 7)), (40, 44))
    y = measured(blur, texture(blur.image_shape), 2.0).astype(np.float32)
    y[10, 10] = 4000.0
    before = y.copy()
    events = list(Wiener(blur).run(y))
    assert [type(e) for e in events if not isinstance(e, Notice)] == [Step] * 4 + [Done]
    assert any(isinstance(e, Notice) and "repaired" in e.message for e in events)
    image = events[-1].result
    assert image.dtype == np.float32
    assert np.array_equal(image, Wiener(blur).reconstruct(y))
    assert np.array_equal(y, before)
    tensor = Wiener(blur).reconstruct(torch.from_numpy(y))
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(tensor.numpy(), image)


def test_flat_and_noiseless_images_stay_what_they_are() -> None:
    blur = Blur(skewed((5, 5)), (32, 32))
    flat = np.full((32, 32), 7.0, np.float32)
    np.testing.assert_allclose(Wiener(blur).reconstruct(flat), flat, rtol=1e-5)
    dark = np.zeros((32, 32), np.float32)
    assert not Wiener(blur).reconstruct(dark).any()


def test_bad_input_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"undoes a blur; Identity is none.*total variation"):
        Wiener(Identity((8, 8)))
    blur = Blur(skewed((3, 3)), (16, 16))
    with pytest.raises(InputError, match="voxel size"):
        Wiener(blur, voxel_size=(1.0,))
    with pytest.raises(InputError, match=r"shape \(16, 15\)"):
        Wiener(blur).reconstruct(np.ones((16, 15)))
    with pytest.raises(InputError, match="One measurement"):
        list(Wiener(blur).run(np.ones((2, 16, 16))))
    with pytest.raises(InputError, match="NaN"):
        list(Wiener(blur).run(np.full((16, 16), np.nan)))
    with pytest.raises(ValueError, match="balance"):
        WienerOptions(balance=0)


def test_it_is_registered() -> None:
    entry = METHODS.find("wiener")
    assert entry.load_method() is Wiener
    assert entry.load_options() is WienerOptions
    assert WienerOptions.model_validate_json(WienerOptions(balance=0.1).model_dump_json()) == (
        WienerOptions(balance=0.1)
    )
