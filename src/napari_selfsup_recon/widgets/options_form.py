"""The form is the options model: its fields become rows, its values stay typed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.runs.words import as_input_error
from napari_selfsup_recon.widgets._editors import Editor, make_editor
from napari_selfsup_recon.widgets.parts import (
    describe,
    form_label,
    form_layout,
    note,
    order_tabs,
    tab_stops,
)


class Fold(QCollapsible):
    """What is folded away is made when it is unfolded first."""

    def __init__(self, make: Callable[[], object]) -> None:
        super().__init__("More options", expandedIcon="▾", collapsedIcon="▸")
        self._make = make
        self.setDuration(0)
        describe(
            self.toggleButton(),
            "More options",
            "Options that rarely need a change; the defaults serve most images.",
        )
        if (margins := self.layout()) is not None:
            margins.setContentsMargins(0, 0, 0, 0)
        self.collapse(animate=False)

    def expand(self, animate: bool = True) -> None:
        """Show what is folded away."""
        self._make()
        super().expand(animate)


class OptionsForm(QWidget):
    """Edits one frozen options model.

    Parameters
    ----------
    model
        Class of the options.
    hidden
        Fields that are chosen elsewhere in the window; they keep the value given by
        :meth:`setValue`.
    free
        Fields in which numbers beyond the range may be typed, to be told what is wrong with them.
    lazy
        Whether rows are made when the form is shown first, or asked for; those of rare options
        always are. Making all that a dock may ever show would take longer than all the rest of it.
    parent
        Qt parent.

    Attributes
    ----------
    valueChanged
        Emitted with the new options whenever a person changes them to valid ones.
    refused
        Emitted when a person changes them to what does not fit; it is said in place.
    """

    valueChanged = Signal(object)
    refused = Signal()

    def __init__(
        self,
        model: type[Options],
        *,
        hidden: Collection[str] = (),
        free: Collection[str] = (),
        lazy: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._free = free
        self._kept = model().model_dump()  # of fields without an editor, or not yet
        self._shown: dict[str, bool] = {}
        self._editors: dict[str, Editor] = {}
        self._layouts: dict[str, QFormLayout] = {}
        self._quiet = False
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(4)
        self._error = note()
        self._error.hide()
        self._plain, self._folded = self._split(hidden)
        outer.addWidget(self._error)
        self.advanced: Fold | None = None
        if self._folded:
            self.advanced = Fold(self._unfold)
            outer.addWidget(self.advanced)
        if not lazy:
            self._make()

    @property
    def model(self) -> type[Options]:
        """Class of the options that are edited."""
        return self._model

    @property
    def editors(self) -> dict[str, QWidget]:
        """The Qt widget of each field."""
        self._make()
        self._unfold()
        return {name: editor.widget for name, editor in self._editors.items()}

    def value(self) -> Options:
        """Return the options as they stand.

        Raises
        ------
        InputError
            If values do not fit each other.
        """
        raw = self._kept | {name: editor.get() for name, editor in self._editors.items()}
        try:
            return self._model(**raw)
        except ValidationError as error:
            raise as_input_error(error, self._model, keys=False) from error

    def raw(self, name: str) -> Any:
        """Return what one field holds now, whether or not all of them fit."""
        return self._editors[name].get() if name in self._editors else self._kept[name]

    def setValue(self, options: Options) -> None:
        """Show ``options``; emits nothing."""
        if not isinstance(options, self._model):
            raise TypeError(f"{self._model.__name__} expected, not {type(options).__name__}")
        values = options.model_dump()
        self._kept = values
        with self._silence():
            for name, editor in self._editors.items():
                editor.set(values[name])
        self._error.hide()

    def show_rows(self, wanted: Mapping[str, bool]) -> None:
        """Show or hide the rows of fields; a hidden one keeps its value."""
        self._shown |= wanted
        for name, shown in wanted.items():
            if name in self._editors:
                self._layouts[name].setRowVisible(self._editors[name].widget, shown)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Make the rows, where that waited for somebody to look."""
        self._make()
        super().showEvent(event)

    def _make(self) -> None:
        """Make the rows that are not folded away, once."""
        fields, self._plain = self._plain, {}
        outer = self.layout()
        if fields and isinstance(outer, QVBoxLayout):
            before = self._stop_before()
            outer.insertLayout(0, self._rows(fields))
            folded = tab_stops(self.advanced) if self.advanced is not None else []
            plain = [stop for stop in tab_stops(self) if stop not in folded]
            order_tabs((*before, *plain, *folded))

    def _unfold(self) -> None:
        """Make the rows that are folded away, once."""
        fields, self._folded = self._folded, {}
        if fields and self.advanced is not None:
            content = QWidget()
            content.setLayout(self._rows(fields))
            self.advanced.setContent(content)
            if not self.advanced.isExpanded():
                self.advanced.collapse(animate=False)
            order_tabs((self.advanced.toggleButton(), *tab_stops(content)))

    def _stop_before(self) -> list[QWidget]:
        """Return what Tab reaches before this form; nothing where it stands alone."""
        there = self.previousInFocusChain()
        while there is not None and there is not self:
            if there.focusPolicy() & Qt.FocusPolicy.TabFocus and not self.isAncestorOf(there):
                return [there]
            there = there.previousInFocusChain()
        return []

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    def _split(self, hidden: Collection[str]) -> tuple[dict[str, FieldInfo], dict[str, FieldInfo]]:
        plain: dict[str, FieldInfo] = {}
        folded: dict[str, FieldInfo] = {}
        for name, field in self._model.model_fields.items():
            if name in hidden:
                continue
            extra = field.json_schema_extra
            advanced = isinstance(extra, dict) and extra.get("advanced")
            (folded if advanced else plain)[name] = field
        return plain, folded

    def _rows(self, fields: dict[str, FieldInfo]) -> QFormLayout:
        layout = form_layout()
        for name, field in fields.items():
            editor = make_editor(field, free=name in self._free)
            title = field.title or name.replace("_", " ").capitalize()
            describe(editor.widget, title, field.description or title)
            layout.addRow(form_label(title, editor.widget), editor.widget)
            editor.connect(self._on_change)
            with self._silence():
                editor.set(self._kept[name])
            self._editors[name] = editor
            self._layouts[name] = layout
            if not self._shown.get(name, True):
                layout.setRowVisible(editor.widget, False)
        return layout

    def _on_change(self, *_: object) -> None:
        if self._quiet:
            return
        try:
            options = self.value()
        except InputError as error:
            self._error.setText(f"⚠ {error}")
            self._error.show()
            self.refused.emit()
            return
        self._error.hide()
        self.valueChanged.emit(options)
