"""Clean examples from disk: one file, or a folder of images of one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_selfsup_recon.core.errors import FileError

if TYPE_CHECKING:
    from napari_selfsup_recon.core.measurement import Measurement


def read_examples(path: str) -> Measurement:
    """Return the images at ``path``; of a folder all, one after another along a first axis.

    Nothing is read before it is needed where the files let themselves be mapped.

    Parameters
    ----------
    path
        A file, a zarr folder, or a folder of images that have the same size, kind of values and
        pixel size. Images in folders below it, and results of batches, are passed over.

    Raises
    ------
    FileError
        If something cannot be read, there is no image, or the images of a folder differ.
    """
    from napari_selfsup_recon.io import volumes

    files = _files(path)
    if files is None:
        return volumes.read(path)
    images = [volumes.read(file) for file in files]
    first = images[0]
    for file, image in zip(files, images, strict=True):
        if _facts(image) != _facts(first):
            raise FileError(
                f"The images in {Path(path).name!r} differ: {files[0].name} is {_words(first)}, "
                f"{file.name} is {_words(image)}.",
                hint="Put images of one size, kind and pixel size into a folder of their own.",
            )
    import dask.array

    da: Any = dask.array
    data = [da.from_array(image.data, name=False) for image in images]
    return replace(
        first,
        data=da.stack(data),
        axes=("file", *first.axes),
        scale=(1.0, *first.scale),
        units=("pixel", *first.units),
        translate=(0.0, *first.translate),
        name=Path(path).name,
        metadata={"path": str(path)},
    )


def glance(path: str) -> tuple[int, Measurement]:
    """Return how many files ``path`` stands for and the first of them; quick, to be shown.

    Raises
    ------
    FileError
        If the first cannot be read, or there is none.
    """
    files = _files(path) or [Path(path).expanduser()]
    changed = files[0].stat().st_mtime_ns if files[0].exists() else 0
    return len(files), _first(str(files[0]), changed)


@lru_cache(maxsize=8)
def _first(path: str, changed: int) -> Measurement:
    """Return an image that is looked at again and again while its file stays as it is."""
    from napari_selfsup_recon.io import volumes

    return volumes.read(path)


def _files(path: str) -> Sequence[Path] | None:
    """Return the images of a folder, None where ``path`` is no folder of images."""
    from napari_selfsup_recon.io._files import existing
    from napari_selfsup_recon.io._zarr import is_store
    from napari_selfsup_recon.runs.batch.files import images_in

    found = existing(path)
    if not found.is_dir() or found.suffix.lower() == ".zarr" or is_store(found):
        return None
    return images_in(found)


def _facts(image: Measurement) -> tuple[object, ...]:
    return image.axes, image.shape, image.dtype, image.scale, image.units


def _words(image: Measurement) -> str:
    size = " x ".join(f"{axis} {n}" for axis, n in zip(image.axes, image.shape, strict=True))
    pixel = f"{image.scale[-1]:.4g} {image.units[-1]}"
    return f"{size}, {image.dtype}, with pixels of {pixel}"
