"""The commands that restore images, end to end on tiny files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

import fakes
from napari_selfsup_recon import Blur, RichardsonLucy, RichardsonLucyOptions
from napari_selfsup_recon.cli import main
from napari_selfsup_recon.core.events import Step
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes
from napari_selfsup_recon.io.curves import read_curves
from napari_selfsup_recon.physics.psf import gaussian
from napari_selfsup_recon.runs import RunConfig

Errors = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_lucy_richardson_end_to_end(image: Path, tmp_path: Path, capsys: Errors) -> None:
    out = tmp_path / "sharp.tif"
    before = image.read_bytes()
    code = run(
        "deconvolve", image, "--gaussian-fwhm", "0.4,0.3", "--method", "richardson-lucy",
        "--iterations", 3, "-o", out,
    )  # fmt: skip
    assert code == 0
    assert image.read_bytes() == before
    result, source = volumes.read(out), volumes.read(image)
    assert (result.axes, result.scale, result.units) == (source.axes, source.scale, source.units)
    assert result.dtype == np.float32
    psf = gaussian((0.4, 0.3), scale=(0.2, 0.1))
    method = RichardsonLucy(Blur(psf, source.shape), RichardsonLucyOptions(iterations=3))
    np.testing.assert_array_equal(np.asarray(result.data), method.reconstruct(source.data))
    story = volumes.read_provenance(out)
    assert story is not None
    assert story["method"] == "richardson-lucy"
    assert story["options"]["iterations"] == 3
    assert story["physics"]["choice"]["fwhm"] == [0.4, 0.3]
    assert run("info", out) == 0
    printed = capsys.readouterr()
    assert "richardson-lucy" in printed.out
    assert "0.2 micrometer" in printed.out
    assert "Lucy-Richardson" in printed.err


def test_method_and_baseline_are_both_written(image: Path, tmp_path: Path) -> None:
    out, base = tmp_path / "a.tif", tmp_path / "b.npy"
    code = run(
        "deconvolve", image, "--gaussian-fwhm", 0.3, "--method", "fake", "--steps", 4,
        "--iterations", 2, "-o", out, "--baseline-output", base, "--quiet",
    )  # fmt: skip
    assert code == 0
    learned, classic = volumes.read_provenance(out), volumes.read_provenance(base)
    assert learned is not None
    assert classic is not None
    assert (learned["method"], learned["steps"]) == ("fake", 4)
    assert (classic["method"], classic["steps"]) == ("richardson-lucy", 2)


def test_denoise_with_a_network_and_save_it(image: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "quiet.tif", tmp_path / "cells.nsr"
    code = run(
        "denoise", image, "-o", out, "--steps", 1, "--width", 4, "--crop", 16, "--no-ensemble",
        "--batch", 1, "--save-model", model, "--quiet", "--device", "cpu",
    )  # fmt: skip
    assert code == 0
    assert volumes.read(out).shape == (24, 20)
    assert model.stat().st_size > 0


def test_a_psf_from_a_file(image: Path, tmp_path: Path, capsys: Errors) -> None:
    y, x = np.indices((9, 9)) - 4
    psf = tmp_path / "psf.npy"
    np.save(psf, np.exp(-(y**2 + x**2) / 4))
    out = tmp_path / "a.npy"
    assert run("deconvolve", image, "--psf", psf, "--method", "fake", "-o", out) == 0
    assert run("deconvolve", image, "--psf", psf, "--psf-as-is", "--method", "fake", "-o", out) == 3
    assert "exists" in capsys.readouterr().err
    assert run("deconvolve", image, "--psf", psf, "--method", "fake", "-o", out, "--overwrite") == 0


def test_times_channels_and_region(movie: Path, tmp_path: Path) -> None:
    out = tmp_path / "part.npy"
    code = run(
        "denoise", movie, "--method", "fake", "--time", "1:3", "--channel", 1,
        "--region", "2:20,4:20", "-o", out,
    )  # fmt: skip
    assert code == 0
    source = np.asarray(volumes.read(movie).data)
    np.testing.assert_array_equal(np.load(out).squeeze(), source[1:3, 1, 2:20, 4:20])


def test_several_models_get_a_number(movie: Path, tmp_path: Path) -> None:
    code = run(
        "denoise", movie, "--method", "fake", "--channel", 0, "-o", tmp_path / "a.npy",
        "--save-model", tmp_path / "net.nsr", "--save-curves", tmp_path / "curves",
    )  # fmt: skip
    assert code == 0
    assert sorted(p.name for p in tmp_path.glob("*.nsr")) == [f"net_{n}.nsr" for n in range(3)]
    marks = read_curves(tmp_path / "curves.csv")
    assert [(m.frame, m.step) for m in marks] == [(n, k) for n in range(3) for k in range(1, 6)]


def test_models_of_frames_are_never_replaced_unasked(
    movie: Path, tmp_path: Path, capsys: Errors
) -> None:
    (tmp_path / "net_1.nsr").write_bytes(b"mine")
    given = ("denoise", movie, "--method", "fake", "-o", tmp_path / "a.npy", "--channel", 0)
    assert run(*given, "--save-model", tmp_path / "net.nsr") == 3
    assert "net_1.nsr' already exists" in capsys.readouterr().err
    assert not (tmp_path / "a.npy").exists()
    assert (tmp_path / "net_1.nsr").read_bytes() == b"mine"


def test_curves_are_refused_before_the_work(image: Path, tmp_path: Path, capsys: Errors) -> None:
    (tmp_path / "there.csv").write_text("mine")
    given = ("denoise", image, "-o", tmp_path / "a.npy", "--save-curves", tmp_path / "there.csv")
    assert run(*given, "--method", "fake") == 3
    assert run(*given, "--method", "fake-classic") == 2
    assert "learns nothing" in capsys.readouterr().err
    assert not (tmp_path / "a.npy").exists()
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_voxel_size_and_axes_from_flags(movie: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.tif"
    code = run(
        "denoise", movie, "--method", "fake", "--axes", "CTYX", "--voxel-size", "200,100",
        "--units", "nanometer", "-o", out,
    )  # fmt: skip
    assert code == 0
    result = volumes.read(out)
    assert result.units[-1] in ("nanometer", "micrometer")
    ratio = {"nanometer": 1.0, "micrometer": 1e-3}[result.units[-1]]
    assert result.scale[-2:] == pytest.approx((200 * ratio, 100 * ratio))


def test_dumped_configuration_runs_the_same(image: Path, tmp_path: Path, capsys: Errors) -> None:
    flags = ("--method", "fake", "--steps", 3, "--gaussian-fwhm", 0.3, "--set", "seed=5")
    assert run("deconvolve", *flags, "--dump-config") == 0
    text = capsys.readouterr().out
    assert tomllib.loads(text)["options"] == {"steps": 3, "seed": 5}
    toml = tmp_path / "run.toml"
    toml.write_text(text, encoding="utf-8")
    assert RunConfig.load_toml(toml).to_toml() == text
    for name, arguments in (("a.npy", flags), ("b.npy", ("--config", toml))):
        assert run("deconvolve", image, *arguments, "-o", tmp_path / name, "-q") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    assert run("deconvolve", "--config", toml, "--steps", 9, "--dump-config") == 0
    assert tomllib.loads(capsys.readouterr().out)["options"] == {"steps": 9, "seed": 5}
    assert run("denoise", image, "--config", toml, "-o", tmp_path / "c.npy") == 2


def test_options_of_both_methods_and_of_one(capsys: Errors) -> None:
    code = run(
        "deconvolve", "--background", 7, "--baseline-output", "b.tif", "--dump-config",
        "--set", "baseline.iterations=3", "--set", "micro-batch=none", "--no-positive",
    )  # fmt: skip
    assert code == 0
    values = tomllib.loads(capsys.readouterr().out)
    assert values["options"] == {"background": 7.0, "positive": False}
    assert values["baseline_options"] == {"background": 7.0, "iterations": 3}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["deconvolve", "IN", "-o", "OUT"], 2, "point spread function"),
        (["deconvolve", "IN", "-o", "OUT", "--gaussian-fwhm", "a"], 2, "no list of numbers"),
        (["denoise", "IN"], 2, "no output file"),
        (["denoise", "-o", "OUT"], 2, "no input image"),
        (["denoise", "IN", "-o", "IN", "--overwrite"], 2, "input of this run"),
        (["denoise", "IN", "-o", "IN"], 2, "input of this run"),
        (["denoise", "IN", "-o", "OUT", "--save-model", "OUT"], 2, "same name"),
        (["denoise", "IN", "-o", "OUT", "--method", "nonsense"], 2, "no method called"),
        (["denoise", "IN", "-o", "OUT", "--method", "richardson-lucy"], 2, "cannot denoise"),
        (["denoise", "IN", "-o", "OUT", "--steps", "0"], 2, "Steps"),
        (["denoise", "IN", "-o", "OUT", "--set", "steps"], 2, "no value"),
        (["denoise", "IN", "-o", "OUT", "--set", "stepz=1"], 2, "no option 'stepz'"),
        (["denoise", "IN", "-o", "OUT", "--set", "other.steps=1"], 2, "no 'other'"),
        (["denoise", "IN", "-o", "OUT", "--region", "5"], 2, "no region"),
        (["denoise", "IN", "-o", "OUT", "--region", "0:99,0:9"], 2, "from 0 to 99"),
        (["denoise", "IN", "-o", "OUT", "--time", "1"], 2, "no axis t"),
        (["denoise", "IN", "-o", "OUT", "--units", "nm"], 2, "--voxel-size"),
        (["denoise", "IN", "-o", "OUT", "--baseline-output", "B.tif"], 2, "no baseline"),
        (["denoise", "NONE.tif", "-o", "OUT"], 3, "NONE.tif"),
        (["denoise", "IN", "-o", "OUT.jpg"], 3, "cannot be written"),
        (["denoise", "IN", "-o", "none/OUT.tif"], 3, "none"),
        (["denoise", "IN", "-o", "OUT", "--config", "none.toml"], 3, "cannot be read"),
        (["info", "NONE.tif"], 3, "NONE.tif"),
        (["methods", "nonsense"], 2, "no method called"),
    ],
)
def test_mistakes_are_named_before_any_work(
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Errors,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"IN": image.name, "OUT": "out.tif"}
    assert run(*(names.get(a, a) for a in arguments)) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cells.tif"]


@pytest.mark.parametrize("arguments", [[], ["sharpen"], ["denoise", "--steps"], ["info", "--x"]])
def test_wrong_usage(arguments: list[str], capsys: Errors) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(("failure", "saved"), [("oom", True), ("value", True), ("unstable", True)])
def test_failing_jobs_keep_what_was_reached(
    image: Path, tmp_path: Path, capsys: Errors, failure: str, saved: bool
) -> None:
    out = tmp_path / "out.npy"
    code = run("denoise", image, "--method", "fake", "--failure", failure, "-o", out)
    assert code == 4
    assert out.exists() is saved
    assert "error: " in capsys.readouterr().err


def test_first_ctrl_c_stops_and_keeps_the_second_discards(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Errors
) -> None:
    """The signal comes from within the training, since the command holds the main thread."""
    train = fakes.FakeLearned.train
    presses = 1

    def interrupted(self: fakes.FakeLearned, y: object, **more: object):  # type: ignore[no-untyped-def]
        for event in train(self, y):
            if isinstance(event, Step) and event.finished and event.index == 3:
                for _ in range(presses):
                    signal.raise_signal(signal.SIGINT)
            yield event

    monkeypatch.setattr(fakes.FakeLearned, "train", interrupted)
    before = signal.getsignal(signal.SIGINT)
    command = ("denoise", image, "--method", "fake", "--steps", 50, "-o")
    assert run(*command, tmp_path / "kept.npy") == 0
    story = volumes.read_provenance(tmp_path / "kept.npy")
    assert story is not None
    assert (story["steps"], story["reason"]) == (3, "stopped")
    presses = 2
    assert run(*command, tmp_path / "discarded.npy") == 130
    assert not (tmp_path / "discarded.npy").exists()
    assert signal.getsignal(signal.SIGINT) is before
    errors = capsys.readouterr().err
    assert "the best so far is kept" in errors
    assert "Discarded." in errors


def test_stopped_before_anything_was_learned(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: fakes.FakeLearned, y: object, **more: object):  # type: ignore[no-untyped-def]
        signal.raise_signal(signal.SIGINT)
        yield Step(0, 5, finished=False)

    monkeypatch.setattr(fakes.FakeLearned, "train", interrupted)
    assert run("denoise", image, "--method", "fake", "-o", tmp_path / "a.npy") == 130
    assert not (tmp_path / "a.npy").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one child process")
def test_ctrl_c_in_a_real_process(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    command = [
        sys.executable, "-m", "napari_selfsup_recon", "deconvolve", str(image),
        "--gaussian-fwhm", "0.3", "--method", "richardson-lucy", "--iterations", "10000",
        "-o", str(out),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, bufsize=0)
    assert process.stderr is not None
    seen = b""
    while b"step/s" not in seen and process.poll() is None:
        seen += process.stderr.read(256)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 0, (seen + rest).decode()
    assert out.exists()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from napari_selfsup_recon.cli import main\n"
        "for arguments in (['--help'], ['deconvolve', '--help'], ['denoise', '--help']):\n"
        "    try:\n"
        "        main(arguments)\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 0\n"
        "assert not {'torch', 'napari', 'qtpy', 'scipy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "--mask-fraction" in done.stdout
    assert "exit codes" in done.stdout


def test_info_and_methods(capsys: Errors) -> None:
    assert run("info") == 0
    assert "torch" in capsys.readouterr().out
    assert run("methods") == 0
    assert "richardson-lucy" in capsys.readouterr().out
    assert run("methods", "ssi") == 0
    assert "--steps" in capsys.readouterr().out


def test_a_level_of_a_pyramid(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    large = Measurement(rng.random((300, 280), dtype=np.float32), scale=(0.1, 0.1))
    path = volumes.write(tmp_path / "large.zarr", large)
    out, again, toml = tmp_path / "a.tif", tmp_path / "b.tif", tmp_path / "run.toml"
    assert run("denoise", path, "--method", "fake", "--level", 1, "-o", out, "--quiet") == 0
    made, level = volumes.read(out), volumes.read(path, level=1)
    assert made.shape == level.shape == (150, 140)
    np.testing.assert_allclose(made.scale, level.scale)
    np.testing.assert_allclose(made.translate, level.translate)
    toml.write_text(RunConfig(task="denoise", method="fake", level=1).to_toml(), encoding="utf-8")
    assert run("denoise", path, "--config", toml, "-o", again, "--quiet") == 0
    np.testing.assert_array_equal(volumes.read(again).data, made.data)
    assert run("denoise", path, "--method", "fake", "--level", 9, "-o", tmp_path / "c.tif") != 0
