"""Chooses where to compute, from what this machine has."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, QTimer, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QWidget

from napari_selfsup_recon.widgets._editors import guard_wheel
from napari_selfsup_recon.widgets.devices import find_devices, taken_by_auto
from napari_selfsup_recon.widgets.parts import describe
from napari_selfsup_recon.widgets.texts import TEXTS
from napari_selfsup_recon.widgets.warm_up import loaded_torch, warm_up

_LOOK_EVERY_MS = 250
_LOOK_AT_MOST = 480
_LOOKING = "Looking for GPUs …"


class DeviceBox(QComboBox):
    """A list of devices by name and free memory.

    GPUs are known only once torch is loaded, which is begun when the list is opened and never
    before: until then it offers the CPU, and what was chosen elsewhere.

    Attributes
    ----------
    valueChanged
        Emitted when a person chose another device.
    found
        Emitted when the GPUs are known.
    """

    valueChanged = Signal()
    found = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        guard_wheel(self)
        describe(self, *TEXTS["device"])
        self._looks = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self._look)
        self._value = "auto"
        self._open = False
        self.refresh()
        self.activated.connect(self._on_activated)

    def value(self) -> str:
        """Return the name of the device, ``"auto"`` for the best one."""
        return self._value

    def setValue(self, name: str) -> None:
        """Choose a device; one that is not here is shown as such. Emits nothing."""
        self._value = name.strip() or "auto"
        self.refresh()

    def refresh(self) -> None:
        """Read the devices and their memory anew, unless somebody is looking at the list."""
        if self._open:
            return
        known, devices = loaded_torch() is not None, find_devices()
        if known and self._value == "cuda":
            self._value = next((d.name for d in devices if d.name == "cuda:0"), "cuda")
        auto = f"auto ({taken_by_auto(devices).name})" if known else "auto"
        entries = [("auto", auto), *((device.name, device.text) for device in devices)]
        if self._value not in dict(entries):
            entries.append(
                (self._value, f"{self._value} (not found here)" if known else self._value)
            )
        if [(self.itemData(i), self.itemText(i)) for i in range(self.count())] != entries:
            with QSignalBlocker(self):
                self.clear()
                for name, text in entries:
                    self.addItem(text, name)
                if not known:
                    self._add_note(_LOOKING)
        with QSignalBlocker(self):
            self.setCurrentIndex([name for name, _ in entries].index(self._value))

    def watch(self) -> None:
        """Show the GPUs as soon as torch, which somebody is loading, is there."""
        if loaded_torch() is None:
            self._looks = 0
            self._timer.start()

    def showPopup(self) -> None:
        """Open the list, with what is free now; GPUs are looked for if they are not known."""
        if loaded_torch() is None:
            warm_up()
            self.watch()
        self.refresh()
        super().showPopup()
        self._open = True

    def hidePopup(self) -> None:
        """Close the list."""
        self._open = False
        super().hidePopup()

    def _look(self) -> None:
        self._looks += 1
        if loaded_torch() is not None:
            self._timer.stop()
            shown = self._open
            self.hidePopup()
            self.refresh()
            if shown:
                self.showPopup()
            self.found.emit()
        elif self._looks >= _LOOK_AT_MOST:
            self._timer.stop()

    def _on_activated(self, index: int) -> None:
        name = self.itemData(index)
        if name is not None and name != self._value:
            self._value = str(name)
            self.valueChanged.emit()

    def _add_note(self, text: str) -> None:
        """Add a line that cannot be chosen."""
        self.addItem(text, None)
        model = self.model()
        item = model.item(self.count() - 1) if isinstance(model, QStandardItemModel) else None
        if item is not None:
            item.setEnabled(False)
