"""Data consistency and the unrolled network against dense algebra."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.networks.unrolled import Unrolled, least_squares, solve

WEIGHT = 0.05


@pytest.fixture
def matrix() -> Tensor:
    """A map of images (1, 4, 5) to 11 values, of norm 1."""
    a = torch.randn(11, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return a / torch.linalg.matrix_norm(a, 2)


def maps(a: Tensor):
    def forward(x: Tensor) -> Tensor:
        return (x.flatten(1) @ a.T)[:, None, None]

    def backward(y: Tensor) -> Tensor:
        return (y.flatten(1) @ a).reshape(-1, 1, 4, 5)

    return forward, backward


def exact(a: Tensor, right: Tensor, weight: Tensor | float) -> Tensor:
    inner = a @ a.T + weight * torch.eye(len(a), dtype=a.dtype)
    return (torch.linalg.solve(inner, right.flatten(1).T).T @ a).reshape(-1, 1, 4, 5)


def rights(n: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 1, 1, 11, dtype=torch.float64, generator=generator)


def test_it_solves_the_normal_equations_in_both_spaces(matrix: Tensor) -> None:
    forward, backward = maps(matrix)
    x, dual = least_squares(forward, backward, rights(), WEIGHT, 30)
    assert torch.allclose(x, exact(matrix, rights(), WEIGHT), atol=1e-9)
    assert torch.allclose(backward(dual), x, atol=1e-9)


@pytest.mark.parametrize("axes", [1, 2, 4])
def test_measurements_may_have_other_axes_than_images(matrix: Tensor, axes: int) -> None:
    forward, backward = maps(matrix)
    shape = (-1, 1, *[1] * (axes - 1), 11)
    x, dual = least_squares(
        lambda v: forward(v).reshape(shape), backward, rights().reshape(shape), WEIGHT, 30
    )
    assert torch.allclose(x, exact(matrix, rights(), WEIGHT), atol=1e-9)
    assert dual.shape == (3, *shape[1:])


@pytest.mark.parametrize("steps", [1, 3, 30])
def test_an_item_does_not_depend_on_the_others(matrix: Tensor, steps: int) -> None:
    forward, backward = maps(matrix)
    together, _ = least_squares(forward, backward, rights(), WEIGHT, steps)
    alone, _ = least_squares(forward, backward, rights()[1:2], WEIGHT, steps)
    assert torch.allclose(together[1:2], alone, atol=1e-13)


def test_nothing_left_to_do_does_no_harm(matrix: Tensor) -> None:
    forward, backward = maps(matrix)
    none, _ = least_squares(forward, backward, 0 * rights(), WEIGHT, 5)
    assert torch.equal(none, torch.zeros_like(none))
    # Of a projector the solution is there after one step.
    q, _ = torch.linalg.qr(matrix.T)
    forward, backward = maps(q.T)
    x, dual = least_squares(forward, backward, rights().float().double(), WEIGHT, 50)
    assert torch.isfinite(dual).all()
    assert torch.allclose(x, exact(q.T, rights(), WEIGHT), atol=1e-7)


def test_gradients_are_those_of_the_solution(matrix: Tensor) -> None:
    forward, backward = maps(matrix)
    target = torch.randn(
        3, 1, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    found = []
    for way in ("solve", "exact"):
        right = rights().requires_grad_()
        weight = torch.tensor(WEIGHT, dtype=torch.float64, requires_grad=True)
        x = (
            solve(forward, backward, right, weight, 40)
            if way == "solve"
            else exact(matrix, right, weight)
        )
        ((x - target) ** 2).sum().backward()
        found.append((right.grad, weight.grad))
    for mine, true in zip(*found, strict=True):
        assert torch.allclose(mine, true, rtol=1e-6)


def test_few_steps_give_bounded_gradients(matrix: Tensor) -> None:
    """In image space the part that A does not see would be blown up by 1 / weight."""
    forward, backward = maps(matrix)
    for steps in (2, 4, 6):
        z = torch.zeros(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
        unseen = torch.linalg.svd(matrix)[2][-1].reshape(1, 1, 4, 5)
        x = z + solve(forward, backward, rights(1) - forward(z), torch.tensor(1e-4), steps)
        (x * unseen).sum().backward()
        assert torch.allclose(z.grad, unseen, atol=1e-6)


def test_untrained_it_is_least_squares_and_regularisers_change_it() -> None:
    net = Unrolled(2, iterations=2, widths=[4, 8])
    net.initialise(torch.Generator().manual_seed(0))
    seen: list[float] = []

    def consistency(x: Tensor, weight: Tensor) -> Tensor:
        seen.append(float(weight.detach()))
        return 0.5 * x + 1

    start = torch.zeros(1, 1, 8, 8)
    assert torch.allclose(net(start, consistency), torch.full((1, 1, 8, 8), 1.75))
    assert seen == pytest.approx([0.01] * 3)
    net(start, consistency).sum().backward()
    assert all(r.head.weight.grad.abs().sum() > 0 for r in net.regularisers)
    with torch.no_grad():
        net.log_weights.fill_(0.1)
    assert net.weights.tolist() == pytest.approx([0.01 * 2.718281828] * 3)
