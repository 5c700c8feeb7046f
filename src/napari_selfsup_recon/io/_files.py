"""Files and folders: checked before the work, replaced in one go after it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.memory import free_memory, readable_bytes

HOW_TO_OVERWRITE = (
    "Choose another name, or ask for it to be overwritten (overwrite=True, --overwrite)."
)


def existing(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` if there is something to read.

    Raises
    ------
    FileError
        If there is no such file or folder, or the file is empty.
    """
    found = Path(path).expanduser()
    try:
        if not found.exists():
            raise FileError(f"There is no file {str(found)!r}.", hint="Check the name.")
        if found.is_file() and found.stat().st_size == 0:
            raise FileError(
                f"{str(found)!r} is empty (0 bytes).", hint="Copy or export the file again."
            )
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise cannot_read(found, error) from error
    return found


def cannot_read(path: Path, cause: Exception | str) -> FileError:
    """Return the error for a file that cannot be opened at all."""
    return FileError(
        f"{str(path)!r} cannot be read: {cause}.", hint="Check the name and your permissions."
    )


def damaged(path: Path, kind: str, cause: Exception | str) -> FileError:
    """Return the error for a file whose contents make no sense."""
    detail = str(cause).strip().rstrip(".") or type(cause).__name__
    return FileError(
        f"{str(path)!r} is damaged, incomplete or not {kind}: {detail}.",
        hint="Copy or export the file again, or convert it (for example with Fiji).",
    )


def check_room(path: Path, count: int) -> None:
    """Refuse to load ``count`` bytes that do not fit into the free memory.

    Raises
    ------
    FileError
        If they do not fit.
    """
    free = free_memory()
    if count > 0.9 * free:
        raise FileError(
            f"{str(path)!r} says that it needs {readable_bytes(count)}, but only "
            f"{readable_bytes(free)} of memory are free.",
            hint="Close other programs, crop the file, or convert it to zarr, read bit by bit.",
        )


def check_target(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Return ``path`` if something can be written there; nothing is left behind.

    Raises
    ------
    FileError
        If the folder is missing or cannot be written, or ``path`` exists and ``overwrite`` is
        False.
    """
    target = Path(path).expanduser()
    folder = target.parent
    try:
        if not folder.exists():
            raise FileError(
                f"The folder {str(folder)!r} does not exist.",
                hint="Create it first, or choose another.",
            )
        if not folder.is_dir():
            raise FileError(f"{str(folder)!r} is a file, not a folder.", hint="Choose a folder.")
        if _occupied(target) and not overwrite:
            raise FileError(f"{str(target)!r} already exists.", hint=HOW_TO_OVERWRITE)
        # Asking for permission is no proof (network drives, containers); writing is.
        probe = beside(target)
        probe.touch(exist_ok=False)
        probe.unlink()
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(
            f"Nothing can be written to the folder {str(folder)!r}: {error}.",
            hint="Choose a folder of your own.",
        ) from error
    return target


def _occupied(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def beside(target: Path) -> Path:
    """Return the name of a temporary file in the folder of ``target``."""
    return target.parent / f".{target.name[:80]}.{secrets.token_hex(4)}.part"


@contextmanager
def replacing(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary file or folder to write; it takes the place of ``target`` at the end.

    If anything fails, ``target`` is as it was and the temporary is gone.

    Raises
    ------
    FileError
        If the disk is full or refuses, or ``target`` came into being meanwhile.
    """
    part = beside(target)
    try:
        yield part
        if _occupied(target) and not overwrite:
            raise FileError(f"{str(target)!r} already exists.", hint=HOW_TO_OVERWRITE)
        if target.is_dir() and not target.is_symlink():
            _swap_folders(part, target)
        else:
            os.replace(part, target)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(
            f"{str(target)!r} cannot be written: {error}.",
            hint="Check the space on the disk and your permissions.",
        ) from error
    finally:
        remove(part)


def _swap_folders(part: Path, target: Path) -> None:
    old = beside(target)
    os.replace(target, old)
    try:
        os.replace(part, target)
    except OSError:
        os.replace(old, target)
        raise
    remove(old)


def remove(path: Path) -> None:
    """Remove a temporary file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def check_disk(target: Path, count: int) -> None:
    """Refuse to write ``count`` bytes where the disk has no room for them.

    Raises
    ------
    FileError
        If there is no room.
    """
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError:
        return
    if count > free:
        raise FileError(
            f"{str(target)!r} needs {readable_bytes(count)}, but only {readable_bytes(free)} are "
            "free on the disk.",
            hint="Make room or choose another disk.",
        )
