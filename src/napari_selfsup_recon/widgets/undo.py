"""Take the layers of the last run away, and bring them back. Other layers are never touched."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

from napari.layers import Layer
from psygnal import Signal

from napari_selfsup_recon.widgets import companions
from napari_selfsup_recon.widgets.bridge import is_result, unwrap

# What was taken away lies in memory until it is brought back, or another run is done.
_MOST_REMOVED = 3
_MOST_MADE = 100


Places = tuple[tuple[int, Layer], ...]
"""Layers that were taken away, and where they stood in the list."""


class Undo:
    """The last runs of a viewer, by the layers that came of them.

    Parameters
    ----------
    viewer
        The napari viewer; held weakly, as the layers are as long as they are in it.

    Attributes
    ----------
    changed
        Emitted when there is something else to undo or to bring back.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(unwrap(viewer))
        self._made: deque[tuple[weakref.ReferenceType[Layer], ...]] = deque(maxlen=_MOST_MADE)
        self._removed: deque[Places] = deque(maxlen=_MOST_REMOVED)

    def made(self, layers: Sequence[Layer]) -> None:
        """Remember the layers of a run; what was undone before cannot come back any more."""
        if layers:
            self._made.append(tuple(weakref.ref(layer) for layer in layers))
            self._removed.clear()
            self.changed.emit()

    @property
    def last(self) -> list[Layer]:
        """The layers that :meth:`undo` would take away; empty if there are none."""
        viewer = self._viewer()
        if viewer is None:
            return []
        for references in reversed(self._made):
            found = [layer for ref in references if (layer := ref()) is not None]
            found = [layer for one in found for layer in (one, *companions.all_of(one))]
            mine = [layer for layer in found if layer in viewer.layers and is_result(layer)]
            if mine:
                return list(dict.fromkeys(mine))  # companions that came back are named twice
        return []

    @property
    def next(self) -> list[Layer]:
        """The layers that :meth:`redo` would bring back; empty if there are none."""
        return [layer for _, layer in self._removed[-1]] if self._removed else []

    def undo(self) -> list[Layer]:
        """Take the layers of the last run away; returns them."""
        viewer, layers = self._viewer(), self.last
        if viewer is None or not layers:
            return []
        while self._made:
            references = self._made.pop()
            if any(ref() in layers for ref in references):
                break
        places = sorted(
            ((viewer.layers.index(layer), layer) for layer in layers), key=lambda place: place[0]
        )
        for layer in layers:
            viewer.layers.remove(layer)
        self._removed.append(tuple(places))
        self.changed.emit()
        return layers

    def redo(self) -> list[Layer]:
        """Bring back what :meth:`undo` took away last; returns it."""
        viewer = self._viewer()
        if viewer is None or not self._removed:
            return []
        places = self._removed.pop()
        for index, layer in places:
            viewer.layers.insert(min(index, len(viewer.layers)), layer)
        back = [layer for _, layer in places]
        self._made.append(tuple(weakref.ref(layer) for layer in back))
        self.changed.emit()
        return back
