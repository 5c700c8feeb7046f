"""Where to write, what to overwrite, and that nothing is half written."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon.core import memory
from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import _files, check_writable, read, write

ENDINGS = (".tif", ".npy", ".zarr")
OLD, NEW = Measurement(np.zeros((4, 5))), Measurement(np.ones((6, 7)))


class Failing:
    """An array that cannot be read beyond its first plane."""

    shape = (3, 40, 4, 4)
    dtype = np.dtype("f4")

    def __getitem__(self, index: object) -> np.ndarray:
        if isinstance(index, tuple) and index[0] == 0:
            return np.zeros((32, 4, 4) if index[1].start == 0 else (8, 4, 4), dtype="f4")
        raise OSError("the disk went away")


@pytest.mark.parametrize("ending", ENDINGS)
def test_existing_files_are_not_overwritten_unasked(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}", OLD)
    for attempt in (lambda: check_writable(path), lambda: write(path, NEW)):
        with pytest.raises(FileError, match="already exists") as caught:
            attempt()
        assert "overwrite=True" in caught.value.hint
    assert read(path).shape == (4, 5)
    assert check_writable(path, overwrite=True) == path
    assert write(path, NEW, overwrite=True) == path
    np.testing.assert_array_equal(np.asarray(read(path).data[:]), NEW.data)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {path.name} | ({f"{path.name}.json"} if ending == ".npy" else set())


def test_the_json_of_another_array_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.npy.json").write_text("mine")
    with pytest.raises(FileError, match=r"a\.npy\.json"):
        write(tmp_path / "a.npy", OLD)
    assert (tmp_path / "a.npy.json").read_text() == "mine"
    assert not (tmp_path / "a.npy").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failure_on_the_way_leaves_everything_as_it_was(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}", OLD)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(FileError, match="the disk went away"):
        write(path, Measurement(Failing()), overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert read(path).shape == (4, 5)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_appears_meanwhile_survives(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / f"a{ending}"
    checked = _files.check_disk
    monkeypatch.setattr(
        _files, "check_disk", lambda *a: (checked(*a), target.write_text("mine"), None)[-1]
    )
    with pytest.raises(FileError, match="already exists"):
        write(target, NEW)
    assert target.read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_missing_folders_and_files_in_the_way(ending: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        check_writable(tmp_path / "no" / f"a{ending}")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="not a folder"):
        check_writable(tmp_path / "file" / f"a{ending}")
    folder = tmp_path / f"folder{ending}"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(FileError, match="already exists"):
        check_writable(folder)
    with pytest.raises(FileError, match="is a folder, and not one of zarr data"):
        write(folder, NEW, overwrite=True)
    assert (folder / "precious.txt").read_text() == "mine"


def test_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux")
def test_a_folder_that_refuses() -> None:
    with pytest.raises(FileError, match="Nothing can be written") as caught:
        check_writable("/proc/a.tif")
    assert caught.value.hint


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(FileError, match="Permission denied"):
        check_writable(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.png", "a.txt", "a", "a.npz", "a.jpg"])
def test_formats_that_are_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written as") as caught:
        check_writable(tmp_path / name)
    assert ".ome.tif" in caught.value.hint


def test_a_full_disk_is_noticed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(_files.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FileError, match="free on the disk"):
        write(tmp_path / "a.tif", NEW)
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_is_noticed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.tif", NEW)
    monkeypatch.setattr(_files, "free_memory", lambda: 100)
    with pytest.raises(FileError, match="memory are free") as caught:
        read(path)
    assert "zarr" in caught.value.hint
    assert memory.free_memory() > 100


@pytest.mark.parametrize(
    ("name", "word"),
    [("no.tif", "There is no file"), ("a.xyz", "not known"), ("folder", "without zarr data")],
)
def test_what_cannot_be_read(name: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=word) as caught:
        read(tmp_path / name)
    assert caught.value.hint


def test_impossible_names() -> None:
    for name in ("a\x00.tif", "x" * 5000 + ".tif"):
        with pytest.raises(FileError):
            read(name)
        with pytest.raises(FileError):
            check_writable(name)
