"""Models in files: what is saved comes back, and nothing in a file is trusted."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.events import Done, Event
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.io.models import load, save_model
from napari_selfsup_recon.methods.base import LearnedMethod
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.base import Physics, as_physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.identity import Identity
from napari_selfsup_recon.physics.noise import Gaussian, PoissonGaussian


class GainOptions(Options):
    """Options of the method below."""

    steps: int = option(5, ge=1, le=100, title="Steps", description="Steps.")
    name: str = option("µ", title="Name", description="Name.")
    device: str = option("cpu", title="Device", description="Device.")


class Gain(LearnedMethod):
    """Learns one number."""

    key: ClassVar[str] = "gain"
    options_type = GainOptions

    def __init__(self, physics: Physics, options: Any = None, *, noise: Any = None) -> None:
        super().__init__(physics, options, noise=noise)
        self.weights: dict[str, np.ndarray] = {}
        self.facts: dict[str, Any] = {}

    @property
    def trained(self) -> bool:
        return bool(self.weights)

    def train(self, y: Any, *, clean: Any = None, state: Any = None) -> Iterator[Event]:
        self.weights = {
            "gain": np.float32(2.5).reshape(()),
            "strided": np.arange(12, dtype=np.float64).reshape(3, 4).T[::2],
            "count": np.array([7], dtype=np.int64),
            "swapped": np.arange(3, dtype=">f4"),
            "empty": np.zeros((0, 3), dtype=np.float32),
            "mask": np.array([True, False]),
        }
        self.facts = {"steps": 5, "scores": [0.5, 0.25], "best": float("inf"), "text": "ß"}
        yield Done()

    def run(self, y: Any) -> Iterator[Event]:
        yield Done(self.reconstruct(y))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return self.facts, self.weights

    @classmethod
    def from_state(cls, physics: Physics, options: Options, facts: dict, arrays: dict) -> Self:
        method = cls(physics, options)
        if arrays["gain"].shape != ():
            raise ValueError("gain has a wrong shape")
        method.facts, method.weights = facts, arrays
        return method

    def _estimate(self, y: Tensor) -> Tensor:
        return y * float(self.weights["gain"])


@pytest.fixture(autouse=True)
def register(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry("gain", "Gain", "", "", ("denoise",), True, "", "")
    monkeypatch.setattr(Entry, "load_method", lambda self: Gain)
    monkeypatch.setattr(Entry, "load_options", lambda self: GainOptions)
    monkeypatch.setitem(METHODS._entries, "gain", entry)


def trained(physics: Physics | None = None, **options: Any) -> Gain:
    method = Gain(physics or Identity((6, 7)), GainOptions(steps=17))
    method.noise = options.get("noise")
    return method.fit(np.zeros((6, 7)), progress=False)


def test_everything_comes_back(tmp_path: Path) -> None:
    method = trained(noise=PoissonGaussian(2.0, 1.5, 100.0))
    path = save_model(method, tmp_path / "cells", provenance={"method": "gain"})
    assert path == tmp_path / "cells.nsr"
    again = load(path)
    assert isinstance(again, Gain)
    assert again.options == method.options
    assert again.facts == method.facts
    assert again.noise == method.noise
    assert set(again.weights) == set(method.weights)
    for name, array in method.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)
        assert again.weights[name].dtype == array.dtype.newbyteorder("=")
        assert again.weights[name].shape == array.shape
    y = np.random.default_rng(0).normal(size=(2, 6, 7)).astype(np.float32)
    np.testing.assert_array_equal(again.reconstruct(y), method.reconstruct(y))
    assert [p.name for p in tmp_path.iterdir()] == ["cells.nsr"]


def test_saving_through_the_method_and_the_package(tmp_path: Path) -> None:
    import napari_selfsup_recon

    path = trained(noise=Gaussian(3.0)).save(tmp_path / "a.nsr")
    assert napari_selfsup_recon.load(path).noise == Gaussian(3.0)


def test_models_of_other_machines_are_put_on_this_one(tmp_path: Path) -> None:
    method = trained()
    method.options = GainOptions(steps=17, device="cuda:97")
    again = load(save_model(method, tmp_path / "a.nsr"))
    assert again.options == GainOptions(steps=17, device="auto")


@pytest.mark.parametrize("boundary", ["extended", "circular", "reflect", "zero"])
def test_the_blur_comes_back(boundary: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    blur = Blur(rng.random((3, 4)), (6, 7), boundary=boundary, regularisation=0.03)
    again = load(save_model(trained(blur), tmp_path / "a.nsr")).physics
    assert isinstance(again, Blur)
    x = torch.from_numpy(rng.normal(size=(1, 1, *blur.image_shape)))
    assert torch.equal(again.A(x), blur.A(x))
    assert torch.equal(again.A_dagger(blur.A(x)), blur.A_dagger(blur.A(x)))


def test_foreign_physics_must_be_given_again(tmp_path: Path) -> None:
    class Foreign:
        def A(self, x: Tensor) -> Tensor:
            return x

        A_adjoint = A_dagger = A

    physics = as_physics(Foreign(), (6, 7), (6, 7))
    path = save_model(trained(physics), tmp_path / "a.nsr")
    with pytest.raises(FileError, match="does not hold the physics") as caught:
        load(path)
    assert "physics=" in caught.value.hint
    assert load(path, physics=physics).physics is physics
    other = Identity((9, 9))
    assert load(save_model(trained(), tmp_path / "b.nsr"), physics=other).physics is other


def test_saving_refuses_early(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not trained"):
        save_model(Gain(Identity((4, 4))), tmp_path / "a.nsr")
    with pytest.raises(FileError, match="does not exist"):
        save_model(trained(), tmp_path / "no" / "a.nsr")
    path = save_model(trained(), tmp_path / "a.nsr")
    before = path.read_bytes()
    with pytest.raises(FileError, match="already exists"):
        save_model(trained(), path)
    assert path.read_bytes() == before
    assert save_model(trained(), path, overwrite=True) == path
    (tmp_path / "d.nsr").mkdir()
    with pytest.raises(FileError, match="is a folder"):
        save_model(trained(), tmp_path / "d.nsr", overwrite=True)


def test_unsaveable_state_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    method = trained()
    method.facts = {"x": object()}
    with pytest.raises(InputError, match="JSON"):
        save_model(method, tmp_path / "a.nsr")
    method = trained()
    method.weights["bad"] = np.array(["text"])
    with pytest.raises(InputError, match="weights"):
        save_model(method, tmp_path / "a.nsr")
    assert list(tmp_path.iterdir()) == []


# Hostile files


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_model(trained(Blur(np.ones((3, 3)), (6, 7))), tmp_path / "model.nsr")


def changed(path: Path, change: Callable[[dict], Any]) -> Path:
    content = members(path)
    described = json.loads(content["model.json"])
    change(described)
    return rewrite(path, {**content, "model.json": json.dumps(described).encode()})


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(schema=99),
        lambda m: m.update(schema="1"),
        lambda m: m.pop("schema"),
        lambda m: m.update(method="unheard-of"),
        lambda m: m.update(method=["gain"]),
        lambda m: m.pop("physics"),
        lambda m: m.update(physics=7),
        lambda m: m.update(physics={"kind": "os.system", "params": {}}),
        lambda m: m["physics"].update(params={"shape": [10**9, 10**9], "evil": 1}),
        lambda m: m["physics"].update(params={"shape": "abc"}),
        lambda m: m["options"].update(steps=10**9),
        lambda m: m["options"].update(extra=1),
        lambda m: m.update(options=[]),
        lambda m: m.update(facts=None),
        lambda m: m.update(noise={"kind": "__class__", "params": {}}),
        lambda m: m.update(noise={"kind": "Gaussian", "params": {"sigma": -1}}),
        lambda m: m.update(arrays={}),
        lambda m: m["arrays"]["weights"]["gain"].update(shape=[1]),
        lambda m: m["arrays"]["weights"]["gain"].update(dtype="float64"),
        lambda m: m["arrays"]["weights"].pop("gain"),
        lambda m: m["arrays"]["physics"].update(more={"dtype": "float32", "shape": []}),
    ],
)
def test_changed_descriptions(model: Path, change: Callable[[dict], Any]) -> None:
    with pytest.raises(FileError) as caught:
        load(changed(model, change))
    assert caught.value.hint
    assert str(model) in str(caught.value)


def _tensors(header: dict, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 2**62) + b"{}",
        _tensors({"gain": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4]}}, b"0000"),
        _tensors({"gain": {"dtype": "F32", "shape": [], "data_offsets": [0, 10**12]}}, b"0000"),
        _tensors({"gain": {"dtype": "X99", "shape": [], "data_offsets": [0, 4]}}, b"0000"),
        _tensors({"gain": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}, b"0" * 8),
        b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    ],
)
def test_changed_weights(model: Path, weights: bytes) -> None:
    content = {**members(model), "weights.safetensors": weights}
    with pytest.raises(FileError):
        load(rewrite(model, content))


def test_changed_members(model: Path) -> None:
    good = members(model)
    for content in (
        {},
        {"model.json": good["model.json"]},
        {**good, "extra.txt": b""},
        {**good, "../evil.py": b"x"},
        {("../" + k): v for k, v in good.items()},
        {**good, "model.json": b"{"},
        {**good, "model.json": b"[" * 10**5},
        {**good, "model.json": b"[]"},
        {**good, "model.json": b"\xff\xfe"},
        {**good, "model.json": b"{}" + b" " * (17 * 2**20)},
    ):
        with pytest.raises(FileError):
            load(rewrite(model, content))
    load(rewrite(model, good))


def test_bombs(model: Path) -> None:
    content = {**members(model), "weights.safetensors": b"\x00" * 10**7}
    with pytest.raises(FileError, match="compressed"):
        load(rewrite(model, content, zipfile.ZIP_DEFLATED))


def test_duplicates_and_false_sizes(model: Path) -> None:
    raw = model.read_bytes()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(model, "a") as archive:
        archive.writestr("model.json", b"{}")
    with pytest.raises(FileError, match="no model"):
        load(model)
    # The directory claims that the weights are four gigabytes large.
    buffer = bytearray(raw)
    name = b"weights.safetensors"
    entry = buffer.rindex(name) - 46
    buffer[entry + 20 : entry + 28] = struct.pack("<LL", 4 * 10**9, 4 * 10**9)
    model.write_bytes(buffer)
    with pytest.raises(FileError):
        load(model)


def test_every_truncation_and_flipped_bit_is_noticed(model: Path) -> None:
    raw = model.read_bytes()
    for length in np.linspace(1, len(raw) - 1, 40).astype(int):
        model.write_bytes(raw[:length])
        with pytest.raises(FileError):
            load(model)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        starts = [i.header_offset + 30 + len(i.filename) for i in archive.infolist()]
        sizes = [i.file_size for i in archive.infolist()]
    for start, size in zip(starts, sizes, strict=True):
        broken = bytearray(raw)
        broken[start + size // 2] ^= 1
        model.write_bytes(broken)
        with pytest.raises(FileError):
            load(model)


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="There is no file"):
        load(tmp_path / "no.nsr")
    (tmp_path / "empty.nsr").touch()
    with pytest.raises(FileError, match="empty"):
        load(tmp_path / "empty.nsr")
    (tmp_path / "text.nsr").write_text("hello " * 50)
    with pytest.raises(FileError, match=r"no \.nsr file"):
        load(tmp_path / "text.nsr")
    with pytest.raises(FileError, match="folder"):
        load(tmp_path)


def test_newer_files_ask_for_an_update(model: Path) -> None:
    with pytest.raises(FileError, match="newer version") as caught:
        load(changed(model, lambda m: m.update(schema=2)))
    assert "Update" in caught.value.hint
