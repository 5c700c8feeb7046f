"""The microscope, the noise and undone repairs on the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon.cli import main
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes

Errors = pytest.CaptureFixture[str]
MICROSCOPE = ("--numerical-aperture", 0.8, "--immersion-index", 1.0, "--wavelength", 600)


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_a_psf_from_theory(image: Path, tmp_path: Path, capsys: Errors) -> None:
    out = tmp_path / "a.tif"
    assert run("deconvolve", image, *MICROSCOPE, "--method", "fake", "-o", out) == 0
    story = volumes.read_provenance(out)
    assert story is not None
    assert story["physics"]["choice"]["psf"] == "theory"
    assert story["physics"]["choice"]["microscope"]["numerical_aperture"] == 0.8
    assert "Widefield, NA 0.8" in capsys.readouterr().err


def test_what_the_file_says_is_taken(
    image: Path, monkeypatch: pytest.MonkeyPatch, capsys: Errors
) -> None:
    known = Measurement(
        volumes.read(image).data,
        scale=(0.1, 0.1),
        units=("micrometer",) * 2,
        metadata={"LensNA": 1.4, "Immersion": "Oil", "EmissionWavelength": 610},
    )
    monkeypatch.setattr(volumes, "read", lambda *_, **__: known)
    assert run("deconvolve", image, "--microscope", "confocal", "--dump-config") == 0
    microscope = tomllib.loads(capsys.readouterr().out)["physics"]["microscope"]
    assert (microscope["kind"], microscope["numerical_aperture"]) == ("confocal", 1.4)
    assert (microscope["immersion_index"], microscope["wavelength"]) == (1.518, 610.0)
    assert run("deconvolve", image, "--wavelength", 520, "--dump-config") == 0
    assert tomllib.loads(capsys.readouterr().out)["physics"]["microscope"]["wavelength"] == 520


def test_flags_refine_a_configuration(tmp_path: Path, capsys: Errors) -> None:
    assert run("deconvolve", *MICROSCOPE, "--noise-gain", 2, "--dump-config") == 0
    toml = tmp_path / "run.toml"
    toml.write_text(capsys.readouterr().out)
    more = ("--pinhole", 0.8, "--sample-index", "none", "--read-noise", 3, "--psf-keep", "centre")
    assert run("deconvolve", "--config", toml, *more, "--dump-config") == 0
    values = tomllib.loads(capsys.readouterr().out)
    assert values["physics"]["microscope"]["pinhole"] == 0.8
    assert values["physics"]["microscope"]["wavelength"] == 600
    assert values["physics"]["keep"] == ["centre"]
    assert values["noise"] == {"gain": 2.0, "read_noise": 3.0}


def test_a_psf_for_each_channel(tmp_path: Path, capsys: Errors) -> None:
    data = np.random.default_rng(0).poisson(50, (2, 24, 20)).astype(np.float32)
    np.save(tmp_path / "two.npy", data)
    kernels = [np.outer(k, k) for k in (np.array([1.0, 2, 1, 0, 0]), np.array([1.0, 3, 5, 3, 1]))]
    for name, kernel in (("a", kernels[0]), ("b", kernels[1]), ("both", np.stack(kernels))):
        np.save(tmp_path / f"{name}.npy", kernel)

    def flags(*names: str) -> list[object]:
        return [part for name in names for part in ("--psf", tmp_path / f"{name}.npy")]

    def made(*given: object) -> np.ndarray:
        out = tmp_path / "out.npy"
        how = ("--method", "richardson-lucy", "--set", "iterations=3", "--overwrite", "-o", out)
        assert run("deconvolve", tmp_path / "two.npy", "--axes", "cyx", *given, *how) == 0
        return np.load(out).squeeze()

    both = made(*flags("a", "b"))
    np.testing.assert_array_equal(made(*flags("both")), both)
    for channel, name in enumerate("ab"):
        np.testing.assert_array_equal(made(*flags(name), "--channel", channel), both[channel])
        np.testing.assert_array_equal(made(*flags("both"), "--channel", channel), both[channel])
    assert "Each of the 2 channels has a PSF of its own" in capsys.readouterr().err
    out = ("-o", tmp_path / "never.npy")
    wrong = ("deconvolve", tmp_path / "two.npy", "--axes", "cyx", *out)
    assert run(*wrong, *flags("a", "b", "a")) == 2
    assert "There are 3 PSFs, but 'two' has 2 channels" in capsys.readouterr().err
    assert run("deconvolve", tmp_path / "two.npy", *flags("a", "b"), "-o", tmp_path / "b.npy") == 2
    assert "is an input of this run" in capsys.readouterr().err
    assert run("deconvolve", *MICROSCOPE, "--wavelengths", "500,600", "--dump-config") == 0
    physics = tomllib.loads(capsys.readouterr().out)["physics"]
    assert (physics["psf"], physics["wavelengths"]) == ("theory", [500.0, 600.0])


def test_known_noise_goes_with_the_result(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.npy"
    flags = ("--noise-gain", 1, "--noise-offset", 0, "--read-noise", 0.5)
    assert run("denoise", image, "--method", "fake", *flags, "-o", out) == 0
    story = volumes.read_provenance(out)
    assert story is not None
    assert story["physics"]["noise"]["used"] == {"gain": 1.0, "offset": 0.0, "read_noise": 0.5}
    np.testing.assert_array_equal(np.load(out).shape, (24, 20))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--numerical-aperture", "1.4"], "made for oil (1.518)"),
        (["--wavelength", "0.52"], "looks like micrometers"),
        (["--wavelength", "green"], "valid number"),
        (["--microscope", "two-photon"], "should be 'widefield', 'confocal' or 'light-sheet'"),
        ([*map(str, MICROSCOPE), "--psf", "psf.tif"], "given twice"),
        (["--gaussian-fwhm", "0.4", "--noise-gain", "-1"], "Gain"),
        (["--psf", "IN", "--psf-keep", "colour"], "'colour'"),
    ],
)
def test_mistakes(
    image: Path, tmp_path: Path, capsys: Errors, arguments: list[str], message: str
) -> None:
    arguments = [str(image) if a == "IN" else a for a in arguments]
    code = run("deconvolve", image, *arguments, "--method", "fake", "-o", tmp_path / "a.npy")
    assert code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a.npy").exists()


def test_theory_needs_the_voxel_size(tmp_path: Path, capsys: Errors) -> None:
    path = tmp_path / "bare.npy"
    np.save(path, np.random.default_rng(0).poisson(50, (32, 32)))
    out = tmp_path / "a.npy"
    assert run("deconvolve", path, *MICROSCOPE, "--method", "fake", "-o", out) == 2
    assert "voxel size" in capsys.readouterr().err
    flags = ("--voxel-size", 0.1)
    assert run("deconvolve", path, *MICROSCOPE, *flags, "--method", "fake", "-o", out) == 0
