"""Which layers say what a result may be trusted for, and how each of them is read."""

from __future__ import annotations

import weakref

from napari.layers import Image, Layer

TITLES = {
    "residual": "Residual",
    "seen": "Measured",
    "inferred": "Inferred",
    "spread": "Spread",
    "disagreement": "Disagreement",
    "phase": "Phase",
}
# Which of them some results have and others never will.
RARE = ("disagreement", "phase")
HOW_TO_READ = {
    "residual": "What the image does not explain of the measurement. It should look like noise: "
    "shapes in it were missed or invented.",
    "seen": "What the measurement itself determines. Details that are here may be relied on.",
    "inferred": "What was learned or assumed. Details that are only here were never measured.",
    "spread": "How far the method wavers when the object is placed otherwise. Where it is bright, "
    "do not rely on details.",
    "disagreement": "How far the twins of SIAM are apart, of which one saw what was measured, the "
    "other what was missed. Where it is bright, what was missed does not follow from the rest.",
    "phase": "The angle of the complex image, -π to π; its size is the image. It should vary "
    "smoothly, and says nothing where the image is dark.",
}

_MADE: weakref.WeakKeyDictionary[Layer, dict[str, weakref.ReferenceType[Image]]] = (
    weakref.WeakKeyDictionary()
)


def remember(result: Layer, name: str, companion: Image) -> None:
    """Keep that ``companion`` belongs to ``result``."""
    _MADE.setdefault(result, {})[name] = weakref.ref(companion)


def companion(result: Layer | None, name: str) -> Image | None:
    """Return a companion of a result, None where there is none."""
    found = _MADE.get(result, {}).get(name) if result is not None else None
    return found() if found is not None else None


def all_of(result: Layer) -> tuple[Image, ...]:
    """Return all companions of a result that there are."""
    return tuple(layer for _, layer in named(result))


def named(result: Layer) -> list[tuple[str, Image]]:
    """Return all companions of a result that there are, with their names."""
    made = ((name, reference()) for name, reference in _MADE.get(result, {}).items())
    return [(name, layer) for name, layer in made if layer is not None]


def result_of(layer: Layer | None) -> Layer | None:
    """Return the result that ``layer`` is a companion of, or the layer itself."""
    for result, made in _MADE.items():
        if any(reference() is layer for reference in made.values()):
            return result
    return layer
