"""Photon counts: Beer and Lambert, their inverse, and counts that cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import (
    FanBeam,
    Identity,
    ParallelBeam,
    Recipe,
    Transmission,
    from_recipe,
)


def beam(side: int = 12) -> ParallelBeam:
    return ParallelBeam((side, side), np.arange(9) * np.pi / 9)


def test_counts_follow_beer_and_lambert() -> None:
    x = torch.rand(2, 3, 12, 12, dtype=torch.float64)
    projector = beam()
    counts = Transmission(projector, I0=5e3, attenuation=0.03).A(x)
    torch.testing.assert_close(counts, 5e3 * torch.exp(-0.03 * projector.A(x)))


def test_the_log_undoes_it() -> None:
    physics = Transmission(beam(), I0=5e3, attenuation=0.03)
    x = torch.rand(2, 1, 12, 12, dtype=torch.float64)
    counts = physics.A(x)
    torch.testing.assert_close(physics.line_integrals(counts), 0.03 * physics.projector.A(x))
    torch.testing.assert_close(
        physics.A_dagger(counts), physics.projector.A_dagger(physics.projector.A(x))
    )


def test_it_says_that_it_is_not_linear() -> None:
    physics = Transmission(beam())
    assert not physics.linear
    assert physics.projector.linear
    with pytest.raises(InputError, match=r"not linear.*line_integrals"):
        physics.A_adjoint(torch.ones(1, 1, *physics.measurement_shape))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_counts_at_all_are_no_trouble(dtype: torch.dtype) -> None:
    physics = Transmission(beam(), I0=1e4)
    counts = torch.full((1, 1, *physics.measurement_shape), 1e4, dtype=dtype)
    counts[..., 2, 3], counts[..., 3, 4], counts[..., 4, 5] = 0, -80, 0.5
    integrals = physics.line_integrals(counts.requires_grad_())
    assert integrals.max().item() == pytest.approx(np.log(1e4))
    (gradient,) = torch.autograd.grad(physics.A_dagger(counts).square().sum(), counts)
    assert gradient.isfinite().all()


def test_counts_stay_finite_for_absurd_images() -> None:
    physics = Transmission(beam(), I0=1e4)
    x = torch.full((1, 1, 12, 12), -1e6).requires_grad_()
    counts = physics.A(x)
    assert counts.isfinite().all()
    assert torch.autograd.grad(counts.sum(), x)[0].isfinite().all()


def test_derivatives_of_any_order() -> None:
    physics = Transmission(beam(5), I0=50, attenuation=0.2)
    x = torch.rand(1, 1, 5, 5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(physics.A, (x,))
    assert torch.autograd.gradgradcheck(physics.A, (x,))
    assert torch.autograd.gradcheck(lambda v: physics.A_dagger(physics.A(v)), (x,))


def test_recipe() -> None:
    fan = FanBeam((8, 9), [0.1, 0.7, 3.0], source_distance=30, detector_distance=12.5)
    for projector in (beam(), fan):
        physics = Transmission(projector, I0=777, attenuation=0.0256, darkest=1e-3)
        recipe = physics.recipe()
        saved = Recipe(recipe.kind, json.loads(json.dumps(dict(recipe.params))), recipe.arrays)
        again = from_recipe(saved)
        assert isinstance(again, Transmission)
        x = torch.rand(1, 1, *physics.image_shape)
        assert torch.equal(again.A(x), physics.A(x))
        assert torch.equal(again.A_dagger(physics.A(x)), physics.A_dagger(physics.A(x)))


def test_bad_input() -> None:
    with pytest.raises(InputError, match="over a CT projector, not over Identity"):
        Transmission(Identity((4, 4)))  # type: ignore[arg-type]
    for name, value in (("I0", 0.0), ("attenuation", -1.0), ("darkest", float("nan"))):
        with pytest.raises(InputError, match=f"{name} is"):
            Transmission(beam(), **{name: value})
    with pytest.raises(InputError, match="below 1"):
        Transmission(beam(), darkest=1.0)
    physics = Transmission(beam())
    with pytest.raises(InputError, match="8 views, but there are 9 angles"):
        physics.line_integrals(torch.ones(1, 1, 8, physics.measurement_shape[1]))
    with pytest.raises(InputError, match="each view sees all"):
        physics.restrict((slice(0, 3), slice(None)))
    assert physics.restrict((slice(None), slice(None))) is physics
