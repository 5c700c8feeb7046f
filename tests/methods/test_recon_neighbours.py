"""Slices seen with their neighbours (2.5D): slabs, what is held out, and the methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Checkpoint, Done, Step
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.io.models import load
from napari_selfsup_recon.methods import EI, REI, SIAM, Supervised
from napari_selfsup_recon.methods._recon._held_out import draw_sets, fewest_slices
from napari_selfsup_recon.methods._recon._method import ReconstructionMethod
from napari_selfsup_recon.methods._recon._partial import draw_split
from napari_selfsup_recon.methods._recon._slab import Slab, behind, gathered, scattered, slabs_of
from napari_selfsup_recon.methods.trust import companions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.identity import Identity
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.noise import Gaussian, Noise
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam

SIDE = 16
QUICK: dict[str, Any] = {
    "width": 4,
    "iterations": 1,
    "solver_steps": 3,
    "steps": 2,
    "batch": 2,
    "device": "cpu",
    "start": "inverse",
}
KINDS: tuple[type[ReconstructionMethod], ...] = (EI, REI, SIAM, Supervised)


def make(
    kind: type[ReconstructionMethod],
    physics: Physics,
    *,
    noise: Noise | None = None,
    **options: Any,
) -> Any:
    chosen = kind.options_type(**(QUICK | {"neighbours": "both"} | options))
    return kind(physics, chosen, noise=noise)  # type: ignore[arg-type]


def stack(count: int) -> np.ndarray:
    """A disc that moves a little from slice to slice."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    discs = [np.hypot(rows - 0.2 * n, columns + 0.1 * n) < 5 for n in range(count)]
    return np.stack(discs).astype(np.float32)


def masks(count: int, share: float = 0.6) -> np.ndarray:
    return np.random.default_rng(0).random((count, 1, SIDE, SIDE)) < share


def scan() -> ParallelBeam:
    return ParallelBeam((SIDE, SIDE), np.arange(9) * np.pi / 9)


def measured(physics: Physics, images: np.ndarray) -> np.ndarray:
    return physics.A(torch.from_numpy(images)[:, None])[:, 0].numpy()


def shaken(method: Any) -> Any:
    """Return a method with weights that show what its network looks at."""
    generator = torch.Generator().manual_seed(0)
    method._model = method._current()
    with torch.no_grad():
        for weight in method._model.net.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return method


@given(st.integers(1, 3), st.integers(3, 40), st.sampled_from((0.05, 0.1, 0.5)), st.integers(0, 9))
def test_held_out_slabs_share_no_slice_with_those_learned_from(
    stacks: int, length: int, share: float, seed: int
) -> None:
    slabs = slabs_of(stacks * length, length, 3)
    assert len(slabs) == stacks * (length - 2)
    assert all(slab[0] // length == slab[-1] // length for slab in slabs)
    sets = draw_sets(len(slabs), share, seed, stack=length, slab=3)
    if sets is None:
        assert stacks * (length // 3) < 4
        return
    seen = [{number for item in items for number in slabs[item]} for items in sets]
    assert all(sets)
    assert not seen[0] & seen[1]
    assert not (seen[0] | seen[1]) & seen[2]
    assert len(seen[0]) == 3 * len(sets[0])
    assert len(seen[2]) >= stacks * length - len(seen[0] | seen[1]) - 2 * (1 + 2 * len(sets[0]) * 2)


def test_the_default_draws_what_it_always_drew() -> None:
    assert not {"2.5D", "both"} & {kind.options_type().neighbours for kind in KINDS}  # type: ignore[attr-defined]
    order = torch.randperm(20, generator=torch_generator(3, "held out")).tolist()
    expected = sorted(order[:1]), sorted(order[1:2]), sorted(order[2:])
    assert draw_sets(20, 0.1, 3) == expected
    assert draw_sets(5, 0.1, 3) is None
    hidden = draw_split(
        Identity((4, 5)), torch.zeros(2, 1, 4, 5), 0.3, torch.Generator().manual_seed(1)
    )
    plain = torch.rand((4, 5), generator=torch.Generator().manual_seed(1)) < 0.3
    assert torch.equal(hidden, plain.float()[None, None])


def test_slices_become_slabs_and_slices_again() -> None:
    values = torch.randn(10, 1, 4, 3)
    slabs = gathered(values, 5, 3)
    assert slabs.shape == (6, 3, 4, 3)
    for slab, members in zip(slabs, slabs_of(10, 5, 3), strict=True):
        assert torch.equal(slab, values[list(members), 0])
    one = gathered(values, 10, 3)
    assert one.data_ptr() == values.data_ptr()
    assert torch.equal(scattered([slab[None] for slab in one]), values)
    assert torch.equal(scattered([one[:1]]), values[:3])


def test_a_slab_of_operators_is_each_of_them_in_its_place() -> None:
    physics = Inpainting(masks(6))
    slab = behind(physics, slabs_of(6, 6, 3))
    assert isinstance(slab, Slab)
    x = torch.randn(4, 3, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    for n in range(4):
        own, slices = physics.at(range(n, n + 3)), x[n][:, None]
        assert torch.equal(slab.A(x)[n], own.A(slices)[:, 0])
        observed = slab.at([n]).observed(x[n : n + 1])
        assert observed is not None
        assert torch.equal(observed[0], own.observed(slices)[:, 0])
    y = torch.randn_like(x)
    product = (slab.A(x) * y).sum()
    assert torch.allclose(product, (x * slab.A_adjoint(y)).sum())
    assert torch.equal(torch.autograd.grad(product, x)[0], slab.A_adjoint(y))
    with pytest.raises(InputError, match="3 channels"):
        slab.A(x[:, :1])
    shared = scan()
    assert behind(shared, slabs_of(6, 6, 3)) is shared


def test_what_is_hidden_differs_from_slice_to_slice_as_what_is_missing_does() -> None:
    generator = torch.Generator().manual_seed(0)
    like = torch.zeros(2, 3, SIDE, SIDE)
    own = draw_split(behind(Inpainting(masks(4)), slabs_of(4, 4, 3)), like, 0.5, generator)
    assert own.shape == like.shape
    assert not torch.equal(own[:, 0], own[:, 1])
    shared = draw_split(Inpainting(masks(1)[0, 0]), like, 0.5, generator)
    assert shared.shape == (1, 1, SIDE, SIDE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own", [False, True])
def test_it_learns_from_a_stack_and_changes_no_input(
    kind: type[ReconstructionMethod], own: bool
) -> None:
    physics: Physics = Inpainting(masks(13)) if own else scan()
    images = stack(13)
    y = measured(physics, images)
    kept = y.copy()
    method = make(kind, physics, noise=Gaussian(0.02))
    events = list(method.train(y, clean=images if kind is Supervised else None))
    assert isinstance(events[-1], Done)
    image = method.reconstruct(y)
    assert image.shape == (13, SIDE, SIDE)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert np.array_equal(y, kept)
    assert set(method.scores) == {"chosen", "reported", "constant"}
    # Any three slices say the same of their middle one, and the outermost three of the ends.
    for first, number in ((0, 0), (4, 5), (10, 12)):
        three = range(first, first + 3)
        part = method._with(physics.at(three)) if own else method
        (done,) = (e for e in part.run(y[first : first + 3]) if isinstance(e, Done))
        assert np.array_equal(done.result[number - first], image[number])
    out = np.empty_like(image)
    assert method.reconstruct(y, out=out) is out
    assert np.array_equal(out, image)
    assert torch.equal(method.reconstruct(torch.from_numpy(y)), torch.from_numpy(image))


def test_few_slices_lose_entries_and_stacks_stay_apart() -> None:
    physics = scan()
    y = measured(physics, stack(8)).reshape(2, 4, 9, -1)
    method = shaken(make(EI, physics, network="unet").fit(y, progress=False))
    image = method.reconstruct(y)
    assert image.shape == (2, 4, SIDE, SIDE)
    assert np.array_equal(method.reconstruct(y[1]), image[1])
    lone = method.reconstruct(y[0, :3])
    assert np.array_equal(lone[1], image[0, 1])
    assert not np.array_equal(lone[2], image[0, 2])  # an end of three slices, not of four


def test_the_neighbours_are_seen() -> None:
    physics = Inpainting(masks(13))
    y = measured(physics, stack(13))
    method = shaken(make(EI, physics).fit(y, progress=False))
    model = method._current()
    given = torch.from_numpy(y[3:6])[None].requires_grad_()
    centre = model(given, behind(physics, [range(3, 6)]))[0, 1]
    (slopes,) = torch.autograd.grad(centre.sum(), given)
    assert all(float(slopes[0, n].abs().max()) > 0 for n in range(3))


def test_like_slices_are_better_seen_together() -> None:
    images = np.repeat(stack(1), 12, axis=0)
    physics = Inpainting(masks(12, 0.5))
    noise = Gaussian(0.2)
    clean = torch.from_numpy(measured(physics, images))
    y = noise.sample(clean, torch.Generator().manual_seed(0)).numpy()
    y = np.ascontiguousarray(y * physics.mask[:, 0])
    error = {}
    for neighbours in ("none", "both"):
        options: dict[str, Any] = {"neighbours": neighbours, "alpha": 0.0, "steps": 1}
        method = make(REI, physics, noise=noise, start="total-variation", **options)
        image = method.fit(y, progress=False).reconstruct(y)
        error[neighbours] = float(np.mean((image - images) ** 2))
    assert error["both"] < 0.85 * error["none"]
    assert method._facts["units"]["between"] > 0


def test_a_saved_model_reconstructs_the_same(tmp_path: Any) -> None:
    physics = scan()
    y = measured(physics, stack(6))
    method = make(SIAM, physics, noise=Gaussian(0.02)).fit(y, progress=False)
    same = load(method.save(tmp_path / "stack"))
    assert same.slab == 3
    assert same.options == method.options
    assert np.array_equal(same.reconstruct(y), method.reconstruct(y))
    assert np.array_equal(same.disagreement(y), method.disagreement(y))


def test_resuming_from_a_checkpoint_is_bit_exact() -> None:
    physics = scan()
    y = measured(physics, stack(12))
    options: dict[str, Any] = {"steps": 102, "batch": 1, "width": 2, "solver_steps": 1}
    through, resumed = (make(Supervised, physics, **options) for _ in range(2))
    states = [e.state for e in through.train(y, clean=stack(12)) if isinstance(e, Checkpoint)]
    more = [e for e in resumed.train(y, clean=stack(12), state=states[-1]) if isinstance(e, Step)]
    assert more
    assert np.array_equal(resumed.reconstruct(y), through.reconstruct(y))


def test_twins_and_companions_of_stacks() -> None:
    physics = Inpainting(masks(1)[0, 0])
    y = measured(physics, stack(8)).reshape(2, 4, SIDE, SIDE)
    method = make(SIAM, physics, noise=Gaussian(0.02)).fit(y, progress=False)
    first, second = method.twins(y)
    assert first.shape == second.shape == y.shape
    assert np.array_equal(method.twins(y[1])[1], second[1])
    found = companions(method, y, draws=1)
    assert np.array_equal(found.image, method.reconstruct(y))
    assert found.spread.shape == y.shape
    own = Inpainting(masks(12))
    many = measured(own, stack(12))
    method = make(SIAM, own).fit(many, progress=False)
    assert method.disagreement(many).shape == many.shape


def test_what_has_no_neighbours_is_refused_with_the_way_out() -> None:
    mask = np.ones((SIDE, SIDE))
    mask[::3] = 0
    with pytest.raises(InputError, match="complex") as failure:
        make(EI, MRI(mask))
    assert "neighbours to none" in failure.value.hint
    with pytest.raises(InputError, match="whole volumes"):
        make(REI, Inpainting(masks(4)[:, 0]))
    method = make(EI, scan())
    y = measured(scan(), stack(4))
    with pytest.raises(InputError, match="A single slice") as failure:
        next(method.train(y[0]))
    assert "at least 3 slices" in failure.value.hint
    with pytest.raises(InputError, match="The 2 slices"):
        next(method.train(y[:2]))
    with pytest.raises(InputError, match="not trained"):
        method.reconstruct(y)
    method.fit(y, progress=False)
    with pytest.raises(InputError, match="A single slice"):
        method.reconstruct(y[0])
    with pytest.raises(InputError, match="One stack is expected, but 2"):
        next(method.run(np.stack([y, y])))
    with pytest.raises(InputError, match=f"{fewest_slices(3)} of them"):
        next(make(SIAM, Inpainting(masks(9))).train(stack(9) * masks(9)[:, 0]))
    with pytest.raises(InputError, match="at least 12 pairs"):
        next(make(Supervised, scan()).train(y, clean=stack(4)))
    own = make(EI, Inpainting(masks(4))).fit(stack(4) * masks(4)[:, 0], progress=False)
    with pytest.raises(InputError, match="operators for 4 images, but 3"):
        own.reconstruct(stack(3))
