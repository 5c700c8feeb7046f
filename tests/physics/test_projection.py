"""Projections: idempotent where they are exact, self-adjoint and complementary always."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon import (
    MRI,
    Blur,
    CompressedSensing,
    Identity,
    Inpainting,
    ParallelBeam,
    Physics,
    Transmission,
    as_physics,
    seen_part,
)
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.physics.checks import to_matrix
from napari_selfsup_recon.physics.projection import Projection, null_project, range_project

RNG = numpy_generator("projection")
MASK = RNG.random((6, 7)) < 0.4
MASKS = RNG.random((2, 1, 6, 7)) < 0.4
PSF = np.outer([0.2, 1.0, 0.4, 0.1], [0.3, 1.0, 0.2])
MAPS = RNG.standard_normal((3, 6, 7)) + 1j * RNG.standard_normal((3, 6, 7))
ROWS = np.linalg.qr(RNG.standard_normal((12, 12)))[0][:5]
RANDOM = RNG.standard_normal((5, 12))

PHYSICS: dict[str, Callable[[], Physics]] = {
    "identity": lambda: Identity((6, 7)),
    "inpainting": lambda: Inpainting(MASK),
    "a mask each": lambda: Inpainting(MASKS),
    "mri": lambda: MRI(MASK),
    "coils": lambda: MRI(MASK, maps=MAPS),
    "orthonormal": lambda: CompressedSensing(2 * ROWS, shape=(3, 4)),
    "orthonormal blocks": lambda: CompressedSensing(ROWS, block=(3, 4), shape=(6, 8)),
    "blocks": lambda: CompressedSensing(RANDOM, block=(3, 4), shape=(6, 8)),
    "blocks beyond the edge": lambda: CompressedSensing(ROWS, block=(3, 4), shape=(5, 7)),
    "repeated rows": lambda: CompressedSensing(np.vstack([RANDOM, RANDOM[:2]]), shape=(3, 4)),
    "circular blur": lambda: Blur(PSF, (6, 7), boundary="circular"),
    "extended blur": lambda: Blur(PSF, (6, 7)),
    "ct": lambda: ParallelBeam((6, 7), np.arange(3) * 1.1),
    "counts": lambda: Transmission(ParallelBeam((6, 7), np.arange(3) * 1.1)),
}
EACH = pytest.mark.parametrize("name", PHYSICS)
PARTIAL_ISOMETRIES = ("identity", "inpainting", "a mask each", "mri", "orthonormal")
PARTIAL_ISOMETRIES += ("orthonormal blocks",)


def images(physics: Physics, seed: int) -> Tensor:
    shape = (2, physics.channels or 1, *physics.image_shape)
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def complex_matrix(physics: Physics) -> Tensor:
    count = 2 * 42
    units = torch.eye(count, dtype=torch.float64).reshape(count, 2, *physics.image_shape)
    return physics.A(units).flatten(1).T


def linear(physics: Physics) -> Physics:
    return physics.projector if isinstance(physics, Transmission) else physics


def promised(projection: Projection, physics: Physics) -> None:
    """Check that a pair is self-adjoint, complementary, and between nothing and all."""
    u, v = images(physics, 0), images(physics, 1)
    forth, back = float((projection.range(u) * v).sum()), float((u * projection.range(v)).sum())
    assert abs(forth - back) < 1e-10 * float(u.norm() * v.norm())
    assert torch.equal(projection.null(u), u - projection.range(u))
    share = float((projection.range(u) * u).sum() / (u * u).sum())
    assert 0 < share <= 1 + 1e-9


@EACH
@pytest.mark.parametrize("how", ["auto", "iterated", "matrix"])
def test_exact_ones_are_orthogonal_projectors_on_what_is_measured(name: str, how: str) -> None:
    physics = PHYSICS[name]()
    if how == "matrix" and physics.items:
        pytest.skip("each image has an operator of its own")
    projection = Projection(physics, regularisation=0, how=how)  # type: ignore[arg-type]
    assert projection.exact
    promised(projection, physics)
    x = images(physics, 2)
    seen = projection.range(x)
    close = {"atol": 1e-8, "rtol": 1e-8}
    torch.testing.assert_close(projection.range(seen), seen, **close)
    torch.testing.assert_close(linear(physics).A(seen), linear(physics).A(x), **close)
    assert float(projection.range(projection.null(x)).abs().max()) < 1e-8
    torch.testing.assert_close(projection.inverse(linear(physics).A(x)), seen, **close)


@pytest.mark.parametrize("name", ["coils", "blocks beyond the edge", "repeated rows", "ct"])
def test_they_are_those_of_the_matrix(name: str) -> None:
    physics = PHYSICS[name]()
    matrix = to_matrix(physics) if physics.channels is None else complex_matrix(physics)
    x = images(physics, 3)
    wanted = (x.flatten(1) @ (torch.linalg.pinv(matrix, rtol=1e-9) @ matrix).T).reshape(x.shape)
    torch.testing.assert_close(range_project(physics, x), wanted, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(null_project(physics, x), x - wanted, atol=1e-9, rtol=1e-9)


@EACH
def test_regularised_ones_agree_with_the_seen_part(name: str) -> None:
    physics = PHYSICS[name]()
    x = images(physics, 4)
    projection = Projection(physics, regularisation=1e-2)
    promised(projection, physics)
    wanted = seen_part(physics, x, regularisation=1e-2, tolerance=1e-12)
    torch.testing.assert_close(projection.range(x), wanted, atol=1e-5, rtol=1e-3)
    assert projection.exact == (name in PARTIAL_ISOMETRIES)
    # With the inverse of the same regularisation it is one after the other.
    torch.testing.assert_close(
        projection.inverse(linear(physics).A(x)), projection.range(x), atol=1e-6, rtol=1e-6
    )


@EACH
def test_a_polynomial_is_linear_and_self_adjoint_whatever_its_degree(name: str) -> None:
    physics = PHYSICS[name]()
    for degree in (3, 40):
        promised(Projection(physics, regularisation=1e-2, how="polynomial", degree=degree), physics)
    x, y = images(physics, 5), images(physics, 6)
    projection = Projection(physics, regularisation=1e-2, how="polynomial", degree=4)
    both = projection.range(2 * x - 3 * y)
    torch.testing.assert_close(both, 2 * projection.range(x) - 3 * projection.range(y))
    near = Projection(physics, regularisation=1e-2, how="polynomial", degree=120).range(x)
    solved = Projection(physics, regularisation=1e-2, how="iterated", tolerance=1e-12).range(x)
    torch.testing.assert_close(near, solved, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["a mask each", "coils", "blocks", "circular blur", "ct"])
@pytest.mark.parametrize("settings", [{}, {"regularisation": 0.0}, {"how": "polynomial"}])
def test_the_gradient_is_the_projection_itself(name: str, settings: dict[str, float]) -> None:
    physics = PHYSICS[name]()
    if settings.get("regularisation", 1) and not settings.get("how"):
        settings = {**settings, "tolerance": 1e-13}
    projection = Projection(physics, **settings)  # type: ignore[arg-type]
    x = images(physics, 7).requires_grad_()
    assert torch.autograd.gradcheck(projection.range, (x,), atol=1e-6, fast_mode=True)
    assert torch.autograd.gradgradcheck(projection.range, (x,), atol=1e-6, fast_mode=True)
    weights = images(physics, 8)
    (slope,) = torch.autograd.grad((projection.range(x) * weights).sum(), x)
    torch.testing.assert_close(slope, projection.range(weights), atol=1e-12, rtol=1e-9)


def test_images_of_a_batch_do_not_meet_and_single_precision_serves() -> None:
    for name in ("coils", "ct", "blocks"):
        physics = PHYSICS[name]()
        x = images(physics, 9)
        x[1] = 0
        for how in ("matrix", "iterated"):
            projection = Projection(physics, how=how)  # type: ignore[arg-type]
            assert not projection.range(x)[1].any()
            rough = projection.range(x.float())
            assert rough.dtype == torch.float32
            assert float((rough - projection.range(x)).norm() / x.norm()) < 1e-4


def test_the_share_that_is_missed() -> None:
    assert Projection(Identity((6, 7))).missed_share() == 0
    mask = np.zeros((64, 64), bool)
    mask[:16] = True
    assert Projection(Inpainting(mask)).missed_share() == pytest.approx(0.75, abs=0.02)


def test_foreign_operators() -> None:
    inner = Inpainting(MASK)

    class Foreign:
        """Knows single precision alone."""

        def A(self, x: Tensor) -> Tensor:
            if x.dtype != torch.float32:
                raise TypeError("single precision, please")
            return inner.A(x)

        A_adjoint = A_dagger = A

    physics = as_physics(Foreign(), (6, 7), (6, 7))
    x = images(inner, 10).float()
    found = Projection(physics, how="iterated").range(x)
    assert float((found - inner.A(x)).abs().max()) < 1e-2
    torch.testing.assert_close(
        range_project(physics, x, how="iterated", tolerance=1e-6), inner.A(x)
    )


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="an image of shape"):
        range_project(Inpainting(MASK), torch.zeros(1, 1, 7, 6))
    with pytest.raises(InputError, match="may not be negative"):
        Projection(Inpainting(MASK), regularisation=-1)
    with pytest.raises(InputError, match="operator of its own"):
        Projection(Inpainting(MASKS), how="matrix")
    with pytest.raises(InputError, match="No polynomial"):
        Projection(Inpainting(MASK), regularisation=0, how="polynomial")
    with pytest.raises(InputError, match="no way 'svd'"):
        Projection(Inpainting(MASK), how="svd")  # type: ignore[arg-type]
