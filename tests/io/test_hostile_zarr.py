"""Zarr that is damaged, hostile or newer: refused with the reason, and nothing is run or filled."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.io import _zarr, read, read_provenance

DATA = np.arange(4 * 8 * 8, dtype=np.uint16).reshape(4, 8, 8)


def described(path: Path, version: str = "0.5", **image: Any) -> Path:
    """One array of three axes under a description of which parts are given."""
    group = zarr.open_group(str(path), mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=DATA)
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    step = {"type": "scale", "scale": [1, 0.2, 0.1]}
    datasets = [{"path": "0", "coordinateTransformations": [step]}]
    whole = {"multiscales": [{"axes": axes, "datasets": datasets, **image}]}
    group.attrs.update({"ome": {"version": version, **whole}} if version == "0.5" else whole)
    return path


@pytest.mark.parametrize(
    ("image", "word"),
    [
        ({"datasets": []}, "no resolutions"),
        ({"datasets": "0"}, "no resolutions"),
        ({"datasets": [{}]}, "no path"),
        ({"datasets": [7]}, "no path"),
        ({"datasets": [{"path": "no"}]}, "'no' is missing"),
        ({"datasets": [{"path": "../secret"}]}, "leads out"),
        ({"datasets": [{"path": "a/../../b"}]}, "leads out"),
        ({"datasets": [{"path": "/etc"}]}, "leads out"),
        ({"datasets": [{"path": "..\\b"}]}, "leads out"),
        ({"datasets": [{"path": ""}]}, "no array"),
        ({"axes": [{"name": "y"}, {"name": "x"}]}, "3 axes"),
        ({"axes": "zyx!"}, "3 axes"),
        ({"axes": [{}, {"name": "y"}, {"name": "x"}]}, "no name"),
        ({"axes": [{"name": 1}, {"name": "y"}, {"name": "x"}]}, "no name"),
        ({"axes": [{"name": "Y"}, {"name": "y"}, {"name": "x"}]}, "twice"),
        ({"axes": [{"name": "a"}, {"name": "b"}, {"name": "x"}]}, "no image"),
        ({"coordinateTransformations": 3}, "no sense"),
        ({"coordinateTransformations": [3]}, "no sense"),
        ({"coordinateTransformations": [{"type": "scale", "scale": [2]}]}, "3 numbers"),
        ({"coordinateTransformations": [{"type": "scale", "path": "s"}]}, "3 numbers"),
        ({"coordinateTransformations": [{"type": "scale", "scale": [1, "a", 2]}]}, "else than"),
        ({"coordinateTransformations": [{"type": "scale", "scale": [1, True, 2]}]}, "else than"),
        ({"coordinateTransformations": [{"type": "scale", "scale": [1, 10**400, 2]}]}, "finite"),
        (
            {"coordinateTransformations": [{"type": "translation", "translation": [0, None, 0]}]},
            "else than",
        ),
        ({"coordinateTransformations": [{"type": "rotation"}]}, "not known: 'rotation'"),
        ({"coordinateTransformations": [{}]}, "not known: None"),
    ],
)
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_hostile_descriptions(version: str, image: Any, word: str, tmp_path: Path) -> None:
    path = described(tmp_path / "a.zarr", version, **image)
    with pytest.raises(FileError, match=word) as caught:
        read(path)
    assert caught.value.hint


@pytest.mark.parametrize("multiscales", [[], 7, "x", [3], {}, None])
def test_descriptions_of_no_image(multiscales: Any, tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=DATA)
    group.attrs["multiscales"] = multiscales
    with pytest.raises(FileError, match="damaged"):
        read(tmp_path / "a.zarr")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_no_json(number: str, tmp_path: Path) -> None:
    path = described(tmp_path / "a.zarr")
    text = (path / "zarr.json").read_text().replace("0.2", number)
    (path / "zarr.json").write_text(text)
    with pytest.raises(FileError, match="finite"):
        read(path)


def test_a_newer_specification_is_named(tmp_path: Path) -> None:
    path = described(tmp_path / "a.zarr", coordinateSystems=[])
    group = zarr.open_group(str(path), mode="r+")
    ome = dict(group.attrs)["ome"]
    del ome["multiscales"][0]["axes"]
    group.attrs["ome"] = {**ome, "version": "0.6"}
    with pytest.raises(FileError, match=r"OME-Zarr 0\.6, which is newer") as caught:
        read(path)
    assert "0.5" in caught.value.hint


@pytest.mark.parametrize("name", ["zarr.json", ".zattrs", "0/zarr.json"])
def test_huge_descriptions_are_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = described(tmp_path / "a.zarr")
    with (path / name).open("ab") as file:
        file.truncate(17 * 2**20)
    for attempt in (read, read_provenance):
        if attempt is read or "/" not in name:
            with pytest.raises(FileError, match=f"{Path(name).name} has {17 * 2**20} bytes"):
                attempt(path)


@pytest.mark.parametrize("key", ["filters", "compressor"])
def test_no_codec_runs_code(key: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(str(path), data=DATA, chunks=DATA.shape, zarr_format=2)
    codec = {"id": "pickle", "protocol": 4}
    facts = json.loads((path / ".zarray").read_text())
    facts |= {"filters": None, "compressor": None, key: [codec] if key == "filters" else codec}
    (path / ".zarray").write_text(json.dumps(facts))
    trap = tmp_path / "sprung"
    (path / "0.0.0").write_bytes(pickle.dumps(_Trap(str(trap))))
    with pytest.raises(FileError):
        np.asarray(read(path).data[:])
    assert not trap.exists()


class _Trap:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def test_codecs_of_objects_are_refused_by_us_too() -> None:
    class Codec:
        def __repr__(self) -> str:
            return "Pickle(protocol=5)"

    class Facts:
        filters = (Codec(),)

    class Fake(zarr.Array):
        metadata = Facts()

        def __init__(self) -> None:
            pass

    with pytest.raises(FileError, match="Python objects"):
        _zarr._checked(Fake(), Path("a.zarr"))


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
