"""One layer after another in the same place: what changes catches the eye."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_selfsup_recon.widgets.comparison import Comparison, with_like_values

# Slower than three changes a second, as guidelines for flashing ask.
_EACH_MS = 700
PEEK = "\\"


class Blink(Comparison):
    """The layers one after another, by themselves or with :meth:`show_next`.

    Parameters and errors are those of
    :class:`~napari_selfsup_recon.widgets.comparison.Comparison`.
    """

    mode: ClassVar[str] = "blink"

    def _check(self) -> None:
        super()._check()
        self.layers = with_like_values(self.layers)
        super()._check()

    def _show(self) -> None:
        self._number = len(self.layers) - 1
        self._timer = QTimer()
        self._timer.setInterval(_EACH_MS)
        self._timer.timeout.connect(self.show_next)
        self.show_next()
        self._timer.start()

    def _unshow(self) -> None:
        self._timer.stop()

    @property
    def shown(self) -> Any:
        """The layer that is shown now."""
        return self.layers[self._number]

    def show_next(self) -> None:
        """Show the next layer, after the last one the first."""
        self._number = (self._number + 1) % len(self.layers)
        for number, layer in enumerate(self.layers):
            layer.visible = number == self._number


class Peek:
    """The first of some layers alone, as long as a key is held; use :meth:`end` after it."""

    def __init__(self, viewer: Any, layers: list[Any]) -> None:
        self._before = [(layer, layer.visible) for layer in viewer.layers]
        first = layers[0] if layers else None
        self._name = None if first is None else (first, first.name_overlay.visible)
        if first is not None:
            for layer in viewer.layers:
                layer.visible = layer is first
            first.name_overlay.visible = True

    def end(self) -> None:
        """Show what was shown before."""
        for layer, shown in self._before:
            layer.visible = shown
        if self._name is not None:
            layer, shown = self._name
            layer.name_overlay.visible = shown


def hold_to_peek(viewer: Any, dock: QWidget, layers: Callable[[], list[Any]]) -> None:
    r"""Let the key ``\`` show the first of ``layers`` alone while held; until ``dock`` is deleted.

    Nothing is bound where the key has a meaning already.
    """
    method = weakref.WeakMethod(layers)

    def peek(viewer: Any) -> Iterator[None]:
        found = method()
        held = Peek(viewer, found() if found is not None else [])
        yield
        held.end()

    with suppress(ValueError):  # it is bound already
        viewer.bind_key(PEEK, peek, overwrite=False)
        reference = weakref.ref(viewer)

        def release(*_: object) -> None:
            if (known := reference()) is not None:
                for key in [key for key, done in known.keymap.items() if done is peek]:
                    del known.keymap[key]

        dock.destroyed.connect(release)
