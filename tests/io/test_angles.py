"""Angles in files of all kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.io.angles import read_angles

ANGLES = [-60.0, -58.5, 0.25, 60.0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "-60\n-58.5\n0.25\n60\n"),
        ("a.tlt", "# tilt series\n -60.00\n -58.50\n   0.25\n  60.00\n\n"),
        ("a.rawtlt", "-60 -58.5 0.25 60"),
        ("a.csv", "frame,theta_deg\n0,-60\n1,-58.5\n2,0.25\n3,60\n"),
        ("a.csv", "0;-60\n1;-58.5\n2;0.25\n3;60\n"),
        ("a.csv", "\ufefftilt,dose\n-60,1\n-58.5,2\n0.25,3\n60,4\n"),
    ],
)
def test_text_in_all_its_forms(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(read_angles(path), ANGLES)


def test_numpy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array(ANGLES, dtype=np.float32)[:, None])
    np.savez(tmp_path / "a.npz", tilt_deg=ANGLES, shifts=np.zeros((4, 2)))
    np.savez(tmp_path / "b.npz", first=np.zeros(3), second=np.zeros(3))
    np.testing.assert_array_equal(read_angles(tmp_path / "a.npy"), ANGLES)
    np.testing.assert_array_equal(read_angles(tmp_path / "a.npz"), ANGLES)
    with pytest.raises(FileError, match="2 arrays"):
        read_angles(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", "empty"),
        ("a.txt", "1\n2\nthree\n", "Line 3"),
        ("a.txt", "1 2\n3\n", "Line 2"),
        ("a.txt", "1\nnan\n", "no numbers"),
        ("a.xlsx", "1\n", "no file of angles"),
        ("a.npy", "1\n", "damaged"),
    ],
)
def test_what_holds_no_angles_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=message) as caught:
        read_angles(tmp_path / name)
    assert caught.value.hint
    with pytest.raises(FileError):
        read_angles(tmp_path / "missing.txt")
