"""Keys that work wherever the focus is in the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget


def bind_keys(owner: QWidget, keys: Mapping[str, Callable[[], object]]) -> None:
    """Let keys, written as Qt does, act as long as ``owner`` lives."""
    for sequence, do in keys.items():
        shortcut = QShortcut(QKeySequence(sequence), owner)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.activated.connect(do)
