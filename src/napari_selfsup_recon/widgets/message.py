"""A message inside the dock: an icon, a sentence, and buttons that help. Never a dialog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from napari_selfsup_recon.widgets.parts import describe, note

Level = Literal["info", "warning", "error"]
Action = tuple[str, str, Callable[[], object]]
"""Text of a button, its tooltip, and what it does."""

_ICONS = {
    "info": QStyle.StandardPixmap.SP_MessageBoxInformation,
    "warning": QStyle.StandardPixmap.SP_MessageBoxWarning,
    "error": QStyle.StandardPixmap.SP_MessageBoxCritical,
}
_WORDS = {"info": "Note", "warning": "Warning", "error": "Problem"}


class MessageCard(QFrame):
    """Shows one message at a time; hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._text = note()
        self._buttons = QGridLayout()  # two in a row: three would be cut in a narrow dock
        self._buttons.setSpacing(4)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self._text)
        column.addLayout(self._buttons)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._icon)
        layout.addLayout(column, 1)
        self.level: Level | None = None
        self._actions: tuple[Action, ...] = ()
        self.hide()

    @property
    def text(self) -> str:
        """What is said, empty while nothing is."""
        return self._text.text() if self.level is not None else ""

    def tell(self, level: Level, text: str, actions: Sequence[Action] = ()) -> None:
        """Show a message.

        Parameters
        ----------
        level
            How grave it is; shown as an icon and read as a word.
        text
            What is wrong and the way out.
        actions
            Buttons.
        """
        same = (self.level, self._text.text()) == (level, text)
        titles = [title for title, _, _ in self._actions]
        self._actions = tuple(actions)
        if same and titles == [title for title, _, _ in actions]:
            return  # buttons that are made anew would flicker, and lose the keys
        self.level = level
        style = self.style()
        if style is not None:
            self._icon.setPixmap(style.standardIcon(_ICONS[level]).pixmap(18, 18))
        self._text.setText(text)
        describe(self, f"{_WORDS[level]}: {text}", text)
        self._clear_buttons()
        for number, (title, tooltip, _) in enumerate(actions):
            push = QPushButton(title)
            describe(push, title, tooltip)
            push.clicked.connect(lambda *_, number=number: self._actions[number][2]())
            self._buttons.addWidget(push, number // 2, number % 2)
        self.show()

    def clear(self) -> None:
        """Hide the message."""
        self.level, self._actions = None, ()
        self._text.setText("")
        self._clear_buttons()
        self.hide()

    def _clear_buttons(self) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
