"""What was done so far, in a small file beside the results: what resuming a batch looks at."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.io._files import replacing
from napari_selfsup_recon.runs.batch.events import RowReport, RowState
from napari_selfsup_recon.runs.batch.rows import Row, companions_of
from napari_selfsup_recon.runs.result import all_companions

NAME = "selfsup_batch.json"
_KIND = "napari-selfsup-recon batch"
_LIMIT = 64 * 2**20  # bytes


@dataclass(frozen=True)
class Entry:
    """What became of a row.

    Attributes
    ----------
    input
        The file, relative to the folder of the result where they share a drive.
    part
        Scene, time and channel in words.
    settings
        Short hash of the configuration.
    state, message, hint, seconds, label
        Of its report.
    size
        Bytes of the result; 0 where it is a folder, or there is none.
    when
        Time of the entry.
    """

    input: str
    part: str
    settings: str
    state: str
    message: str = ""
    hint: str = ""
    seconds: float = 0.0
    label: str = ""
    size: int = 0
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


class Journal:
    """The entries of all folders that a batch writes to.

    Parameters
    ----------
    folders
        Where results go.

    Raises
    ------
    FileError
        If one of them holds a file of this name that is none of ours.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._known = {folder: _read(folder / NAME) for folder in dict.fromkeys(folders)}

    def entry(self, row: Row) -> Entry | None:
        """Return what became of ``row`` last time, None if nothing is known."""
        return _entry(self._known[row.output.parent].get(row.output.name))

    def made(self, row: Row, settings: str) -> bool:
        """Return whether the result of ``row`` is there as it was written, with these settings."""
        entry = self.entry(row)
        return (
            entry is not None
            and entry.state == RowState.DONE
            and (entry.input, entry.part) == _origin(row)
            and entry.settings == settings
            and entry.size == _size(row.output)
        )

    def note(self, row: Row, report: RowReport, settings: str) -> None:
        """Keep what became of ``row``; the file is replaced in one go.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        where, part = _origin(row)
        folder = row.output.parent
        self._known[folder][row.output.name] = asdict(
            Entry(
                input=where,
                part=part,
                settings=settings,
                state=str(report.state),
                message=report.message,
                hint=report.hint,
                seconds=round(report.seconds, 2),
                label=report.label,
                size=_size(row.output) if report.state is RowState.DONE else 0,
            )
        )
        text = json.dumps({"kind": _KIND, "version": 1, "rows": self._known[folder]}, indent=1)
        with replacing(folder / NAME, overwrite=True) as part_file:
            part_file.write_text(text, encoding="utf-8")


def made_by_batches(folder: Path) -> frozenset[str]:
    """Return the names of the files in ``folder`` that batches write there."""
    try:
        rows = _read(folder / NAME)
    except FileError:
        return frozenset()
    done = [name for name, entry in rows.items() if entry.get("state") == RowState.DONE]
    names = all_companions()
    beside = (path.name for one in done for path in companions_of(folder / one, names).values())
    return frozenset([*done, *beside])


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        if not path.is_file():
            return {}
        if path.stat().st_size > _LIMIT:
            raise ValueError("it is too large")
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("kind") != _KIND:
            raise ValueError("it says nothing of a batch")
        rows = values.get("rows")
        if not isinstance(rows, dict):
            raise ValueError("it has no rows")
    except (OSError, ValueError) as error:
        raise FileError(
            f"{str(path)!r} is not the record of a batch: {error}.",
            hint="Move it away, or choose another folder for the results.",
        ) from error
    return {name: entry for name, entry in rows.items() if isinstance(entry, dict)}


def _entry(values: Mapping[str, Any] | None) -> Entry | None:
    if values is None:
        return None
    try:
        return Entry(**values)
    except TypeError:  # written by another version
        return None


def _origin(row: Row) -> tuple[str, str]:
    """Return the input, as seen from the result, and which part of it."""
    path = row.input.path.absolute()
    try:
        where = os.path.relpath(path, row.output.parent.absolute())
    except ValueError:  # another drive
        where = str(path)
    return Path(where).as_posix(), row.name.removeprefix(row.input.path.name).lstrip(", ")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
