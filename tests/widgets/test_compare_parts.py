"""Which pixels lie on each other, profiles, widths and scores: against what is known."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.runs.config import PhysicsChoice, RunConfig
from napari_selfsup_recon.runs.plan import resolve
from napari_selfsup_recon.widgets import reblur
from napari_selfsup_recon.widgets.bridge import add_layer, source_of
from napari_selfsup_recon.widgets.line_profile import ends_of, peak_width, profile
from napari_selfsup_recon.widgets.pairing import difference, middle, overlap, placed_like
from napari_selfsup_recon.widgets.scores import fit, scores

pytestmark = pytest.mark.gui


def test_overlap_of_a_crop():
    whole = Image(np.zeros((3, 10, 12)), scale=(2, 0.5, 0.5), translate=(1, 1, 1))
    part = Image(np.zeros((2, 4, 9)), scale=(2, 0.5, 0.5), translate=(3, 2, 4))
    mine, theirs = overlap([whole, part])
    assert mine == (slice(1, 3), slice(2, 6), slice(6, 12))
    assert theirs == (slice(0, 2), slice(0, 4), slice(0, 6))
    placed = Image(np.zeros((2, 4, 6)), **placed_like(whole, [s.start for s in mine]))
    np.testing.assert_allclose(placed.translate, part.translate)
    turned = Image(np.zeros((10, 12)), rotate=30, scale=(0.5, 0.5), translate=(1, 2))
    corner = Image(np.zeros((1, 1)), **placed_like(turned, (2, 3)))
    np.testing.assert_allclose(corner.data_to_world((0, 0)), turned.data_to_world((2, 3)))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"scale": (1, 1.1)}, "do not lie on"),
        ({"translate": (0, 0.5)}, "do not lie on"),
        ({"translate": (0, 100)}, "nowhere"),
    ],
)
def test_layers_that_do_not_fit(facts, words):
    one, two = Image(np.zeros((40, 40))), Image(np.zeros((40, 40)), **facts)
    with pytest.raises(InputError, match=words):
        overlap([one, two])
    with pytest.raises(InputError, match="dimensions"):
        overlap([one, Image(np.zeros((2, 40, 40)))])


def test_difference_is_the_second_less_the_first():
    apart, most = difference(np.zeros((8, 8), np.float32), np.full((8, 8), -2, np.float32))
    assert np.all(apart == -2)
    assert most == 2
    assert difference(apart, apart)[1] == 1  # nothing differs: any range will do


@pytest.mark.parametrize("sigma", [2.0, 3.3])
def test_the_width_of_a_gaussian(sigma):
    x = np.arange(-30, 31)
    bump = 7 + 100 * np.exp(-(x**2) / (2 * sigma**2))
    assert peak_width(bump, 0.1) == pytest.approx(0.1 * 2.3548 * sigma, rel=0.02)
    assert np.isnan(peak_width(np.ones(9), 1))
    assert np.isnan(peak_width(np.arange(9.0), 1))


def test_a_profile_in_physical_units():
    y, x = np.mgrid[:40, :60]
    ridge = np.exp(-((x - 30) ** 2) / (2 * 3.0**2)).astype(np.float32)
    layer = Image(np.stack([0 * ridge, ridge]), scale=(1, 0.2, 0.2), translate=(0, 5, 5))
    line = Shapes(ndim=3, scale=(1, 0.2, 0.2), translate=(0, 5, 5))
    line.add_lines(np.array([[1.0, 20, 10], [1.0, 20, 50]]))
    start, end = ends_of(line, 3)
    np.testing.assert_allclose(end - start, (0, 0, 8))
    found = profile(layer, start, end)
    assert found.distance[-1] == pytest.approx(8)
    assert found.width == pytest.approx(0.2 * 2.3548 * 3, rel=0.02)
    assert found.distance[np.argmax(found.values)] == pytest.approx(4, abs=0.06)
    # Half of this one lies outside the layer.
    beyond = profile(layer, start, end + np.array([0, 0, 8]))
    assert np.isnan(beyond.values[-1])
    with pytest.raises(InputError, match="length"):
        profile(layer, start, start)
    with pytest.raises(InputError, match="line"):
        ends_of(Shapes(ndim=3), 3)
    del y


def test_scores_with_and_without_a_reference():
    rng = np.random.default_rng(0)
    true = rng.random((64, 64)).astype(np.float32)
    near = 3 * true + 5  # other units: the straight line takes them away
    far = true + rng.normal(0, 0.3, true.shape).astype(np.float32) - 0.2
    white = {"far": rng.normal(0, 2, true.shape).astype(np.float32)}
    one, two = exhaust(scores({"near": near, "far": far}, white, true))
    assert one.psnr > 100
    assert one.nrmse < 1e-5
    assert two.psnr < 15
    assert two.negative > 0.1
    assert one.total == 1
    assert two.misfit == pytest.approx(2, rel=0.05)
    assert two.structure == pytest.approx(0, abs=0.03)
    (alone,) = exhaust(scores({"far": far}, {}))
    assert alone.psnr is None
    assert alone.misfit is None
    np.testing.assert_allclose(fit(near, true), true, atol=1e-5)
    assert middle(np.zeros((2, 1, 3000, 20), np.float32)).shape == (2, 96, 20)


@pytest.mark.parametrize("boundary", ["extended", "circular"])
def test_the_residual_of_a_perfect_image_is_its_noise(viewer, boundary):
    from napari_selfsup_recon.widgets.reblur import Recipe, blurred

    rng = np.random.default_rng(1)
    psf = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16
    true = np.pad(rng.random((20, 24)), 6).astype(np.float32)
    clean = blurred(true, Recipe((psf,), boundary))
    noise = rng.normal(0, 0.1, clean.shape).astype(np.float32)
    raw = viewer.add_image(clean + noise, name="raw", scale=(2, 2))
    result = add_layer(viewer, source_of(raw), true, "perfect")
    assert not reblur.can_reblur(result)
    with pytest.raises(InputError, match="not known"):
        exhaust(reblur.residual_of(result))
    config = RunConfig(
        baseline=None,
        method="wiener",
        physics=PhysicsChoice(psf="array", boundary=boundary, prepare=False),
    )
    reblur.remember(result, resolve(config, source_of(raw).measurement, psf=psf))
    assert reblur.can_reblur(result)
    residual, part = exhaust(reblur.residual_of(result))
    assert part == (slice(0, 32), slice(0, 36))
    np.testing.assert_allclose(residual, noise, atol=0.02)
