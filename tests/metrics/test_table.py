"""The table of metrics."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from napari_selfsup_recon import metrics
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics import Table, table


@pytest.fixture
def scored() -> tuple[np.ndarray, dict[str, np.ndarray], Table]:
    random = np.random.default_rng(0)
    truth = random.random((24, 20))
    images = {
        "noisy": truth + random.normal(0, 0.1, truth.shape),
        "a|b, much noisier": truth + random.normal(0, 0.5, truth.shape),
    }
    return truth, images, table(truth, images)


def test_rows_hold_what_the_metrics_say(scored):
    truth, images, result = scored
    assert [row.name for row in result] == list(images)
    assert len(result) == 2
    for name, image in images.items():
        row = result[name]
        assert row.psnr == metrics.psnr(truth, image)
        assert row.ssim == metrics.ssim(truth, image, data_range=1)
        assert row.ssim_published == metrics.ssim(truth, image, data_range=2)
        assert row.mi == metrics.mutual_information(truth, image)
        assert row.smi == metrics.spectral_mutual_information(truth, image)
        assert row.nrmse == metrics.nrmse(truth, image)


def test_rows_are_frozen_and_named(scored):
    row = scored[2]["noisy"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.psnr = 100.0
    with pytest.raises(KeyError, match="clean"):
        scored[2]["clean"]


def test_text_is_aligned(scored):
    lines = str(scored[2]).splitlines()
    assert len(lines) == 3
    assert lines[0].split()[:2] == ["image", "PSNR"]
    assert len({len(line) for line in lines}) == 1
    assert f"{scored[2]['noisy'].psnr:.2f}" in lines[1]


def test_markdown_has_as_many_cells_in_each_line(scored):
    lines = scored[2].markdown().splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines} == {8}
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert "a\\|b" in lines[3]
    assert scored[2]._repr_markdown_() == scored[2].markdown()


def test_range_scales_psnr_and_ssim(scored):
    truth, images, plain = scored
    scaled = table(255 * truth, {n: 255 * i for n, i in images.items()}, data_range=255)
    for row in plain:
        assert scaled[row.name].psnr == pytest.approx(row.psnr, abs=1e-9)
        assert scaled[row.name].ssim == pytest.approx(row.ssim, abs=1e-9)


def test_equal_images_print(scored):
    assert "inf" in str(table(scored[0], {"same": scored[0]}))


def test_no_images_leave_the_head_alone(scored):
    assert str(table(scored[0], {})).startswith("image")


def test_the_bad_image_is_named_before_any_is_scored(scored, monkeypatch):
    truth, images, _ = scored

    def never(*_args, **_kwargs):
        raise AssertionError("scored before all images were looked at")

    # The package hands on the function of the same name, so the module is looked up.
    monkeypatch.setattr(sys.modules[table.__module__], "psnr", never)
    with pytest.raises(InputError, match=r"'cropped'.*\(24, 19\)"):
        table(truth, {**images, "cropped": truth[:, :-1]})
    with pytest.raises(InputError, match=r"'spoilt'.*NaN"):
        table(truth, {**images, "spoilt": truth * np.nan})


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, napari_selfsup_recon.metrics, napari_selfsup_recon.simulate\n"
        "heavy = {'scipy', 'skimage', 'torch', 'qtpy', 'napari', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_resolution_and_whiteness_are_added_on_request(scored):
    truth, images, plain = scored
    assert {row.resolution for row in plain} == {row.whiteness for row in plain} == {None}
    random = np.random.default_rng(1)
    residuals = {"noisy": random.standard_normal(truth.shape)}
    full = table(
        truth,
        {**images, "black": 0 * truth},
        voxel_size=0.1,
        unit="micrometer",
        residuals=residuals,
        sigma=1,
    )
    for row in plain:
        expected = metrics.frc(truth, images[row.name], voxel_size=0.1, threshold=0.5)
        assert full[row.name] == dataclasses.replace(
            row,
            resolution=expected.resolution,
            whiteness=full[row.name].whiteness,
        )
    assert full["noisy"].whiteness == metrics.residual_whiteness(residuals["noisy"]).ratio
    assert full["a|b, much noisier"].whiteness is None
    assert full["black"].resolution is None
    lines = full.markdown().splitlines()
    assert "whiteness" in lines[0]
    assert {line.replace("\\|", "").count("|") for line in lines} in ({9}, {10})
    assert " - |" in lines[4]


def test_resolution_of_volumes_and_bad_residuals(scored):
    random = np.random.default_rng(0)
    truth = random.random((8, 32, 32))
    test = truth + random.normal(0, 0.1, truth.shape)
    found = table(truth, {"x": test}, voxel_size=(2, 1, 1))["x"].resolution
    assert found == metrics.fsc(truth, test, voxel_size=(2, 1, 1), threshold=0.5).resolution
    with pytest.raises(InputError, match="residual of 'y'"):
        table(truth, {"x": test}, residuals={"y": test})
    with pytest.raises(InputError, match="voxel size"):
        table(truth, {"x": test}, voxel_size=(1, 1))
