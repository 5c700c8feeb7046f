"""Options as scripts give them: models, or what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.runs.words import validate


def model_of(kind: type[Options], given: Options | Mapping[str, Any], what: str) -> Any:
    """Return ``given`` as a ``kind``; what does not fit is told in words."""
    return given if isinstance(given, kind) else validate(kind, dict(given), where=what)


def values_of(options: Options | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return options that are not the usual ones, by name."""
    if options is None:
        return {}
    if isinstance(options, Options):
        return options.model_dump(exclude_defaults=True)
    return dict(options)
