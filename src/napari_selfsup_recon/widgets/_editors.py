"""One editor for one field of an options model: the same three words for every kind of value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

_LARGEST = 2**31 - 1


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


def make_editor(field: FieldInfo) -> Editor:
    """Return the editor for a field of an options model.

    Numbers get their range, ``Literal`` becomes a list of choices, ``X | None`` a number whose
    lowest position is spelled out (``auto``), a boolean a tick, and what is left a line of JSON.
    """
    kinds = _members(field.annotation)
    unit = str((_extra(field)).get("unit", ""))
    words = [kind for kind in kinds if isinstance(kind, str)]
    if bool in kinds:
        return _tick()
    if words and not ({int, float} & set(kinds)):
        return _choices(words)
    special = next(iter(words), None) if words else ("auto" if NoneType in kinds else None)
    special_value: Any = words[0] if words else None
    if float in kinds:
        return _number(field, unit, special, special_value)
    if int in kinds:
        return _integer(field, unit, special, special_value)
    return _line(text=str in kinds, optional=NoneType in kinds)


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


def _integer(field: FieldInfo, unit: str, special: str | None, special_value: Any) -> Editor:
    low, high = (int(limit) for limit in _limits(field, -_LARGEST, _LARGEST, 1))
    box = QSpinBox()
    guard_wheel(box)
    box.setRange(low - 1 if special else low, high)
    box.setGroupSeparatorShown(True)
    box.setSuffix(f" {unit}" if unit else "")
    # Ranges reach to billions; a box for the widest value would be wider than the dock.
    box.setMinimumWidth(90)
    if special:
        box.setSpecialValueText(special)

    def get() -> Any:
        return special_value if special and box.value() == low - 1 else box.value()

    def put(value: Any) -> None:
        box.setValue(low - 1 if special and value == special_value else int(value))

    return Editor(box, get, put, box.valueChanged.connect)


def _number(field: FieldInfo, unit: str, special: str | None, special_value: Any) -> Editor:
    decimals = 6
    low, high = _limits(field, -1e9, 1e9, 10.0**-decimals)
    box = TidyNumberBox()
    guard_wheel(box)
    box.setDecimals(decimals)
    step = 10.0 ** (math.floor(math.log10(max(abs(low), 1e-3))) if special else 0)
    box.setRange(low - step if special else low, high)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    box.setSuffix(f" {unit}" if unit else "")
    box.setMinimumWidth(90)
    if special:
        box.setSpecialValueText(special)

    def get() -> Any:
        return special_value if special and box.value() == box.minimum() else box.value()

    def put(value: Any) -> None:
        box.setValue(box.minimum() if special and value == special_value else float(value))

    return Editor(box, get, put, box.valueChanged.connect)


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
