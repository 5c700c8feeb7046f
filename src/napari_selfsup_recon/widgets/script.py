"""What is chosen in the window as a Python script that gives the identical result without one."""

from __future__ import annotations

import json
import os
import pprint
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_selfsup_recon import __version__
from napari_selfsup_recon.core.errors import FileError, ReconError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import fingerprint
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.widgets.request import Request

_PLAIN = "no file holds these values: save them as {name}, or save the script with its data"

_TO_FILE = """\
        path = f"result_{event.key}.ome.tif"
        print(event.label, "->", write(path, event.measurement, overwrite=True))"""
_ON_DISK = """\
        print(event.label, "->", event.path)"""


@dataclass(frozen=True, eq=False)
class Script:
    """A run as text.

    Attributes
    ----------
    title
        What is done to what.
    config
        The run.
    threads
        Threads of torch, on whose number the last digits of sums depend.
    arrays
        What is read, by name: ``"image"``, ``"psf"``, ``"flat"`` and so on.
    files
        Of these, those that a file of the user holds: name to path.
    results
        Folder into which results are written frame by frame; empty where they lie in memory.
    """

    title: str
    config: RunConfig
    threads: int
    arrays: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    results: str = ""

    def cells(self, folder: str = "") -> list[str]:
        """Return the parts of the script; data that no file holds lie in ``folder``."""
        given = [name for name in self.arrays if name not in ("image", "psf")]
        more = ", psf=psf" if "psf" in self.arrays else ""
        if given:
            more += ", given={" + ", ".join(f'"{name}": {name}' for name in given) + "}"
        reads = [self._read(name, folder) for name in self.arrays]
        files = ["read"] if any("read(" in text for text in reads) else []
        files += [] if self.results else ["write"]
        imports = [
            "import numpy as np" if any("np." in text for text in reads) else "",
            "from napari_selfsup_recon import Measurement",
            *([f"from napari_selfsup_recon.io.volumes import {', '.join(files)}"] if files else []),
            "from napari_selfsup_recon.runs import Control, Result, RunConfig, resolve",
            "from napari_selfsup_recon.runs.execute import execute",
        ]
        imports[1:1] = [""] if imports[0] else []
        options = pprint.pformat(_values(self.config), width=96, sort_dicts=False)
        return [
            "\n".join(imports).strip(),
            "\n".join(reads),
            f"config = RunConfig.model_validate(\n{_indented(options)}\n)",
            f"plan = resolve(config, image{more})\nprint(plan.summary())",
            # The same number of threads as in the window: the last digits depend on it.
            f"for event in execute(plan, Control(threads={self.threads}){self._folder}):\n"
            f"    if isinstance(event, Result):\n{_ON_DISK if self.results else _TO_FILE}",
        ]

    def text(self, folder: str = "") -> str:
        """Return the script."""
        head = f'"""{self.title}. Written by napari-selfsup-recon {__version__}."""'
        return "\n\n".join([head, *self.cells(folder)]) + "\n"

    def notebook(self, folder: str = "") -> str:
        """Return the script as a Jupyter notebook."""
        written = f"{self.title}. Written by napari-selfsup-recon {__version__}."
        cells: list[dict[str, Any]] = [
            {"cell_type": "markdown", "id": "title", "metadata": {}, "source": [written]}
        ]
        for number, code in enumerate(self.cells(folder)):
            cells.append(
                {
                    "cell_type": "code",
                    "id": f"cell-{number}",
                    "metadata": {},
                    "execution_count": None,
                    "outputs": [],
                    "source": code.splitlines(keepends=True),
                }
            )
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        book = {
            "cells": cells,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        return json.dumps(book, indent=1, ensure_ascii=False) + "\n"

    def _read(self, name: str, folder: str) -> str:
        values = self.arrays[name]
        if name in self.files:
            data, remark = f"read({self.files[name]!r}{self._level(name)}).data", ""
        else:
            path = f"{folder}/{name}.npy" if folder else f"{name}.npy"
            data = f"np.load({path!r})"
            remark = "" if folder else f"# {_PLAIN.format(name=path)}\n"
        if not isinstance(values, Measurement):
            return f"{remark}{name} = {data}"
        facts = {
            "axes": values.axes,
            "scale": values.scale,
            "units": values.units,
            "translate": values.translate,
            "name": values.name,
            "metadata": dict(values.metadata),
        }
        told = "".join(f"    {key}={value!r},\n" for key, value in facts.items() if value)
        return f"{remark}{name} = Measurement(\n    {data},\n{told})"

    @property
    def _folder(self) -> str:
        return f", folder={self.results!r}" if self.results else ""

    def _level(self, name: str) -> str:
        level = self.config.level if name == "image" else 0
        return f", level={level}" if level else ""


def script_of(request: Request) -> Generator[str, None, Script]:
    """Return the script of a request; looks whether files hold its data, in another thread.

    Yields
    ------
    str
        What is being done.
    """
    yield "Looking for the files"
    source = request.source
    arrays: dict[str, Any] = {"image": source.measurement}
    if request.psf is not None:
        arrays["psf"] = request.psf
    arrays |= request.given
    files: dict[str, str] = {}
    layer = source.layer()
    path = getattr(getattr(layer, "source", None), "path", None)
    if path and holds(path, source.measurement, source.level):
        files["image"] = str(path)
    verbs = {"deconvolve": "sharpened", "denoise": "denoised", "reconstruct": "reconstructed"}
    config = request.config
    return Script(
        title=f"{source.name} {verbs[config.task]} by {config.method or config.baseline}",
        config=config.model_copy(update={"preview_every": 0.0}),
        threads=max(1, (os.cpu_count() or 2) - 1),
        arrays=arrays,
        files=files,
        results=request.folder,
    )


def holds(path: str, measurement: Measurement, level: int = 0) -> bool:
    """Whether reading ``path``, or a level of it, gives the values of ``measurement``."""
    from napari_selfsup_recon.io.volumes import read

    with suppress(ReconError, OSError, ValueError):
        found = read(path, level=level)
        return found.shape == measurement.shape and fingerprint(found.data) == fingerprint(
            measurement.data
        )
    return False


def save(script: Script, path: Path) -> Generator[str, None, Path]:
    """Write a script (``.py``) or notebook (``.ipynb``) with its data in a folder beside it.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    folder = path.with_name(f"{path.stem}_data")
    number = 1
    while folder.exists():  # nothing is overwritten unasked
        number += 1
        folder = path.with_name(f"{path.stem}_data_{number}")
    own = [name for name in script.arrays if name not in script.files]
    try:
        if own:
            folder.mkdir()
        for name in own:
            yield f"Writing {name}"
            values = script.arrays[name]
            data = values.data if isinstance(values, Measurement) else values
            np.save(folder / f"{name}.npy", np.asarray(data), allow_pickle=False)
        book = path.suffix == ".ipynb"
        text = script.notebook(folder.name) if book else script.text(folder.name)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileError(
            f"{path.name} cannot be written: {error.strerror or error}.",
            hint="Choose another folder, or free some space.",
        ) from error
    return path


def _values(config: RunConfig) -> dict[str, Any]:
    """Return what differs from the defaults; what they depend on is always given."""
    values = config.model_dump(mode="json", exclude_defaults=True)
    told = {"task": config.task, "method": config.method, "baseline": config.baseline}
    return told | values | {"preview_every": config.preview_every}


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
