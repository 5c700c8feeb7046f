"""What the last run was set to: a dock in a later session of napari begins with it.

Nothing of the data is kept: no layer, no width, no path but that of clean examples on disk.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.io._files import replacing
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.psf.microscope import Microscope
from napari_selfsup_recon.runs import stash
from napari_selfsup_recon.runs.config import Task
from napari_selfsup_recon.runs.words import validate
from napari_selfsup_recon.widgets.choices import CleanPick, Intent, MethodChoice

logger = logging.getLogger("napari_selfsup_recon")

_VERSION = 1
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class LastSettings:
    """The task, the method with its options, and the microscope."""

    task: Task
    method: MethodChoice
    microscope: Microscope | None = None


def remember(intent: Intent) -> None:
    """Write the settings of a run; where that is not possible, they are forgotten."""
    method = intent.method
    said = {
        "version": _VERSION,
        "task": intent.data.task,
        "method": _named(method.key, method.options),
        "baseline": method.baseline and _named(method.baseline, method.baseline_options),
        "trust": method.trust,
        "clean": method.clean.path if method.clean is not None else "",
        "microscope": intent.psf.microscope and _values(intent.psf.microscope),
    }
    place = _place()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place, overwrite=True) as part:
            part.write_text(json.dumps(said), encoding="utf-8")
    except OSError as error:
        logger.debug("The settings were not kept: %s", error)


def recalled() -> LastSettings | None:
    """Return the settings of the last run; None where there was none, or they do not read."""
    place = _place()
    try:
        if place.stat().st_size > _MOST_BYTES:
            return None
        said = json.loads(place.read_text(encoding="utf-8"))
        if said["version"] != _VERSION or said["task"] not in get_args(Task):
            return None
        key, options = _read(said["method"])
        baseline, rivals = _read(said["baseline"]) if said["baseline"] else (None, None)
        chosen = MethodChoice(
            key,
            options,
            baseline,
            rivals,
            trust=bool(said["trust"]),
            clean=_examples(said.get("clean")),
        )
        scope = said["microscope"]
        microscope = None if scope is None else validate(Microscope, scope, where="microscope")
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ReconError) as error:
        logger.debug("The settings of the last run do not read: %s", error)
        return None
    return LastSettings(said["task"], chosen, microscope)


def _place() -> Path:
    return stash.folder().parent / "last.json"


def _named(key: str, options: Options | None) -> dict[str, Any]:
    return {"key": key, "options": {} if options is None else _values(options)}


def _values(options: Options) -> dict[str, Any]:
    values: dict[str, Any] = options.model_dump(mode="json", exclude_defaults=True)
    return values


def _examples(path: Any) -> CleanPick | None:
    """Return the clean examples on disk, if they are still there."""
    there = isinstance(path, str) and path and Path(path).exists()
    return CleanPick(path=path) if there else None


def _read(said: Any) -> tuple[str, Any]:
    entry = METHODS.find(said["key"])
    return entry.key, validate(entry.load_options(), said["options"], where=entry.label)
