"""Whether slices can be seen with their neighbours; no torch here."""

from __future__ import annotations

from napari_selfsup_recon.core.errors import InputError

_WAY_OUT = "Set neighbours to none."


def check_instrument(ndim: int, channels: int | None) -> None:
    """Refuse instruments behind which slices cannot be seen with their neighbours.

    Parameters
    ----------
    ndim
        Axes of its images.
    channels
        Of its images, where these are complex.

    Raises
    ------
    InputError
        With what to do.
    """
    if ndim != 2:
        raise InputError(
            "The instrument measures whole volumes: there are no slices beside them.",
            hint=f"{_WAY_OUT} Networks for volumes see all directions anyway.",
        )
    if channels is not None:
        raise InputError(
            "Neighbouring slices cannot be seen together where images are complex (MRI).",
            hint=f"{_WAY_OUT} Each slice is then made of its own k-space.",
        )


def check_stack(slices: int, slab: int) -> None:
    """Refuse stacks of fewer slices than are seen together.

    Raises
    ------
    InputError
        With what to do.
    """
    if slices < slab:
        were = "A single slice has" if slices == 1 else f"The {slices} slices of the stack have"
        raise InputError(
            f"{were} no neighbours on both sides.",
            hint=f"Give a stack of at least {slab} slices, or set neighbours to none.",
        )
