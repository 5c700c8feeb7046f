"""What each metric must do whatever the images are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics import (
    mutual_information,
    nrmse,
    psnr,
    spectral_mutual_information,
    ssim,
)

shapes = st.sampled_from([(8, 9), (12, 7), (7, 8, 9)])
images = shapes.flatmap(
    lambda shape: hnp.arrays(
        st.sampled_from([np.float32, np.float64]), shape, elements=st.floats(0, 1, width=16)
    )
)
pairs = shapes.flatmap(
    lambda shape: st.tuples(
        *[hnp.arrays(np.float64, shape, elements=st.floats(0, 1, width=16))] * 2
    )
)
quick = settings(max_examples=40, deadline=None)
ALL = {
    "psnr": psnr,
    "ssim": lambda a, b: ssim(a, b, data_range=1),
    "mi": mutual_information,
    "smi": spectral_mutual_information,
    "nrmse": nrmse,
}


@quick
@given(pairs)
def test_psnr_and_mi_and_ssim_are_symmetric(pair):
    a, b = pair
    assume(np.ptp(a) > 0 and np.ptp(b) > 0)
    assert psnr(a, b) == psnr(b, a)
    assert mutual_information(a, b) == pytest.approx(mutual_information(b, a), abs=1e-12)
    assert ssim(a, b, data_range=1) == pytest.approx(ssim(b, a, data_range=1), abs=1e-12)


@quick
@given(images)
def test_an_image_is_its_own_best_match(image):
    assume(np.ptp(image) > 0)
    assert psnr(image, image) == math.inf
    assert ssim(image, image, data_range=1) == pytest.approx(1, abs=1e-12)
    assert mutual_information(image, image) == pytest.approx(1, abs=1e-12)
    assert spectral_mutual_information(image, image) == pytest.approx(1, abs=1e-12)
    assert nrmse(image, image) == 0


@quick
@given(pairs)
def test_mi_is_a_share(pair):
    a, b = pair
    assume(np.ptp(a) > 0)
    assert 0 <= mutual_information(a, b) <= 1


@quick
@given(pairs, st.floats(0.1, 5), st.floats(-3, 3))
def test_psnr_ignores_a_common_shift_and_follows_the_range(pair, factor, shift):
    a, b = pair
    assume(np.abs(a - b).max() > 1e-2)
    expected = psnr(a, b)
    assert psnr(a + shift, b + shift) == pytest.approx(expected, abs=1e-6)
    assert psnr(factor * a, factor * b, data_range=factor) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("offset", [-0.2, 0.01, 0.5])
def test_psnr_of_an_offset_is_the_offset_in_decibel(offset):
    image = np.random.default_rng(1).random((20, 30))
    assert psnr(image, image + offset) == pytest.approx(-20 * math.log10(abs(offset)), abs=1e-9)


@quick
@given(images)
def test_mi_ignores_brightness_and_contrast(image):
    assume(np.ptp(image) > 0)
    # A power of two moves no value across a bin.
    assert mutual_information(image, 4 * image) == pytest.approx(1, abs=1e-12)


def test_mi_equals_the_closed_form_of_a_small_joint_histogram():
    a = np.array([0.0, 0.0, 1.0, 1.0])
    b = np.array([0.0, 0.0, 0.0, 1.0])
    # p = 1/2, 1/4, 1/4; marginals (1/2, 1/2) and (3/4, 1/4)
    joint = 1.5
    shared = 1 + (0.75 * math.log2(4 / 3) + 0.25 * 2) - joint
    assert mutual_information(a, b) == pytest.approx(shared / joint, abs=1e-12)


def test_mi_of_independent_images_is_zero():
    a, b = np.meshgrid(np.arange(16.0), np.arange(16.0))
    assert mutual_information(a, b) == pytest.approx(0, abs=1e-12)


def test_smi_leaves_the_third_axis_alone_unless_told():
    random = np.random.default_rng(0)
    a, b = random.random((8, 9, 10)), random.random((8, 9, 10))
    # Swapping planes of both volumes along an axis that is not transformed changes nothing.
    order = random.permutation(10)
    swapped = spectral_mutual_information(a[..., order], b[..., order])
    assert swapped == pytest.approx(spectral_mutual_information(a, b), abs=1e-6)
    assert spectral_mutual_information(a, b, axes=(0, 1, 2)) != pytest.approx(swapped, abs=1e-6)


def test_nrmse_normalisations():
    truth, test = np.array([0.0, 2.0, 4.0]), np.array([1.0, 3.0, 5.0])
    assert nrmse(truth, test) == pytest.approx(math.sqrt(3 / 20))
    assert nrmse(truth, test, normalisation="range") == pytest.approx(1 / 4)
    assert nrmse(truth, test, normalisation="mean") == pytest.approx(1 / 2)


def test_ssim_of_a_volume_uses_a_cubic_window_and_falls_with_the_range():
    random = np.random.default_rng(0)
    volume = random.random((9, 10, 11))
    noisy = volume + random.normal(0, 0.3, volume.shape)
    turned = ssim(volume.transpose(2, 0, 1), noisy.transpose(2, 0, 1), data_range=1)
    assert turned == pytest.approx(ssim(volume, noisy, data_range=1), abs=1e-9)
    assert ssim(volume, noisy, data_range=1) < ssim(volume, noisy, data_range=2)


def test_ssim_of_thin_stacks():
    random = np.random.default_rng(0)
    plane = random.random((20, 20))
    noisy = plane + random.normal(0, 0.1, plane.shape)
    flat = ssim(plane[None], noisy[None], data_range=1)
    assert flat == ssim(plane, noisy, data_range=1)
    stack, other = random.random((2, 4, 20, 20))
    assert ssim(stack, other, data_range=1) == ssim(stack, other, data_range=1, window=3)


@pytest.mark.parametrize("name", ALL)
class TestBadInput:
    image = np.random.default_rng(0).random((10, 12))

    def test_shapes(self, name):
        with pytest.raises(InputError, match=r"\(10, 12\).*\(12, 10\)"):
            ALL[name](self.image, self.image.T)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_not_finite(self, name, bad):
        other = self.image.copy()
        other[3, 4] = bad
        with pytest.raises(InputError, match="test image holds 1 values"):
            ALL[name](self.image, other)

    def test_empty(self, name):
        with pytest.raises(InputError, match="empty"):
            ALL[name](np.zeros((0, 4)), np.zeros((0, 4)))

    def test_not_real(self, name):
        with pytest.raises(InputError, match="complex128"):
            ALL[name](self.image.astype(complex), self.image)

    def test_ragged(self, name):
        with pytest.raises(InputError, match="no image"):
            ALL[name]([[1.0], [1.0, 2.0]], self.image)

    def test_inputs_stay_and_integers_count_in_full(self, name):
        a = (255 * self.image).astype(np.uint8)
        b = np.flip(a).copy()
        kept = a.copy(), b.copy()
        first = ALL[name](a, b)
        assert np.array_equal(a, kept[0])
        assert np.array_equal(b, kept[1])
        assert first == ALL[name](a.astype(float), b.astype(float))


def test_ranges_windows_bins_and_axes_are_checked():
    image = np.random.default_rng(0).random((10, 12))
    for bad in (0, -1, math.nan, math.inf):
        with pytest.raises(InputError, match="data range"):
            psnr(image, image, data_range=bad)
        with pytest.raises(InputError, match="data range"):
            ssim(image, image, data_range=bad)
    for window in (1, 4, 11):
        with pytest.raises(InputError, match=f"window of {window}"):
            ssim(image, image, data_range=1, window=window)
    with pytest.raises(InputError, match="at least 3 pixels"):
        ssim(image[:2], image[:2], data_range=1)
    with pytest.raises(InputError, match="bins"):
        mutual_information(image, image, bins=1)
    with pytest.raises(InputError, match="no axes"):
        spectral_mutual_information(image[0], image[0])
    with pytest.raises(InputError, match="normalisation"):
        nrmse(image, image, normalisation="max")  # type: ignore[arg-type]


def test_constant_images():
    image = np.random.default_rng(0).random((10, 12))
    black = np.zeros_like(image)
    assert mutual_information(image, black) == 0
    assert spectral_mutual_information(image, black) == 0
    with pytest.raises(InputError, match="constant"):
        mutual_information(black, black)
    with pytest.raises(InputError, match="zero everywhere"):
        nrmse(black, image)
    with pytest.raises(InputError, match="constant"):
        nrmse(black + 1, image, normalisation="range")
    with pytest.raises(InputError, match="mean 0"):
        nrmse(black, image, normalisation="mean")


@pytest.mark.parametrize(
    ("ours", "theirs"), [("euclidean", "euclidean"), ("range", "min-max"), ("mean", "mean")]
)
def test_nrmse_equals_that_of_scikit_image(ours, theirs):
    from skimage.metrics import normalized_root_mse

    random = np.random.default_rng(0)
    truth, test = random.normal(3, 1, (2, 5, 12, 13))
    assert nrmse(truth, test, normalisation=ours) == pytest.approx(
        normalized_root_mse(truth, test, normalization=theirs), rel=1e-12
    )
