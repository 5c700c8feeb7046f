"""Small parts that the cards share."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel


def describe(widget: QWidget, name: str, tooltip: str) -> QWidget:
    """Give ``widget`` a name for screen readers and a tooltip; returns it."""
    widget.setAccessibleName(name)
    # Rich text wraps; plain tooltips are one endless line.
    widget.setToolTip(f"<qt>{tooltip}</qt>")
    return widget


def is_alive(widget: QWidget) -> bool:
    """Whether Qt has not deleted ``widget`` yet; its Python shell may live on."""
    return bool(isalive(widget))  # type: ignore[no-untyped-call]


def form_layout() -> QFormLayout:
    """Return rows of label and field that stay usable at the width of a dock."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(8)
    layout.setVerticalSpacing(4)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return layout


def form_label(text: str, field: QWidget) -> QLabel:
    """Return the label of a row; all labels are equally wide, so that the cards line up."""
    label = QLabel(text)
    label.setBuddy(field)
    label.setToolTip(field.toolTip())
    label.setMinimumWidth(label.fontMetrics().horizontalAdvance("Learning rate"))
    return label


def may_shrink(box: QComboBox) -> None:
    """Let a list be narrower than its longest entry, so that it never widens the dock."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)


def row(*widgets: QWidget, stretch: bool = False) -> QHBoxLayout:
    """Return widgets side by side."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget)
    if stretch:
        layout.addStretch(1)
    return layout


def button(text: str, name: str, tooltip: str) -> QPushButton:
    """Return a described push button."""
    made = QPushButton(text)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    describe(made, name, tooltip)
    return made


def note(text: str = "") -> QLabel:
    """Return a wrapped line of secondary text."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def line() -> QElidingLabel:
    """Return one line of secondary text that never widens the dock."""
    label = QElidingLabel()
    label.setElideMode(Qt.TextElideMode.ElideRight)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return label


def tab_stops(widget: QWidget) -> list[QWidget]:
    """Return what Tab can reach inside, in the order in which it was made."""
    inner = (QAbstractSpinBox, QComboBox)  # their own line edits belong to them
    return [
        child
        for child in widget.findChildren(QWidget)
        if child.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not isinstance(child.parentWidget(), inner)
        and child.window() is widget.window()  # lists that pop up are windows of their own
    ]


def order_tabs(widgets: Iterable[QWidget]) -> None:
    """Let Tab lead through ``widgets``; what is made later would else come last of the window."""
    for before, after in pairwise(widgets):
        QWidget.setTabOrder(before, after)


class Card(QFrame):
    """A titled part of the dock.

    Parameters
    ----------
    title
        Heading.
    parent
        Qt parent.

    Attributes
    ----------
    body
        Layout that holds what the card shows.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(title)
        heading = QLabel(title)
        font = heading.font()
        font.setBold(True)
        heading.setFont(font)
        rule = QFrame()
        rule.setFrameShape(QFrame.Shape.HLine)
        self._top = row(heading, rule)
        self._top.setStretch(1, 1)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(6, 2, 6, 4)
        self.body.setSpacing(4)
        self.body.addLayout(self._top)

    def add_help(self, tool: QWidget) -> None:
        """Put a small button behind the title."""
        self._top.addWidget(tool)


def column_of(parent: QWidget, cards: tuple[QWidget, ...]) -> QVBoxLayout:
    """Lay cards out one below the other; returns the layout."""
    column = QVBoxLayout(parent)
    column.setContentsMargins(2, 4, 2, 2)
    column.setSpacing(8)
    for card in cards:
        column.addWidget(card)
    return column
