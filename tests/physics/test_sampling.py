"""Masks, Fourier samples and sensing matrices are what they say, and refuse what they are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_selfsup_recon as nsr
from napari_selfsup_recon import MRI, CompressedSensing, Inpainting, as_channels, as_complex
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.physics import Physics, Recipe, from_recipe
from napari_selfsup_recon.physics.checks import adjoint_error, to_matrix

RNG = numpy_generator("sampling")


def mask(*shape: int, share: float = 0.5, seed: int = 0) -> np.ndarray[Any, Any]:
    chosen = numpy_generator("mask", seed).random(shape) < share
    chosen[..., 0] = True
    return chosen


def maps(coils: int, *shape: int) -> np.ndarray[Any, Any]:
    rng = numpy_generator("maps")
    return rng.standard_normal((coils, *shape)) + 1j * rng.standard_normal((coils, *shape))


def matrix(rows: int, *pixels: int) -> np.ndarray[Any, Any]:
    return numpy_generator("matrix").standard_normal((rows, *pixels)) / rows**0.5


OPERATORS: dict[str, Callable[[], Physics]] = {
    "inpainting even": lambda: Inpainting(mask(8, 6)),
    "inpainting odd": lambda: Inpainting(mask(7, 5)),
    "inpainting 3D": lambda: Inpainting(mask(3, 4, 5)),
    "inpainting each": lambda: Inpainting(mask(3, 1, 6, 5)),
    "mri even": lambda: MRI(mask(8, 6)),
    "mri odd": lambda: MRI(mask(7, 5)),
    "mri 3D": lambda: MRI(mask(3, 4, 5)),
    "mri each": lambda: MRI(mask(3, 1, 6, 5)),
    "mri coils": lambda: MRI(mask(6, 7), maps=maps(4, 6, 7)),
    "mri coils each": lambda: MRI(mask(3, 1, 6, 7), maps=maps(2, 6, 7)),
    "dense": lambda: CompressedSensing(matrix(9, 30), shape=(6, 5)),
    "dense line": lambda: CompressedSensing(matrix(9, 30)),
    "dense volume": lambda: CompressedSensing(matrix(9, 2, 3, 5)),
    "blocks": lambda: CompressedSensing(matrix(4, 9), block=3, shape=(6, 9)),
    "blocks beyond the edge": lambda: CompressedSensing(matrix(4, 12), block=(3, 4), shape=(7, 9)),
    "one block": lambda: CompressedSensing(matrix(4, 9), block=3),
    "blocks 33": lambda: CompressedSensing(matrix(40, 33 * 33), block=33, shape=(50, 66)),
}
EACH = pytest.mark.parametrize("name", OPERATORS)


def image(physics: Physics, batch: int | None = None, seed: int = 0) -> torch.Tensor:
    count = batch or physics.items or 2
    shape = (count, physics.channels or 1, *physics.image_shape)
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@EACH
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_adjoints_are_exact(name: str, dtype: torch.dtype, bound: float) -> None:
    physics = OPERATORS[name]()
    for seed in range(3):
        error = adjoint_error(
            physics,
            dtype=dtype,
            seed=seed,
            batch=physics.items or 2,
            channels=physics.channels or 3,
        )
        assert error < bound


@EACH
def test_derivatives_are_exact_to_second_order(name: str) -> None:
    physics = OPERATORS[name]()
    x = image(physics, physics.items or 1).requires_grad_()
    assert torch.autograd.gradcheck(physics.A, (x,), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda v: physics.A(v).square(), (x,), fast_mode=True)
    y = physics.A(x.detach()).requires_grad_()
    assert torch.autograd.gradcheck(physics.A_adjoint, (y,), fast_mode=True)
    dagger = lambda v: physics.A_dagger(v).square()  # noqa: E731
    assert torch.autograd.gradgradcheck(dagger, (y,), fast_mode=True)


@EACH
def test_the_dagger_explains_what_it_was_given(name: str) -> None:
    physics = OPERATORS[name]()
    y = physics.A(image(physics))
    x = physics.A_dagger(y)
    assert x.shape[2:] == physics.image_shape
    if "coils" in name or "beyond" in name or name == "blocks 33":
        return  # there it is no pseudo-inverse
    torch.testing.assert_close(physics.A(x), y)
    torch.testing.assert_close(physics.A_dagger(physics.A(x)), x)


@EACH
def test_recipes_rebuild_the_operator(name: str) -> None:
    physics = OPERATORS[name]()
    recipe = physics.recipe()
    saved = Recipe(recipe.kind, json.loads(json.dumps(dict(recipe.params))), dict(recipe.arrays))
    assert all(array.dtype.kind in "bf" for array in saved.arrays.values())
    again = from_recipe(saved)
    assert type(again) is type(physics)
    x = image(physics)
    y = physics.A(x)
    assert torch.equal(again.A(x), y)
    assert torch.equal(again.A_dagger(y), physics.A_dagger(y))


@EACH
def test_nothing_is_changed_and_types_are_kept(name: str) -> None:
    physics = OPERATORS[name]()
    x = image(physics).float()
    kept = x.clone()
    y = physics.A(x)
    measured = y.clone()
    assert y.dtype == torch.float32
    assert y.shape[2:] == physics.measurement_shape
    assert physics.A_dagger(y).dtype == torch.float32
    physics.A_adjoint(y).add_(1)
    assert torch.equal(x, kept)
    assert torch.equal(y, measured)


def test_masks_of_their_own() -> None:
    masks = mask(3, 1, 6, 5)
    physics = Inpainting(masks)
    x = image(physics)
    for n in range(3):
        alone = physics.at([n])
        assert alone.items is None
        assert torch.equal(alone.A(x[n : n + 1]), physics.A(x)[n : n + 1])
    pair = physics.at([2, 0])
    assert torch.equal(pair.A(x[[2, 0]]), physics.A(x)[[2, 0]])
    # Several copies of the batch, as transforms make them.
    assert torch.equal(physics.A(torch.cat([x, x]))[3:], physics.A(x))
    with pytest.raises(InputError, match="a mask for each of 3 images but got 2"):
        physics.A(x[:2])
    with pytest.raises(InputError, match="masks for 3 images"):
        physics.at([3])
    assert Inpainting(masks[:1]).items is None
    coils = MRI(masks, maps=maps(2, 6, 5))
    assert coils.at([1]).observed(x).shape == (1, 1, 1, 6, 5)
    shared = Inpainting(mask(6, 5))
    assert shared.at([4]) is shared


def test_inpainting_of_a_crop() -> None:
    whole = mask(9, 8)
    crop = Inpainting(whole).restrict((slice(2, 7), slice(1, 8)))
    assert np.array_equal(crop.mask, whole[2:7, 1:8])
    each = Inpainting(mask(2, 1, 9, 8)).restrict((slice(2, 7), slice(1, 8)))
    assert each.mask.shape == (2, 1, 5, 7)
    empty = whole.copy()
    empty[:3] = False
    with pytest.raises(InputError, match="measures nothing"):
        Inpainting(empty).restrict((slice(0, 3), slice(0, 8)))


@given(st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_the_transform_is_centred_and_orthonormal(rows: int, columns: int) -> None:
    physics = MRI(np.ones((rows, columns)))
    x = image(physics, 1)
    y = physics.A(x)
    assert float(y.norm()) == pytest.approx(float(x.norm()), rel=1e-12)
    torch.testing.assert_close(physics.A_dagger(y), x)
    mean = as_complex(x).sum() / (rows * columns) ** 0.5
    torch.testing.assert_close(as_complex(y)[0, rows // 2, columns // 2], mean)
    point = torch.zeros_like(x)
    point[0, 0, rows // 2, columns // 2] = 1
    flat = as_complex(physics.A(point))
    torch.testing.assert_close(flat, torch.full_like(flat, (rows * columns) ** -0.5))


def test_coils_see_the_image_through_their_sensitivity() -> None:
    sensitivities = maps(3, 6, 7)
    sensitivities[:, :2] = 0
    chosen = mask(6, 7)
    physics = MRI(chosen, maps=sensitivities)
    x = image(physics, 1)
    y = as_complex(physics.A(x))
    single = MRI(chosen)
    for coil in range(3):
        seen = as_channels(as_complex(x) * torch.from_numpy(sensitivities[coil]))
        torch.testing.assert_close(y[:, coil], as_complex(single.A(seen)))
    full = MRI(np.ones((6, 7)), maps=sensitivities)
    back = full.A_dagger(full.A(x))
    torch.testing.assert_close(back[:, :, 2:], x[:, :, 2:])
    assert not back[:, :, :2].any()


def test_complex_values_become_channels_and_back() -> None:
    values = maps(2, 3, 4)
    channels = as_channels(values)
    assert channels.shape == (2, 2, 3, 4)
    assert np.array_equal(as_complex(channels), values)
    tensor = torch.from_numpy(values)
    assert torch.equal(as_complex(as_channels(tensor)), tensor)


def test_sensing_is_the_product_with_its_matrix() -> None:
    phi = matrix(9, 30)
    physics = CompressedSensing(phi, shape=(6, 5))
    np.testing.assert_allclose(to_matrix(physics).numpy(), phi, rtol=1e-12)
    x = image(physics)
    back = physics.A_dagger(physics.A(x))
    wanted = x.reshape(2, 30).numpy() @ (np.linalg.pinv(phi) @ phi).T
    np.testing.assert_allclose(back.reshape(2, 30).numpy(), wanted, atol=1e-12)
    with_axes = CompressedSensing(phi.reshape(9, 6, 5))
    assert torch.equal(with_axes.A(x), physics.A(x))


def test_blocks_are_cut_from_the_first_pixel_on() -> None:
    phi = matrix(4, 12)
    physics = CompressedSensing(phi, block=(3, 4), shape=(7, 9))
    assert physics.measurement_shape == (4, 3, 3)
    x = image(physics)
    wide = np.zeros((2, 1, 9, 12))
    wide[:, :, :7, :9] = x.numpy()
    y = physics.A(x)
    for row in range(3):
        for column in range(3):
            block = wide[:, 0, 3 * row : 3 * row + 3, 4 * column : 4 * column + 4]
            wanted = block.reshape(2, 12) @ phi.T
            np.testing.assert_allclose(y[:, 0, :, row, column].numpy(), wanted, rtol=1e-12)


def test_orthonormal_rows_are_recognised() -> None:
    q, _ = np.linalg.qr(RNG.standard_normal((20, 20)))
    physics = CompressedSensing(3 * q[:7], shape=(4, 5))
    assert physics.row_power == pytest.approx(9)
    y = physics.A(image(physics))
    torch.testing.assert_close(physics.A(physics.A_dagger(y)), y)
    assert CompressedSensing(matrix(7, 20), shape=(4, 5)).row_power is None
    assert CompressedSensing(RNG.standard_normal((25, 20)), shape=(4, 5)).row_power is None


def test_what_is_recorded_is_told() -> None:
    chosen = mask(6, 5)
    like = torch.zeros(2, 1, 6, 5)
    told = Inpainting(chosen).observed(like)
    assert told.dtype == torch.float32
    assert np.array_equal(told[0, 0].numpy() > 0, chosen)
    assert MRI(chosen).observed(like).shape == (1, 1, 6, 5)
    assert CompressedSensing(matrix(4, 9), block=3).observed(like) is None


@pytest.mark.parametrize("kind", [Inpainting, MRI])
def test_bad_masks_are_refused_with_the_way_out(kind: Any) -> None:
    with pytest.raises(InputError, match=r"other than 0 and 1.*mask > 0"):
        kind(np.full((4, 4), 255))
    with pytest.raises(InputError, match=r"measures nothing.*Ones mark"):
        kind(np.zeros((4, 4)))
    with pytest.raises(InputError, match="measures nothing"):
        kind(np.stack([np.ones((1, 4, 4)), np.zeros((1, 4, 4))]))
    with pytest.raises(InputError, match="fits no image"):
        kind(np.ones((0, 4)))
    with pytest.raises(InputError, match=r"3 channels.*share a mask"):
        kind(np.ones((2, 3, 4, 4)))
    with pytest.raises(InputError, match="other than 0 and 1"):
        kind(np.full((4, 4), np.nan))
    with pytest.raises(InputError, match=r"expects an image of shape \(batch, channel, 4, 4\)"):
        kind(np.ones((4, 4))).A(torch.zeros(1, 2, 4, 5))


def test_bad_coils_are_refused_with_the_way_out() -> None:
    chosen = mask(6, 7)
    with pytest.raises(InputError, match=r"Sensitivities of shape \(3, 7, 6\)"):
        MRI(chosen, maps=maps(3, 7, 6))
    with pytest.raises(InputError, match="zero everywhere"):
        MRI(chosen, maps=np.zeros((3, 6, 7)))
    with pytest.raises(InputError, match=r"2 channels .* got 1.*as_channels"):
        MRI(chosen).A(torch.zeros(1, 1, 6, 7))


def test_bad_matrices_are_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="no matrix"):
        CompressedSensing(np.ones(5))
    with pytest.raises(InputError, match="NaN"):
        CompressedSensing(np.full((2, 4), np.nan))
    with pytest.raises(InputError, match="zero everywhere"):
        CompressedSensing(np.zeros((2, 4)))
    with pytest.raises(InputError, match=r"columns for \(30,\) pixels, a block has \(6, 6\)"):
        CompressedSensing(matrix(9, 30), shape=(6, 6))
    with pytest.raises(InputError, match="Blocks of"):
        CompressedSensing(matrix(9, 9), block=(3, 3), shape=(6, 6, 6))
    with pytest.raises(InputError, match="Blocks of"):
        CompressedSensing(matrix(9, 9), block=0, shape=(6, 6))


def test_they_are_public() -> None:
    for name in ("Inpainting", "MRI", "CompressedSensing", "as_channels", "as_complex"):
        assert name in nsr.__all__
        assert getattr(nsr, name).__name__ == name
