"""Which methods serve which instruments."""

from __future__ import annotations

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.instruments import LABELS, SCANS, Instrument

# What a method can take, where that is not everything.
_ONLY: dict[str, tuple[tuple[str, ...], str]] = {
    "filtered-back-projection": (SCANS, "It needs the projections of a scan."),
    "richardson-lucy": (
        ("parallel-beam", "fan-beam"),
        "It needs a measurement that is a sum of light, never negative.",
    ),
    "total-variation": (
        ("parallel-beam", "fan-beam", "inpainting", "mri"),
        "It needs a linear instrument: correct the counts with flat fields, and choose CT.",
    ),
    "least-squares": (
        ("parallel-beam", "fan-beam", "transmission", "inpainting", "mri"),
        "It needs a linear instrument.",
    ),
}


def suits(key: str, instrument: Instrument) -> bool:
    """Return whether the method ``key`` can take what ``instrument`` measures."""
    return key not in _ONLY or instrument in _ONLY[key][0]


def suited(instrument: Instrument, *, learned: bool | None = None) -> tuple[Entry, ...]:
    """Return the methods that reconstruct what ``instrument`` measures."""
    entries = METHODS.for_task("reconstruct", learned=learned)
    return tuple(entry for entry in entries if suits(entry.key, instrument))


def refuse(entry: Entry, instrument: Instrument) -> None:
    """Complain about a method that cannot take what ``instrument`` measures.

    Raises
    ------
    InputError
        In plain words, with the methods that can.
    """
    if suits(entry.key, instrument):
        return
    others = ", ".join(e.key for e in suited(instrument)) or "another one"
    raise InputError(
        f"{entry.label} cannot reconstruct from {LABELS[instrument]!r}. {_ONLY[entry.key][1]}",
        hint=f"Choose from {others}.",
    )
