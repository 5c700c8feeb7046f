"""The command that runs one configuration on many files."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from napari_selfsup_recon.cli import main
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import volumes

Printed = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(
        'task = "deconvolve"\nmethod = "richardson-lucy"\n[options]\niterations = 2\n'
        '[physics]\npsf = "gaussian"\nfwhm = [2.0]\n'
    )
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "images"
    made.mkdir()
    for n, name in enumerate(("a", "b")):
        data = np.random.default_rng(n).poisson(50, (20, 16)).astype(np.uint16)
        volumes.write(made / f"{name}.tif", Measurement(data))
    return made


def test_files_to_a_folder_and_again(
    config: Path, folder: Path, tmp_path: Path, capsys: Printed
) -> None:
    out = tmp_path / "out"
    files = sorted(folder.glob("*.tif"))
    assert run("batch", config, *files, "-o", out) == 0
    printed = capsys.readouterr()
    results = [out / "a_lr.ome.tif", out / "b_lr.ome.tif"]
    assert sorted(out.glob("*.tif")) == results
    assert [str(path) in printed.out for path in results] == [True, True]
    assert printed.out.splitlines()[-1] == "2 done"
    assert "1/2 a.tif" in printed.err
    stamps = [path.stat().st_mtime_ns for path in results]
    assert run("batch", config, *files, "-o", out) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 exists already"
    assert [path.stat().st_mtime_ns for path in results] == stamps
    assert run("batch", config, *files, "-o", out, "--overwrite", "-q") == 0
    assert [path.stat().st_mtime_ns for path in results] != stamps
    assert capsys.readouterr() == ("", "")


def test_the_result_is_that_of_the_single_command(
    config: Path, folder: Path, tmp_path: Path
) -> None:
    one = tmp_path / "one.npy"
    assert run("deconvolve", folder / "a.tif", "--config", config, "-o", one, "-q") == 0
    assert run("batch", config, folder / "a.tif", "--format", ".npy", "--suffix", "x", "-q") == 0
    np.testing.assert_array_equal(np.load(folder / "a_x.npy"), np.load(one))


def test_failures_are_in_the_table_and_in_the_exit_code(
    config: Path, folder: Path, tmp_path: Path, capsys: Printed
) -> None:
    bad = folder / "bad.tif"
    bad.write_bytes(b"no image")
    out = tmp_path / "out"
    assert run("batch", config, folder, folder / "gone.tif", "-o", out) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["a.tif", "done"], ["b.tif", "done"], ["bad.tif", "failed"], ["gone.tif", "failed"]
    ]  # fmt: skip
    assert "There is no file" in lines[4]
    assert lines[-1] == "2 done, 2 failed"
    assert run("batch", config, folder, "-o", out, "-q") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "bad.tif" in printed.err
    assert "a.tif" not in printed.err


def test_patterns_and_results_beside_their_inputs(config: Path, folder: Path) -> None:
    for _ in range(2):
        assert run("batch", config, folder / "*.tif", "-q") == 0
    assert len(list(folder.glob("*.tif"))) == 4
    assert run("batch", config, folder / "*.nothing", "-q") == 2


def test_channels_become_rows(config: Path, tmp_path: Path, capsys: Printed) -> None:
    data = np.random.default_rng(1).poisson(50, (3, 2, 20, 16)).astype(np.uint16)
    movie = volumes.write(tmp_path / "movie.tif", Measurement(data, axes=("t", "c", "y", "x")))
    out = tmp_path / "out"
    code = run("batch", config, movie, "--split", "channel", "--time", "1", "-o", out)
    assert code == 0
    assert sorted(path.name for path in out.glob("*.tif")) == [
        "movie_t1_c0_lr.ome.tif", "movie_t1_c1_lr.ome.tif"
    ]  # fmt: skip
    assert "movie.tif, time 1, channel 0" in capsys.readouterr().out
    assert run("batch", config, movie, "--split", "time", "--time", "1", "-o", out) == 2
    assert run("batch", config, movie, "--split", "colour", "-o", out) == 2


def test_what_is_wrong_with_all_of_it_is_told_before(
    config: Path, folder: Path, tmp_path: Path, capsys: Printed
) -> None:
    assert run("batch", tmp_path / "gone.toml", folder) == 3
    config.write_text(
        'task = "deconvolve"\nmethod = "richardson-lucy"\n[options]\niterations = 0\n'
    )
    assert run("batch", config, folder, "-o", tmp_path / "out") == 2
    assert "Iterations" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_after_the_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    config = tmp_path / "run.toml"
    config.write_text('task = "denoise"\nmethod = "fake"\n[options]\nsteps = 4\n')
    out = tmp_path / "out"
    presses = interrupt_at_steps(monkeypatch, 1)
    assert run("batch", config, folder, "-o", out) == 130
    assert presses == [1]
    assert [path.name for path in out.glob("*.tif")] == ["a_fake.ome.tif"]
    printed = capsys.readouterr()
    assert "Stopping after this file" in printed.err
    assert printed.out.splitlines()[-1] == "1 waiting, 1 done"
    assert run("batch", config, folder, "-o", out) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 done, 1 exists already"


def test_ctrl_c_twice_leaves_the_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    config = tmp_path / "run.toml"
    config.write_text('task = "denoise"\nmethod = "fake"\n[options]\nsteps = 50\n')
    interrupt_at_steps(monkeypatch, 1, 2)
    assert run("batch", config, folder, "-o", tmp_path / "out") == 130
    assert list((tmp_path / "out").glob("*.tif")) == []
    assert capsys.readouterr().out.splitlines()[-1] == "2 waiting"


def interrupt_at_steps(monkeypatch: pytest.MonkeyPatch, *steps: int) -> list[int]:
    """Press Ctrl-C when the bar is shown these steps, once each."""
    from napari_selfsup_recon.cli._progress import Progress
    from napari_selfsup_recon.core.events import Event, Step

    show, pressed = Progress.show, list[int]()

    def watch(self: Progress, event: Event) -> None:
        show(self, event)
        if isinstance(event, Step) and event.index in steps and event.index not in pressed:
            pressed.append(event.index)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "show", watch)
    return pressed
