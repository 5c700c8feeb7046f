"""Devices by name and free memory, on machines that have other ones than this."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from qtpy.QtCore import Qt

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets import device_box, devices
from napari_selfsup_recon.widgets.device_box import DeviceBox
from napari_selfsup_recon.widgets.devices import find_devices, taken_by_auto
from napari_selfsup_recon.widgets.dock import ReconWidget

pytestmark = pytest.mark.gui
GB = 10**9
CPU = ("cpu", "CPU, 20.0 GB free")


def install(monkeypatch, *, gpus=(), mps=False, loaded=True):
    """Pretend that this machine has 20 GB free, and GPUs of these names and bytes."""
    monkeypatch.setattr(devices, "free_memory", lambda: 20 * GB)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(gpus))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda i: SimpleNamespace(name=gpus[i][0])
    )
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda i: (gpus[i][1], 80 * GB))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    if not loaded:
        unload(monkeypatch)


def unload(monkeypatch):
    for module in (devices, device_box):
        monkeypatch.setattr(module, "loaded_torch", lambda: None)


def entries(box):
    return [(box.itemData(i), box.itemText(i)) for i in range(box.count())]


TWO = (("NVIDIA RTX A4000", 15 * GB), ("NVIDIA H200", 139 * GB))


def test_gpus_are_told_by_name_and_free_memory(monkeypatch, qtbot):
    install(monkeypatch, gpus=TWO)
    box = DeviceBox()
    qtbot.addWidget(box)
    assert entries(box) == [
        ("auto", "auto (cuda:1)"),
        CPU,
        ("cuda:0", "cuda:0  NVIDIA RTX A4000, 15.0 GB free"),
        ("cuda:1", "cuda:1  NVIDIA H200, 139.0 GB free"),
    ]
    assert box.value() == "auto"
    install(monkeypatch, gpus=(TWO[0], ("NVIDIA H200", 3 * GB)))  # somebody else computes, too
    box.refresh()
    assert entries(box)[0] == ("auto", "auto (cuda:0)")
    assert entries(box)[3] == ("cuda:1", "cuda:1  NVIDIA H200, 3.0 GB free")


def test_auto_takes_what_the_methods_take(monkeypatch):
    from napari_selfsup_recon.training.device import pick_device

    for machine in ({"gpus": TWO}, {"mps": True}, {}):
        install(monkeypatch, **machine)
        assert taken_by_auto(find_devices()).name == str(pick_device("auto"))


def test_other_machines(monkeypatch):
    install(monkeypatch, mps=True)
    assert [d.text for d in find_devices()] == [CPU[1], "mps  Apple GPU, 20.0 GB free"]
    install(monkeypatch)
    assert [d.text for d in find_devices()] == [CPU[1]]

    def busy(index):
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable")

    install(monkeypatch, gpus=TWO[:1])
    monkeypatch.setattr(torch.cuda, "mem_get_info", busy)
    assert [d.text for d in find_devices()][1:] == ["cuda:0  NVIDIA RTX A4000"]


def test_before_torch_is_loaded_only_the_cpu_is_known(monkeypatch, qtbot):
    install(monkeypatch, gpus=TWO, loaded=False)
    asked = []
    monkeypatch.setattr(device_box, "warm_up", lambda: asked.append(True))
    box = DeviceBox()
    qtbot.addWidget(box)
    assert entries(box) == [("auto", "auto"), CPU, (None, "Looking for GPUs …")]
    assert not box.model().item(2).isEnabled()
    box.setValue("cuda")  # set in the preferences: kept, whatever is found later
    assert (box.value(), box.currentText()) == ("cuda", "cuda")
    assert asked == []
    box.show()
    box.showPopup()  # now somebody wants to know
    assert asked == [True]
    monkeypatch.setattr(devices, "loaded_torch", lambda: torch)
    monkeypatch.setattr(device_box, "loaded_torch", lambda: torch)
    with qtbot.waitSignal(box.found, timeout=5000):
        pass
    assert box.view().isVisible()
    assert [name for name, _ in entries(box)] == ["auto", "cpu", "cuda:0", "cuda:1"]
    assert box.value() == "cuda:0"
    box.hidePopup()


def test_what_is_not_here_stays_chosen_and_is_named(monkeypatch, qtbot):
    install(monkeypatch)
    box = DeviceBox()
    qtbot.addWidget(box)
    for name in ("cuda", "cuda:3"):
        box.setValue(name)
        assert (box.value(), box.currentText()) == (name, f"{name} (not found here)")
    box.setValue("cpu")
    assert entries(box) == [("auto", "auto (cpu)"), CPU]


def test_a_device_is_chosen_with_the_keys(monkeypatch, viewer, cells, qtbot):
    install(monkeypatch, gpus=TWO)
    dock = ReconWidget(viewer)
    qtbot.addWidget(dock)
    dock.show()
    box = dock.run_card.device
    box.setFocus()
    with qtbot.waitSignal(dock.run_card.deviceChanged, timeout=2000):
        qtbot.keyClick(box, Qt.Key.Key_Down)
        qtbot.keyClick(box, Qt.Key.Key_Down)
    assert box.value() == "cuda:0"
    assert dock.value().device == "cuda:0"
    dock.data.denoise.setChecked(True)
    dock.refresh()
    assert dock.run_card._needs.text().endswith("of 15.0 GB")
    box.setValue("cuda:7")
    dock.refresh()
    assert "no device called 'cuda:7'" in dock.run_card.message.text
    assert not dock.run_card.run.isEnabled()
    with pytest.raises(InputError, match="cuda:7"):
        dock.session.run(dock.value()).wait(20)
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=10000)
