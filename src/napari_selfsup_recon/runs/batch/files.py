"""Which files of a folder are worked on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.io.volumes import ENDINGS
from napari_selfsup_recon.runs.batch.journal import made_by_batches


def images_in(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the images of a folder by name, without those that a batch has written there.

    Parameters
    ----------
    folder
        Where to look; not below it, unless the pattern begins with ``**/``.
    pattern
        As in ``cells_*.tif``.

    Raises
    ------
    FileError
        If there is no such folder, the pattern cannot be used, or nothing is found.
    """
    if not folder.is_dir():
        raise FileError(f"There is no folder {str(folder)!r}.", hint="Check the name.")
    hint = "Write for example *.tif or cells_*."
    if Path(pattern).anchor:
        raise FileError(f"{pattern!r} does not lie in the folder.", hint=hint)
    try:
        found = sorted(path for path in folder.glob(pattern or "*") if is_image(path))
    except (ValueError, OSError) as error:
        message = f"{pattern!r} is no pattern for names of files: {error}."
        raise FileError(message, hint=hint) from error
    kept = without_results(found)
    if not kept:
        raise FileError(
            f"No image in {str(folder)!r} has a name like {pattern or '*'!r}.",
            hint=f"Images end in one of {', '.join(ENDINGS)}.",
        )
    return kept


def is_image(path: Path) -> bool:
    """Return whether ``path`` looks like an image that can be read."""
    ending = path.suffix.lower()
    if path.name.startswith(".") or ending not in ENDINGS:
        return False
    return path.is_dir() == (ending == ".zarr")


def without_results(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are not themselves results of a batch: ``*.tif`` finds both."""
    known: dict[Path, frozenset[str]] = {}
    kept = []
    for path in paths:
        if path.parent not in known:
            known[path.parent] = made_by_batches(path.parent)
        if path.name not in known[path.parent]:
            kept.append(path)
    return kept
