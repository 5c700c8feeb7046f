"""The names of units: one spelling inside, the spellings of the formats outside."""

from __future__ import annotations

PIXEL = "pixel"

# Canonical name -> (metres or seconds, other spellings). The first other spelling is the symbol.
_LENGTHS: dict[str, tuple[float, tuple[str, ...]]] = {
    "angstrom": (1e-10, ("Å", "\u212b", "ångström", "angstroms", "a")),
    "picometer": (1e-12, ("pm", "picometre", "picometers")),
    "nanometer": (1e-9, ("nm", "nanometre", "nanometers", "nanometres")),
    "micrometer": (
        1e-6,
        (
            "µm",  # micro sign
            "μm",  # Greek mu
            "um",
            "\\u00b5m",  # as ImageJ escapes it
            "micron",
            "microns",
            "micrometre",
            "micrometers",
            "micrometres",
        ),
    ),
    "millimeter": (1e-3, ("mm", "millimetre", "millimeters", "millimetres")),
    "centimeter": (1e-2, ("cm", "centimetre", "centimeters", "centimetres")),
    "meter": (1.0, ("m", "metre", "meters", "metres")),
    "inch": (0.0254, ("in", "inches", '"')),
}
_TIMES: dict[str, tuple[float, tuple[str, ...]]] = {
    "nanosecond": (1e-9, ("ns", "nanoseconds")),
    "microsecond": (1e-6, ("µs", "μs", "us", "microseconds")),
    "millisecond": (1e-3, ("ms", "msec", "milliseconds")),
    "second": (1.0, ("s", "sec", "seconds")),
    "minute": (60.0, ("min", "minutes")),
    "hour": (3600.0, ("h", "hours")),
    "day": (86400.0, ("d", "days")),
}
_UNKNOWN = ("", "pixel", "pixels", "px", "none", "dimensionless", "null", "frame", "frames")
_ALL = _LENGTHS | _TIMES
_NAMES = {
    spelling.casefold(): name for name, (_, others) in _ALL.items() for spelling in (name, *others)
}


def canonical_unit(unit: object) -> str:
    """Return the one spelling used inside for ``unit``.

    Parameters
    ----------
    unit
        Name or symbol of a unit in any usual spelling (``"µm"``, ``"um"``, ``"micron"``), None, or
        an object whose text is such a name.

    Returns
    -------
    str
        For example ``"micrometer"`` or ``"second"``; ``"pixel"`` where no unit is stated; an
        unknown unit as it is, without spaces around it.
    """
    text = "" if unit is None else str(unit).strip()
    if text.casefold() in _UNKNOWN:
        return PIXEL
    return _NAMES.get(text.casefold(), text)


def unit_symbol(unit: str) -> str:
    """Return the symbol of a canonical unit (``"µm"``), or the unit itself if it has none."""
    return _ALL[unit][1][0] if unit in _ALL else unit


def is_length(unit: str) -> bool:
    """Return whether ``unit`` is a known length."""
    return canonical_unit(unit) in _LENGTHS


def is_time(unit: str) -> bool:
    """Return whether ``unit`` is a known time."""
    return canonical_unit(unit) in _TIMES


def conversion(source: str, target: str) -> float | None:
    """Return the factor from ``source`` to ``target``.

    Returns
    -------
    float or None
        ``value_in_target = factor * value_in_source``; None where one of them is unknown or they
        measure different things. A unit converts to itself even if it is unknown.
    """
    one, other = canonical_unit(source), canonical_unit(target)
    if one == other:
        return 1.0
    for table in (_LENGTHS, _TIMES):
        if one in table and other in table:
            return table[one][0] / table[other][0]
    return None
