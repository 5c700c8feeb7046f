"""Plain images, and the real one that comes along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.io import REAL_NAMES, read, real

GREY = np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_png(dtype: type, tmp_path: Path) -> None:
    data = GREY.astype(dtype) * (200 if dtype is np.uint16 else 1)
    Image.fromarray(data).save(tmp_path / "a.png")
    image = read(tmp_path / "a.png")
    np.testing.assert_array_equal(image.data, data)
    assert image.dtype == dtype
    assert image.axes == ("y", "x")


def test_grey_in_spite_of_its_mode(tmp_path: Path) -> None:
    Image.fromarray(np.stack([GREY] * 3, axis=-1)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").data, GREY)
    opaque = np.stack([GREY, np.full_like(GREY, 255)], axis=-1)
    Image.fromarray(opaque).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read(tmp_path / "b.png").data, GREY)


def test_colour_is_refused(tmp_path: Path) -> None:
    colour = np.stack([GREY, GREY.T.reshape(20, 30), GREY], axis=-1)
    Image.fromarray(colour).save(tmp_path / "rgb.png")
    Image.fromarray(colour).quantize(16).save(tmp_path / "palette.png")
    Image.fromarray(colour).save(tmp_path / "rgb.jpg")
    for name in ("rgb.png", "palette.png", "rgb.jpg"):
        with pytest.raises(FileError, match="colour") as caught:
            read(tmp_path / name)
        assert "grey" in caught.value.hint


def test_broken_images(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    raw = (tmp_path / "a.png").read_bytes()
    for length in (10, 40, len(raw) // 2):
        (tmp_path / "cut.png").write_bytes(raw[:length])
        with pytest.raises(FileError, match="damaged"):
            read(tmp_path / "cut.png")
    with pytest.raises(FileError, match="one image"):
        read(tmp_path / "a.png", scene=1)


def test_the_real_image_that_comes_along() -> None:
    for name in REAL_NAMES:
        image = real(name)
        assert image.dtype == np.uint8
        assert min(image.shape) >= 64
        assert "CC0" in image.metadata["description"]
    assert real().scale == (0.107, 0.107)
    assert real().units == ("micrometer", "micrometer")
    with pytest.raises(InputError, match="no real sample"):
        real("lena")
