"""Card 5: source and results, compared; and what a result may be trusted for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_selfsup_recon.widgets.bridge import unwrap
from napari_selfsup_recon.widgets.companions import result_of
from napari_selfsup_recon.widgets.comparison import related
from napari_selfsup_recon.widgets.mode_bar import ModeBar
from napari_selfsup_recon.widgets.parts import Card, button, line, row
from napari_selfsup_recon.widgets.texts import TEXTS
from napari_selfsup_recon.widgets.trust_bar import TrustBar

_NOTHING = "Results appear here after a run. To compare a preview, select its layers."


class CompareCard(Card):
    """Offers the ways of comparing.

    Parameters
    ----------
    viewer
        The napari viewer.
    source
        Returns the image that is worked on.

    Attributes
    ----------
    moreWanted
        Emitted when a person asks for profiles and numbers.
    """

    moreWanted = Signal()

    def __init__(
        self, viewer: Any, source: Callable[[], Layer | None], parent: QWidget | None = None
    ) -> None:
        super().__init__("5  Compare", parent)
        self._viewer = unwrap(viewer)
        self._source = source
        self.bar = ModeBar(viewer, self.layers)
        self.grid, self.link = self.bar.buttons["grid"], self.bar.link
        self.trust = TrustBar(viewer, self.result)
        self.more = button("&More ...", *TEXTS["compare more"])
        self._names = line()
        self.body.addWidget(self.bar)
        self._tools = row(self.link, self.more)
        self.body.addLayout(self._tools)
        self.body.addWidget(self.trust)
        self.body.addWidget(self._names)
        self.bar.refused.connect(self._names.setText)
        self.more.clicked.connect(lambda *_: self.moreWanted.emit())
        self.refresh()

    def add_tool(self, widget: QWidget) -> None:
        """Add a button beside the others."""
        self._tools.addWidget(widget)

    def say(self, text: str) -> None:
        """Show a sentence until something changes."""
        self._names.setText(text)
        self._names.setToolTip(text)

    def layers(self) -> list[Layer]:
        """Return what is compared: the selected images if there are several, else the results."""
        return selected_images(self._viewer) or related(self._viewer, self._source())

    def result(self) -> Layer | None:
        """Return the result that is asked about: the active one, else the latest."""
        family = related(self._viewer, self._source())[1:]
        active = result_of(self._viewer.layers.selection.active)
        return active if active in family else next(iter(family[::-1]), None)

    def refresh(self, event: Any = None) -> None:
        """Follow the layer list: a result that arrives joins the grid, one that goes ends it."""
        self.bar.refresh()
        self.trust.refresh()
        names = [layer.name for layer in self.layers()]
        text = " | ".join(names) if len(names) > 1 else _NOTHING
        self._names.setText(text)
        self._names.setToolTip(text)


def selected_images(viewer: Any) -> list[Layer]:
    """Return the selected image layers, if there are several."""
    chosen = viewer.layers.selection
    images = [x for x in viewer.layers if x in chosen and isinstance(x, Image)]
    return images if len(images) > 1 else []
