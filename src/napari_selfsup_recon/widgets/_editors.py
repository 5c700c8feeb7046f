"""One editor for one field of an options model: the same three words for every kind of value."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from qtpy.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

_LARGEST = 2**31 - 1
_DECIMALS = 6


@dataclass(frozen=True)
class Editor:
    """A Qt widget with the means to read it, write it and hear of changes."""

    widget: QWidget
    get: Callable[[], Any]
    set: Callable[[Any], None]
    connect: Callable[[Callable[..., None]], object]


class _WheelGuard(QObject):
    """Lets the wheel scroll the card, not the value of a box that merely lies under the mouse."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        idle = isinstance(watched, QWidget) and not watched.hasFocus()
        if idle and event is not None and event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return False


def guard_wheel(widget: QWidget) -> None:
    """Ignore the wheel over ``widget`` unless it has the focus; long choices do not widen it."""
    if isinstance(widget, QComboBox):
        widget.setMinimumContentsLength(8)
        widget.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_WheelGuard(widget))


def make_editor(field: FieldInfo, *, free: bool = False) -> Editor:
    """Return the editor for a field of an options model.

    Numbers get their range, ``Literal`` becomes a list of choices, a boolean a tick, and what is
    left a line of JSON. A number that may be ``"auto"`` or None has a tick beside it; what it
    begins with, when that is taken away, is the first of the field's ``examples``.

    Parameters
    ----------
    field
        The field.
    free
        Whether numbers beyond the range may be typed: the model then says what is wrong with them,
        where a box would change them silently.
    """
    kinds = _members(field.annotation)
    unit = str((_extra(field)).get("unit", ""))
    words = [kind for kind in kinds if isinstance(kind, str)]
    if bool in kinds:
        return _tick()
    if words and not ({int, float} & set(kinds)):
        return _choices(words)
    special = next(iter(words), None) if words else ("auto" if NoneType in kinds else None)
    if not {int, float} & set(kinds):
        return _line(text=str in kinds, optional=NoneType in kinds)
    box, start = _number(field, unit) if float in kinds else _integer(field, unit)
    if free:
        _put_minimum(box, min(0, box.minimum()))
        box.setMaximum(_LARGEST)
    if not special:
        return _plain(box)
    auto = AutoNumber(box, start, special, words[0] if words else None)
    return Editor(auto, auto.value, auto.setValue, auto.changed.connect)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _members(annotation: Any) -> list[Any]:
    """Return the types a union is made of; literals are replaced by their values."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _members(part)]
    if origin is Literal:
        return list(get_args(annotation))
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    return [annotation]


def _rules(field: FieldInfo) -> list[Any]:
    """Return the limits of a field, those of the members of a union included."""
    found = list(field.metadata)
    for part in get_args(field.annotation):
        for rule in getattr(part, "__metadata__", ()):
            found += getattr(rule, "metadata", [rule])
    return found


def _limits(field: FieldInfo, smallest: float, largest: float, step: float) -> tuple[float, float]:
    """Return the range of a field; an open end is moved inwards by ``step``."""
    low, high = smallest, largest
    for rule in _rules(field):
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
        if (open_low := getattr(rule, "gt", None)) is not None:
            low = open_low + step
        if (open_high := getattr(rule, "lt", None)) is not None:
            high = open_high - step
    return max(low, smallest), min(high, largest)


def _tick() -> Editor:
    box = QCheckBox()
    return Editor(
        box, box.isChecked, lambda value: box.setChecked(bool(value)), box.toggled.connect
    )


def _choices(words: list[str]) -> Editor:
    box = QComboBox()
    box.addItems(words)
    guard_wheel(box)
    return Editor(
        box,
        box.currentText,
        lambda value: box.setCurrentIndex(max(0, box.findText(str(value)))),
        box.currentIndexChanged.connect,
    )


def _integer(field: FieldInfo, unit: str) -> tuple[QSpinBox, float]:
    """Return a box for whole numbers and the number to begin with."""
    low, high = (int(limit) for limit in _limits(field, -_LARGEST, _LARGEST, 1))
    box = QSpinBox()
    box.setRange(low, high)
    box.setGroupSeparatorShown(True)
    _dress(box, unit)
    return box, _start(field, low, high, 10)


def _number(field: FieldInfo, unit: str) -> tuple[QDoubleSpinBox, float]:
    """Return a box for numbers and the number to begin with."""
    low, high = _limits(field, -1e9, 1e9, 10.0**-_DECIMALS)
    box = TidyNumberBox()
    box.setDecimals(_DECIMALS)
    box.setRange(low, high)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    _dress(box, unit)
    return box, _start(field, low, high, 0 if low < 0 else 1)


def _dress(box: QSpinBox | QDoubleSpinBox, unit: str) -> None:
    guard_wheel(box)
    box.setSuffix(f" {unit}" if unit else "")
    # Ranges reach to billions; a box for the widest value would be wider than the dock.
    box.setMinimumWidth(90)


def _start(field: FieldInfo, low: float, high: float, usual: float) -> float:
    """Return the number that is offered where the default is none: an example, or a usual one."""
    wanted = next(iter(field.examples or ()), usual)
    return min(max(float(wanted), low), high)


def _plain(box: QSpinBox | QDoubleSpinBox) -> Editor:
    return Editor(box, box.value, lambda value: _put(box, value), box.valueChanged.connect)


def _put_minimum(box: QSpinBox | QDoubleSpinBox, value: float) -> None:
    if isinstance(box, QSpinBox):
        box.setMinimum(int(value))
    else:
        box.setMinimum(value)


def _put(box: QSpinBox | QDoubleSpinBox, value: float) -> None:
    if isinstance(box, QSpinBox):
        box.setValue(int(value))
    else:
        box.setValue(float(value))


class AutoNumber(QWidget):
    """A number, or a tick that leaves it to the computer.

    Parameters
    ----------
    box
        Edits the number; empty while the tick is set.
    start
        The number that is shown when the tick is taken away for the first time.
    word
        What the tick is called.
    special
        What :meth:`value` returns while the tick is set.

    Attributes
    ----------
    changed
        Emitted when the value changed.
    """

    changed = Signal()

    def __init__(
        self, box: QSpinBox | QDoubleSpinBox, start: float, word: str, special: Any
    ) -> None:
        super().__init__()
        self.box = box
        self.tick = QCheckBox(word)
        self._special = special
        self._kind = int if isinstance(box, QSpinBox) else float
        self._low = box.minimum()
        # A place below the range, where the box shows nothing.
        self._nothing = self._low - (1 if self._kind is int else 10.0**-_DECIMALS)
        self._last = self._kind(start)
        box.setSpecialValueText(" ")
        box.setMinimumWidth(60)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(box, 1)
        layout.addWidget(self.tick)
        self.setFocusProxy(box)
        self.tick.toggled.connect(self._on_tick)
        box.valueChanged.connect(self._on_number)
        self.tick.setChecked(True)

    def value(self) -> Any:
        """Return the number, or what stands for the tick."""
        return self._special if self.tick.isChecked() else self._kind(self.box.value())

    def setValue(self, value: Any) -> None:
        """Show a number, or the tick."""
        auto = value == self._special
        if not auto:
            self._last = self._kind(value)
        self.tick.setChecked(auto)
        if not auto:
            _put(self.box, self._last)

    def setAccessibleName(self, name: str | None) -> None:
        """Name the parts, too."""
        super().setAccessibleName(name)
        self.box.setAccessibleName(name)
        self.tick.setAccessibleName(f"{name}: {self.tick.text()}")

    def setToolTip(self, text: str | None) -> None:
        """Explain the parts, too."""
        super().setToolTip(text)
        self.box.setToolTip(text)
        self.tick.setToolTip(text)

    def _on_tick(self, auto: bool) -> None:
        with QSignalBlocker(self.box):
            _put_minimum(self.box, self._nothing if auto else self._low)
            _put(self.box, self._nothing if auto else self._last)
        self.box.setEnabled(not auto)
        self.changed.emit()

    def _on_number(self, _: float) -> None:
        self._last = self._kind(self.box.value())
        self.changed.emit()


class TidyNumberBox(QDoubleSpinBox):
    """Shows 0.04 and 0.001, not 0.040000 and 0.001000."""

    def textFromValue(self, value: float) -> str:
        return f"{value:.10g}"


def _line(*, text: bool, optional: bool) -> Editor:
    line = QLineEdit()

    def get() -> Any:
        written = line.text().strip()
        if not written and optional:
            return None
        if text:
            return written
        try:
            return json.loads(written if written.startswith(("[", "{", '"')) else f"[{written}]")
        except json.JSONDecodeError:
            return written

    def put(value: Any) -> None:
        if value is None:
            line.setText("")
        elif text:
            line.setText(str(value))
        elif isinstance(value, (list, tuple)):
            line.setText(", ".join(map(str, value)))
        else:
            line.setText(json.dumps(value))

    return Editor(line, get, put, line.textChanged.connect)
