"""Real micrographs that come with a dependency, so that nothing has to be downloaded."""

from __future__ import annotations

from dataclasses import dataclass

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Measurement


@dataclass(frozen=True)
class _Real:
    function: str
    description: str
    scale: float
    unit: str


_REAL = {
    "cell": _Real(
        "cell",
        "A cell in saline, quantitative phase from a digital hologram; ships with scikit-image "
        "(by Paul Müller, CC0).",
        0.107,
        "micrometer",
    ),
    "microaneurysms": _Real(
        "microaneurysms",
        "Detail of the fundus of an eye with microaneurysms, green channel; ships with "
        "scikit-image (by Andreas Maier, CC0).",
        1.0,
        "pixel",
    ),
}
REAL_NAMES = tuple(_REAL)


def real(name: str = "cell") -> Measurement:
    """Return a real image that scikit-image ships; uint8, two axes.

    Parameters
    ----------
    name
        One of :data:`REAL_NAMES`. ``metadata["description"]`` of the result says what it shows,
        who made it and under which licence.

    Raises
    ------
    InputError
        If there is no such image.
    """
    if name not in _REAL:
        raise InputError(
            f"There is no real sample {name!r}.", hint=f"Choose one of {', '.join(REAL_NAMES)}."
        )
    from skimage import data

    entry = _REAL[name]
    return Measurement(
        getattr(data, entry.function)(),
        axes=("y", "x"),
        scale=(entry.scale,) * 2,
        units=(entry.unit,) * 2,
        name=name,
        metadata={"description": entry.description},
    )
