"""What was found in a PSF, a sentence each, with a small button that takes a repair back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLayout, QToolButton, QVBoxLayout, QWidget

from napari_selfsup_recon.widgets.parts import describe, note

if TYPE_CHECKING:
    from napari_selfsup_recon.physics.psf import Finding

_MARKS = {"ok": "✓", "repaired": "✓", "warning": "⚠"}
# Findings that say what there is, and not that all was well.
_SPOKEN = ("origin", "width", "beads", "quality", "axis", "layout", "mask", "share")
# What is done to every PSF, and changes nothing but its unit.
_ROUTINE = ("sum",)


class Findings(QWidget):
    """Shows findings as lines; what was fine shares one of them.

    Attributes
    ----------
    keptChanged
        Emitted with the name of a step and whether it is to be left out.
    """

    keptChanged = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: list[str] = []
        self.buttons: dict[str, QToolButton] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self._lines)

    def say(self, text: str) -> None:
        """Show one sentence in the place of findings."""
        self._empty()
        if text:
            self._add(text)

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show what was found.

        Parameters
        ----------
        findings
            One a check; those that can be undone, or were, get a button.
        """
        self._empty()
        quiet = [f for f in findings if f.level == "ok" and not (f.skipped or f.step in _SPOKEN)]
        for finding in findings:
            if finding in quiet or (finding.step in _ROUTINE and finding.level != "warning"):
                continue
            mark = "–" if finding.skipped else _MARKS[finding.level]
            button = None
            if finding.undoable:
                button = self._button(finding.step, again=finding.skipped)
            self._add(f"{mark} {finding.message}", button)
        if quiet:
            self._add(f"{_MARKS['ok']} Fine: {', '.join(finding.step for finding in quiet)}")

    def _button(self, step: str, *, again: bool) -> QToolButton:
        made = QToolButton()
        made.setText("redo" if again else "undo")
        made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        name, tip = (
            (f"Redo the {step}", "Repairs this after all.")
            if again
            else (f"Undo the {step}", "Leaves this step out: the PSF is used without it.")
        )
        describe(made, name, tip)
        made.clicked.connect(lambda *_: self.keptChanged.emit(step, not again))
        self.buttons[step] = made
        return made

    def _add(self, text: str, button: QToolButton | None = None) -> None:
        self._lines.append(text)
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(note(text), 1)
        if button is not None:
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self._column.addLayout(line)

    def _empty(self) -> None:
        self._lines.clear()
        self.buttons.clear()
        while (item := self._column.takeAt(0)) is not None:
            if (line := item.layout()) is not None:
                _clear(line)
                line.deleteLater()


def _clear(line: QLayout) -> None:
    while (item := line.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            # Not orphaned: it would be a window until it is deleted, and keep the focus.
            widget.deleteLater()
