"""What is hidden, held out and turned for EI and its kin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods._recon._frames import Frames, turned
from napari_selfsup_recon.methods._recon._partial import (
    Partial,
    draw_entries,
    draw_split,
    equations,
    hide,
    noise_level,
    sharpened,
)
from napari_selfsup_recon.methods._recon._problem import Problem, measure_units
from napari_selfsup_recon.methods.ei.method import choose_transform, commutes
from napari_selfsup_recon.physics.checks import adjoint_error
from napari_selfsup_recon.physics.identity import Identity
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.noise import Gaussian, Poisson
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam
from napari_selfsup_recon.physics.transmission import Transmission
from napari_selfsup_recon.transforms import Rotate, Shift

SIDE = 20


def scan(views: int = 12) -> ParallelBeam:
    return ParallelBeam((SIDE, SIDE), np.arange(views) * np.pi / views)


def k_space() -> MRI:
    columns = np.zeros(SIDE, bool)
    columns[::3] = True
    columns[8:12] = True
    return MRI(np.broadcast_to(columns, (SIDE, SIDE)))


def disc(row: float = 0.0, column: float = 0.0) -> torch.Tensor:
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    image = 1 / (1 + np.exp(3 * (np.hypot(rows - row, columns - column) - 4)))
    return torch.from_numpy(image)[None, None].float()


def test_hidden_entries_are_zero_and_the_transpose_is_exact() -> None:
    physics = scan()
    like = torch.zeros(1, 1, *physics.measurement_shape)
    hidden = draw_split(physics, like, 0.25, torch_generator(0))
    views = hidden[0, 0].amax(1)
    assert float(views.sum()) == 3
    assert torch.equal(hidden[0, 0], views[:, None].expand(physics.measurement_shape))
    part = hide(physics, hidden)
    assert adjoint_error(part) < 1e-12
    assert float((part.A(disc()) * hidden).abs().max()) == 0
    twice = hide(part, draw_split(part, like, 0.25, torch_generator(1)))
    assert twice.inner is physics
    assert float(twice.keep[0, 0].amax(1).sum()) <= 9


def test_hidden_views_are_filled_for_the_back_projection() -> None:
    physics = scan(48)
    y = physics.A(disc())
    hidden = torch.zeros_like(y)
    hidden[..., 20, :] = 1
    image = hide(physics, hidden).A_dagger(y * (1 - hidden))
    whole = physics.A_dagger(y)
    zeros = physics.A_dagger(y * (1 - hidden))
    assert float((image - whole).norm()) < 0.2 * float((zeros - whole).norm())


def test_lines_of_k_space_are_hidden_but_not_the_middle() -> None:
    physics = k_space()
    like = torch.zeros(1, 2, SIDE, SIDE)
    hidden = draw_split(physics, like, 0.5, torch_generator(0))[0, 0]
    assert torch.equal(hidden, hidden[:1].expand(SIDE, SIDE))
    assert 0 < float(hidden[0].sum()) < float(physics.observed(like)[0, 0, 0].sum())
    assert float(hidden[:, SIDE // 2 - 1 : SIDE // 2 + 1].sum()) == 0
    pixels = Inpainting(np.random.default_rng(0).random((SIDE, SIDE)) < 0.7)
    hidden = draw_split(pixels, like[:, :1], 0.25, torch_generator(0))
    assert float((hidden * (1 - pixels.observed(hidden))).sum()) == 0
    share = float(hidden.sum()) / pixels.mask.sum()
    assert share == pytest.approx(0.25, abs=0.08)


def test_entries_that_choose_and_that_report_are_apart() -> None:
    for physics, channels in ((scan(), 1), (k_space(), 2), (Identity((SIDE, SIDE)), 1)):
        like = torch.zeros(1, channels, *physics.measurement_shape)
        choose, report = draw_entries(physics, like, 0.2, seed=0)
        assert float((choose * report).sum()) == 0
        assert float(choose.sum()) > 0
        assert float(report.sum()) > 0
        observed = physics.observed(like)
        if observed is not None:
            assert float(((choose + report) * (1 - observed)).sum()) == 0


def test_slices_are_held_out_of_many_and_entries_of_few() -> None:
    physics = scan()
    y = physics.A(disc()).repeat(20, 1, 1, 1)
    many = Problem(physics, y, held_out=0.2, seed=0)
    assert (len(many.train), len(many.choose), len(many.report)) == (16, 2, 2)
    assert not set(many.train) & set(many.choose + many.report)
    assert many.asked is None
    few = Problem(physics, y[:1], held_out=0.2, seed=0)
    assert few.train == few.choose == few.report == [0]
    part = few.part([0])
    assert few.asked is not None
    assert float((part.y * (few.asked[0] + few.asked[1])).abs().max()) == 0


@pytest.mark.parametrize("angle", [0.3, 2.0])
def test_the_turned_scan_of_the_turned_object_is_the_same(angle: float) -> None:
    physics = scan()
    sinogram = physics.A(disc(row=1.0, column=3.0))
    # A disc has no direction: turning the object moves its middle alone.
    c, s = np.cos(angle), np.sin(angle)
    best = min(
        float((turned(physics, angle).A(disc(*place)) - sinogram).norm())
        for place in (
            (c * 1.0 - s * 3.0, s * 1.0 + c * 3.0),
            (c * 1.0 + s * 3.0, -s * 1.0 + c * 3.0),
        )
    )
    assert best < 0.02 * float(sinogram.norm())
    counts = Transmission(physics, I0=1e3, attenuation=0.02)
    other = turned(counts, angle)
    assert isinstance(other, Transmission)
    assert (other.I0, other.attenuation) == (1e3, 0.02)


def test_frames_are_drawn_for_scans_alone() -> None:
    physics = scan()
    frames = Frames(physics)
    drawn = {id(frames.draw(physics, torch_generator(n))) for n in range(60)}
    assert len(drawn) == 8
    part = Partial(physics, torch.ones(1, 1, *physics.measurement_shape))
    assert isinstance(frames.draw(part, torch_generator(0)), Partial)
    pixels = Inpainting(np.eye(SIDE))
    assert Frames(pixels).draw(pixels, torch_generator(0)) is pixels


def test_sharpened_sinograms_have_the_energy_of_the_image() -> None:
    """Fine detail counts for as much as coarse, relative to the image it comes from."""
    physics = scan(36)
    noise = torch.randn(8, 1, SIDE, SIDE, generator=torch_generator(0))
    inner = disc() > 0.5
    fine = noise * inner
    coarse = torch.nn.functional.avg_pool2d(noise, 5, 1, 2) * inner
    ratios = [
        [
            float(change(physics.A(x)).square().sum() / x.square().sum())
            for change in (torch.clone, sharpened)
        ]
        for x in (fine, coarse)
    ]
    plain, weighed = (ratios[1][n] / ratios[0][n] for n in range(2))
    # What is left is the width of the detector's cells.
    assert 0.6 < weighed < 2.0
    assert plain > 2 * weighed


def test_counts_are_weighed_equations() -> None:
    physics = Transmission(scan(), I0=1000.0, attenuation=0.05)
    y = physics.A(disc())
    system = equations(physics, y)
    assert torch.allclose(system.values, scan().A(disc()), atol=1e-3)
    assert system.weight is not None
    assert float(system.weight.max()) <= 1
    # The variance of a logarithm of N photons, weighed by N / I0, is that of I0 photons.
    expected = 1 / (1000.0 * 0.05**2)
    assert noise_level(physics, y, Poisson(1.0)) == pytest.approx(expected, rel=1e-3)
    hidden = torch.zeros_like(y)
    hidden[..., 3, :] = 1
    part = equations(hide(physics, hidden), y)
    assert part.weight is not None
    assert float(part.weight[..., 3, :].max()) == 0


def test_units_follow_the_data() -> None:
    physics = scan()
    y = physics.A(disc())
    one, ten = measure_units(physics, y, 0), measure_units(physics, 10 * y, 0)
    assert ten.image == pytest.approx(10 * one.image, rel=1e-4)
    assert ten.measured == pytest.approx(10 * one.measured, rel=1e-3)
    assert ten.norm == pytest.approx(one.norm)
    noisy = measure_units(physics, y, 0, Gaussian(3.0))
    assert noisy.trust > one.trust
    assert measure_units(physics, 10 * y, 0, Gaussian(30.0)).trust == pytest.approx(
        noisy.trust, rel=1e-3
    )


def test_an_instrument_that_sees_the_same_of_a_moved_object_is_noticed() -> None:
    like = torch.zeros(1, 2, SIDE, SIDE)
    assert commutes(k_space(), Shift(), like)
    assert not commutes(k_space(), Rotate(), like)
    pixels = Inpainting(np.random.default_rng(0).random((SIDE, SIDE)) < 0.7)
    assert not commutes(pixels, Shift(), like[:, :1])
    assert not commutes(scan(), Rotate(), torch.zeros(1, 1, *scan().measurement_shape))
    assert choose_transform("auto", pixels) == "shift"
    assert choose_transform("auto", k_space()) == "rotate"
    assert choose_transform("scale", scan()) == "scale"
