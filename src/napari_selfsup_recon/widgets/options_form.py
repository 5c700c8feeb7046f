"""The form is the options model: its fields become rows, its values stay typed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.runs.words import as_input_error
from napari_selfsup_recon.widgets._editors import Editor, make_editor
from napari_selfsup_recon.widgets.parts import describe, form_label, form_layout, note


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
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._free = free
        self._kept = model().model_dump(include=set(hidden))
        self._editors: dict[str, Editor] = {}
        self._layouts: dict[str, QFormLayout] = {}
        self._quiet = False
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(4)
        self._error = note()
        self._error.hide()
        plain, folded = self._split(hidden)
        if plain:
            outer.addLayout(self._rows(plain))
        outer.addWidget(self._error)
        self.advanced: QCollapsible | None = None
        if folded:
            self.advanced = QCollapsible("More options", expandedIcon="▾", collapsedIcon="▸")
            self.advanced.setDuration(0)
            describe(
                self.advanced.toggleButton(),
                "More options",
                "Options that rarely need a change; the defaults serve most images.",
            )
            content = QWidget()
            content.setLayout(self._rows(folded))
            self.advanced.setContent(content)
            if (margins := self.advanced.layout()) is not None:
                margins.setContentsMargins(0, 0, 0, 0)
            self.advanced.collapse(animate=False)
            outer.addWidget(self.advanced)
        self.setValue(model())

    @property
    def model(self) -> type[Options]:
        """Class of the options that are edited."""
        return self._model

    @property
    def editors(self) -> dict[str, QWidget]:
        """The Qt widget of each field."""
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
        return self._editors[name].get()

    def setValue(self, options: Options) -> None:
        """Show ``options``; emits nothing."""
        if not isinstance(options, self._model):
            raise TypeError(f"{self._model.__name__} expected, not {type(options).__name__}")
        values = options.model_dump()
        self._kept = {name: values[name] for name in self._kept}
        with self._silence():
            for name, editor in self._editors.items():
                editor.set(values[name])
        self._error.hide()

    def show_rows(self, wanted: Mapping[str, bool]) -> None:
        """Show or hide the rows of fields; a hidden one keeps its value."""
        for name, shown in wanted.items():
            self._layouts[name].setRowVisible(self._editors[name].widget, shown)

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
            self._editors[name] = editor
            self._layouts[name] = layout
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
