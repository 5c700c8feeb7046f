"""Measurements: facts that fit each other, crops in the right place, nothing copied or changed."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import (
    Measurement,
    check_image,
    default_axes,
    voxels,
)


def volume() -> Measurement:
    return Measurement(
        np.arange(2 * 6 * 8 * 10, dtype=np.uint16).reshape(2, 6, 8, 10),
        axes=("C", "Z", "Y", "X"),
        scale=(1, 0.5, 0.2, 0.1),
        units=("pixel", "micrometer", "micrometer", "micrometer"),
        translate=(0, 10, 20, 30),
        name="cells",
        metadata={"stain": "DAPI"},
    )


@pytest.mark.parametrize(
    ("ndim", "axes"),
    [(2, "yx"), (3, "zyx"), (4, "tzyx"), (5, "tczyx")],
)
def test_axes_are_guessed(ndim: int, axes: str) -> None:
    assert default_axes(ndim) == tuple(axes)
    assert Measurement(np.zeros((2,) * ndim)).axes == tuple(axes)


def test_many_axes_still_have_names() -> None:
    axes = default_axes(7)
    assert len(set(axes)) == 7
    assert axes[-3:] == ("z", "y", "x")
    assert Measurement(np.zeros((2,) * 7)).leading_shape == (2,) * 4


def test_defaults_and_lower_case() -> None:
    plain = Measurement(np.zeros((3, 4), dtype=np.uint8))
    assert (plain.scale, plain.units, plain.translate) == ((1.0,) * 2, ("pixel",) * 2, (0.0,) * 2)
    image = volume()
    assert image.axes == ("c", "z", "y", "x")
    assert image.spatial_axes == ("z", "y", "x")
    assert image.spatial_shape == (6, 8, 10)
    assert image.spatial_scale == (0.5, 0.2, 0.1)
    assert image.leading_shape == (2,)
    assert list(image.leading_indices()) == [(0,), (1,)]
    assert list(plain.leading_indices()) == [()]


def test_the_array_is_neither_copied_nor_changed() -> None:
    data = np.arange(12.0).reshape(3, 4)
    data.setflags(write=False)
    image = Measurement(data)
    assert image.data is data
    frame = image.frame()
    frame += 1
    assert not np.shares_memory(frame, data)
    assert np.shares_memory(image.crop((slice(1, 3), slice(0, 2))).data, data)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"data": np.zeros((0, 4))}, "empty"),
        ({"data": np.zeros(4)}, "y and x"),
        ({"data": np.float32(3)}, "y and x"),
        ({"data": None}, "y and x"),
        ({"data": np.zeros((3, 4)), "axes": ("x", "y")}, "end in y, x"),
        ({"data": np.zeros((3, 4, 5)), "axes": ("y", "x", "c")}, "end in y, x"),
        ({"data": np.zeros((3, 4, 5)), "axes": ("z", "t", "x")}, "end in y, x"),
        ({"data": np.zeros((3, 4)), "axes": ("y", "y")}, "twice"),
        ({"data": np.zeros((3, 4)), "axes": ("z", "y", "x")}, "2 axes but 3 axes"),
        ({"data": np.zeros((3, 4)), "scale": (1.0,)}, "1 scale"),
        ({"data": np.zeros((3, 4)), "scale": (1.0, 0.0)}, "positive"),
        ({"data": np.zeros((3, 4)), "scale": (1.0, np.nan)}, "positive"),
        ({"data": np.zeros((3, 4)), "units": ("um",)}, "1 units"),
        ({"data": np.zeros((3, 4)), "translate": (0, 0, 0)}, "3 translate"),
        ({"data": np.zeros((3, 4), dtype=complex)}, "complex128"),
        ({"data": np.array([["a", "b"]])}, "real-valued"),
        ({"data": np.array([[None, None]])}, "object"),
    ],
)
def test_facts_that_do_not_fit(arguments: dict, word: str) -> None:
    with pytest.raises(InputError, match=word) as caught:
        Measurement(**arguments)
    assert caught.value.hint


@given(
    starts=st.tuples(*(st.integers(0, n - 2) for n in (6, 8, 10))),
    sizes=st.tuples(*(st.integers(1, 10) for _ in range(3))),
)
@settings(max_examples=50, deadline=None)
def test_a_crop_lies_where_it_was_cut(starts: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    image = volume()
    region = tuple(slice(a, a + n) for a, n in zip(starts, sizes, strict=True))
    part = image.crop(region)
    assert part.axes == image.axes
    assert part.scale == image.scale
    assert part.metadata == image.metadata
    for k, start in enumerate(starts):
        assert part.translate[k + 1] == pytest.approx((10, 20, 30)[k] + start * image.scale[k + 1])
    np.testing.assert_array_equal(part.data, image.data[(slice(None), *region)])
    np.testing.assert_array_equal(part.frame((1,)), image.frame((1,), region))


def test_crops_of_crops_add_up_and_open_ends_work() -> None:
    image = volume()
    twice = image.crop((slice(1, 6), slice(2, 8), slice(3, None))).crop(
        (slice(2, 4), slice(1, 3), slice(-4, None))
    )
    once = image.crop((slice(3, 5), slice(3, 5), slice(6, 10)))
    np.testing.assert_array_equal(twice.data, once.data)
    assert twice.translate == pytest.approx(once.translate)
    with pytest.raises(InputError, match="empty"):
        image.crop((slice(0, 0), slice(None), slice(None)))


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "memmap"])
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int32", "float16", "float64", "bool"])
def test_frames_are_float32_copies_of_any_array(kind: str, dtype: str, tmp_path) -> None:
    values = (np.arange(2 * 5 * 6).reshape(2, 5, 6) % 3).astype(dtype)
    if kind == "dask":
        data = dask.array.from_array(values, chunks=2)
    elif kind == "zarr":
        native = values.astype(values.dtype.newbyteorder("="))
        data = zarr.create_array(str(tmp_path / "a"), data=native)
    elif kind == "memmap":
        np.save(tmp_path / "a.npy", values)
        data = np.load(tmp_path / "a.npy", mmap_mode="r")
    else:
        data = values
    image = Measurement(data, axes=("t", "y", "x"))
    frame = image.frame((1,), (slice(1, 3), slice(2, 6)))
    assert frame.dtype == np.float32
    assert frame.flags.writeable
    np.testing.assert_array_equal(frame, values[1, 1:3, 2:6].astype(np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_frames_with_bad_voxels_are_refused(bad: float) -> None:
    data = np.ones((4, 5))
    data[1, 2] = data[2, 2] = bad
    with pytest.raises(InputError, match="2 voxels"):
        Measurement(data, name="a").frame()
    assert Measurement(data).frame(region=(slice(0, 1), slice(None))).shape == (1, 5)


@pytest.mark.parametrize("index", [(), (0, 0)])
def test_frames_that_do_not_exist(index: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="is none of its"):
        volume().frame(index)


def test_results_take_over_the_facts() -> None:
    image = volume()
    result = image.with_data(np.zeros(image.shape, dtype=np.float32), name="cells SSI")
    assert (result.axes, result.scale, result.translate) == (
        image.axes,
        image.scale,
        image.translate,
    )
    assert result.name == "cells SSI"
    assert image.with_data(image.data).name == "cells"
    with pytest.raises(InputError, match="does not fit"):
        image.with_data(np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (np.ones((32, 32)), "constant"),
        (np.full((4, 32, 32), np.nan), "NaN"),
        (np.eye(32, dtype=bool), "mask"),
        (np.eye(7), "only 7 pixel"),
        (np.eye(32)[:, :1], "only 1 pixel"),
        (np.eye(32)[None], "only 1 pixel.*2D"),
        (np.zeros((32, 32), dtype=np.uint8), "every voxel is 0"),
    ],
)
def test_what_no_method_can_work_on(data: np.ndarray, word: str) -> None:
    with pytest.raises(InputError, match=word) as caught:
        check_image(Measurement(data))
    assert caught.value.hint


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
def test_what_methods_can_work_on(dtype: str) -> None:
    check_image(Measurement(np.eye(8).astype(dtype)))
    check_image(Measurement(np.stack([np.eye(8)] * 2).astype(dtype)))


def test_description_is_json_safe_and_cheap() -> None:
    import json

    described = volume().describe()
    assert json.loads(json.dumps(described)) == described
    assert described["shape"] == [2, 6, 8, 10]
    assert voxels((2, 3, 4)) == 24
