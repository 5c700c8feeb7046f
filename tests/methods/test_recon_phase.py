"""Complex images whose phase is that of the middle of k-space, and what is chosen of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_selfsup_recon import EI, REI, EIOptions, Gaussian, REIOptions
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods._recon._partial import draw_split, middle_reach
from napari_selfsup_recon.methods._recon._phase import (
    amplitude,
    has_phase,
    phased,
    smooth_phase,
)
from napari_selfsup_recon.methods._recon._problem import measure_units
from napari_selfsup_recon.methods._recon._scaled import scaled_equations
from napari_selfsup_recon.methods._recon._start import smooth_start
from napari_selfsup_recon.methods._recon._variation import find_variation
from napari_selfsup_recon.physics.compressed_sensing import CompressedSensing
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.mri import MRI

ROWS, COLUMNS = 40, 48


def columns(reach: int = 3) -> np.ndarray:
    """Return a mask of columns, dense in the middle, at random elsewhere."""
    mask = np.random.default_rng(1).random(COLUMNS) < 0.25
    mask[COLUMNS // 2 - reach : COLUMNS // 2 + reach + 1] = reach > 0
    return np.broadcast_to(mask, (ROWS, COLUMNS))


def objects(count: int, *, smooth: bool) -> np.ndarray:
    """Return complex images of ellipses, with a smooth phase or with one at random."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[:ROWS, :COLUMNS] / [[[ROWS]], [[COLUMNS]]] - 0.5
    images = []
    for _ in range(count):
        size = np.zeros((ROWS, COLUMNS))
        for _ in range(6):
            row, column = random.uniform(-0.25, 0.25, 2)
            tall, wide = random.uniform(0.05, 0.2, 2)
            inside = ((y - row) / tall) ** 2 + ((x - column) / wide) ** 2 < 1
            size += inside * random.uniform(0.2, 1)
        angle = 0.8 + 1.5 * y - 1.2 * x if smooth else random.uniform(0, 2 * np.pi, size.shape)
        images.append(np.stack([size * np.cos(angle), size * np.sin(angle)]))
    return np.stack(images).astype(np.float32)


def measured(physics: MRI, images: np.ndarray, sigma: float = 0.03) -> torch.Tensor:
    y = physics.A(torch.from_numpy(images))
    return Gaussian(sigma).sample(y, torch_generator(3)) * physics.observed(y)


def test_the_middle_is_as_wide_as_it_has_no_gaps() -> None:
    assert middle_reach(MRI(columns(3))) == (0, 3)
    assert middle_reach(MRI(columns(2))) == (0, 2)
    assert middle_reach(MRI(np.roll(columns(3), 12, axis=1))) == (0, 0)
    both = np.zeros((32, 32))
    both[14:19, 14:19] = 1
    assert middle_reach(MRI(both)) == (2, 2)
    assert middle_reach(MRI(np.ones((ROWS, COLUMNS)))) == (0, 0)


def test_the_middle_is_never_hidden() -> None:
    physics = MRI(columns(3))
    like = torch.zeros(1, 2, ROWS, COLUMNS)
    for seed in range(20):
        hidden = draw_split(physics, like, 0.8, torch_generator(seed))
        assert not hidden[..., COLUMNS // 2 - 3 : COLUMNS // 2 + 4].any()
        assert hidden.any()


@pytest.mark.parametrize("coils", [0, 3])
def test_equations_of_amplitudes_have_their_transpose(coils: int) -> None:
    generator = torch_generator(coils)
    random = np.random.default_rng(0)
    shape = (coils, ROWS, COLUMNS)
    maps = random.normal(size=shape) + 1j * random.normal(size=shape) if coils else None
    physics = MRI(columns(), maps=maps)
    y = torch.randn(2, 2, *physics.measurement_shape, generator=generator, dtype=torch.float64)
    system = scaled_equations(physics, y, measure_units(physics, y, 0))
    system = phased(system, smooth_phase(physics, y))
    x = torch.randn(2, 1, ROWS, COLUMNS, generator=generator, dtype=torch.float64)
    v = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    forth, back = (system.forward(x) * v).sum(), (x * system.backward(v)).sum()
    assert float(abs(forth - back) / (system.forward(x).norm() * v.norm())) < 1e-12


def test_a_smooth_phase_is_found() -> None:
    physics, images = MRI(columns()), objects(2, smooth=True)
    turn = smooth_phase(physics, measured(physics, images, 0.0))
    truth = torch.from_numpy(images)
    size = truth.square().sum(1, keepdim=True).sqrt()
    assert torch.allclose(turn.square().sum(1), torch.ones(2, ROWS, COLUMNS), atol=1e-5)
    # What is left of the image is real: nearly all of its energy.
    kept = amplitude(truth, turn).square().sum() / size.square().sum()
    assert float(kept) > 0.98


@pytest.mark.parametrize(
    ("smooth", "sign", "expected"),
    [(True, 1, "positive"), (True, -1, "signed"), (False, 1, "free")],
)
def test_the_phase_is_what_predicts_best(smooth: bool, sign: int, expected: str) -> None:
    physics, images = MRI(columns()), objects(2, smooth=smooth)
    if sign < 0:  # a part that is finer than the middle of k-space tells
        images[..., 20:24] *= -1
    y = measured(physics, images, 0.01)
    units = measure_units(physics, y, 0, Gaussian(0.01))
    phases = ("signed", "positive") if expected == "signed" else ("free", "signed", "positive")
    given = {"positive": False, "phases": phases, "seed": 0}
    found = find_variation(physics, y, units, noise=Gaussian(0.01), **given)
    assert found.phase == expected


def test_a_known_phase_brings_images_nearer() -> None:
    physics, images = MRI(columns()), objects(4, smooth=True)
    y = measured(physics, images)
    units = measure_units(physics, y, 0, Gaussian(0.03))

    def error(*phases: str) -> float:
        given = {"noise": Gaussian(0.03), "positive": False, "seed": 0}
        found = find_variation(physics, y, units, phases=phases, **given)
        weight, phase = found.variation, found.phase
        system = scaled_equations(physics, y, units)
        x = smooth_start(system, weight, positive=False)
        if phase != "free":
            turn = smooth_phase(physics, y)
            x = smooth_start(phased(system, turn), weight, positive=phase == "positive") * turn
        return float((x * units.image - torch.from_numpy(images)).square().mean())

    free, signed, positive = error("free"), error("signed"), error("positive")
    assert positive < signed < free
    assert positive < 0.75 * free


def test_copies_tell_the_weight_where_hidden_pixels_cannot() -> None:
    random = np.random.default_rng(5)
    truth = np.abs(objects(4, smooth=True)).sum(1, keepdims=True)
    physics = Inpainting(random.random((ROWS, COLUMNS)) < 0.7)
    noise = Gaussian(0.3)
    y = noise.sample(physics.A(torch.from_numpy(truth)), torch_generator(6))
    y = y * physics.observed(y)
    units = measure_units(physics, y, 0, noise)
    weight = find_variation(
        physics, y, units, noise=noise, positive=True, phases=("free",), seed=0
    ).variation
    system = scaled_equations(physics, y, units)

    def error(weight: float) -> float:
        x = smooth_start(system, weight, positive=True) * units.image
        return float((x - torch.from_numpy(truth)).square().mean())

    best = min(error(1e-3 * 3.0**place) for place in range(-1, 6))
    assert error(weight) < 1.1 * best


def test_more_rounds_where_little_is_measured() -> None:
    truth = np.abs(objects(3, smooth=True)).sum(1, keepdims=True)
    random = np.random.default_rng(8)
    rows = np.linalg.qr(random.standard_normal((64, 64)))[0]

    def found(count: int) -> bool:
        physics = CompressedSensing(rows[:count], block=8, shape=(ROWS, COLUMNS))
        y = Gaussian(0.02).sample(physics.A(torch.from_numpy(truth)), torch_generator(1))
        units = measure_units(physics, y, 0, Gaussian(0.02))
        given = {"positive": True, "phases": ("free",), "seed": 0}
        return find_variation(physics, y, units, noise=Gaussian(0.02), **given).thorough

    assert found(8)
    assert not found(48)


def test_training_with_a_phase_answers_complex_images_and_is_saved() -> None:
    physics, images = MRI(columns()), objects(8, smooth=True)
    y = measured(physics, images).numpy()
    options = REIOptions(steps=2, width=4, iterations=2)
    method = REI(physics, options, noise=Gaussian(0.03)).fit(y)
    facts, arrays = method.state()
    assert facts["units"]["phase"] == "positive"
    found = method.reconstruct(y)
    assert found.shape == images.shape
    # It is a positive amplitude behind the phase, whatever the network did.
    turn = smooth_phase(physics, torch.from_numpy(y))
    assert float(amplitude(torch.from_numpy(found), turn).min()) >= -1e-6
    again = REI.from_state(physics, options, facts, arrays)
    assert np.array_equal(again.reconstruct(y), found)


def test_models_saved_without_a_phase_are_free() -> None:
    physics, images = MRI(columns()), objects(6, smooth=True)
    y = measured(physics, images).numpy()
    options = EIOptions(steps=1, width=4, iterations=1, phase="free")
    method = EI(physics, options).fit(y)
    facts, arrays = method.state()
    assert facts["units"].pop("phase") == "free"
    again = EI.from_state(physics, options, facts, arrays)
    assert np.array_equal(again.reconstruct(y), method.reconstruct(y))


@pytest.mark.parametrize(
    ("mask", "more"),
    [
        (np.roll(columns(), 12, axis=1), {}),
        (columns(), {"start": "inverse"}),
    ],
)
def test_a_phase_that_cannot_be_told_is_refused(mask: np.ndarray, more: dict) -> None:
    physics = MRI(mask)
    y = measured(physics, objects(2, smooth=True)).numpy()
    assert has_phase(MRI(columns())) and not has_phase(Inpainting(np.ones((4, 4))))
    with pytest.raises(InputError, match="cannot be told"):
        EI(physics, EIOptions(steps=1, phase="smooth", **more)).fit(y)
    chosen = EIOptions(steps=1, width=4, iterations=1, **more)
    method = EI(physics, chosen).fit(y)
    assert method.state()[0]["units"]["phase"] == "free"
