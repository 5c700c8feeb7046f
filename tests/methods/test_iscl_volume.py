"""Denoising with clean examples in 3D: networks that see blocks, critics that see slices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_selfsup_recon import ISCL, Identity, ISCLOptions, load
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl import _answers, _bank, _noise_fit, _problem
from napari_selfsup_recon.methods.iscl._answer import Answer
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel
from napari_selfsup_recon.methods.iscl._players import volume_players
from napari_selfsup_recon.methods.iscl._problem import Pairs, Problem
from napari_selfsup_recon.methods.iscl._slices import central, plane_axis, planes
from napari_selfsup_recon.methods.iscl._spectra import BANDS
from napari_selfsup_recon.methods.iscl._trainee import ISCLTrainee
from napari_selfsup_recon.methods.iscl._volume import volume_pair
from napari_selfsup_recon.methods.ssi._symmetry import orientations
from napari_selfsup_recon.metrics import psnr
from napari_selfsup_recon.simulate import correlated_noise

SMALL = {"dimensions": "3D", "width": 4, "crop": 32, "depth": 8, "batch": 8, "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_noise_fit, "_ROUNDS", 1)
        patch.setattr(_problem, "_WINDOWS", 48)
        patch.setattr(_problem, "_SCORED", 4)
        patch.setattr(_bank, "_FIELDS", 4)
        torch.set_num_threads(1)
        yield


def blobs(depth: int, seed: int, side: int = 48) -> np.ndarray[Any, Any]:
    """Blobs with sharp edges that go on through several slices, 50 to 150."""
    draw = np.random.default_rng(seed).standard_normal((depth, side, side))
    smooth = gaussian_filter(draw, (3, 4, 4), mode="wrap")
    return (100 + 50 * np.tanh(6 * smooth / smooth.std())).astype(np.float32)


CLEAN, TRUTH = blobs(16, 0), blobs(14, 1)
NOISY = correlated_noise(TRUTH, strength=0.8, grain=0.8, seed=2)


@pytest.fixture(scope="module")
def trained() -> ISCL:
    options = ISCLOptions(**(SMALL | {"steps": 75, "batch": 4, "learning_rate": 6e-3}))
    method = ISCL(Identity(NOISY.shape), options)
    method.fit(NOISY, clean=CLEAN, progress=False)
    return method


def test_noise_that_neighbours_share_is_taken_out(trained: ISCL) -> None:
    before = psnr(TRUTH, NOISY)
    made = trained.reconstruct(NOISY)
    assert made.shape == NOISY.shape
    assert psnr(TRUTH, made) > before + 2.5
    assert 0 < trained.scores["reported"] < 0.5 * trained.scores["constant"]
    assert trained.scores["noise"] == pytest.approx(trained.scores["made"], rel=0.5)


def test_it_sees_more_than_the_neighbours(trained: ISCL) -> None:
    changed = NOISY.copy()
    changed[2] += 20
    one = trained.reconstruct(NOISY)
    other = trained.reconstruct(changed)
    differs = np.abs(other - one).max(axis=(1, 2)) > 0
    assert differs[:6].all()


def test_tiles_agree_with_the_whole_stack(trained: ISCL, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two turns will do; one of them exchanges y and x.
    monkeypatch.setattr(ISCL, "_turns", property(lambda _: orientations(3)[6:9:2]))
    whole = trained.reconstruct(NOISY)
    monkeypatch.setattr(_answers, "_BLOCK", (6, 24, 20))
    tiles = trained.reconstruct(NOISY)
    np.testing.assert_allclose(tiles, whole, atol=1e-3)  # of 100 grey values


def test_a_saved_model_gives_the_same_stack(trained: ISCL, tmp_path: Path) -> None:
    same = load(trained.save(tmp_path / "film.nsr"))
    np.testing.assert_array_equal(same.reconstruct(NOISY), trained.reconstruct(NOISY))


def test_it_takes_stacks_of_any_depth(trained: ISCL) -> None:
    shallow = list(trained.run(NOISY[:3, :33, :30]))[-1].result
    assert shallow.shape == (3, 33, 30)
    assert np.isfinite(shallow).all()


def test_networks_begin_near_the_image_and_see_all_slices() -> None:
    answer = Answer(*volume_pair(4, torch_generator(0)))
    x = torch.rand(2, 7, 21, 18, generator=torch_generator(1)) * 2 - 1
    with torch.no_grad():
        one, other = answer.branches(x)
    assert one.shape == other.shape == x.shape
    assert float((one - x).square().mean()) < 0.1
    count = sum(p.numel() for p in answer.parameters())
    assert count < 60_000


def test_blocks_hold_their_slice_and_wanted_ones_alone() -> None:
    stacks = torch.arange(12.0)[None, :, None, None] + torch.rand(1, 12, 32, 32) / 10
    use = torch.ones(1, 12, dtype=torch.bool)
    use[0, :4] = False
    domain = Domain(stacks, 16, seed=0, name="noisy", use=use)
    for _, z in domain.slices:
        block = domain.block([0, z, 0, 0], 4)
        assert block.shape == (4, 16, 16)
        found = [int(value) for value in block[:, 0, 0]]
        assert z in found
        assert min(found) >= 4
        assert found == list(range(found[0], found[0] + 4))
    # No four of them follow each other: others are taken, too.
    use[0, ::2] = False
    scattered = Domain(stacks, 16, seed=0, name="noisy", use=use)
    assert scattered.block([0, 11, 0, 0], 4).shape == (4, 16, 16)


def test_critics_see_slices_in_every_direction() -> None:
    block = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    assert torch.equal(planes(block)[4, 0], block[1, 1])
    assert torch.equal(planes(block, 2)[1, 0], block[0, :, 1])
    assert torch.equal(planes(block, 3)[1, 0], block[0, :, :, 1])
    single = block[:, :1]
    assert torch.equal(planes(single), single)
    assert torch.equal(central(block, 1), block[:, 1:2])
    assert torch.equal(central(block, 3), block)
    draws = {plane_axis("all", 8, torch_generator(n)) for n in range(20)}
    assert draws == {1, 2, 3}
    assert {plane_axis("xy", 8, torch_generator(0)), plane_axis("all", 0, torch_generator(0))} == {
        1
    }


def trainee(**more: Any) -> ISCLTrainee:
    flat = np.zeros(BANDS)
    noise = NoiseModel(0.0, flat - 2, flat - 20, np.ones((48, 48)))
    domains = [
        Domain(
            torch.rand(1, 10, 48, 48, generator=torch_generator(s)) * 3 - 1.5, 32, seed=0, name="x"
        )
        for s in (0, 1)
    ]
    crops = torch.stack([domains[0].block(p, 8) for p in domains[0].below(2, 0)])
    pairs = Pairs(crops + 0.1, crops)
    problem = Problem(*domains, noise, 0.0, 0, pairs, pairs, depth=8)
    options = ISCLOptions(**(SMALL | {"steps": 4, "warm_up": 0.0, "persuasion": 1.0} | more))
    made = ISCLTrainee(
        problem, options, build=lambda n: volume_players(4, noise, torch_generator(n))
    )
    made.begin(0)
    return made


def weights(made: ISCLTrainee) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in made.players.named_parameters()}


def moved(made: ISCLTrainee, before: dict[str, torch.Tensor]) -> set[str]:
    now = weights(made)
    return {name.split(".")[0] for name in now if not torch.equal(now[name], before[name])}


@pytest.mark.parametrize("seen", ["xy", "all"])
def test_each_step_moves_its_own_networks_alone(seen: str) -> None:
    made = trainee(critic_planes=seen)
    critics, others = {"noisy_critic", "clean_critic"}, {"denoiser", "spoiler", "extractor"}
    exhaust(cast(Any, made.step(0)))  # makes the bank
    before = weights(made)
    x = torch.rand(2, 8, 32, 32, generator=torch_generator(0))
    for axis in (1, 2, 3) if seen == "all" else (1,):
        made._judge(x, x + 1, x, x, x, torch_generator(0), axis)
    assert moved(made, before) == critics
    before = weights(made)
    made._movers.zero_grad(set_to_none=True)
    loss = made._loss(made._pairs(1, torch_generator(1)))
    loss.backward()
    made._movers.step()
    assert moved(made, before) == {"denoiser", "extractor"}
    before = weights(made)
    exhaust(cast(Any, made.step(1)))
    assert moved(made, before) == critics | others


@pytest.mark.parametrize("turn", [True, False])
def test_examples_are_turned_unless_told_otherwise(turn: bool) -> None:
    made = trainee(turn=turn)
    assert len(made._turns) == len(orientations(3)) == 16
    ramp = torch.arange(8.0)[:, None, None].expand(8, 32, 32)
    turned = [made._turned(ramp, torch_generator(n))[0, 0, 0].item() for n in range(20)]
    assert set(turned) == ({0.0, 7.0} if turn else {0.0})


def test_all_turns_leave_the_stack_where_it_is(trained: ISCL) -> None:
    assert len(trained._turns) == 8
    assert len({(t.transpose, t.flips) for t in trained._turns}) == 8
    x = torch.rand(4, 6, 6, generator=torch_generator(0))
    for turn in trained._turns:
        assert torch.equal(turn.undo(turn.apply(x)), x)


@pytest.mark.parametrize(
    ("noisy", "clean", "more", "message"),
    [
        (NOISY, CLEAN[:, None], {}, "clean examples have 1"),
        (NOISY[:3], CLEAN, {}, "noisy images have 3"),
        (NOISY[0], CLEAN, {}, "no third dimension"),
        (NOISY, CLEAN, {"players": "published"}, "see one slice"),
        (NOISY, CLEAN, {"neighbours": "none"}, "switched off"),
    ],
)
def test_what_cannot_work_in_3d_is_refused_before_any_work(
    noisy: np.ndarray[Any, Any], clean: np.ndarray[Any, Any], more: dict[str, Any], message: str
) -> None:
    method = ISCL(Identity(noisy.shape), ISCLOptions(**(SMALL | more)))
    with pytest.raises(InputError, match=message) as caught:
        next(iter(method.train(noisy, clean=clean)))
    assert "2D" in caught.value.hint
