"""Reconstruction on the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

import recon_fakes
from napari_selfsup_recon.cli import main
from napari_selfsup_recon.core.errors import JobFailedError
from napari_selfsup_recon.io import volumes

Errors = pytest.CaptureFixture[str]
FAKE = ("--method", "fake-recon", "--baseline", "fake-dagger")


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _recon_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    recon_fakes.install(monkeypatch)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A folder with counts of two slices, flat and dark fields, and angles."""
    stack, degrees = recon_fakes.sinogram(slices=2)
    counts = np.random.default_rng(0).poisson(3e4 * np.exp(-stack)) + 100
    np.save(tmp_path / "scan.npy", np.swapaxes(counts, 0, 1).astype(np.uint16))
    np.save(tmp_path / "flat.npy", np.full((4, 2, 48), 30100, dtype=np.uint16))
    np.save(tmp_path / "dark.npy", np.full((2, 48), 100, dtype=np.uint16))
    np.savetxt(tmp_path / "angles.txt", degrees)
    return tmp_path


def test_a_scan_with_flat_and_dark_fields(scan: Path, capsys: Errors) -> None:
    out, first = scan / "out.tif", scan / "first.tif"
    files = ("--flat", scan / "flat.npy", "--dark", scan / "dark.npy")
    code = run(
        *("reconstruct", scan / "scan.npy", "--angles", scan / "angles.txt", *files, *FAKE),
        *("--voxel-size", 0.5, "-o", out, "--baseline-output", first),
    )
    assert code == 0
    for path in (out, first):
        made = volumes.read(path)
        assert made.shape == (2, 48, 48)
        assert made.scale == (0.5, 0.5, 0.5)
        assert made.units == ("micrometer",) * 3
        assert np.asarray(made.data)[0, 24, 14:18].mean() == pytest.approx(0.02, rel=0.2)
    story = volumes.read_provenance(out)
    assert story is not None
    assert story["physics"]["kind"] == "parallel-beam"
    assert story["physics"]["axis_column"] == pytest.approx(22.6, abs=0.4)
    told = capsys.readouterr().err
    assert "half a turn" in told
    assert "z 2 x y 48 x x 48" in told


def test_flags_refine_a_configuration(scan: Path, capsys: Errors) -> None:
    flags = ("--range", 360, "--axis", 22.5, "--slices", "0:1", "--stripes", "--keep", "columns")
    assert run("reconstruct", *FAKE, *flags, "--dump-config") == 0
    toml = scan / "run.toml"
    toml.write_text(capsys.readouterr().out)
    more = ("--axis", "auto", "--size", "32,40", "--instrument", "transmission", "--light", 3e4)
    assert run("reconstruct", "--config", toml, *more, "--dump-config") == 0
    physics = tomllib.loads(capsys.readouterr().out)["physics"]
    assert physics["instrument"] == "transmission"
    assert physics["scan"]["span"] == 360
    assert physics["scan"]["axis"] == "auto"
    assert physics["scan"]["slices"] == [0, 1]
    assert physics["scan"]["size"] == [32, 40]
    assert physics["scan"]["light"] == 3e4
    assert physics["keep"] == ["columns"]


def test_the_baseline_belongs_to_the_instrument(capsys: Errors) -> None:
    for instrument, baseline in (
        ("parallel-beam", "filtered-back-projection"),
        ("mri", "least-squares"),
    ):
        flags = ("--instrument", instrument, "--baseline-output", "b.tif", "--dump-config")
        assert run("reconstruct", *flags) == 0
        values = tomllib.loads(capsys.readouterr().out)
        assert (values["method"], values["baseline"]) == ("ei", baseline)


def test_missing_pixels_and_k_space(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image, mask = rng.random((24, 24)) + 1, rng.random((24, 24)) > 0.4
    np.save(tmp_path / "image.npy", np.where(mask, image, 9.0).astype(np.float32))
    np.save(tmp_path / "mask.npy", mask.astype(np.uint8))
    np.save(tmp_path / "k.npy", np.fft.fftshift(np.fft.fft2(image, norm="ortho")) * mask)
    holes = ("reconstruct", tmp_path / "image.npy", "--instrument", "inpainting", *FAKE)
    assert run(*holes, "--mask", tmp_path / "mask.npy", "-o", tmp_path / "a.npy") == 0
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), np.where(mask, image, 0), rtol=1e-5)
    space = ("reconstruct", tmp_path / "k.npy", "--instrument", "mri", *FAKE)
    assert run(*space, "-o", tmp_path / "b.npy") == 0
    assert np.load(tmp_path / "b.npy").shape == (24, 24)


def test_what_does_not_fit_is_refused(scan: Path, capsys: Errors) -> None:
    out = ("-o", scan / "out.tif", *FAKE)
    np.savetxt(scan / "few.txt", np.arange(7.0))
    for flags, message in (
        (("--angles", scan / "few.txt"), "There are 7 angles"),
        (("--axis", 400), "outside the detector"),
        (("--missing", 3), "does not belong to --instrument parallel-beam"),
        (("--instrument", "mri", "--axis", 3), "does not belong to --instrument mri"),
        (("--instrument", "mri"), "not complex"),
        (("--slices", "1:9"), "There are no slices 1 to 9"),
        (("--slices", "9:1"), "holds nothing"),
        (("--method", "wiener"), "cannot reconstruct"),
        (("--region", "0:9,0:9,0:9"), "part of the image"),
    ):
        assert run("reconstruct", scan / "scan.npy", *out, *flags) == 2
        assert message in capsys.readouterr().err
    assert run("reconstruct", scan / "scan.npy", *out, "--angles", scan / "none.txt") == 3
    assert (
        run("reconstruct", scan / "scan.npy", "--flat", scan / "f.npy", "-o", scan / "f.npy") == 2
    )
    assert not (scan / "out.tif").exists()


def test_companions_go_beside_the_result(scan: Path, capsys: Errors) -> None:
    files = ("--flat", scan / "flat.npy", "--dark", scan / "dark.npy")
    flags = ("--angles", scan / "angles.txt", *files, *FAKE, "--trust", "-o", scan / "a.ome.tif")
    assert run("reconstruct", scan / "scan.npy", *flags) == 0
    seen, rest = (
        np.asarray(volumes.read(scan / f"a_{name}.ome.tif").data) for name in ("seen", "inferred")
    )
    whole = np.asarray(volumes.read(scan / "a.ome.tif").data)
    np.testing.assert_allclose(seen + rest, whole, atol=1e-4)
    (scan / "a.ome.tif").unlink()
    assert run("reconstruct", scan / "scan.npy", *flags) == 3  # a companion is there already
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("spread", ("scan.npy", "--method", "ei")),
        ("disagreement", ("scan.npy", "--method", "siam")),
        ("phase", ("k.npy", "--method", "ei", "--instrument", "mri")),
        ("disagreement", ("k.npy", "--method", "siam", "--instrument", "mri")),
    ],
)
def test_companions_that_exist_are_never_replaced_unasked(
    scan: Path, capsys: Errors, monkeypatch: pytest.MonkeyPatch, name: str, flags: tuple[str, ...]
) -> None:
    def begin(*_: object, **__: object) -> None:
        raise JobFailedError("work was begun")

    monkeypatch.setattr("napari_selfsup_recon.cli._job.execute", begin)
    space = np.fft.fft2(np.random.default_rng(0).random((3, 24, 24)), norm="ortho")
    np.save(scan / "k.npy", (space * (np.arange(24) % 3 > 0)).astype(np.complex64))
    there = scan / f"out_{name}.npy"
    there.write_bytes(b"mine")
    source, *more = flags
    given = ("reconstruct", scan / source, *more, "-o", scan / "out.npy", "--set", "steps=1")
    assert run(*given, "--trust") == 3
    assert f"out_{name}.npy' already exists" in capsys.readouterr().err
    assert there.read_bytes() == b"mine"
    # What is not written may lie there; what may be replaced, too.
    for passes in ((), ("--trust", "--overwrite")):
        assert run(*given, *passes) == 4
        assert "work was begun" in capsys.readouterr().err
    # An input is not replaced even then.
    np.save(there, np.load(scan / source))
    given = ("reconstruct", there, *more, "-o", scan / "out.npy")
    assert run(*given, "--trust", "--overwrite") == 2
    assert "is an input of this run" in capsys.readouterr().err
