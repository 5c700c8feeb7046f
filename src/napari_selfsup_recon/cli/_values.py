"""Values of flags that are more than one word."""

from __future__ import annotations

from napari_selfsup_recon.core.errors import InputError


def numbers(text: str, flag: str) -> tuple[float, ...]:
    """Return ``"0.3,0.25"`` as numbers.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"{flag} {text} is no list of numbers.", hint=f"Write for example {flag} 0.3,0.1,0.1"
        ) from None


def region(text: str, flag: str = "--region") -> tuple[tuple[int, int], ...]:
    """Return ``"0:32,10:60"`` as start and stop an axis.

    Raises
    ------
    InputError
        If it is none.
    """
    pairs = []
    for part in text.split(","):
        start, colon, stop = part.partition(":")
        if not (colon and start.isdecimal() and stop.isdecimal()):
            raise InputError(
                f"{flag} {text} is no region.",
                hint="Write first and last (excluded) pixel an axis: 0:32,100:400,0:512"
                if flag == "--region"
                else f"Write the first and the last (excluded) one: {flag} 0:25",
            )
        pairs.append((int(start), int(stop)))
    return tuple(pairs)
