"""Packages for the BioImage Model Zoo."""

from __future__ import annotations

import warnings
import zipfile

import numpy as np
import pytest
import torch

from napari_selfsup_recon import EI, ISCL, SSI, ISCLOptions, SSIOptions
from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.io import zoo
from napari_selfsup_recon.io.zoo import available, export_model
from napari_selfsup_recon.methods.feed_forward import feed_forward
from napari_selfsup_recon.physics.identity import Identity

# The library of the zoo leaves files open.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
QUICK = {"width": 4, "ensemble": False, "device": "cpu"}
needs_library = pytest.mark.skipif(not available(), reason="the extra bioimageio is not installed")


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    y, x = np.indices((96, 128))
    return rng.poisson(40 + 20 * np.sin(y / 5) * np.cos(x / 7)).astype(np.float32)


@pytest.fixture(scope="module")
def ssi(image):
    method = SSI(Identity(image.shape), SSIOptions(**QUICK, steps=3, crop=32, batch=1))
    return method.fit(image, progress=False)


@pytest.fixture(scope="module")
def iscl(image):
    method = ISCL(Identity(image.shape), ISCLOptions(**QUICK))
    scaling = {"low": 3.0, "high": 90.0}
    method._facts = {"ours": scaling, "theirs": scaling, "slices": 1, "share": 0.4, "square": True}
    method._answer = method._empty(0.4).eval()  # as it begins: training takes long
    return method


@pytest.mark.parametrize("name", ["ssi", "iscl"])
def test_the_network_alone_is_the_method(name, image, request):
    method = request.getfixturevalue(name)
    network = feed_forward(method)
    with torch.no_grad():
        alone = network.module(torch.from_numpy(image)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(alone, method.reconstruct(image), rtol=2e-3, atol=0.05)


@needs_library
@pytest.mark.parametrize("name", ["ssi", "iscl"])
def test_a_package_is_valid_and_does_what_the_method_does(name, image, request, tmp_path):
    from bioimageio import spec

    method = request.getfixturevalue(name)
    path = export_model(method, image, tmp_path / "model", name="Cells", authors=["A. Person"])
    assert path.name == "model.zip"
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "out")
    assert {"weights.pt", "test_input.npy", "test_output.npy", "README.md", "cover.png"} <= names
    (description,) = (tmp_path / "out").glob("*.yaml")
    found = spec.load_description(description)
    assert found.validation_summary.status != "failed"
    assert found.name == "Cells"
    assert found.authors[0].name == "A. Person"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript grows old
        script = torch.jit.load(tmp_path / "out" / "weights.pt")
    given = np.load(tmp_path / "out" / "test_input.npy")
    made = script(torch.from_numpy(given)).detach().numpy()
    np.testing.assert_allclose(made, np.load(tmp_path / "out" / "test_output.npy"), rtol=1e-4)
    with pytest.raises(FileError, match="already exists"):
        export_model(method, image, path)


@needs_library
def test_volumes(tmp_path):
    image = np.random.default_rng(0).poisson(30, (12, 20, 24)).astype(np.float32)
    options = SSIOptions(
        width=4, ensemble=False, steps=1, batch=1, volume_depth=8, volume_crop=16, device="cpu"
    )
    method = SSI(Identity(image.shape), options, voxel_size=(3, 1, 1)).fit(image, progress=False)
    path = export_model(method, image, tmp_path / "volume.zip")
    with zipfile.ZipFile(path) as archive, archive.open("test_input.npy") as file:
        assert np.load(file).ndim == 5


def test_what_cannot_stand_alone_is_refused(ssi, image, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "available", lambda: True)
    monkeypatch.setitem(ssi._facts, "start", {"weight": 1})
    with pytest.raises(InputError, match="cannot stand alone"):
        export_model(ssi, image, tmp_path / "a")
    with pytest.raises(InputError, match="no image filter"):
        feed_forward(EI.__new__(EI))
    monkeypatch.undo()
    monkeypatch.setattr(zoo, "available", lambda: True)
    with pytest.raises(InputError, match="for an image"):
        export_model(ssi, image[None], tmp_path / "a")
    monkeypatch.setattr(zoo, "available", lambda: False)
    with pytest.raises(InputError, match="pip install"):
        export_model(ssi, image, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
