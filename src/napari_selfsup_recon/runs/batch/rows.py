"""The rows of a batch: what is read, and where its result goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.io.volumes import WRITABLE

ENDING = ".ome.tif"
# Longest first, so that all of .ome.tif goes.
_ENDINGS = (".ome.zarr", ".ome.tiff", ".ome.tif")


@dataclass(frozen=True)
class Input:
    """A file, or a part of it.

    Attributes
    ----------
    path
        The file.
    scene
        Which image of a file with several.
    time, channel
        ``"3"`` or ``"0:5"``; all of them where empty.
    """

    path: Path
    scene: int = 0
    time: str = ""
    channel: str = ""

    @property
    def name(self) -> str:
        """What people read: ``"cells.tif, channel 1"``."""
        words = [f"scene {self.scene}"] if self.scene else []
        words += [f"time {self.time}"] if self.time else []
        words += [f"channel {self.channel}"] if self.channel else []
        return ", ".join([self.path.name, *words])

    @property
    def stem(self) -> str:
        """What the names of results begin with: ``"cells_c1"``."""
        parts = (("s", self.scene or ""), ("t", self.time), ("c", self.channel))
        marks = [f"{key}{value}".replace(":", "-") for key, value in parts if value != ""]
        return "_".join([stem_of(self.path), *marks])


@dataclass(frozen=True)
class Row:
    """One line of a batch."""

    input: Input
    output: Path

    @property
    def name(self) -> str:
        """What people read."""
        return self.input.name


def _with_folder(one: Input) -> str:
    return f"{one.path.absolute().parent.name}_{one.stem}"


def _with_ending(one: Input) -> str:
    return f"{_with_folder(one)}_{one.path.suffix[1:]}"


_WAYS: tuple[Callable[[Input], str], ...] = (lambda one: one.stem, _with_folder, _with_ending)


def name_outputs(
    inputs: Iterable[Input],
    *,
    folder: Path | None = None,
    suffix: str,
    ending: str = ENDING,
) -> tuple[Row, ...]:
    """Return the rows of a batch.

    Parameters
    ----------
    inputs
        What is read. What is named twice counts once.
    folder
        Where results go; beside their inputs if None.
    suffix
        Stands between the name of the input and the ending.
    ending
        One of :data:`napari_selfsup_recon.io.volumes.WRITABLE`.

    Returns
    -------
    tuple
        One row an input. Where two would write the same file, the folder of the input comes first
        in the name, or its ending after the stem.

    Raises
    ------
    InputError
        If there are no inputs, the ending is none, or two rows would still write the same file.
    """
    once = {replace(one, path=one.path.resolve()): one for one in inputs}
    chosen = list(once.values())
    if not chosen:
        raise InputError("There are no files to work on.", hint="Name files, or add some.")
    if ending not in WRITABLE:
        raise InputError(
            f"Images cannot be written as {ending or 'files without an ending'}.",
            hint=f"Choose one of {', '.join(WRITABLE)}.",
        )

    def place(one: Input) -> Path:
        return folder if folder is not None else one.path.parent

    counts = [Counter((place(one), way(one)) for one in chosen) for way in _WAYS]
    outputs = []
    for one in chosen:
        # The first name that nobody else has: it must not depend on the order of the files.
        names = [(place(one), way(one)) for way in _WAYS]
        free = (name for name, count in zip(names, counts, strict=True) if count[name] == 1)
        there, stem = next(free, names[-1])
        outputs.append(there / f"{stem}_{suffix}{ending}")
    check_distinct(outputs)
    return tuple(Row(one, out) for one, out in zip(chosen, outputs, strict=True))


def check_distinct(outputs: Sequence[Path]) -> None:
    """Refuse two rows that write the same file.

    Raises
    ------
    InputError
        If there are such.
    """
    path, count = Counter(path.resolve() for path in outputs).most_common(1)[0]
    if count > 1:
        raise InputError(
            f"{count} rows would write the same file, {path.name}.",
            hint="Rename the inputs, or write them to different folders.",
        )


def companions_of(output: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return where the companions of a result go, by name."""
    stem = stem_of(output)
    ending = output.name.removeprefix(stem)
    return {name: output.with_name(f"{stem}_{name}{ending}") for name in names}


def stem_of(path: Path) -> str:
    """Return the name of a file without its ending, ``.ome.tif`` being one."""
    lower = path.name.lower()
    for ending in _ENDINGS:
        if lower.endswith(ending):
            return path.name[: -len(ending)]
    return path.stem
