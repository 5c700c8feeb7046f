"""NumPy files: safe, checked, and with their JSON beside them."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import _numpy, read, read_provenance, write


def claiming(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue() + b"\x00" * 64


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", ">u2", "<i4", "f2", "f4", ">f8", "?"])
def test_bare_arrays(order: str, dtype: str, tmp_path: Path) -> None:
    data = np.asarray(np.arange(60).reshape(3, 4, 5) % 7, dtype=dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "a.npy", data)
    np.savez_compressed(tmp_path / "a.npz", data)
    for ending in (".npy", ".npz"):
        image = read(tmp_path / f"a{ending}")
        np.testing.assert_array_equal(image.data, data)
        assert image.axes == ("z", "y", "x")
        assert image.units == ("pixel",) * 3
        assert image.dtype.isnative
        assert image.name == "a"
    assert read_provenance(tmp_path / "a.npy") is None
    assert read_provenance(tmp_path / "a.npz") is None


def test_large_files_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_numpy, "MAP_FROM", 100)
    np.save(tmp_path / "a.npy", np.eye(20))
    image = read(tmp_path / "a.npy")
    assert isinstance(image.data, np.memmap)
    assert not image.data.flags.writeable


def test_a_description_that_does_not_fit_is_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", Measurement(np.eye(6), scale=(0.1, 0.2)))
    np.save(path, np.ones((2, 5, 6)))
    assert read(path).scale == (1.0, 1.0, 1.0)
    np.save(path, np.ones((6, 6)))
    assert read(path).scale == (0.1, 0.2)


@pytest.mark.parametrize(
    "facts",
    [
        {"axes": ["q", "x"]},
        {"axes": ["x", "y"]},
        {"axes": [1, 2]},
        {"scale": [0.0, -1.0]},
        {"scale": "wide"},
        {"scale": [None, 1.0]},
        {"translate": [1e400, 0]},
        {"name": 7, "metadata": [1]},
        {"units": [None, 3]},
    ],
)
def test_nonsense_in_the_description_is_a_file_error_or_ignored(
    facts: dict, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.npy", Measurement(np.arange(30.0).reshape(5, 6)))
    note = path.with_name("a.npy.json")
    whole = json.loads(note.read_text())
    whole["selfsup_recon"]["facts"].update(facts)
    note.write_text(json.dumps(whole))
    with contextlib.suppress(FileError):
        assert read(path).data.size == 30


@pytest.mark.parametrize("text", ["{", "[" * 100000, '"\\ud800', "\x00"])
def test_a_broken_description_is_named(text: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(4))
    (tmp_path / "a.npy.json").write_text(text)
    with pytest.raises(FileError, match=r"a\.npy\.json"):
        read(tmp_path / "a.npy")


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path("pwned").touch, ())


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_pickles_are_refused(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save = np.save if ending == ".npy" else np.savez
    save(tmp_path / f"a{ending}", np.array([[Bomb(), Bomb()]], dtype=object))
    with pytest.raises(FileError, match="object") as caught:
        read(tmp_path / f"a{ending}")
    assert "numbers" in caught.value.hint or "real-valued" in caught.value.hint
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"text",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{'descr'",
        b"\x80\x04\x95" + b"x" * 50,
        claiming((10**6, 10**6)),
        claiming((2**62, 2**62)),
        claiming((-1, 5)),
        claiming((4, 4), "<U5"),
        claiming((4, 4), "<c8"),
        claiming((0, 4)),
        claiming(()),
        claiming((8,)),
        b"\x93NUMPY\x01\x00\x20\x00" + b"(" * 32,
    ],
)
def test_bad_npy_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read(path)
    assert caught.value.hint


def test_npz_with_none_or_several_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.eye(3), b=np.eye(3))
    with pytest.raises(FileError, match=r"2 arrays \(a, b\)"):
        read(tmp_path / "two.npz")
    with zipfile.ZipFile(tmp_path / "none.npz", "w") as archive:
        archive.writestr("readme.txt", "no")
    with pytest.raises(FileError, match="0 arrays"):
        read(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(FileError, match="damaged"):
        read(tmp_path / "text.npz")


def test_npz_that_claims_too_much(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", claiming((10**7, 10**7)))
    with pytest.raises(FileError, match="too short"):
        read(tmp_path / "bomb.npz")


def test_guessed_axes_are_noted_until_they_are_written(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5)))
    np.savez(tmp_path / "b.npz", np.zeros((2, 1, 3, 4, 5)))
    stack = read(tmp_path / "a.npy")
    (note,) = stack.metadata["notes"]
    assert "z (3 long)" in note
    (note,) = read(tmp_path / "b.npz").metadata["notes"]
    assert "t (2 long), z (3 long)" in note
    np.save(tmp_path / "flat.npy", np.zeros((4, 5)))
    assert "notes" not in read(tmp_path / "flat.npy").metadata
    for name in ("c.npy", "c.tif", "c.zarr"):
        assert "notes" not in read(write(tmp_path / name, stack)).metadata, name
