"""Identity, wrapped operators, recipes and the checks themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import Blur, Identity, Physics, Recipe, as_physics, from_recipe
from napari_selfsup_recon.physics.checks import adjoint_error, to_matrix


class Sums:
    """Foreign code: the sums of the rows of an image, with the transpose that is asked for."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def A(self, x: Tensor) -> Tensor:
        return x.sum(-1)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.scale * y[..., None].expand(*y.shape, 5)

    def A_dagger(self, y: Tensor) -> Tensor:
        return self.A_adjoint(y) / 5


def test_identity() -> None:
    same = Identity((6, 7))
    x = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    kept = x.clone()
    for result in (same.A(x), same.A_adjoint(x), same.A_dagger(x), same.field_of_view(x)):
        assert torch.equal(result, x)
    same.A(x).add_(1)
    assert torch.equal(x, kept)
    assert adjoint_error(same) < 1e-15
    torch.testing.assert_close(to_matrix(same), torch.eye(42, dtype=torch.float64))
    assert same.restrict((slice(2, 5), slice(None))).image_shape == (3, 7)
    with pytest.raises(InputError, match="no crop"):
        same.restrict((slice(2, 5, 3), slice(None)))
    with pytest.raises(InputError, match="an image of shape"):
        same.A(torch.zeros(6, 7))


def test_wrapped_operator() -> None:
    physics = as_physics(Sums(), (4, 5), (4,))
    assert isinstance(physics, Physics)
    assert adjoint_error(physics) < 1e-14
    x = torch.rand(1, 1, 4, 5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(physics.A, (x,))
    assert torch.autograd.gradgradcheck(lambda v: physics.A(v).square(), (x,))
    torch.testing.assert_close(
        physics.A_dagger(physics.A(torch.ones(1, 1, 4, 5))), torch.ones(1, 1, 4, 5)
    )
    with pytest.raises(InputError, match="a measurement of shape"):
        physics.A_dagger(torch.zeros(1, 1, 5))
    with pytest.raises(InputError, match="cannot be saved"):
        physics.recipe()
    with pytest.raises(InputError, match="part of its measurement"):
        physics.restrict((slice(0, 2),))


def test_wrapping_refuses_what_is_no_operator() -> None:
    with pytest.raises(InputError, match="no method A, A_adjoint, A_dagger"):
        as_physics(object(), (4, 5), (4,))  # type: ignore[arg-type]
    blur = Blur(np.ones((3, 3)), (4, 5))
    assert as_physics(blur, (6, 7), (4, 5)) is blur
    with pytest.raises(InputError, match=r"maps \(6, 7\) to \(4, 5\)"):
        as_physics(blur, (4, 5), (4, 5))


def test_a_wrong_adjoint_is_found() -> None:
    physics = as_physics(Sums(scale=1.001), (4, 5), (4,))
    assert adjoint_error(physics) > 1e-6
    assert adjoint_error(physics, seed=1) != adjoint_error(physics, seed=2)
    assert adjoint_error(physics, seed=1) == adjoint_error(physics, seed=1)


def test_a_shifted_adjoint_is_found() -> None:
    class Shifted(Blur):
        def _adjoint(self, y: Tensor) -> Tensor:
            return super()._adjoint(y).roll(1, -1)

    psf = np.random.default_rng(0).random((5, 5))
    assert adjoint_error(Shifted(psf, (30, 30), boundary="circular")) > 1e-4


def test_matrix_refuses_large_operators() -> None:
    with pytest.raises(InputError, match="16384 x 16384 entries"):
        to_matrix(Identity((128, 128)))


@pytest.mark.parametrize("boundary", ["extended", "circular", "reflect", "zero"])
def test_recipes_rebuild_the_operator(boundary: str) -> None:
    psf = np.random.default_rng(0).random((4, 5))
    blur = Blur(psf, (9, 8), boundary=boundary, regularisation=0.03)  # type: ignore[arg-type]
    recipe = blur.recipe()
    saved = Recipe(recipe.kind, json.loads(json.dumps(dict(recipe.params))), dict(recipe.arrays))
    again = from_recipe(saved)
    assert isinstance(again, Blur)
    assert (again.boundary, again.regularisation) == (boundary, 0.03)
    x = torch.rand(1, 1, *blur.image_shape)
    y = torch.rand(1, 1, 9, 8)
    assert torch.equal(again.A(x), blur.A(x))
    assert torch.equal(again.A_dagger(y), blur.A_dagger(y))


def test_recipe_of_identity_and_of_the_future() -> None:
    again = from_recipe(Identity((5, 6, 7)).recipe())
    assert isinstance(again, Identity)
    assert again.image_shape == (5, 6, 7)
    with pytest.raises(InputError, match="'tomograph' is not known"):
        from_recipe(Recipe("tomograph"))
