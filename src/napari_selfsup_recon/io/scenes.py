"""How many images a file holds."""

from __future__ import annotations

import os

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.io import _files


def count_scenes(path: str | os.PathLike[str]) -> int:
    """Return how many images a file holds that ``read(path, scene=...)`` tells apart.

    Raises
    ------
    FileError
        If the file is missing or damaged.
    """
    found = _files.existing(path)
    if found.suffix.lower() in (".tif", ".tiff", ".btf"):
        from napari_selfsup_recon.io._tiff import count_images

        return count_images(found)
    if found.is_dir():
        from napari_selfsup_recon.io._zarr import count_images as count_in_zarr

        return max(1, count_in_zarr(found))
    if not found.is_file():
        raise FileError(f"{str(found)!r} is no file.", hint="Choose an image.")
    return 1
