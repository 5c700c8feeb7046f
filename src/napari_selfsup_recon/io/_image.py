"""Plain images: PNG, JPEG and BMP in grey-scale."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io._facts import arrange
from napari_selfsup_recon.io._files import check_room, damaged

GREY = {"1": np.uint8, "L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16, "I": np.int32}


def read_image(path: Path) -> Measurement:
    """Read a grey-scale image (colour images with three equal channels included).

    Raises
    ------
    FileError
        If the file is damaged, in colour, or too large for the memory.
    """
    from PIL import Image

    try:
        # Pillow warns of images above 90 million pixels; the memory is checked here instead.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                check_room(path, 8 * image.width * image.height)
                pixels = np.asarray(image)
                mode = image.mode
    except FileError:
        raise
    except Exception as error:
        raise damaged(path, "an image", error) from error
    if mode not in GREY:
        pixels = _grey(pixels, mode, path)
    return arrange(pixels.astype(GREY.get(mode, pixels.dtype)), ("y", "x"), path)


def _grey(pixels: NDArray[Any], mode: str, path: Path) -> NDArray[Any]:
    """Return the one channel of an image that is grey in spite of its mode."""
    colours = {"RGB": 3, "RGBA": 3, "LA": 1}.get(mode)
    if colours and pixels.ndim == 3:
        opaque = pixels.shape[2] == colours or bool((pixels[..., -1] == 255).all())
        if opaque and bool((pixels[..., :colours] == pixels[..., :1]).all()):
            return pixels[..., 0]
    raise FileError(
        f"{str(path)!r} is a colour image ({mode}).",
        hint="Choose one channel, or convert it to grey-scale first.",
    )
