"""The form: typed options in, the same typed options out."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.widgets._editors import AutoNumber
from napari_selfsup_recon.widgets.options_form import OptionsForm

pytestmark = pytest.mark.gui


class Many(Options):
    """A field of each kind."""

    whole: int = option(3, ge=1, le=9, title="Whole", description="A whole number.", unit="steps")
    real: float = option(1e-3, gt=0, le=1, title="Real", description="A number.")
    tick: bool = option(True, title="Tick", description="Yes or no.")
    word: Literal["red", "blue"] = option("red", title="Word", description="One of two.")
    maybe: int | None = option(None, ge=1, title="Maybe", description="A number or none.")
    either: Literal["auto"] | Annotated[int, Field(ge=1)] = option(
        "auto", title="Either", description="auto or a number.", examples=[12]
    )
    share: float | None = option(None, ge=0, title="Share", description="A number or none.")
    text: str = option("a", title="Text", description="A line.", advanced=True)
    pair: tuple[float, ...] = option((1.0, 2.0), title="Pair", description="Numbers, by commas.")


@pytest.fixture
def form(qtbot):
    made = OptionsForm(Many)
    qtbot.addWidget(made)
    assert set(made.editors) == set(Many.model_fields)  # all of them are made, folded ones too
    return made


@pytest.mark.parametrize(
    "options",
    [
        Many(),
        Many(whole=9, real=0.5, tick=False, word="blue", maybe=4, either=7, share=0.25, text="b"),
        Many(real=1e-5, pair=(0.5,), share=0.0),
    ],
)
def test_round_trip(form, options):
    form.setValue(options)
    assert form.value() == options


@pytest.mark.parametrize("key", list(METHODS))
def test_every_method_has_a_form_that_starts_with_its_defaults(qtbot, key):
    model = METHODS[key].load_options()
    form = OptionsForm(model, hidden=("device",))
    assert form.value() == model()
    assert len(form.editors) == len(set(model.model_fields) - {"device"})
    qtbot.addWidget(form)
    assert form.value() == model()
    assert "device" not in form.editors
    chosen = model(device="cpu")
    form.setValue(chosen)
    assert form.value() == chosen  # hidden values are kept


def test_ranges_units_and_special_values(form):
    whole, maybe = form.editors["whole"], form.editors["maybe"]
    assert (whole.minimum(), whole.maximum(), whole.suffix()) == (1, 9, " steps")
    assert form.editors["real"].minimum() > 0
    assert form.editors["real"].text() == "0.001"
    assert (maybe.tick.text(), maybe.box.isEnabled(), maybe.box.text()) == ("auto", False, " ")


def test_a_tick_leaves_a_number_to_the_computer(form, qtbot):
    told = []
    form.valueChanged.connect(told.append)
    either = form.editors["either"]
    assert either.tick.isChecked()
    either.tick.setChecked(False)
    assert form.value().either == 12  # the example of the field
    assert either.box.isEnabled()
    assert either.box.minimum() == 1
    either.box.setValue(5)
    either.tick.setChecked(True)
    assert form.value().either == "auto"
    either.tick.setChecked(False)
    assert form.value().either == 5
    assert [options.either for options in told] == [12, 5, "auto", 5]
    share, maybe = form.editors["share"], form.editors["maybe"]
    for editor in (share, maybe):
        editor.tick.setChecked(False)
    assert (form.value().share, form.value().maybe) == (1.0, 10)
    assert isinstance(form.value().maybe, int)


def test_titles_and_tooltips_come_from_the_model(form):
    for name, editor in form.editors.items():
        field = Many.model_fields[name]
        assert editor.accessibleName() == field.title
        assert field.description in editor.toolTip()


def test_changes_are_told_with_typed_options_but_setting_is_silent(form, qtbot):
    told = []
    form.valueChanged.connect(told.append)
    form.setValue(Many(whole=5))
    assert told == []
    form.editors["whole"].setValue(6)
    form.editors["tick"].setChecked(False)
    assert told[-1] == Many(whole=6, tick=False)
    assert all(isinstance(options, Many) for options in told)


def test_what_does_not_fit_is_said_in_place(form):
    told = []
    form.valueChanged.connect(told.append)
    form.editors["pair"].setText("1, two")
    assert told == []
    with pytest.raises(InputError, match="Pair"):
        form.value()
    assert not form._error.isHidden()
    form.editors["pair"].setText("3, 4")
    assert form.value().pair == (3.0, 4.0)
    assert form._error.isHidden()


def test_kinds_of_editors(form):
    assert isinstance(form.editors["tick"], QCheckBox)
    assert isinstance(form.editors["word"], QComboBox)
    assert isinstance(form.editors["whole"], QAbstractSpinBox)
    assert isinstance(form.editors["share"], AutoNumber)
    assert form.advanced is not None
    assert not form.advanced.isExpanded()


def test_the_wheel_does_not_change_what_lies_under_the_mouse(form, qtbot):
    assert form.editors["whole"].focusPolicy() == Qt.FocusPolicy.StrongFocus


def test_another_model_is_refused(form):
    with pytest.raises(TypeError, match="Many"):
        form.setValue(METHODS["ssi"].load_options()())


@pytest.mark.parametrize("lazy", [False, True])
def test_rows_are_made_when_they_are_needed(qtbot, lazy):
    form = OptionsForm(Many, lazy=lazy)
    qtbot.addWidget(form)
    form.show_rows({"text": False, "word": False})
    asked = Many(text="z", word="blue", whole=7)
    form.setValue(asked)
    assert form.value() == asked
    assert form.raw("text") == "z"
    few = len(form.findChildren(QComboBox))
    assert bool(few) is not lazy
    form.show()
    assert form.findChildren(QComboBox)
    before = len(form.findChildren(QWidget))
    form.advanced.toggleButton().click()
    assert form.advanced.isExpanded()
    assert len(form.findChildren(QWidget)) > before
    assert form.value() == asked
    assert form.editors["text"].text() == "z"
    assert form.editors["text"].isHidden() and form.editors["word"].isHidden()
    form.show_rows({"text": True})
    assert not form.editors["text"].isHidden()
    form.advanced.toggleButton().click()
    assert not form.advanced.isExpanded()
    told = []
    form.valueChanged.connect(told.append)
    form.setValue(Many(text="q"))
    assert form.editors["text"].text() == "q" and not told
    form.editors["text"].setText("r")
    form.editors["text"].editingFinished.emit()
    assert form.value().text == "r"


def test_tab_leads_through_rows_that_are_made_late(qtbot):
    window = QWidget()
    column = QVBoxLayout(window)
    first, last = QPushButton("first"), QPushButton("last")
    form = OptionsForm(Many, lazy=True)
    for widget in (first, form, last):
        column.addWidget(widget)
    qtbot.addWidget(window)
    form.advanced.expand(animate=False)
    window.show()
    qtbot.waitUntil(form.editors["pair"].isVisible, timeout=5000)
    stops, there = [], first
    for _ in range(200):
        if there.focusPolicy() & Qt.FocusPolicy.TabFocus and there.isVisible():
            stops.append(there)
        there = there.nextInFocusChain()
        if there is first:
            break
    names = ("whole", "real", "tick", "pair")
    fold = form.advanced.toggleButton()
    wanted = [first, *(form.editors[name] for name in names), fold, form.editors["text"], last]
    places = [stops.index(widget) for widget in wanted if widget in stops]
    assert len(places) >= 6
    assert places == sorted(places)
