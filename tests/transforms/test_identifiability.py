"""The meter against dense eigenvalues, on 24 x 24 images on a disc."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon import (
    Blur,
    FanBeam,
    Identity,
    Inpainting,
    ParallelBeam,
    Transmission,
)
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.transforms import Action, Reflect, Rotate, Scale, Shift, Transform
from napari_selfsup_recon.transforms import Identity as Leave
from napari_selfsup_recon.transforms._family import Family
from napari_selfsup_recon.transforms.identifiability import (
    identifiability,
    identifiability_steps,
)

N = 24
SHAPE = (N, N)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Dense(Physics):
    """A matrix; complex images where it has two channels."""

    def __init__(self, matrix: Tensor, channels: int | None = None) -> None:
        super().__init__(SHAPE, (len(matrix),))
        self.matrix = matrix
        self.channels = channels

    def A_dagger(self, y: Tensor) -> Tensor:
        return self.A_adjoint(y)

    def _forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2) if self.channels is None else x.flatten(1)[:, None]
        return flat @ self.matrix.to(x).T

    def _adjoint(self, y: Tensor) -> Tensor:
        flat = y @ self.matrix.to(y)
        return flat.reshape(len(y), -1, *SHAPE)

    def _check(self, value: Tensor, shape: tuple[int, ...], what: str) -> None:
        pass


def disc() -> Tensor:
    c = torch.arange(N) - (N - 1) / 2
    return ((c[:, None] ** 2 + c[None] ** 2) <= 11.7**2).float()


def tomograph() -> Physics:
    """Six views: rotate by linear interpolation and sum along columns."""
    images = torch.eye(N * N, dtype=torch.float64).reshape(-1, 1, N, N)
    turn = Rotate(interpolation="linear")
    views = [turn.action(SHAPE, 30.0 * k)(images).sum(2)[:, 0] for k in range(6)]
    return Dense(torch.cat(views, 1).T)


def mri() -> Physics:
    """Six of 24 columns of the Fourier transform of complex images."""
    one = torch.fft.fft(torch.eye(N, dtype=torch.complex128), norm="ortho")
    both = torch.kron(one, one).reshape(N, N, -1)[:, [0, 1, 2, 23, 7, 14]].reshape(-1, N * N)
    upper = torch.cat([both.real, -both.imag], 1)
    return Dense(torch.cat([upper, torch.cat([both.imag, both.real], 1)]), channels=2)


def blur(sigma: Sequence[float]) -> Physics:
    c = np.arange(N) - N // 2
    y, x = (np.exp(-0.5 * (c / s) ** 2) for s in sigma)
    psf = np.outer(y, x)
    return Blur(psf / psf.sum(), SHAPE, boundary="circular")


def holes() -> Physics:
    return Inpainting(torch.rand(SHAPE, generator=generator(4)) > 1 / 3)


OPERATORS = {
    "mri": mri,
    "holes": holes,
    "tomograph": tomograph,
    "round blur": lambda: blur((1.6, 1.6)),
    "oblong blur": lambda: blur((2.5, 0.5)),
}
LINEAR = "linear"
GROUPS: dict[str, Transform | None] = {
    "none": None,
    "shift": Shift(),
    "90": Rotate(step=90),
    "flip": Reflect(axes=(1,)),
    "30": Rotate(step=30, interpolation=LINEAR),
    "any": Rotate(interpolation=LINEAR),
}
# Share of eigenvalues above 1e-6 of the largest, as computed independently with bilinear rotations
# (other masks of the same kind), a column a group.
TABLE = {
    "mri": (0.32, 0.32, 0.77, 0.49, 1.0, 1.0),
    "holes": (0.66, 1.0, 0.99, 0.88, 1.0, 1.0),
    "tomograph": (0.34, 1.0, 0.34, 0.34, 0.76, 1.0),
    "round blur": (0.52, 0.52, 0.52, 0.52, 0.89, 1.0),
    "oblong blur": (0.54, 0.54, 0.78, 0.54, 1.0, 1.0),
}


def members(transform: Transform | None) -> list[Action]:
    if transform is None:
        return [Leave()]
    random = generator(7)
    every = transform.elements(SHAPE)
    return every or [Leave(), *(transform.draw(SHAPE, random) for _ in range(8))]


@lru_cache
def eigenvalues(operator: str, group: str) -> Tensor:
    """Eigenvalues of the family on the disc, by applying it to every unit image."""
    physics, transform = OPERATORS[operator](), GROUPS[group]
    eye = torch.eye(N * N, dtype=torch.float64).reshape(-1, 1, N, N)
    if physics.channels:  # a Hermitian matrix: its columns are complex, real images make them all
        eye = torch.cat([eye, torch.zeros_like(eye)], 1)
    support = disc().double()
    family = Family(lambda x: physics.A_adjoint(physics.A(x)), members(transform), support)
    columns = exhaust(family(eye))
    columns = torch.complex(columns[:, 0], columns[:, 1]) if physics.channels else columns[:, 0]
    inside = support.flatten() > 0
    matrix = columns.reshape(N * N, N * N)[inside][:, inside]
    assert torch.allclose(matrix, matrix.T.conj(), atol=1e-10)
    return torch.linalg.eigvalsh(matrix)


def above(values: Tensor, threshold: float) -> float:
    return float((values > threshold * values.max()).double().mean())


@pytest.mark.parametrize("operator", OPERATORS)
def test_dense_eigenvalues_make_the_known_table(operator: str) -> None:
    found = []
    for group in GROUPS:
        if operator == "tomograph" and group == "shift":
            found.append(1.0)  # takes hundreds of shifts, and then only far below any noise
            continue
        found.append(above(eigenvalues(operator, group), 1e-6))
    assert found == pytest.approx(TABLE[operator], abs=0.04)


@pytest.mark.parametrize("group", ["none", "90", "30"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_lanczos_agrees_with_dense_eigenvalues(operator: str, group: str) -> None:
    physics, transform = OPERATORS[operator](), GROUPS[group]
    dense = above(eigenvalues(operator, group), 1e-2)
    found = identifiability(
        physics, transform, generator(), support=disc(), weighting="adjoint", propose=False
    )
    assert found.share == pytest.approx(dense, abs=0.03)


def test_equivariant_operators_are_told_and_another_transform_is_proposed() -> None:
    found = identifiability(mri(), Shift(), generator())
    assert not found.helps and found.share == pytest.approx(found.alone, abs=0.03)
    assert found.proposal == "rotate" and found.others["rotate"] > 0.95
    assert "next to nothing more" in found.sentence and '"rotate"' in found.sentence
    assert isinstance(found.proposed, Rotate)
    good = identifiability(mri(), found.proposed, generator())
    assert good.helps and good.proposal is None and not good.others
    assert "can be learned" in good.sentence


def test_turning_by_the_view_spacing_is_told() -> None:
    """Six views over 180 degrees see the same of an object that turned by 30."""
    same = identifiability(tomograph(), Rotate(step=30), generator(), support=disc())
    assert not same.helps and same.share < same.alone + 0.06
    other = identifiability(tomograph(), Rotate(avoid=30), generator(), support=disc())
    assert other.helps and other.share > same.share + 0.15


def test_round_blur_is_helped_neither_by_shifts_nor_by_rotations() -> None:
    found = identifiability(blur((1.6, 1.6)), Rotate(), generator(), weighting="adjoint")
    assert not found.helps and found.share == pytest.approx(found.alone, abs=0.04)
    assert set(found.others) == {"shift", "reflect", "scale"}
    assert max(found.others["shift"], found.others["reflect"]) < found.alone + 0.04


def test_where_nothing_helps_it_says_so() -> None:
    """An instrument that sees the mean of the image and nothing else."""
    physics = Dense(torch.full((1, N * N), 1.0 / N))
    found = identifiability(physics, Shift(), generator(), actions=4, probes=4)
    assert not found.helps and found.proposal is None and found.share < 0.02
    assert "No other transform helps" in found.sentence and "Measure differently" in found.sentence


def test_complete_measurements_need_nothing() -> None:
    found = identifiability(Identity(SHAPE), Shift(), generator())
    assert found.share == pytest.approx(1.0) and found.helps
    assert "next to nothing has to be inferred" in found.sentence


def test_without_a_transform_one_is_proposed() -> None:
    found = identifiability(holes(), None, generator())
    assert found.transform is None and found.proposal == "shift"
    assert found.share == found.alone == pytest.approx(2 / 3, abs=0.05)


def test_each_image_may_have_its_own_mask() -> None:
    masks = torch.rand(3, 1, *SHAPE, generator=generator()) > 0.6
    found = identifiability(Inpainting(masks), Shift(), generator())
    # Three masks together see 1 - 0.6^3.
    assert found.alone == pytest.approx(0.784, abs=0.04) and found.share > 0.97


def test_fan_beams_are_seen_like_parallel_ones() -> None:
    """The inverse of a fan beam is not quite symmetric; detail has to count all the same."""
    angles = np.arange(10) * 2 * np.pi / 10
    fan = FanBeam((32, 32), angles, source_distance=100.0, detector_distance=50.0)
    beam = ParallelBeam((32, 32), np.arange(10) * np.pi / 10)
    found = [identifiability(p, Rotate(), generator(), steps=12) for p in (fan, beam)]
    assert all(one.helps for one in found)
    assert found[0].share == pytest.approx(found[1].share, abs=0.15)
    counts = identifiability(Transmission(beam), Rotate(), generator(), steps=12)
    assert counts.share == found[1].share


def test_volumes_are_offered_turns_about_any_axis() -> None:
    psf = np.zeros((9, 3, 3))
    psf[:, 1, 1] = np.exp(-0.5 * (np.arange(-4, 5) / 2.0) ** 2)
    physics = Blur(psf / psf.sum(), (12, 12, 12), boundary="circular")
    found = identifiability(
        physics, Shift(), generator(), weighting="adjoint", probes=2, actions=6, steps=12
    )
    assert not found.helps and found.proposal == "rotate-3d"


def test_it_repeats_itself_and_tells_how_far_it_is() -> None:
    a, b = (identifiability(holes(), Scale(), generator(3), propose=False) for _ in range(2))
    assert a == b
    ticks = list(identifiability_steps(holes(), Shift(), generator(), propose=False))
    assert len(ticks) > 20 and all(0 <= done <= total for done, total in ticks)


class Squared(Dense):
    linear = False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 2.0}, "threshold between 0 and 1"),
        ({"steps": 0}, "1 or more"),
        ({"support": torch.ones(3, 3)}, "does not fit images"),
        ({"support": torch.zeros(SHAPE)}, "empty"),
    ],
)
def test_bad_parameters_are_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        identifiability(holes(), Shift(), generator(), **change)  # type: ignore[arg-type]


def test_operators_that_do_not_fit_are_told() -> None:
    with pytest.raises(InputError, match="not linear"):
        identifiability(Squared(torch.ones(1, N * N)), Shift(), generator())

    class Lopsided(Dense):
        def A_dagger(self, y: Tensor) -> Tensor:
            return self.A_adjoint(y).roll(1, -1)

    lopsided = Lopsided(torch.eye(N * N))
    with pytest.raises(InputError, match="not symmetric"):
        identifiability(lopsided, Shift(), generator(), weighting="inverse")
    assert identifiability(lopsided, Shift(), generator()).share == pytest.approx(1.0)
