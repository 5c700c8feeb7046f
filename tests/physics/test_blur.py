"""The blur is the convolution it says it is, and its adjoint is its transpose."""

from __future__ import annotations

import threading
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics import Blur
from napari_selfsup_recon.physics._sizes import fast_shape
from napari_selfsup_recon.physics.blur import Boundary
from napari_selfsup_recon.physics.checks import adjoint_error, to_matrix

BOUNDARIES: tuple[Boundary, ...] = ("extended", "circular", "reflect", "zero")
Array = NDArray[np.float64]

boundaries = st.sampled_from(BOUNDARIES)
seeds = st.integers(0, 2**31)


@st.composite
def problems(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape and the shape of a PSF, 2D or 3D, which may be the larger one."""
    ndim = draw(st.sampled_from((2, 3)))
    largest = 24 if ndim == 2 else 9
    side = st.integers(1, largest)
    shape = st.tuples(*[side] * ndim)
    return draw(shape), draw(shape)


def kernel(shape: tuple[int, ...], seed: int = 0) -> Array:
    """A PSF without any symmetry."""
    values = np.random.default_rng(seed).random(shape) ** 2 + 0.01
    return values / values.sum()


def values(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def direct(x: Array, psf: Array, boundary: Boundary) -> Array:
    """The definition, voxel by voxel: sum over k of psf[k] x[i + c - k]."""
    centre = [k // 2 for k in psf.shape]
    before = [k - 1 - c for k, c in zip(psf.shape, centre, strict=True)]
    shape = x.shape
    if boundary == "extended":
        shape = tuple(n - k + 1 for n, k in zip(x.shape, psf.shape, strict=True))
        centre = [c + b for c, b in zip(centre, before, strict=True)]
    out = np.zeros(shape)
    for i in product(*map(range, shape)):
        for k in product(*map(range, psf.shape)):
            place: list[int] = []
            for axis, (a, c, b) in enumerate(zip(i, centre, k, strict=True)):
                n, at = x.shape[axis], a + c - b
                if boundary == "circular":
                    at %= n
                elif boundary == "reflect":
                    at %= 2 * n
                    at = min(at, 2 * n - 1 - at)
                place.append(at)
            if all(0 <= at < n for at, n in zip(place, x.shape, strict=True)):
                out[i] += psf[k] * x[tuple(place)]
    return out


@settings(deadline=None, max_examples=80)
@given(problem=problems(), boundary=boundaries, seed=seeds)
def test_adjoint_is_the_transpose(
    problem: tuple[tuple[int, ...], tuple[int, ...]], boundary: Boundary, seed: int
) -> None:
    shape, side = problem
    blur = Blur(kernel(side, seed), shape, boundary=boundary)
    assert adjoint_error(blur, seed=seed, batch=2, channels=3) < 1e-12
    assert adjoint_error(blur, seed=seed, dtype=torch.float32) < 1e-5


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("shape", "side"),
    [
        ((97, 64), (31, 17)),
        ((130, 121), (16, 1)),
        ((31, 40, 37), (9, 12, 7)),
        ((16, 64, 64), (31,) * 3),
    ],
)
def test_adjoint_at_working_sizes(
    shape: tuple[int, ...], side: tuple[int, ...], boundary: Boundary
) -> None:
    blur = Blur(kernel(side), shape, boundary=boundary)
    assert adjoint_error(blur) < 1e-12
    assert adjoint_error(blur, dtype=torch.float32) < 1e-5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_adjoint_on_the_gpu(boundary: Boundary) -> None:
    blur = Blur(kernel((9, 12, 7)), (31, 40, 37), boundary=boundary)
    assert adjoint_error(blur, device="cuda") < 1e-12
    assert adjoint_error(blur, device="cuda", dtype=torch.float32) < 1e-5


@settings(deadline=None, max_examples=40)
@given(
    problem=st.one_of(
        st.tuples(st.tuples(*[st.integers(1, 7)] * 2), st.tuples(*[st.integers(1, 6)] * 2)),
        st.tuples(st.tuples(*[st.integers(1, 4)] * 3), st.tuples(*[st.integers(1, 3)] * 3)),
    ),
    boundary=boundaries,
    seed=seeds,
)
def test_agrees_with_the_definition(
    problem: tuple[tuple[int, ...], tuple[int, ...]], boundary: Boundary, seed: int
) -> None:
    shape, side = problem
    psf = kernel(side, seed)
    blur = Blur(psf, shape, boundary=boundary)
    x = values(blur.image_shape, seed)
    got = blur.A(x[None, None])[0, 0].numpy()
    np.testing.assert_allclose(got, direct(x.numpy(), psf, boundary), atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("shape", "side"), [((5, 6), (4, 3)), ((3, 4), (9, 2)), ((3, 2, 4), (2, 3, 2))]
)
def test_matrices_are_transposes(
    shape: tuple[int, ...], side: tuple[int, ...], boundary: Boundary
) -> None:
    blur = Blur(kernel(side), shape, boundary=boundary)
    forward, backward = to_matrix(blur), to_matrix(blur, adjoint=True)
    assert forward.shape == (np.prod(blur.measurement_shape), np.prod(blur.image_shape))
    torch.testing.assert_close(forward, backward.T, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("shape", "side"), [((3, 4), (2, 3)), ((2, 3, 2), (2, 1, 2))])
def test_derivatives_of_any_order(
    shape: tuple[int, ...], side: tuple[int, ...], boundary: Boundary
) -> None:
    blur = Blur(kernel(side), shape, boundary=boundary)
    x = values((2, 1, *blur.image_shape)).requires_grad_()
    y = values((1, 2, *blur.measurement_shape)).requires_grad_()
    for function, at in ((blur.A, x), (blur.A_adjoint, y), (blur.A_dagger, y)):
        assert torch.autograd.gradcheck(function, (at,))
        assert torch.autograd.gradgradcheck(lambda v, f=function: f(v).square(), (at,))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_channels_and_batch_are_independent(boundary: Boundary) -> None:
    blur = Blur(kernel((4, 5)), (9, 8), boundary=boundary)
    x = values((3, 2, *blur.image_shape))
    whole = blur.A(x)
    for i, j in product(range(3), range(2)):
        torch.testing.assert_close(whole[i : i + 1, j : j + 1], blur.A(x[i : i + 1, j : j + 1]))


@pytest.mark.parametrize("side", [(1, 1), (2, 2), (3, 3), (4, 7), (8, 5)])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_point_stays_in_place(side: tuple[int, int], boundary: Boundary) -> None:
    psf = np.zeros(side)
    psf[tuple(k // 2 for k in side)] = 1.0
    blur = Blur(psf, (12, 13), boundary=boundary)
    x = values((1, 1, *blur.image_shape))
    torch.testing.assert_close(blur.A(x), blur.field_of_view(x))


def test_flux_of_circular_and_reflect_is_kept() -> None:
    for boundary in ("circular", "reflect"):
        blur = Blur(kernel((5, 5)) + kernel((5, 5)).T[::-1, ::-1], (20, 21), boundary=boundary)
        flat = torch.ones((1, 1, 20, 21), dtype=torch.float64)
        torch.testing.assert_close(blur.A(flat), 2 * flat)


@settings(deadline=None, max_examples=30)
@given(problem=problems(), data=st.data(), seed=seeds)
def test_restrict_is_the_crop(
    problem: tuple[tuple[int, ...], tuple[int, ...]], data: st.DataObject, seed: int
) -> None:
    shape, side = problem
    blur = Blur(kernel(side, seed), shape)
    bounds = [sorted(data.draw(st.tuples(st.integers(0, n - 1), st.integers(1, n)))) for n in shape]
    region = tuple(slice(a, b if b > a else b + 1) for a, b in bounds)
    x = values((1, 1, *blur.image_shape), seed)
    crop = tuple(slice(s.start, s.stop + k - 1) for s, k in zip(region, side, strict=True))
    part = blur.restrict(region)
    torch.testing.assert_close(part.A(x[(..., *crop)]), blur.A(x)[(..., *region)])


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_restrict_of_a_whole_and_of_a_part(boundary: Boundary) -> None:
    blur = Blur(kernel((4, 5)), (20, 22), boundary=boundary, regularisation=0.5)
    assert blur.restrict((slice(None), slice(0, 22))) is blur
    part = blur.restrict((slice(3, 15), slice(-10, None)))
    assert part.measurement_shape == (12, 10)
    assert part.boundary == "extended"
    assert part.regularisation == 0.5
    many = [blur.restrict((slice(0, n), slice(0, 5))) for n in range(1, 20)]
    assert [m.measurement_shape[0] for m in many] == list(range(1, 20))


@pytest.mark.parametrize(
    "region",
    [
        (slice(0, 5),),
        (slice(0, 5), slice(0, 5), slice(0, 5)),
        (slice(0, 8, 2), slice(0, 5)),
        (slice(5, 5), slice(0, 5)),
        (slice(30, 40), slice(0, 5)),
    ],
)
def test_restrict_refuses_what_is_no_crop(region: tuple[slice, ...]) -> None:
    with pytest.raises(InputError, match="no crop"):
        Blur(kernel((3, 3)), (20, 22)).restrict(region)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_dagger_is_one_linear_map(boundary: Boundary) -> None:
    blur = Blur(kernel((4, 3)), (7, 8), boundary=boundary)
    a, b = values((1, 1, 7, 8), 1), values((1, 1, 7, 8), 2)
    left = blur.A_dagger(2.0 * a - 3.0 * b)
    torch.testing.assert_close(left, 2.0 * blur.A_dagger(a) - 3.0 * blur.A_dagger(b))
    assert left.shape[2:] == blur.image_shape
    torch.testing.assert_close(blur.A_dagger(a), blur.A_dagger(a), rtol=0, atol=0)


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
def test_dagger_undoes_a_gentle_blur(boundary: Boundary) -> None:
    psf = np.array([[0.02, 0.1, 0.02], [0.08, 0.6, 0.05], [0.02, 0.1, 0.01]])
    if boundary == "reflect":  # exact where the blur of a mirrored image is mirrored
        psf = (psf + psf[::-1] + psf[:, ::-1] + psf[::-1, ::-1]) / 4
    blur = Blur(psf, (16, 15), boundary=boundary, regularisation=1e-12)
    x = values((1, 1, 16, 15))
    torch.testing.assert_close(blur.A_dagger(blur.A(x)), x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_calls_change_nothing(boundary: Boundary) -> None:
    psf = kernel((4, 3))
    given_psf = psf.copy()
    blur = Blur(psf, (9, 8), boundary=boundary)
    x, y = values((1, 1, *blur.image_shape)), values((1, 1, 9, 8))
    kept_x, kept_y = x.clone(), y.clone()
    first = blur.A(x), blur.A_adjoint(y), blur.A_dagger(y)
    blur.A(x.float())
    blur.A_adjoint(y.float())
    second = blur.A(x), blur.A_adjoint(y), blur.A_dagger(y)
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two)
    assert torch.equal(x, kept_x)
    assert torch.equal(y, kept_y)
    np.testing.assert_array_equal(psf, given_psf)
    psf[:] = 0  # the operator keeps its own
    assert torch.equal(blur.A(x), first[0])
    with pytest.raises(ValueError, match="read-only"):
        blur.psf[0, 0] = 1.0


def test_one_transfer_function_a_dtype() -> None:
    blur = Blur(kernel((4, 3)), (9, 8))
    single, double = torch.zeros(1), torch.zeros(1, dtype=torch.float64)
    assert blur.otf(single) is blur.otf(single)
    assert blur.otf(single).dtype == torch.complex64
    assert blur.otf(double).dtype == torch.complex128
    assert blur.otf(torch.zeros(1, dtype=torch.bfloat16)) is blur.otf(single)


def test_threads_may_share_a_blur() -> None:
    blur = Blur(kernel((5, 4, 3)), (12, 13, 14))
    x = values((1, 1, *blur.image_shape))
    results: list[torch.Tensor] = []
    threads = [threading.Thread(target=lambda: results.append(blur.A(x))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_follows_the_input(dtype: torch.dtype) -> None:
    blur = Blur(kernel((3, 4)), (8, 9), boundary="reflect")
    x = values((1, 1, 8, 9)).to(dtype)
    assert blur.A(x).dtype == dtype
    assert blur.A_adjoint(x).dtype == dtype
    # Half precision is rounded at the end, not computed in.
    exact = blur.A(x.double())
    torch.testing.assert_close(blur.A(x).double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_margins_and_field_of_view(boundary: Boundary) -> None:
    blur = Blur(kernel((4, 7)), (9, 8), boundary=boundary)
    x = values((1, 1, *blur.image_shape))
    seen = blur.field_of_view(x)
    assert seen.shape[2:] == blur.measurement_shape
    if boundary == "extended":
        assert blur.image_shape == (12, 14)
        assert blur.margins == ((1, 2), (3, 3))
        assert torch.equal(seen, x[..., 1:10, 3:11])
    else:
        assert blur.margins == ((0, 0), (0, 0))
        assert seen is x


@given(shape=st.lists(st.integers(1, 3000), min_size=1, max_size=3))
def test_fast_shapes(shape: list[int]) -> None:
    fast = fast_shape(shape)
    for n, f in zip(shape, fast, strict=True):
        assert n <= f <= max(n + 1, 1.2 * n)
        for prime in (2, 3, 5, 7):
            while f % prime == 0:
                f //= prime
        assert f == 1
    assert fast[-1] == 1 or fast[-1] % 2 == 0


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (np.zeros((3, 3)), "zero everywhere"),
        (-np.ones((3, 3)), "sums to nothing positive"),
        (np.full((3, 3), np.nan), "NaN"),
        (np.full((3, 3), np.inf), "infinite"),
        (np.ones((0, 3)), "empty"),
        (np.ones(3), "1 axes, the image 2"),
        (np.ones((3, 3, 3)), "3 axes, the image 2"),
    ],
)
def test_refuses_a_psf_that_is_none(psf: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Blur(psf, (10, 10))


def test_refuses_a_wrong_boundary_or_shape() -> None:
    with pytest.raises(InputError, match="no boundary 'mirror'"):
        Blur(np.ones((3, 3)), (10, 10), boundary="mirror")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is empty"):
        Blur(np.ones((3, 3)), (10, 0))
    with pytest.raises(InputError, match="is empty"):
        Blur(np.ones((3, 3)), ())


def test_refuses_other_shapes_and_types() -> None:
    blur = Blur(np.ones((3, 3)), (10, 11))
    with pytest.raises(InputError, match=r"batch, channel, 12, 13.*\(1, 1, 10, 11\)"):
        blur.A(torch.zeros(1, 1, 10, 11))
    with pytest.raises(InputError, match=r"a measurement of shape.*10, 11.*\(10, 11\)"):
        blur.A_adjoint(torch.zeros(10, 11))
    with pytest.raises(InputError, match="a measurement"):
        blur.A_dagger(torch.zeros(1, 1, 12, 13))
    with pytest.raises(InputError, match="floating-point"):
        blur.A_adjoint(torch.zeros(1, 1, 10, 11, dtype=torch.int32))
