"""What is written comes back the same, from every format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import METADATA_KEY, Provenance
from napari_selfsup_recon.io import read, read_provenance, write

ENDINGS = (".tif", ".ome.tif", ".npy", ".zarr")
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "bool")
UNITS = ("micrometer", "nanometer", "millimeter", "angstrom")


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    axes = draw(st.sampled_from(["yx", "zyx", "cyx", "tzyx", "tcyx", "czyx", "tczyx"]))
    shape = tuple(draw(st.integers(2, 5)) for _ in axes)
    positive = st.floats(1e-3, 1e3)
    unit = draw(st.sampled_from(UNITS))
    seed = draw(st.integers(0, 2**31))
    values = np.random.default_rng(seed).integers(0, 256, shape).astype(np.float64) - 7
    dtype = draw(st.sampled_from(DTYPES))
    values = values.astype("int64").astype(dtype) if dtype != "float64" else values / 3
    return Measurement(
        values,
        axes=tuple(axes),
        scale=tuple(1.0 if a == "c" else draw(positive) for a in axes),
        units=tuple({"c": "pixel", "t": "second"}.get(a, unit) for a in axes),
        translate=tuple(draw(st.floats(-50, 50)) if a in "zyx" else 0.0 for a in axes),
        name=draw(st.sampled_from(["cells", "µ-Zellen & <more>", "a b"])),
        metadata={"stain": ["DAPI", 1, None], "nested": {"ß": 0.5}},
    )


@pytest.mark.parametrize("ending", ENDINGS)
@given(measurement=measurements())
@settings(max_examples=15, deadline=None)
def test_values_and_facts_come_back(ending: str, measurement: Measurement) -> None:
    before = np.array(measurement.data)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"image{ending}", measurement)
        again = read(path)
        np.testing.assert_array_equal(np.asarray(again.data[:]), before)
        assert again.dtype == measurement.dtype
        for fact in ("axes", "scale", "units", "translate", "name"):
            assert getattr(again, fact) == getattr(measurement, fact), fact
        assert again.metadata == {**measurement.metadata, "path": str(path)}
        assert read_provenance(path) is None
        assert len(list(Path(folder).iterdir())) == (2 if ending == ".npy" else 1)
    np.testing.assert_array_equal(measurement.data, before)


@pytest.mark.parametrize("ending", ENDINGS)
def test_provenance_comes_back(ending: str, tmp_path: Path) -> None:
    measurement = Measurement(np.ones((4, 5), dtype=np.float32))
    story = Provenance(
        method="ssi",
        options={"steps": 600},
        physics={"kind": "blur", "note": "<µ & more>"},
        source=measurement.describe(),
        scores={"held_out": 0.1},
    )
    path = write(tmp_path / f"a{ending}", measurement, provenance=story)
    assert read_provenance(path) == story.as_dict()
    assert Provenance(**(read_provenance(path) or {})) == story
    # A result carries its story in its metadata; written again, it keeps it.
    carried = Measurement(measurement.data, metadata={METADATA_KEY: story.as_dict()})
    path = write(tmp_path / f"b{ending}", carried)
    assert read_provenance(path) == story.as_dict()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["dask", "zarr", "strided", "big-endian", "read-only"])
def test_lazy_and_odd_arrays_are_written(ending: str, kind: str, tmp_path: Path) -> None:
    plain = np.arange(2 * 40 * 6 * 7, dtype=np.float32).reshape(2, 40, 6, 7)
    data: Any = {
        "dask": lambda: dask.array.from_array(plain, chunks=(1, 7, 6, 7)),
        "zarr": lambda: _zarr(tmp_path / "source", plain),
        "strided": lambda: np.repeat(plain, 2, axis=-1)[..., ::2],
        "big-endian": lambda: plain.astype(">f4"),
        "read-only": lambda: _frozen(plain),
    }[kind]()
    path = write(tmp_path / f"lazy{ending}", Measurement(data, axes=("t", "z", "y", "x")))
    again = read(path)
    np.testing.assert_array_equal(np.asarray(again.data[:]), plain)
    assert again.dtype == np.dtype("float32")


def _zarr(path: Path, values: np.ndarray) -> Any:
    array = zarr.create_array(str(path), shape=values.shape, chunks=(1, 8, 6, 7), dtype="f4")
    array[:] = values
    return array


def _frozen(values: np.ndarray) -> np.ndarray:
    frozen = values.copy()
    frozen.setflags(write=False)
    return frozen


@pytest.mark.parametrize("ending", ENDINGS)
def test_axes_of_length_one_are_dropped(ending: str, tmp_path: Path) -> None:
    measurement = Measurement(
        np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4),
        axes=("c", "z", "y", "x"),
        scale=(1, 0.5, 0.2, 0.1),
        units=("pixel", "micrometer", "micrometer", "micrometer"),
        translate=(0, 1, 2, 3),
    )
    again = read(write(tmp_path / f"flat{ending}", measurement))
    assert again.axes == ("y", "x")
    assert again.scale == (0.2, 0.1)
    assert again.translate == (2.0, 3.0)
    np.testing.assert_array_equal(np.asarray(again.data[:]), measurement.data[0, 0])


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_pixel_wide_images_stay_images(ending: str, tmp_path: Path) -> None:
    again = read(write(tmp_path / f"thin{ending}", Measurement(np.arange(5.0)[:, None])))
    assert again.shape == (5, 1)


@pytest.mark.parametrize("unit", ["µm", "um", "micron", "μm", "micrometer"])
def test_all_spellings_of_a_unit_become_one(unit: str, tmp_path: Path) -> None:
    measurement = Measurement(np.eye(4), scale=(0.5, 0.5), units=(unit, unit))
    for ending in ENDINGS:
        again = read(write(tmp_path / f"unit{ending}", measurement))
        assert again.units == ("micrometer", "micrometer")


@pytest.mark.parametrize("ending", [".npy", ".zarr"])
def test_strange_axes_units_and_types_fit_into_npy_and_zarr(ending: str, tmp_path: Path) -> None:
    measurement = Measurement(
        np.arange(2**33, 2**33 + 24, dtype=np.int64).reshape(2, 3, 4),
        axes=("angle", "y", "x"),
        scale=(0.5, 1, 1),
        units=("degree", "pixel", "pixel"),
    )
    again = read(write(tmp_path / f"odd{ending}", measurement))
    np.testing.assert_array_equal(np.asarray(again.data[:]), measurement.data)
    assert (again.axes, again.scale, again.units) == (
        measurement.axes,
        measurement.scale,
        measurement.units,
    )


@pytest.mark.parametrize(
    ("data", "axes", "word"),
    [
        (np.zeros((2, 3, 4)), ("angle", "y", "x"), "'angle'"),
        (np.zeros((3, 4), dtype=np.int64), ("y", "x"), "int64"),
        (np.zeros((3, 4), dtype=np.float16), ("y", "x"), "float16"),
    ],
)
def test_what_ome_tiff_cannot_hold_is_refused_and_nothing_is_left(
    data: np.ndarray, axes: tuple[str, ...], word: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=word) as caught:
        write(tmp_path / "odd.tif", Measurement(data, axes=axes))
    assert ".zarr or .npy" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_metadata_that_is_no_json_is_refused(ending: str, tmp_path: Path) -> None:
    measurement = Measurement(np.eye(3), metadata={"x": object()})
    with pytest.raises(InputError, match="JSON"):
        write(tmp_path / f"a{ending}", measurement)
    assert list(tmp_path.iterdir()) == []
