"""Which methods serve which instruments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.methods._recon._neighbours import check_instrument, check_stack
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.instruments import LABELS, SCANS, Instrument

if TYPE_CHECKING:
    from napari_selfsup_recon.runs.config import RunConfig
    from napari_selfsup_recon.runs.problem import Problem

# What a method can take, where that is not everything.
_ONLY: dict[str, tuple[tuple[str, ...], str]] = {
    "filtered-back-projection": (SCANS, "It needs the projections of a scan."),
    "richardson-lucy": (
        ("parallel-beam", "fan-beam"),
        "It needs a measurement that is a sum of light, never negative.",
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


def check_neighbours(options: Options | None, problem: Problem) -> None:
    """Complain where slices are to be seen with neighbours that there are not.

    Raises
    ------
    InputError
        With what to do.
    """
    slab = int(getattr(options, "slab", 1))
    if slab > 1:
        check_instrument(2, problem.channels)
        check_stack(problem.slices, slab)


def check_noise(entry: Entry, config: RunConfig) -> None:
    """Complain where a method has to know the noise, and cannot estimate it.

    Raises
    ------
    InputError
        With what to give.
    """
    known = config.noise is not None and config.noise.given
    if entry.key == "rei" and config.physics.instrument not in SCANS and not known:
        raise InputError(
            f"{entry.label} has to know the noise, which cannot be estimated where pixels or "
            "places of k-space are missing.",
            hint="Give the read noise (its standard deviation), and the gain where light is "
            "counted; or choose ei for measurements with little noise.",
        )
