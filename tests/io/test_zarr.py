"""Zarr: plain arrays, OME-Zarr of several versions, ours and others'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import read, write

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


def test_ours_is_valid_ome_zarr(tmp_path: Path) -> None:
    measurement = Measurement(
        DATA.astype(np.float32),
        scale=(2.5, 1, 0.5, 0.1, 0.1),
        units=("second", "pixel", "micrometer", "micrometer", "micrometer"),
        translate=(0, 0, 1, 2, 3),
    )
    path = write(tmp_path / "a.ome.zarr", measurement)
    ome = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]
    assert ome["version"] == "0.5"
    (image,) = ome["multiscales"]
    assert [a["name"] for a in image["axes"]] == list("tczyx")
    assert [a["type"] for a in image["axes"]] == ["time", "channel", "space", "space", "space"]
    assert "unit" not in image["axes"][1]
    (dataset,) = image["datasets"]
    kinds = [t["type"] for t in dataset["coordinateTransformations"]]
    assert kinds == ["scale", "translation"]
    inner = json.loads((path / dataset["path"] / "zarr.json").read_text())
    assert inner["dimension_names"] == list("tczyx")


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "huge.zarr"
    zarr.create_array(str(path), shape=(10**5, 10**5, 10**5), chunks=(8, 64, 64), dtype="u2")
    image = read(path)
    part = image.crop((slice(5, 9), slice(0, 8), slice(0, 8)))
    assert part.shape == (4, 8, 8)
    assert len(image.describe()["fingerprint"]) == 16


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda g: g.attrs.update({"multiscales": []}), "damaged"),
        (lambda g: g.attrs.update({"multiscales": [{"datasets": [{"path": "no"}]}]}), "damaged"),
        (lambda g: g.attrs.update({"multiscales": [{"datasets": [{}]}]}), "damaged"),
        (lambda g: g.attrs.update({"multiscales": 7}), "damaged"),
    ],
)
def test_broken_descriptions(change: Any, word: str, tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=DATA)
    change(group)
    with pytest.raises(FileError, match=word):
        read(tmp_path / "a.zarr")


def test_bad_stores(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(FileError, match="without zarr data"):
        read(tmp_path / "empty.zarr")
    (tmp_path / "text.zarr").mkdir()
    (tmp_path / "text.zarr" / "zarr.json").write_text("not json")
    with pytest.raises(FileError, match="damaged"):
        read(tmp_path / "text.zarr")
    zarr.create_array(str(tmp_path / "line.zarr"), data=np.arange(5))
    with pytest.raises(FileError, match="no image"):
        read(tmp_path / "line.zarr")
    zarr.create_array(str(tmp_path / "c.zarr"), data=np.eye(4, dtype=np.complex64))
    with pytest.raises(FileError, match="complex64"):
        read(tmp_path / "c.zarr")


def test_a_giant_chunk_is_refused(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(10**7,) * 2, chunks=(10**7,) * 2, dtype="f8")
    with pytest.raises(FileError, match="memory"):
        read(tmp_path / "a.zarr")
