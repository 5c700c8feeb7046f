"""Transforms by name, for options and files. Nothing here loads torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.registry import load_object

if TYPE_CHECKING:
    from napari_selfsup_recon.transforms.base import Transform

_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "shift": ("shift:Shift", {}),
    "rotate": ("rotate:Rotate", {}),
    "rotate-3d": ("rotate:Rotate", {"axis": "any"}),
    "reflect": ("reflect:Reflect", {}),
    "scale": ("scale:Scale", {}),
}
#: The names :func:`from_name` knows; they can be joined with ``+``.
NAMES = tuple(_CLASSES)


def from_name(name: str, **parameters: Any) -> Transform:
    """Return the transform called ``name``.

    Parameters
    ----------
    name
        One of :data:`NAMES`, or several joined with ``+`` (``"shift+rotate"``), the first one
        acting first.
    **parameters
        Handed to the constructor; only for a single name.

    Raises
    ------
    InputError
        If there is no such transform, or parameters are given for several.
    """
    parts = [part.strip() for part in name.split("+")]
    for part in parts:
        if part not in _CLASSES:
            raise InputError(
                f"There is no transform called {part!r}.", hint=f"Choose from {', '.join(NAMES)}."
            )
    if len(parts) > 1 and parameters:
        raise InputError(
            "Parameters fit one transform only.", hint="Build each of them and join them with @."
        )
    made = _made(parts[0], parameters)
    for part in parts[1:]:
        made = _made(part, {}) @ made
    return made


def _made(name: str, parameters: dict[str, Any]) -> Transform:
    where, fixed = _CLASSES[name]
    made: Transform = load_object(f"{__package__}.{where}")(**fixed, **parameters)
    return made
