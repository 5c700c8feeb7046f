"""SIAM in all orientations in which nothing is interpolated, and when its twins begin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon import SIAM, Gaussian, SIAMOptions
from napari_selfsup_recon.core.events import Notice
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.io.models import load
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._partial import Partial, hide
from napari_selfsup_recon.methods.siam._trainee import SIAMTrainee
from napari_selfsup_recon.methods.siam._views import drawn, is_mask, views
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.fan_beam import FanBeam
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam
from napari_selfsup_recon.physics.transmission import Transmission

SIDE = 16
QUICK: dict[str, Any] = {"steps": 4, "width": 4, "iterations": 1, "batch": 2, "device": "cpu"}
QUICK["start"] = "inverse"
ANGLES = np.arange(7) * 0.4


def images(count: int, rows: int = SIDE, columns: int = SIDE) -> Tensor:
    return torch.rand(count, 1, rows, columns, generator=torch_generator(3))


def mask(rows: int = SIDE, columns: int = SIDE) -> np.ndarray:
    return np.random.default_rng(1).random((rows, columns)) < 0.5


def instruments() -> dict[str, tuple[Physics, int]]:
    scan = ParallelBeam((SIDE, SIDE), ANGLES)
    return {
        "mask": (Inpainting(mask()), 8),
        "oblong mask": (Inpainting(mask(12, 20)), 4),
        "volume": (Inpainting(np.stack([mask()] * 3)), 16),
        "hidden": (hide(Inpainting(mask()), torch.from_numpy(mask())[None, None].float()), 8),
        "scan": (scan, 8),
        "fan": (
            FanBeam((SIDE, SIDE), ANGLES, source_distance=60, detector_distance=40, axis_offset=-2),
            8,
        ),
        "counts": (Transmission(scan, I0=1e4, attenuation=0.02), 8),
        "oblong scan": (ParallelBeam((12, 20), ANGLES, axis_offset=1.5), 4),
        "lines": (MRI(mask()), 1),
        "hidden views": (hide(scan, torch.eye(7)[2][None, None, :, None]), 8),
    }


@pytest.mark.parametrize("name", instruments())
def test_each_view_measures_the_turned_object_alike(name: str) -> None:
    physics, count = instruments()[name]
    seen = views(physics)
    assert len(seen) == count
    x = torch.rand(2, physics.channels or 1, *physics.image_shape, generator=torch_generator(0))
    y = physics.A(x)
    turns = set()
    for view in seen:
        # Turning back undoes; of a turn that has no forth for images, three more do.
        turned = next(image for image in _turned(x) if torch.equal(view.back(image), x))
        torch.testing.assert_close(view.physics.A(turned), view.forth(y), rtol=1e-4, atol=1e-5)
        turns.add(tuple(turned.flatten().tolist()))
    assert len(turns) == count
    torch.testing.assert_close(seen[0].forth(y), y)


def _turned(x: Tensor) -> list[Tensor]:
    """Return all images that flips and transpositions make of one."""
    made = [x]
    for axis in range(2, x.ndim):
        made += [image.flip(axis) for image in made]
    return made + [image.mT for image in made]


def test_masks_are_learned_from_in_all_orientations() -> None:
    x = images(2)
    physics = Inpainting(mask())
    part = Part(physics.A(x), physics, x)
    assert is_mask(physics)
    assert not is_mask(ParallelBeam((SIDE, SIDE), ANGLES))
    kept = torch.from_numpy(mask()[::-1].copy())[None, None].float()
    hidden = Part(part.y, Partial(physics, kept), x)
    found = set()
    for seed in range(60):
        one = drawn(part, torch_generator(seed))
        assert one.clean is not None
        torch.testing.assert_close(one.physics.A(one.clean), one.y)
        found.add(tuple(one.y.flatten().tolist()))
        other = drawn(hidden, torch_generator(seed)).physics
        assert isinstance(other, Partial)
        assert isinstance(other.inner, Inpainting)
        assert other.keep.sum() == kept.sum()
    assert len(found) == 8


def made(noise: bool = True, **options: Any) -> tuple[SIAM, np.ndarray]:
    masks = np.random.default_rng(5).random((8, 1, SIDE, SIDE)) < 0.5
    physics, level = Inpainting(masks), Gaussian(0.05)
    y = level.sample(physics.A(images(8)), torch_generator(6))
    values = (y * physics.observed(y))[:, 0].numpy()
    return SIAM(physics, SIAMOptions(**(QUICK | options)), noise=level), values


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_orientations_have_a_share_in_the_result(share: float, tmp_path: Any) -> None:
    method, y = made()
    method.fit(y, progress=False)
    method._facts["turning"] = share
    result = method.reconstruct(y)
    one = method._with(method.physics.at([0]))
    alone = one._with(one.physics)
    alone.options = alone.options.model_copy(update={"orientations": False})
    total = np.zeros((SIDE, SIDE))
    for view in views(one.physics):
        given = view.forth(torch.from_numpy(y[:1])[:, None])[:, 0].contiguous().numpy()
        image = torch.from_numpy(alone._with(view.physics).reconstruct(given))
        total += view.back(image[:, None])[0, 0].numpy() / 8
    upright = alone.reconstruct(y[:1])[0]
    np.testing.assert_allclose(result[0], upright + share * (total - upright), atol=1e-5)
    assert np.abs(result[0] - upright).max() > 1e-3
    assert np.array_equal(load(method.save(tmp_path / "model")).reconstruct(y), result)


def test_a_turned_scan_gives_the_turned_image() -> None:
    """With the mean over quarter turns the method cannot tell how the object lies."""
    physics = ParallelBeam((SIDE, SIDE), np.arange(8) * np.pi / 8)
    y = physics.A(images(6))[:, 0].numpy()
    method = SIAM(physics, SIAMOptions(**QUICK)).fit(y, progress=False)
    method._facts["turning"] = 1.0
    turned = ParallelBeam((SIDE, SIDE), physics.angles + np.pi / 2)
    one, other = (m.reconstruct(y[0]) for m in (method, method.behind(turned)))
    np.testing.assert_allclose(np.rot90(one, 1), other, atol=1e-4 * np.abs(one).max())


class Leaning(torch.nn.Module):
    """Knows the image and adds a slope: always, or only where the image does not lie upright."""

    def __init__(self, truth: Tensor, unit: float, *, knows_upright: bool) -> None:
        super().__init__()
        self.truth, self.unit, self.knows_upright = truth, unit, knows_upright

    def forward(self, y: Tensor, physics: Physics) -> Tensor:
        """Return the image over its unit, turned as the values are."""
        turned = torch.cat(_turned(self.truth))
        errors = (physics.A(turned) - y).square().sum((1, 2, 3))
        place = int(errors.argmin())
        slope = 0.0 if self.knows_upright and place == 0 else 0.3
        return turned[place : place + 1] / self.unit + slope * torch.linspace(-1, 1, SIDE)


@pytest.mark.parametrize("knows_upright", [False, True])
def test_orientations_have_a_part_only_where_hidden_values_gain(knows_upright: bool) -> None:
    masks = np.random.default_rng(5).random((8, 1, SIDE, SIDE)) < 0.5
    physics, truth = Inpainting(masks), images(1)
    method = SIAM(physics, SIAMOptions(**QUICK))
    problem = method._prepare(physics.A(truth.expand(8, -1, -1, -1))[:, 0].numpy(), None)
    trainee = method._trainee(problem)
    assert isinstance(trainee, SIAMTrainee)
    model: Any = Leaning(truth, problem.units.image, knows_upright=knows_upright)
    share = exhaust(trainee.turning(model))
    assert share == (0.0 if knows_upright else pytest.approx(1.0, abs=1e-3))


def test_a_run_says_whether_it_averages_orientations() -> None:
    method, y = made()
    said = [e.message for e in method.train(y) if isinstance(e, Notice)]
    share = method._facts["turning"]
    assert 0 <= share <= 1
    told = [text for text in said if "orientations" in text]
    assert len(told) == 1
    assert (f"a share of {share:.0%}" in told[0]) is bool(share)
    assert len(method._views(method.physics.at([0]))) == (8 if share else 1)


def test_the_twins_begin_late(monkeypatch: pytest.MonkeyPatch) -> None:
    for begin, wanted in ((0.0, 4), (0.75, 1), (1.0, 0)):
        calls = []
        old = SIAMTrainee._twins

        def counted(self: Any, *args: Any, calls: Any = calls, old: Any = old) -> Tensor:
            calls.append(1)
            found: Tensor = old(self, *args)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(SIAMTrainee, "_twins", counted)
            method, y = made(begin=begin, batch=6, micro_batch=6, average=False)
            method.fit(y, progress=False)
        assert len(calls) == wanted
    assert SIAMOptions.published().begin == 0
    assert not SIAMOptions.published().orientations
