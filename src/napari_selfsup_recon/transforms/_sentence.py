"""What the meter found, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from napari_selfsup_recon.transforms.base import Transform
from napari_selfsup_recon.transforms.rotate import Rotate

_WORDS = {
    "shift": "shifted",
    "rotate": "rotated",
    "rotate-3d": "rotated about any axis",
    "reflect": "mirrored",
    "scale": "magnified or reduced",
}
_OTHERWISE = "Measure differently (other angles, another mask), or use a classical method."


def label(transform: Transform) -> str:
    """Return the name of a transform as :func:`from_name` knows it."""
    parts = [getattr(transform, "first", None), getattr(transform, "last", None)]
    if all(isinstance(part, Transform) for part in parts):
        return "+".join(label(part) for part in parts if isinstance(part, Transform))
    if isinstance(transform, Rotate) and transform.axis == "any":
        return "rotate-3d"
    return type(transform).__name__.lower()


def describe(
    name: str | None,
    share: float,
    alone: float,
    *,
    helps: bool,
    missing: bool,
    proposal: str | None,
    others: Mapping[str, float],
    tried: bool,
) -> str:
    """Return the sentences for the user."""
    single = f"A single measurement sees {_percent(alone)} of the image space"
    if not missing:
        return f"{single}: next to nothing has to be inferred."
    if name is None:
        text = f"{single}."
    elif helps:
        return (
            f"{single}. If objects may just as well be {_words(name)}, {_percent(share)} can be "
            "learned."
        )
    else:
        text = (
            f"{single}, and next to nothing more ({_percent(share)}) if objects may just as well "
            f"be {_words(name)}: the instrument misses the same part of them every time."
        )
    if proposal is not None:
        return (
            f'{text} With "{proposal}" it is {_percent(others[proposal])}, if they may just as '
            f"well be {_words(proposal)}."
        )
    if tried:
        return f"{text} No other transform helps: the rest cannot be learned. {_OTHERWISE}"
    return f"{text} Choose another transform."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _words(name: str) -> str:
    return " and ".join(_WORDS.get(part, part) for part in name.split("+"))
