"""Everything that can be wrong is said before any work, in the user's words."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakes
from napari_selfsup_recon.core.errors import FileError, InputError, ReconError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs import PhysicsChoice, RunConfig, resolve
from napari_selfsup_recon.runs._window import Window, select

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(1, 10, (40, 48)).astype(np.float32)
GAUSSIAN = {"psf": "gaussian", "fwhm": 3.0}


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch)


def config(**more: Any) -> RunConfig:
    return RunConfig.model_validate(
        {"method": "fake", "baseline": "fake-classic", "physics": GAUSSIAN, **more}
    )


def test_a_good_run_resolves() -> None:
    measurement = Measurement(IMAGE, scale=(0.1, 0.1), units=("micrometer",) * 2, name="cells")
    plan = resolve(config(physics={"psf": "gaussian", "fwhm": 0.3}), measurement)
    assert plan.psf is not None
    assert plan.psf.sum() == pytest.approx(1)
    assert [entry.key for entry, _ in plan.methods] == ["fake-classic", "fake"]
    assert plan.measurement.data.base is IMAGE or plan.measurement.data is IMAGE
    assert plan.device == "cpu"
    assert plan.memory_needed >= 12 * IMAGE.nbytes
    assert plan.preview_region == (slice(0, 40), slice(0, 48))
    summary = plan.summary()
    assert "cells" in summary
    assert "0.3 x 0.3 micrometer" in summary


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"physics": {}}, "needs a point spread function"),
        ({"physics": {"psf": "gaussian"}}, "width of the Gaussian"),
        ({"physics": {"psf": "gaussian", "fwhm": (1.0, 2.0, 3.0)}}, "3 widths"),
        ({"physics": {"psf": "gaussian", "fwhm": -1.0}}, "FWHM"),
        ({"physics": {"psf": "gaussian", "fwhm": 500.0}}, "larger than the image"),
        ({"physics": {"psf": "file"}}, "not named"),
        ({"physics": {"psf": "array"}}, "No PSF was given"),
        ({"method": "nonsense"}, "no method called 'nonsense'"),
        ({"method": None, "baseline": None}, "No method is chosen"),
        ({"method": None, "baseline": "fake"}, "cannot be the baseline"),
        ({"options": {"steps": 0}}, "Steps .* is 0"),
        ({"options": {"stepz": 3}}, "no option 'stepz'"),
        ({"options": {"device": "gpu"}}, "no device called 'gpu'"),
        ({"task": "denoise", "method": "richardson-lucy"}, "Lucy-Richardson cannot denoise"),
        ({"region": ((0, 10),)}, "1 axes"),
        ({"region": ((0, 41), (0, 48))}, "from 0 to 41 along y"),
        ({"region": ((5, 5), (0, 48))}, "from 5 to 5 along y"),
        ({"region": ((0, 4), (0, 48))}, "only 4 pixel"),
        ({"frames": ((0,),)}, "do not fit the leading axes"),
        ({"preview_region": ((0, 99), (0, 9))}, "from 0 to 99"),
    ],
)
def test_wrong_wishes_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        resolve(config(**more), Measurement(IMAGE))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.full((40, 40), 3.0), "constant"),
        (np.where(np.eye(40) > 0, np.nan, 1.0), "NaN"),
        (np.where(np.eye(40) > 0, np.inf, 1.0), "infinite"),
        (np.eye(40, dtype=bool), "mask of true and false"),
        (RNG.uniform(size=(40, 1)), "1 pixel"),
        (RNG.uniform(size=(1, 40, 40)), "along z"),
    ],
)
def test_bad_images_are_refused(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(config(), Measurement(data))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_all_types_of_images_are_taken(dtype: str) -> None:
    assert resolve(config(), Measurement(IMAGE.astype(dtype))).measurement.dtype == dtype


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (np.zeros((5, 5)), "zero everywhere"),
        (-np.eye(5), "positive"),
        (np.full((5, 5), np.nan), "NaN"),
        (RNG.uniform(size=(3, 5, 5)), "axes"),
        (np.eye(301), "larger than the image"),
    ],
)
@pytest.mark.parametrize("prepare", [True, False])
def test_bad_psfs_are_refused(psf: Any, message: str, prepare: bool) -> None:
    wish = config(physics={"psf": "array", "prepare": prepare})
    with pytest.raises(InputError, match=message if prepare else None):
        resolve(wish, Measurement(IMAGE), psf=psf)


def test_the_psf_of_a_layer_is_brought_to_the_voxels_of_the_image() -> None:
    y, x = np.indices((31, 31)) - 15
    bead = np.exp(-(y**2 + x**2) / 50)
    image = Measurement(IMAGE, scale=(0.1, 0.1), units=("micrometer",) * 2)
    psf = Measurement(bead, scale=(50.0, 50.0), units=("nanometer",) * 2, name="bead")
    wish = config(physics={"psf": "array"})
    fine = resolve(wish, image, psf=psf)
    same = resolve(wish, image, psf=bead)
    assert fine.psf is not None
    assert same.psf is not None
    assert fine.psf.shape[0] < 0.7 * same.psf.shape[0]
    assert any("voxel" in f.step and f.level != "ok" for f in fine.psf_report)
    pixels = resolve(wish, image, psf=Measurement(bead))
    assert any(f.step == "voxel size" and f.level == "warning" for f in pixels.psf_report)


def test_a_missing_psf_file_is_a_file_error(tmp_path: Any) -> None:
    wish = config(physics={"psf": "file", "path": str(tmp_path / "none.tif")})
    with pytest.raises(FileError):
        resolve(wish, Measurement(IMAGE))


def test_denoising_needs_no_psf_and_says_that_it_ignores_one() -> None:
    plan = resolve(config(task="denoise"), Measurement(IMAGE))
    assert plan.psf is None
    assert any("not used" in warning for warning in plan.warnings)


def test_regions_and_frames_are_cut_out_lazily_with_their_place() -> None:
    measurement = Measurement(
        _Recorder(RNG.uniform(size=(4, 3, 40, 48))),
        axes=("t", "c", "y", "x"),
        scale=(2.0, 1.0, 0.5, 0.5),
        translate=(0.0, 0.0, 1.0, 1.0),
    )
    wish = config(region=((4, 20), (8, 40)), frames=((1, 2), (3, 2)))
    plan = resolve(wish, measurement)
    assert plan.measurement.shape == (2, 1, 16, 32)
    assert plan.measurement.scale == (4.0, 1.0, 0.5, 0.5)
    assert plan.measurement.translate == (2.0, 2.0, 3.0, 5.0)
    assert measurement.data.read == 16 * 32  # the first frame, once
    np.testing.assert_array_equal(
        plan.measurement.frame((1, 0)),
        measurement.data.array[3, 2, 4:20, 8:40].astype(np.float32),
    )


@pytest.mark.parametrize("frames", [((0,), (1,), (3,)), ((4,),), ((-1,),), ()])
def test_irregular_or_missing_frames_are_refused(frames: Any) -> None:
    measurement = Measurement(RNG.uniform(size=(4, 40, 48)), axes=("t", "y", "x"))
    with pytest.raises(InputError):
        resolve(config(frames=frames), measurement)


def test_too_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_selfsup_recon.runs.plan.device_memory", lambda device: 1000)
    plan = resolve(config(), Measurement(IMAGE))
    assert any("1.0 kB are free" in warning for warning in plan.warnings)


def test_options_may_estimate_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fakes.FakeOptions, "memory_estimate", lambda self, shape: 10**9, raising=False
    )
    assert resolve(config(), Measurement(IMAGE)).memory_needed > 10**9


def test_networks_need_more_than_iterations() -> None:
    image = Measurement(RNG.uniform(size=(512, 512)))
    both = resolve(RunConfig(physics=PhysicsChoice(psf="gaussian", fwhm=(3.0,))), image)
    alone = resolve(
        RunConfig(method=None, physics=PhysicsChoice(psf="gaussian", fwhm=(3.0,))), image
    )
    assert alone.memory_needed < 30e6
    assert 300e6 < both.memory_needed < 900e6  # 420 MB measured


def test_resolving_loads_no_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from napari_selfsup_recon.core.measurement import Measurement\n"
        "from napari_selfsup_recon.runs import RunConfig, resolve, Control, Result\n"
        "import napari_selfsup_recon.runs.execute\n"
        "image = np.random.default_rng(0).uniform(size=(32, 32))\n"
        "resolve(RunConfig(physics={'psf': 'gaussian', 'fwhm': 2}), Measurement(image))\n"
        "assert not {'torch', 'qtpy', 'napari'} & set(sys.modules), 'loaded'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(data=st.data())
def test_windows_are_slices_of_slices(data: st.DataObject) -> None:
    array = np.arange(7 * 9 * 8).reshape(7, 9, 8)
    axes = [data.draw(_slices(n)) for n in array.shape]
    expected = array[tuple(axes)]
    window = Window(array, tuple(axes))
    assert window.shape == expected.shape
    np.testing.assert_array_equal(np.asarray(window), expected)
    inner = tuple(data.draw(_slices(n) | st.integers(0, n - 1)) for n in expected.shape)
    np.testing.assert_array_equal(window[inner], expected[inner])


def test_selecting_everything_changes_nothing() -> None:
    measurement = Measurement(IMAGE)
    assert select(measurement, (slice(None), slice(0, 48))) is measurement


def test_physics_takes_one_width() -> None:
    assert PhysicsChoice(psf="gaussian", fwhm=2).fwhm == (2.0,)  # type: ignore[arg-type]


def test_errors_are_the_users() -> None:
    with pytest.raises(ReconError) as caught:
        resolve(config(options={"steps": "many"}), Measurement(IMAGE))
    assert "Fake (learned)" in str(caught.value)
    assert "'many'" in str(caught.value)
    assert "pydantic" not in str(caught.value)


class _Recorder:
    """Array that counts the voxels that are read."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.read = 0

    def __getitem__(self, key: Any) -> Any:
        part = self.array[key]
        self.read += part.size
        return part


def _slices(n: int) -> st.SearchStrategy[slice]:
    return st.integers(0, n - 1).flatmap(
        lambda a: st.tuples(st.integers(a + 1, n), st.integers(1, 3)).map(
            lambda rest: slice(a, rest[0], rest[1])
        )
    )


@pytest.mark.parametrize("units", [None, ("um", "um")])
def test_a_width_in_pixels_is_said_to_be_one(units: tuple[str, ...] | None) -> None:
    more = {} if units is None else {"units": units, "scale": (0.1, 0.1)}
    image = Measurement(np.random.default_rng(0).random((32, 32)), **more)
    plan = resolve(
        config(physics={"psf": "gaussian", "fwhm": 3.0 if units is None else 0.3}), image
    )
    assert ("counts in pixels" in plan.summary()) is (units is None)
