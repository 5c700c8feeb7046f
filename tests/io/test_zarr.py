"""Zarr: plain arrays, OME-Zarr of several versions, ours and others'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.io import read

DATA = np.arange(2 * 3 * 4 * 8 * 8, dtype=np.uint16).reshape(2, 3, 4, 8, 8)


def ngff(path: Path, version: str, data: np.ndarray = DATA, axes: Any = None) -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=3 if version == "0.5" else 2)
    for level in range(2):
        part = data[..., :: 2**level, :: 2**level]
        group.create_array(f"s{level}", data=part)
    names = axes or [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "c", "type": "channel"},
        {"name": "z", "type": "space", "unit": "micrometer"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    datasets = [
        {
            "path": f"s{level}",
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 1, 0.5, 0.1 * 2**level, 0.1 * 2**level]},
                {"type": "translation", "translation": [0, 0, 1.0, 2.0, 3.0]},
            ],
        }
        for level in range(2)
    ]
    multiscale: dict[str, Any] = {"axes": names, "datasets": datasets}
    if version == "0.4":
        multiscale["coordinateTransformations"] = [{"type": "scale", "scale": [2, 1, 1, 1, 1]}]
    if version in ("0.1", "0.3"):
        multiscale["datasets"] = [{"path": d["path"]} for d in datasets]
        multiscale["axes"] = list("tczyx")
        if version == "0.1":
            del multiscale["axes"]
    multiscale["version"] = version
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [multiscale]
    return path


@pytest.mark.parametrize("version", ["0.1", "0.3", "0.4", "0.5"])
def test_ome_zarr(version: str, tmp_path: Path) -> None:
    image = read(ngff(tmp_path / "cells.ome.zarr", version))
    assert image.axes == ("t", "c", "z", "y", "x")
    assert isinstance(image.data, zarr.Array)
    assert image.name == "cells"
    np.testing.assert_array_equal(image.data[:], DATA)
    if version in ("0.4", "0.5"):
        assert image.scale == (2.0 if version == "0.4" else 1.0, 1.0, 0.5, 0.1, 0.1)
        assert image.units == ("second", "pixel", "micrometer", "micrometer", "micrometer")
        assert image.translate == (0.0, 0.0, 1.0, 2.0, 3.0)
    half = read(tmp_path / "cells.ome.zarr", level=1)
    np.testing.assert_array_equal(half.data[:], DATA[..., ::2, ::2])
    with pytest.raises(FileError, match="2 resolution"):
        read(tmp_path / "cells.ome.zarr", level=2)
    with pytest.raises(FileError, match="one image"):
        read(tmp_path / "cells.ome.zarr", scene=1)


def test_singletons_and_odd_orders_become_dask(tmp_path: Path) -> None:
    image = read(ngff(tmp_path / "a.zarr", "0.5", DATA[:1, :, :1]))
    assert image.axes == ("c", "y", "x")
    assert isinstance(image.data, dask.array.Array)
    np.testing.assert_array_equal(np.asarray(image.data), DATA[0, :, 0])
    axes = [{"name": a, "type": "space"} for a in "xzcyt"]
    image = read(ngff(tmp_path / "b.zarr", "0.4", DATA, axes))
    assert image.axes == ("t", "c", "z", "y", "x")
    np.testing.assert_array_equal(np.asarray(image.data), DATA.transpose(4, 2, 1, 3, 0))


def test_collections(tmp_path: Path) -> None:
    path = tmp_path / "many.zarr"
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    for k in range(2):
        ngff(path / str(k), "0.4", DATA + k)
    assert int(read(path, scene=1).data[0, 0, 0, 0, 0]) == 1
    with pytest.raises(FileError, match="2 image"):
        read(path, scene=2)
    plate = zarr.open_group(str(tmp_path / "plate.zarr"), mode="w")
    plate.attrs["ome"] = {"plate": {"wells": []}}
    with pytest.raises(FileError, match="plate"):
        read(tmp_path / "plate.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_arrays(zarr_format: Any, tmp_path: Path) -> None:
    array = zarr.create_array(
        str(tmp_path / "a.zarr"), data=DATA[0, 0], zarr_format=zarr_format, chunks=(2, 8, 8)
    )
    image = read(tmp_path / "a.zarr")
    assert image.axes == ("z", "y", "x")
    np.testing.assert_array_equal(image.data[:], DATA[0, 0])
    array.attrs["_ARRAY_DIMENSIONS"] = ["T", "Y", "X"]
    if zarr_format == 2:
        assert read(tmp_path / "a.zarr").axes == ("t", "y", "x")
    group = zarr.open_group(str(tmp_path / "g.zarr"), mode="w", zarr_format=zarr_format)
    group.create_array("only", data=DATA[0, 0])
    assert read(tmp_path / "g.zarr").shape == (4, 8, 8)
    group.create_array("other", data=DATA[0, 0])
    with pytest.raises(FileError, match="2 arrays"):
        read(tmp_path / "g.zarr")
    zarr.open_group(str(tmp_path / "empty.zarr"), mode="w", zarr_format=zarr_format)
    with pytest.raises(FileError, match="0 arrays"):
        read(tmp_path / "empty.zarr")


def test_dimension_names_are_used(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=DATA[0], dimension_names=["z", "c", "y", "x"])
    image = read(tmp_path / "a.zarr")
    assert image.axes == ("c", "z", "y", "x")
    np.testing.assert_array_equal(np.asarray(image.data), DATA[0].swapaxes(0, 1))


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "huge.zarr"
    zarr.create_array(str(path), shape=(10**5, 10**5, 10**5), chunks=(8, 64, 64), dtype="u2")
    image = read(path)
    part = image.crop((slice(5, 9), slice(0, 8), slice(0, 8)))
    assert part.shape == (4, 8, 8)
    assert len(image.describe()["fingerprint"]) == 16


SCALE = {"type": "scale", "scale": [1, 0.2, 0.1]}


def described(path: Path, version: str = "0.5", **image: Any) -> Path:
    """One array of three axes under a description of which parts are given."""
    group = zarr.open_group(str(path), mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=DATA[0, 0])
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": [SCALE]}]
    whole = {"multiscales": [{"axes": axes, "datasets": datasets, **image}]}
    group.attrs.update({"ome": {"version": version, **whole}} if version == "0.5" else whole)
    return path


def test_types_tell_what_axes_are_where_names_do_not(tmp_path: Path) -> None:
    axes = [
        {"name": "frames", "type": "time", "unit": "s"},
        {"name": "row", "type": "space", "unit": "um"},
        {"name": "column", "type": "space", "unit": "nm"},
    ]
    image = read(described(tmp_path / "a.zarr", axes=axes))
    assert image.axes == ("t", "y", "x")
    assert image.units == ("second", "micrometer", "nanometer")
    axes[0] = {"name": "wavelength", "type": "channel"}
    assert read(described(tmp_path / "a.zarr", axes=axes)).axes == ("c", "y", "x")
    axes[0] = {"name": "angle"}
    assert read(described(tmp_path / "a.zarr", axes=axes)).axes == ("angle", "y", "x")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_transformations_are_applied_in_order(version: str, tmp_path: Path) -> None:
    datasets = [
        {
            "path": "0",
            "coordinateTransformations": [
                SCALE,
                {"type": "translation", "translation": [1, 2, 3]},
            ],
        }
    ]
    outer = [
        {"type": "identity"},
        {"type": "scale", "scale": [2, 3, 4]},
        {"type": "translation", "translation": [10, 0, 0]},
    ]
    path = described(
        tmp_path / "a.zarr", version, datasets=datasets, coordinateTransformations=outer
    )
    image = read(path)
    assert image.scale == pytest.approx((2, 0.6, 0.4))
    assert image.translate == pytest.approx((12, 6, 12))


def test_before_transformations_a_level_is_measured_by_its_shape(tmp_path: Path) -> None:
    path = ngff(tmp_path / "a.zarr", "0.3", DATA[..., :7, :])
    assert read(path).scale == (1, 1, 1, 1, 1)
    half = read(path, level=1)
    assert half.scale == (1, 1, 1, 7 / 4, 2)
    assert set(half.units) == {"pixel"}


def test_names_of_channels(tmp_path: Path) -> None:
    path = ngff(tmp_path / "a.zarr", "0.4")
    group = zarr.open_group(str(path), mode="r+")
    for labels, wanted in (
        (["a", "b", "c"], ["a", "b", "c"]),
        (["a", "b"], None),
        (["a", "b", 3], None),
    ):
        group.attrs["omero"] = {"channels": [{"label": label} for label in labels]}
        assert read(path).metadata.get("channels") == wanted
    for omero in (7, {"channels": "abc"}, {"channels": [1, 2, 3]}):
        group.attrs["omero"] = omero
        assert "channels" not in read(path).metadata


def test_wells_and_series(tmp_path: Path) -> None:
    plate = tmp_path / "plate.zarr"
    zarr.open_group(str(plate), mode="w").attrs["ome"] = {"plate": {}}
    well = zarr.open_group(str(plate / "A" / "1"), mode="w")
    well.attrs["ome"] = {"well": {"images": [{"path": "0"}, {"path": "field2"}]}}
    ngff(plate / "A" / "1" / "0", "0.5")
    ngff(plate / "A" / "1" / "field2", "0.5", DATA + 1)
    assert int(read(plate / "A" / "1", scene=1).data[0, 0, 0, 0, 0]) == 1
    with pytest.raises(FileError, match="2 image") as caught:
        read(plate / "A" / "1", scene=-1)
    assert "0 to 1" in caught.value.hint
    series = tmp_path / "series.zarr"
    zarr.open_group(str(series), mode="w").attrs["ome"] = {"bioformats2raw.layout": 3}
    ngff(series / "0", "0.5")
    ngff(series / "1", "0.5", DATA + 1)
    zarr.open_group(str(series / "OME"), mode="w").attrs["ome"] = {"series": ["1", "0"]}
    assert int(read(series, scene=0).data[0, 0, 0, 0, 0]) == 1
    zarr.open_group(str(series / "OME"), mode="w").attrs["ome"] = {"series": ["1", 0]}
    with pytest.raises(FileError, match="no path"):
        read(series)
    zarr.open_group(str(series / "OME"), mode="w").attrs["ome"] = {"series": ["../../other"]}
    with pytest.raises(FileError, match="damaged"):
        read(series)


def test_sizes_that_make_no_sense_are_unknown(tmp_path: Path) -> None:
    steps = [{"type": "scale", "scale": [0, -1, 0.5]}]
    image = read(
        described(tmp_path / "a.zarr", datasets=[{"path": "0", "coordinateTransformations": steps}])
    )
    assert image.scale == (1, 1, 0.5)
    assert image.units == ("pixel", "pixel", "micrometer")


def test_plain_arrays_have_one_resolution(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=DATA[0, 0])
    for choice in ({"level": 1}, {"scene": 1}):
        with pytest.raises(FileError, match="one resolution"):
            read(tmp_path / "a.zarr", **choice)


def test_axes_without_names_are_noted(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=DATA[0, 0])
    (note,) = read(tmp_path / "a.zarr").metadata["notes"]
    assert "z (4 long)" in note
    zarr.create_array(str(tmp_path / "b.zarr"), data=DATA[0, 0], dimension_names=["t", "y", "x"])
    zarr.create_array(str(tmp_path / "c.zarr"), data=DATA[0, 0, 0])
    assert "notes" not in read(tmp_path / "b.zarr").metadata
    assert "notes" not in read(tmp_path / "c.zarr").metadata
