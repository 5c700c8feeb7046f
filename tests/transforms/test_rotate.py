from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.data import shepp_logan_phantom
from skimage.transform import resize, rotate

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.transforms import Rotate, Scale, affine


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blob(shape: tuple[int, ...], centre: tuple[float, ...], width: float) -> torch.Tensor:
    """A Gaussian at ``centre``, pixels from the middle."""
    axes = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in shape]
    grid = torch.meshgrid(*axes, indexing="ij")
    square = sum((p - c) ** 2 for p, c in zip(grid, centre, strict=True))
    return torch.exp(-square / (2 * width**2))[None, None]


@pytest.mark.parametrize("shape", [(8, 8), (7, 7), (3, 6, 6)])
@pytest.mark.parametrize("turns", [-1, 1, 2])
def test_right_angles_copy_pixels(shape: tuple[int, ...], turns: int) -> None:
    x = torch.randn(2, 3, *shape, generator=generator())
    action = Rotate().action(shape, 90.0 * turns)
    assert torch.equal(action(x), x.rot90(turns, (-2, -1)))
    assert torch.equal(action.adjoint(action(x)), x)
    assert torch.equal(action.inverse()(action(x)), x)
    assert bool((action.valid(shape) == 1).all())


def test_right_angles_of_rectangles_stay_about_the_centre() -> None:
    x = torch.randn(1, 1, 6, 10, generator=generator())
    turned = Rotate().action((6, 10), 90.0)(x)
    assert torch.allclose(turned[..., 2:8], x[..., 2:8].rot90(1, (-2, -1)), atol=1e-5)
    assert not turned[..., :2].any() and not turned[..., 8:].any()


@pytest.mark.parametrize("shape", [(64, 64), (63, 80)])
@pytest.mark.parametrize("angle", [17.0, -100.0, 45.0])
def test_a_blob_goes_where_it_should(shape: tuple[int, int], angle: float) -> None:
    y, x = 6.0, -11.0
    a = np.radians(angle)
    # Counter-clockwise as displayed, the first axis pointing down.
    there = (np.cos(a) * y - np.sin(a) * x, np.sin(a) * y + np.cos(a) * x)
    turned = Rotate().action(shape, angle)(blob(shape, (y, x), 2.0))
    expected = blob(shape, there, 2.0)
    assert float((turned - expected).norm() / expected.norm()) < 1e-2
    linear = Rotate(interpolation="linear").action(shape, angle)(blob(shape, (y, x), 2.0))
    assert float((linear - expected).norm()) > 4 * float((turned - expected).norm())


def test_it_turns_as_scikit_image_does() -> None:
    image = np.random.default_rng(0).normal(size=(40, 40))
    action = Rotate(interpolation="linear").action((40, 40), 33.0)
    ours = action(torch.from_numpy(image)[None, None])[0, 0].numpy()
    inside = action.valid((40, 40)).numpy() > 0
    assert np.abs(ours - rotate(image, 33.0, order=1))[inside].max() < 1e-9


def test_splines_keep_detail_that_linear_interpolation_loses() -> None:
    image = resize(shepp_logan_phantom(), (128, 128), anti_aliasing=True)
    x = torch.from_numpy(image)[None, None]

    def loss(interpolation: str) -> float:
        turned = x
        for _ in range(10):
            turned = Rotate(interpolation=interpolation).action((128, 128), 36.0)(turned)  # type: ignore[arg-type]
        return float((turned - x).norm() / x.norm())

    spline, linear = loss("spline"), loss("linear")
    assert spline < 0.11 and linear > 2 * spline, (spline, linear)


def test_ten_products_interpolate_once() -> None:
    x = blob((40, 40), (3.0, 5.0), 1.0)
    turn = Rotate().action((40, 40), 36.0)
    product = turn
    for _ in range(9):
        product = product @ turn  # type: ignore[assignment]
    assert torch.allclose(product(x), x, atol=1e-9)


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_volumes_turn_about_their_axes(axis: str) -> None:
    shape = (24, 26, 28)
    where = {"z": 0, "y": 1, "x": 2}[axis]
    x = blob(shape, (3.0, -4.0, 5.0), 1.8)
    turned = Rotate(axis=axis).action(shape, 25.0)(x)
    direction = np.eye(3)[where]
    same = Rotate(axis=tuple(direction)).action(shape, 25.0)(x)  # type: ignore[arg-type]
    assert torch.allclose(turned, same, atol=2e-3)
    # The height along the axis and the distance from it stay.
    grid = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in shape), indexing="ij"
    )
    centre = [float((turned[0, 0] * p).sum() / turned.sum()) for p in grid]
    assert centre[where] == pytest.approx((3.0, -4.0, 5.0)[where], abs=1e-2)
    assert np.linalg.norm(centre) == pytest.approx(np.sqrt(50), abs=1e-2)


def test_slices_of_a_volume_turn_like_images() -> None:
    x = torch.randn(1, 2, 5, 12, 14, generator=generator())
    turned = Rotate().action((5, 12, 14), 31.0)(x)
    one = Rotate().action((12, 14), 31.0)(x[:, :, 3])
    assert torch.allclose(turned[:, :, 3], one, atol=1e-5)


def test_voxel_sizes_make_turns_rigid() -> None:
    """A ball in a volume of flat voxels stays a ball when it turns about x."""
    shape, size = (20, 60, 40), (3.0, 1.0, 1.0)
    grid = torch.meshgrid(
        *(
            (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * s
            for n, s in zip(shape, size, strict=True)
        ),
        indexing="ij",
    )

    def ball(z: float, y: float) -> torch.Tensor:
        square = (grid[0] - z) ** 2 + (grid[1] - y) ** 2 + grid[2] ** 2
        return torch.exp(-square / (2 * 5.0**2))[None, None]

    transform = Rotate(axis="x", voxel_size=size)
    turned = transform.action(shape, 90.0)(ball(0.0, 9.0))
    expected = ball(9.0, 0.0), ball(-9.0, 0.0)
    error = min(float((turned - e).norm() / e.norm()) for e in expected)
    assert error < 0.05
    # What the coarse axis cannot hold is smoothed away, not folded down.
    stripes = torch.zeros(1, 1, *shape, dtype=torch.float64)
    stripes[..., ::2, :] = 1.0
    inner = transform.action(shape, 90.0)(stripes)[..., 4:-4, 20:40, 5:-5]
    assert float(inner.std()) < 0.05 and float(inner.mean()) == pytest.approx(0.5, abs=0.05)


def test_random_directions_differ_and_keep_lengths() -> None:
    actions = [Rotate(axis="any").draw((8, 8, 8), generator(s)) for s in range(4)]
    for action in actions:
        assert np.allclose(action.matrix @ action.matrix.T, np.eye(3), atol=1e-12)
    assert not np.allclose(actions[0].matrix, actions[1].matrix)


def test_draws_keep_to_the_rules() -> None:
    random = generator(1)

    def angle(transform: Rotate) -> float:
        m = transform.draw((9, 9), random).matrix
        return float(np.degrees(np.arctan2(m[0, 1], m[0, 0])))

    small = [angle(Rotate(limit=10)) for _ in range(100)]
    assert max(map(abs, small)) <= 10 and min(small) < -5 and max(small) > 5
    steps = {round(angle(Rotate(step=60))) % 360 for _ in range(100)}
    assert steps == {60, 120, 180, 240, 300}
    off = np.array([angle(Rotate(avoid=6)) for _ in range(200)]) / 6
    assert np.abs(off - np.round(off)).min() >= 0.125 - 1e-9
    assert len(Rotate(step=30).elements((9, 9)) or []) == 12
    assert len(Rotate(step=30, limit=60).elements((9, 9)) or []) == 5


def test_large_images_are_turned_in_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 1, 9, 10, 11, generator=generator(), dtype=torch.float64)
    y = torch.randn(2, 1, 9, 10, 11, generator=generator(1), dtype=torch.float64)
    transform = Rotate(axis=(1.0, 2.0, 3.0))
    whole = transform.action((9, 10, 11), 40.0)
    expected = whole(x), whole.adjoint(y), whole.valid((9, 10, 11))
    monkeypatch.setattr(affine, "_KEPT_PIXELS", 900)
    monkeypatch.setattr(affine, "_SLAB_PIXELS", 250)
    parts = transform.action((9, 10, 11), 40.0)
    found = parts(x), parts.adjoint(y), parts.valid((9, 10, 11))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


def test_the_same_generator_draws_the_same() -> None:
    for transform in (Rotate(), Scale(), Rotate(axis="any")):
        one, two = (transform.draw((6, 6, 6), generator(5)) for _ in range(2))
        assert np.array_equal(one.matrix, two.matrix)


def test_reduced_objects_do_not_alias() -> None:
    x = torch.zeros(1, 1, 64, 64)
    x[..., ::2] = 1.0  # the finest stripes there are
    small = Scale().action((64, 64), 0.6)(x)
    inner = small[..., 20:44, 20:44]
    assert float(inner.std()) < 0.1 and float(inner.mean()) == pytest.approx(0.5, abs=0.02)
    plain = Scale().action((64, 64), 1.25)(blob((64, 64), (4.0, -8.0), 2.0))
    assert torch.allclose(plain, blob((64, 64), (5.0, -10.0), 2.5), atol=1e-2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rotate(limit=0), "up to 0 degrees"),
        (lambda: Rotate(step=90, avoid=6), "either a step"),
        (lambda: Rotate(step=50, limit=40), "steps of 50"),
        (lambda: Rotate(avoid=-1), "cannot be avoided"),
        (lambda: Rotate(axis="w"), "no axis 'w'"),
        (lambda: Rotate(voxel_size=(1.0, 0.0)), "not positive"),
        (lambda: Rotate(voxel_size=(1.0, 1.0)).action((4, 4, 4), 3), "2 voxel sizes"),
        (lambda: Rotate().action((4,), 3), "1 axes cannot be rotated"),
        (lambda: Rotate(axis=(0.0, 0.0, 0.0)).action((4, 4, 4), 3), "no direction"),
    ],
)
def test_bad_parameters_are_told(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]
