"""The seen part: self-adjoint, between nothing and all, one with its complement."""

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
    Physics,
    as_physics,
    inferred_part,
    seen_part,
)
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.physics.checks import to_matrix

RNG = numpy_generator("seen")
MASK = RNG.random((6, 7)) < 0.4
PSF = np.exp(-(((np.arange(5) - 2) / 1.1) ** 2) / 2)[:, None] * np.exp(
    -(((np.arange(4) - 2) / 0.8) ** 2) / 2
)
MAPS = RNG.standard_normal((3, 6, 7)) + 1j * RNG.standard_normal((3, 6, 7))
ROWS = np.linalg.qr(RNG.standard_normal((12, 12)))[0][:5]

PHYSICS: dict[str, Callable[[], Physics]] = {
    "identity": lambda: Identity((6, 7)),
    "inpainting": lambda: Inpainting(MASK),
    "mri": lambda: MRI(MASK),
    "coils": lambda: MRI(MASK, maps=MAPS),
    "orthonormal": lambda: CompressedSensing(2 * ROWS, shape=(3, 4)),
    "orthonormal blocks": lambda: CompressedSensing(ROWS, block=(3, 4), shape=(6, 8)),
    "blocks beyond the edge": lambda: CompressedSensing(ROWS, block=(3, 4), shape=(5, 7)),
    "dense": lambda: CompressedSensing(RNG.standard_normal((9, 42)), shape=(6, 7)),
    "circular blur": lambda: Blur(PSF, (6, 7), boundary="circular"),
    "extended blur": lambda: Blur(PSF, (6, 7)),
}
EACH = pytest.mark.parametrize("name", PHYSICS)
PROJECTORS = ("identity", "inpainting", "mri", "orthonormal", "orthonormal blocks")


def images(physics: Physics, seed: int, count: int = 2) -> Tensor:
    shape = (count, physics.channels or 1, *physics.image_shape)
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@EACH
def test_self_adjoint_and_between_nothing_and_all(name: str) -> None:
    physics = PHYSICS[name]()
    u, v = images(physics, 0), images(physics, 1)
    seen = seen_part(physics, u, tolerance=1e-12)
    forth = float((seen * v).sum())
    back = float((u * seen_part(physics, v, tolerance=1e-12)).sum())
    assert abs(forth - back) < 1e-9 * float(u.norm() * v.norm())
    share = float((seen * u).sum() / (u * u).sum())
    assert 0 < share <= 1 + 1e-12
    assert torch.equal(inferred_part(physics, u, tolerance=1e-12), u - seen)


@EACH
def test_closed_forms_and_solver_agree_with_the_matrix(name: str) -> None:
    physics = PHYSICS[name]()
    x = images(physics, 2)
    regularisation = 1e-10 if name in PROJECTORS else 1e-2
    seen = seen_part(physics, x, regularisation=regularisation, tolerance=1e-10, iterations=2000)
    if physics.channels is None:
        matrix = to_matrix(physics)
    else:  # real and imaginary part side by side
        n = physics.channels * int(np.prod(physics.image_shape))
        basis = torch.eye(n, dtype=torch.float64).reshape(n, 2, *physics.image_shape)
        matrix = physics.A(basis).reshape(n, -1).T
    gram = matrix.T @ matrix
    norm = float(torch.linalg.matrix_norm(matrix, 2))
    shifted = gram + regularisation * norm**2 * torch.eye(len(gram), dtype=torch.float64)
    wanted = torch.linalg.solve(shifted, gram @ x.reshape(2, -1).T).T.reshape(x.shape)
    # The solver's norm is that of some power iterations.
    assert float((seen - wanted).norm() / wanted.norm()) < (1e-4 if name in PROJECTORS else 0.02)


@pytest.mark.parametrize("name", PROJECTORS)
def test_what_is_seen_stays_what_it_is(name: str) -> None:
    physics = PHYSICS[name]()
    seen = seen_part(physics, images(physics, 3))
    torch.testing.assert_close(seen_part(physics, seen), seen)
    assert float(physics.A(inferred_part(physics, images(physics, 3))).abs().max()) < 1e-12


@pytest.mark.parametrize("name", ["inpainting", "coils", "dense", "extended blur"])
def test_gradients_flow_through(name: str) -> None:
    physics = PHYSICS[name]()
    x = images(physics, 4, 1).requires_grad_()
    function = lambda v: seen_part(physics, v, tolerance=1e-13, iterations=1000)  # noqa: E731
    assert torch.autograd.gradcheck(function, (x,), atol=1e-6, fast_mode=True)
    weights = images(physics, 5, 1)
    (slope,) = torch.autograd.grad((function(x) * weights).sum(), x)
    torch.testing.assert_close(slope, function(weights), atol=1e-9, rtol=1e-6)


def test_images_of_a_batch_do_not_meet() -> None:
    physics = PHYSICS["dense"]()
    x = images(physics, 6, 3)
    x[1] = 0
    together = seen_part(physics, x)
    assert torch.isfinite(together).all()
    assert not together[1].any()
    alone = torch.cat([seen_part(physics, x[n : n + 1]) for n in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_more_of_a_detail_is_seen_with_less_regularisation() -> None:
    physics = PHYSICS["extended blur"]()
    x = images(physics, 7)
    shares = [
        float((seen_part(physics, x, regularisation=r) * x).sum() / (x * x).sum())
        for r in (1e-1, 1e-2, 1e-3)
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.9 * shares[-1]


def test_single_precision_and_foreign_operators() -> None:
    blur = Blur(PSF, (20, 21))

    class Foreign:
        A, A_adjoint, A_dagger = blur.A, blur.A_adjoint, blur.A_dagger

    physics = as_physics(Foreign(), blur.image_shape, blur.measurement_shape)
    x = images(blur, 8)
    precise = seen_part(physics, x, tolerance=1e-10)
    rough = seen_part(physics, x.float())
    assert rough.dtype == torch.float32
    assert float((rough - precise).norm() / precise.norm()) < 1e-3


def test_bad_input_is_refused() -> None:
    physics = Inpainting(MASK)
    with pytest.raises(InputError, match="an image of shape"):
        seen_part(physics, torch.zeros(1, 1, 7, 6))
    with pytest.raises(InputError, match="have to be positive"):
        seen_part(physics, torch.zeros(1, 1, 6, 7), regularisation=0)
    nothing = as_physics(Zero(), (3, 3), (3, 3))
    assert not seen_part(nothing, torch.ones(1, 1, 3, 3)).any()


class Zero:
    def A(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    A_adjoint = A_dagger = A
