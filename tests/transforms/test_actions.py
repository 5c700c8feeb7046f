from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad

from napari_selfsup_recon import transforms
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.transforms import Affine, Flip, Reflect, Roll, Rotate, Scale, Shift

SHAPES = [(12, 15), (9, 9), (6, 9, 10), (1, 8, 8)]
NAMES = (*transforms.NAMES, "shift+rotate", "reflect+scale+rotate")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(shape: tuple[int, ...], sigma: float = 0.12) -> torch.Tensor:
    """A band-limited blob off the centre, far from the edges."""
    axes = [torch.linspace(-1, 1, n, dtype=torch.float64) for n in shape]
    grid = torch.meshgrid(*axes, indexing="ij")
    square = sum(((p - 0.1 * (k + 1)) / (1 + 0.3 * k)) ** 2 for k, p in enumerate(grid))
    return torch.exp(-square / (2 * sigma**2))[None, None]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_adjoint_is_the_transpose(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    random = generator(1)
    action = transforms.from_name(name).draw(shape, random)
    x, y = (torch.randn(2, 3, *shape, dtype=dtype, generator=random) for _ in range(2))
    forth, back = action(x), action.adjoint(y)
    assert forth.shape == x.shape and forth.dtype == dtype
    scale = float(x.norm() * y.norm())
    error = abs(float((forth * y).sum() - (x * back).sum())) / scale
    assert error < (1e-12 if dtype == torch.float64 else 1e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_derivative_is_the_adjoint_to_any_order(name: str) -> None:
    shape = (3, 4, 4) if name == "rotate-3d" else (5, 6)
    action = transforms.from_name(name).draw(shape, generator(2))
    x = torch.randn(1, 2, *shape, dtype=torch.float64, generator=generator(), requires_grad=True)
    assert torch.autograd.gradcheck(action, (x,))
    assert torch.autograd.gradgradcheck(action, (x,))
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x.detach(), torch.ones_like(x))
        tangent = forward_ad.unpack_dual(action(dual)).tangent
    assert tangent is not None
    assert torch.allclose(tangent, action(torch.ones_like(x)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(48, 56), (24, 28, 32)])
def test_the_inverse_undoes(name: str, shape: tuple[int, ...]) -> None:
    x = smooth(shape)
    for seed in range(3):
        # Enlarged and moved objects may leave the image.
        if "shift" in name:
            transform = Shift(limit=0.1)
        elif "scale" in name:
            transform = Scale(0.8, 1.1)
        else:
            transform = transforms.from_name(name)
        action = transform.draw(shape, generator(seed))
        back = action.inverse()(action(x))
        assert float((back - x).norm() / x.norm()) < 0.05


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_valid_shows_nothing_from_outside(name: str, shape: tuple[int, ...]) -> None:
    for seed in range(4):
        action = transforms.from_name(name).draw(shape, generator(seed))
        mask = action.valid(shape)
        assert mask.shape == shape and set(mask.unique().tolist()) <= {0.0, 1.0}
        # A constant image stays constant where nothing came from outside.
        moved = action(torch.full((1, 1, *shape), 3.0, dtype=torch.float64))[0, 0]
        assert torch.allclose(moved[mask > 0], torch.tensor(3.0, dtype=torch.float64), atol=0.05)
        assert action.valid(shape, like=moved).dtype == torch.float64


def test_circular_shifts_are_not_valid_where_they_wrap() -> None:
    action = Roll((2, -1))
    x = torch.arange(20.0).reshape(1, 1, 4, 5)
    assert torch.equal(action(x), x.roll((2, -1), (-2, -1)))
    mask = action.valid((4, 5))
    assert mask.sum() == 2 * 4 and not mask[:2].any() and not mask[:, -1].any()
    assert torch.equal(Roll((2, -1), "zero")(x), action(x) * mask)


@given(
    st.integers(3, 9), st.integers(3, 9), st.integers(-20, 20), st.integers(-20, 20), st.booleans()
)
@settings(deadline=None, max_examples=40)
def test_any_shift_keeps_its_promises(h: int, w: int, dy: int, dx: int, circular: bool) -> None:
    action = Roll((dy, dx), "circular" if circular else "zero")
    x = torch.randn(1, 1, h, w, generator=generator(), dtype=torch.float64)
    y = torch.randn(1, 1, h, w, generator=generator(1), dtype=torch.float64)
    assert torch.allclose((action(x) * y).sum(), (x * action.adjoint(y)).sum())
    if circular:
        assert torch.equal(action.inverse()(action(x)), x)


def test_drawn_shifts_stay_in_their_limit_and_cover_it() -> None:
    random = generator(3)
    drawn = [Shift(limit=0.25).draw((16, 40), random).offsets for _ in range(300)]
    assert {y for y, _ in drawn} == set(range(-4, 5))
    assert max(abs(x) for _, x in drawn) == 10
    only_rows = [Shift(axes=(0,)).draw((16, 40), random).offsets for _ in range(20)]
    assert all(x == 0 for _, x in only_rows)


def test_reflections_are_a_group_of_flips() -> None:
    every = Reflect().elements((3, 4, 5))
    assert every[0] == Flip((False, False, False)) and len(set(every)) == 8
    drawn = {Reflect().draw((3, 4), generator(s)) for s in range(40)}
    assert drawn == set(Reflect().elements((3, 4))[1:])
    assert len(Reflect(axes=(1,)).elements((3, 4))) == 2


def test_products_act_from_right_to_left_and_interpolate_once() -> None:
    shape = (20, 20)
    x = smooth(shape)
    a, b = Roll((3, 1)), Flip((True, False))
    assert torch.equal((a @ b)(x), a(b(x)))
    assert torch.equal((a @ b).inverse()((a @ b)(x)), x)
    first, last = Rotate().action(shape, 20), Scale().action(shape, 0.9)
    fused = last @ first
    assert isinstance(fused, Affine)
    assert torch.allclose(fused(x), last(first(x)), atol=0.02)
    both = (Rotate(step=90) @ Reflect()).elements((8, 8))
    assert both is not None and len(both) == 16
    assert (Rotate() @ Reflect()).elements((8, 8)) is None


def test_identity_leaves_alone() -> None:
    one = transforms.Identity()
    x = smooth((8, 8))
    assert one(x) is x and one.adjoint(x) is x and one.inverse() is one
    assert one @ Roll((1, 1)) == Roll((1, 1)) and bool(one.valid((3, 3)).all())


def test_names() -> None:
    assert transforms.from_name("rotate", step=90) == Rotate(step=90)
    assert transforms.from_name("rotate-3d") == Rotate(axis="any")
    with pytest.raises(InputError, match="no transform called 'twist'"):
        transforms.from_name("twist")
    with pytest.raises(InputError, match="one transform only"):
        transforms.from_name("shift+rotate", step=90)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Shift(limit=0), "0 times the side"),
        (lambda: Shift(edge="mirror"), "no edge 'mirror'"),
        (lambda: Scale(1.2, 0.8), "from 1.2 to 0.8"),
        (lambda: Reflect(axes=(3,)).elements((4, 4)), "cannot be mirrored"),
        (lambda: Affine(np.eye(4)), "cannot turn the axes"),
        (lambda: Affine(np.zeros((2, 2))), "cannot be inverted"),
        (lambda: Affine(np.eye(2), interpolation="nearest"), "no interpolation"),
        (lambda: Scale().draw((8,), generator()), "cannot turn"),
    ],
)
def test_bad_parameters_are_told(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]
