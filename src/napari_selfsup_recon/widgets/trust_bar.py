"""One press each: residual, measured and inferred part and more, with a sentence to read them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.widgets import companions
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.bridge import unique_name, unwrap
from napari_selfsup_recon.widgets.comparison import current_comparison
from napari_selfsup_recon.widgets.pairing import difference, placed_like
from napari_selfsup_recon.widgets.parts import button, describe, note, row
from napari_selfsup_recon.widgets.reblur import can_reblur, residual_of

_HIDDEN = "Tick 'Also show what to trust' before the run to have it."


class TrustBar(QWidget):
    """Shows what a result may be trusted for, alone in the canvas; again: as it was.

    Parameters
    ----------
    viewer
        The napari viewer.
    target
        Returns the result that is asked about.
    """

    def __init__(
        self, viewer: Any, target: Callable[[], Layer | None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = unwrap(viewer)
        self._target = target
        self._before: list[tuple[Layer, bool]] = []
        self._background = Background(self)
        self.buttons: dict[str, QPushButton] = {}
        for name, title in companions.TITLES.items():
            push = button(title, title, companions.HOW_TO_READ[name])
            push.setCheckable(True)
            push.toggled.connect(lambda on, name=name: self._on_toggled(name, on))
            self.buttons[name] = push
        self._words = note()
        self._words.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        usual = [push for name, push in self.buttons.items() if name not in companions.RARE]
        column.addLayout(row(*usual))
        column.addLayout(row(*(self.buttons[name] for name in companions.RARE)))
        column.addWidget(self._words)
        self.refresh()

    @property
    def words(self) -> str:
        """What is said below the buttons."""
        return self._words.text()

    def refresh(self) -> None:
        """Offer what there is for the result; nothing is shown where there is none at all."""
        result = self._target()
        there = {name for name in self.buttons if self._at_hand(result, name)}
        learned = there - {"residual", *companions.RARE}
        for name, push in self.buttons.items():
            how = companions.HOW_TO_READ[name]
            # Of a sharpened image there is no more than the residual.
            others = name not in companions.RARE and (bool(learned) or _is_reconstruction(result))
            push.setVisible(name in there or others)
            push.setEnabled(name in there or push.isChecked())
            describe(push, companions.TITLES[name], how if name in there else f"{how} {_HIDDEN}")
        self.setVisible(bool(there))

    def _at_hand(self, result: Layer | None, name: str) -> bool:
        made = companions.companion(result, name)
        if made is not None and made in self._viewer.layers:
            return True
        return name == "residual" and can_reblur(result)

    def _on_toggled(self, name: str, on: bool) -> None:
        for other, push in self.buttons.items():
            if other != name:
                with QSignalBlocker(push):
                    push.setChecked(False)
        self._restore()
        self._say("")
        if not on:
            return
        result = self._target()
        made = companions.companion(result, name)
        if made is not None and made in self._viewer.layers:
            self._show(name, made)
        elif isinstance(result, Image):
            self._make_residual(result)

    def _make_residual(self, result: Image) -> None:
        self._say("Blurring the result again...")

        def work() -> Generator[str, None, Any]:
            return (yield from residual_of(result))

        def done(found: Any) -> None:
            values, part = found
            layer = add_residual(self._viewer, result, values, part)
            if self.buttons["residual"].isChecked():
                self._show("residual", layer)

        self._background.start(work, done, self._on_failed)

    def _on_failed(self, error: ReconError) -> None:
        self.buttons["residual"].setChecked(False)
        self._say(str(error))

    def _show(self, name: str, layer: Image) -> None:
        """Show ``layer`` alone."""
        if (comparison := current_comparison(self._viewer)) is not None:
            comparison.close()
        self._before = [(other, other.visible) for other in self._viewer.layers]
        for other in self._viewer.layers:
            other.visible = other is layer
        self._say(companions.HOW_TO_READ[name])

    def _say(self, text: str) -> None:
        self._words.setText(text)
        self._words.setVisible(bool(text))

    def _restore(self) -> None:
        for layer, shown in self._before:
            if layer in self._viewer.layers:
                layer.visible = shown
        self._before = []


def _is_reconstruction(result: Layer | None) -> bool:
    story = (result.metadata.get(METADATA_KEY) or {}) if result is not None else {}
    return story.get("physics", {}).get("kind", "blur") not in ("blur", "identity")


def add_residual(viewer: Any, result: Image, values: Any, part: tuple[slice, ...]) -> Image:
    """Add the residual of a result as a hidden layer and keep that it belongs to it."""
    _, most = difference(0 * values, values)
    layer = Image(
        values,
        name=unique_name(f"{result.name} residual", [other.name for other in viewer.layers]),
        visible=False,
        colormap="gray",
        contrast_limits=(-most, most),
        **placed_like(result, [0] * result.ndim),
    )
    companions.remember(result, "residual", layer)
    selected = viewer.layers.selection.active
    viewer.layers.append(layer)
    viewer.layers.selection.active = selected
    return layer
