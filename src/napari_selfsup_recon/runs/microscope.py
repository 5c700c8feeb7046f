"""What the metadata of an image say about the microscope that took it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from napari_selfsup_recon.core.units import conversion
from napari_selfsup_recon.physics.psf.microscope import LONGEST, SHORTEST, Microscope

# Refractive indices of immersions, by the names that OME has for them.
_IMMERSIONS = {
    "air": 1.0,
    "dry": 1.0,
    "water": 1.33,
    "waterdipping": 1.33,
    "glycerol": 1.45,
    "glycerin": 1.45,
    "oil": 1.518,
}
_KINDS = (
    ("confocal", "confocal"),
    ("laserscanning", "confocal"),
    ("widefield", "widefield"),
    ("wide-field", "widefield"),
    ("spim", "light-sheet"),
    ("lightsheet", "light-sheet"),
    ("light-sheet", "light-sheet"),
)
# Fields of the model, and what others call them, without capitals, spaces and underlines.
_NUMBERS = {
    "numerical_aperture": ("numericalaperture", "lensna", "objectivena", "objectivelensna", "na"),
    "immersion_index": ("immersionindex", "refractiveindex", "mediumrefractiveindex"),
    "wavelength": ("emissionwavelength", "emwavelength", "emission"),
    "excitation": ("excitationwavelength", "exwavelength", "excitation"),
}
_WORDS = {"kind": ("acquisitionmode", "microscopetype", "modality"), "immersion": ("immersion",)}
_DEEPEST = 8
_MOST = 20_000


def read_microscope(metadata: Any) -> dict[str, Any]:
    """Return the fields of a :class:`~napari_selfsup_recon.psf.Microscope` that metadata hold.

    Parameters
    ----------
    metadata
        What a reader left with a layer or a measurement: nested mappings and lists, OME-XML as
        text, or objects of the ``ome_types`` kind. OME's spellings are understood, and some others;
        the first of several channels counts.

    Returns
    -------
    dict
        Values that the model accepts; empty where nothing is said.
    """
    found: dict[str, Any] = {}
    for count, (key, value, unit) in enumerate(_facts(metadata, _DEEPEST)):
        if count > _MOST:
            break
        name = re.sub(r"[^a-z]", "", str(key).lower())
        for field, spellings in _NUMBERS.items():
            if name in spellings and field not in found:
                number = _number(value, unit if field in ("wavelength", "excitation") else "")
                if number is not None and _fits(field, number):
                    found[field] = number
        for field, spellings in _WORDS.items():
            if name in spellings and isinstance(value, str):
                found.setdefault(field, re.sub(r"[ _]", "", value.lower()))
    _translate(found)
    aperture, index = found.get("numerical_aperture"), found.get("immersion_index")
    if aperture is not None and aperture >= (index or Microscope().immersion_index):
        # Without an index that fits, the aperture says what the immersion must be.
        found["immersion_index"] = 1.518 if aperture < 1.518 else 1.78
    return found


def _translate(found: dict[str, Any]) -> None:
    """Replace words by what the model knows."""
    word = found.pop("immersion", "")
    if word in _IMMERSIONS:
        found.setdefault("immersion_index", _IMMERSIONS[word])
    kind = found.pop("kind", "")
    known = next((name for part, name in _KINDS if part in kind), None)
    if known is not None:
        found["kind"] = known


def _facts(value: Any, depth: int) -> Iterator[tuple[str, Any, str]]:
    """Yield (key, value, unit) of everything that is nested in ``value``."""
    if depth == 0:
        return
    if isinstance(value, str):
        if value.lstrip().startswith("<"):
            yield from _of_xml(value)
        return
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, Mapping):
        for key, inner in value.items():
            unit = value.get(f"{key}Unit", value.get(f"{key}_unit", ""))
            if isinstance(inner, str | int | float) and not isinstance(inner, bool):
                yield str(key), inner, _unit(unit)
            if not isinstance(inner, int | float):
                yield from _facts(inner, depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value[:100]:
            yield from _facts(inner, depth - 1)


def _of_xml(text: str) -> Iterator[tuple[str, Any, str]]:
    try:
        root = ElementTree.fromstring(text.encode())
    except (ElementTree.ParseError, ValueError):
        return
    for element in root.iter():
        for key, value in element.attrib.items():
            yield key, value, _unit(element.attrib.get(f"{key}Unit", ""))


def _unit(unit: Any) -> str:
    return str(getattr(unit, "value", unit) or "")


def _number(value: Any, unit: str) -> float | None:
    """Return ``value`` as a number, in nanometers where ``unit`` is a length."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    factor = conversion(unit, "nanometer") if unit else 1.0
    number *= factor if factor is not None else 1.0
    return number if math.isfinite(number) else None


def _fits(field: str, number: float) -> bool:
    limits = {"numerical_aperture": (0.01, 1.7), "immersion_index": (1.0, 1.8)}
    low, high = limits.get(field, (SHORTEST, LONGEST))
    return low <= number <= high
