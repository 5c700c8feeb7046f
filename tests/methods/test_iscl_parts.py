"""The parts of ISCL: domains, matching, the model of the noise, noise that is taken over."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl import _problem
from napari_selfsup_recon.methods.iscl._answer import Answer, Rescaled, best_share
from napari_selfsup_recon.methods.iscl._bank import transplant
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._matching import match
from napari_selfsup_recon.methods.iscl._noise_fit import fit_noise
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel, Spoiler
from napari_selfsup_recon.methods.iscl._players import repaired_players
from napari_selfsup_recon.methods.iscl._same import without_copies
from napari_selfsup_recon.methods.iscl._spectra import BANDS, bands, in_bands, power
from napari_selfsup_recon.methods.iscl._trainee import ISCLTrainee
from napari_selfsup_recon.methods.iscl.options import ISCLOptions


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 100


def model(added: float, gained: float, side: int = 64) -> NoiseModel:
    """White noise of given variances."""
    flat = np.ones(BANDS)
    return NoiseModel(
        -2.0, np.log(added + 1e-9) * flat, np.log(gained + 1e-9) * flat, np.ones((side, side))
    )


def test_the_power_spectrum_adds_up_to_the_variance() -> None:
    windows = np.random.default_rng(0).standard_normal((200, 32, 32)) * 3
    spectrum = power(windows)
    assert spectrum.mean() == pytest.approx(9, rel=0.02)
    weights = bands(32)
    np.testing.assert_allclose(weights.sum(0), 1)
    np.testing.assert_allclose(in_bands(spectrum, weights)[2:], 9, rtol=0.1)


def test_g_makes_the_noise_of_its_model_and_draws_anew() -> None:
    clean = torch.ones(6, 1, 64, 64) * torch.tensor([-2.0, 0.0, 2.0]).repeat(2)[:, None, None, None]
    spoil = Spoiler(model(0.25, 0.04))
    one, other = (spoil(clean, torch_generator(seed)).detach() for seed in (0, 1))
    assert not torch.equal(one, other)
    assert torch.equal(one, spoil(clean, torch_generator(0)).detach())
    expected = model(0.25, 0.04).deviation(clean[:3, 0, 0, 0])
    noise = (one - clean).flatten(1).std(dim=1)
    torch.testing.assert_close(noise[:3], expected, rtol=0.15, atol=0)
    made = model(0.25, 0.04).apply(
        clean[:, 0].double().numpy(),
        np.fft.rfft2(np.random.default_rng(0).standard_normal((2, 6, 64, 64))),
    )
    np.testing.assert_allclose((made - clean[:, 0].numpy()).std((1, 2))[:3], expected, rtol=0.15)


@pytest.mark.parametrize(("added", "gained"), [(0.3, 0.0), (0.0, 0.05)])
def test_the_fit_finds_how_strong_the_noise_is_and_of_what_kind(
    added: float, gained: float
) -> None:
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(0)
    rough = gaussian_filter(random.standard_normal((48, 64, 64)), (0, 5, 5), mode="wrap")
    scenes = np.tanh(3 * rough / rough.std())
    clean, other = scenes[:24], scenes[24:]
    white = np.fft.rfft2(random.standard_normal((2, *other.shape)))
    true = NoiseModel(
        -1.0, *(np.log(v + 1e-9) * np.ones(BANDS) for v in (added, gained)), np.ones((64, 64))
    )
    found, misfit = exhaust(fit_noise(clean, true.apply(other, white), 0))
    made = found.apply(clean, np.fft.rfft2(random.standard_normal((2, *clean.shape))))
    wanted = true.apply(clean, np.fft.rfft2(random.standard_normal((2, *clean.shape))))
    assert np.var(made - clean) == pytest.approx(np.var(wanted - clean), rel=0.3)
    dark = clean < -0.8
    ratios = [np.var((x - clean)[dark]) / np.var((x - clean)[clean > 0.8]) for x in (made, wanted)]
    # Noise that is added is as strong in the dark; gain is not there.
    assert (ratios[0] > 0.45) == (added > 0)
    assert misfit < 0.5


def test_the_fit_finds_the_grey_value_without_signal() -> None:
    """Where gain does nothing; the clean images need not show it."""
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(0)
    rough = gaussian_filter(random.standard_normal((96, 64, 64)), (0, 3, 3), mode="wrap")
    scenes = np.tanh(2 * rough / rough.std())
    clean, other = scenes[:48], scenes[48:]
    white = np.fft.rfft2(random.standard_normal((2, *other.shape)))
    powers = (np.log(v) * np.ones(BANDS) for v in (1e-3, 0.04))
    true = NoiseModel(-2.2, *powers, np.ones((64, 64)))
    found, _ = exhaust(fit_noise(clean, true.apply(other, white), 0))
    assert found.floor == pytest.approx(true.floor, abs=0.4)


def test_direction_of_the_noise_is_seen() -> None:
    streaks = np.ones((64, 64))
    streaks[:, 1:] = 0.01
    flat = np.zeros(BANDS)
    assert model(1, 0).isotropic
    assert not NoiseModel(0.0, flat, flat - 20, streaks).isotropic


def test_crops_lie_in_their_rows_and_show_something() -> None:
    stacks = images(1, 3, 80, 70)
    stacks[0, :, :, 35:] = 5.0
    domain = Domain(stacks, 16, seed=0, name="clean", below=0.25)
    assert domain.rows == 60
    generator = torch_generator(0)
    places = [domain.draw(generator, 1.0) for _ in range(200)]
    assert {z for _, z, _, _ in places} == {0, 1, 2}
    assert all(row + 16 <= 60 and column + 16 <= 70 for _, _, row, column in places)
    shows = [float(domain.at(place, 0).var()) > 0 for place in places]
    assert sum(shows) > 0.95 * len(shows)
    anywhere = [float(domain.at(domain.draw(generator, 0.0), 0).var()) > 0 for _ in range(200)]
    assert sum(anywhere) < 0.9 * len(anywhere)
    held_out = domain.below(20, 0)
    assert all(row == 64 for _, _, row, _ in held_out)
    assert len(domain) == 3 * 6 * 7


def test_neighbours_are_mirrored_at_the_ends_of_a_stack() -> None:
    stacks = torch.arange(4.0)[None, :, None, None] + images(1, 1, 20, 20) / 1000
    domain = Domain(stacks, 16, seed=0, name="noisy")
    seen = [domain.at([0, z, 0, 0], 2)[:, 0, 0].round().tolist() for z in (0, 1, 3)]
    assert seen == [[2, 1, 0, 1, 2], [1, 0, 1, 2, 3], [1, 2, 3, 2, 1]]
    single = Domain(images(1, 1, 20, 20), 16, seed=0, name="noisy")
    assert torch.equal(*single.at([0, 0, 0, 0], 1)[:2])


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 40), st.integers(3, 40))
def test_images_smaller_than_a_crop_are_continued(rows: int, columns: int) -> None:
    stacks = images(1, 1, rows, columns)
    domain = Domain(stacks, 24, seed=0, name="noisy")
    assert min(domain.stacks.shape[-2:]) >= 24
    place = domain.draw(torch_generator(1), 0.5)
    assert domain.at(place, 0).shape == (1, 24, 24)
    assert bool(torch.isin(domain.stacks, stacks).all())


def test_constant_and_unwanted_slices_are_left_out() -> None:
    stacks = images(2, 3, 20, 20)
    stacks[0, 1] = 4.0
    use = torch.tensor([[True, True, True], [True, False, False]])
    domain = Domain(stacks, 16, seed=0, name="clean", use=use)
    assert domain.slices == [[0, 0], [0, 2], [1, 0]]
    with pytest.raises(InputError, match="constant"):
        Domain(torch.ones(1, 2, 20, 20), 16, seed=0, name="clean")


def test_domains_that_are_alike_keep_one_scale() -> None:
    clean = images(1, 4, 40, 40)
    ours, theirs, warning = match(clean, clean + images(1, 4, 40, 40, seed=1) - 50, "auto")
    assert (ours, warning) == (theirs, "")
    assert float(ours.apply(clean).mean()) == pytest.approx(0, abs=1e-4)
    assert float(ours.apply(clean).std()) == pytest.approx(1, rel=1e-3)


def test_domains_that_differ_are_matched_with_a_warning() -> None:
    clean = images(1, 4, 40, 40)
    noisy = 4 * images(1, 4, 40, 40, seed=1) + 300
    ours, theirs, warning = match(clean, noisy, "auto")
    assert "brighter" in warning
    scaled = theirs.apply(noisy)
    assert float(scaled.median()) == pytest.approx(float(ours.apply(clean).median()), abs=0.1)
    assert float(scaled.std()) == pytest.approx(1, rel=0.15)
    torch.testing.assert_close(theirs.invert(scaled), noisy)
    assert match(clean, noisy, "off")[0] == match(clean, noisy, "off")[1]
    with pytest.raises(InputError, match="bit depth"):
        match(clean, 256 * noisy, "auto")
    assert match(clean, 256 * noisy, "on")[2]


def test_slices_of_both_domains_are_found() -> None:
    stacks = images(1, 5, 8, 8)
    use, count = without_copies(stacks, stacks[:, 1:3].clone())
    assert use.tolist() == [[True, False, False, True, True]]
    assert count == 2
    with pytest.raises(InputError, match="themselves"):
        without_copies(stacks[:, :1], stacks)


def test_noise_that_is_taken_over_follows_the_grey_value() -> None:
    bank = torch.randn(4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    gain = model(0.0, 0.04, 48)
    dark, bright = (
        transplant(bank, torch.full((8, 3, 32, 32), level), gain, torch_generator(0)) - level
        for level in (0.0, 6.0)
    )
    assert float(bright.std() / dark.std()) == pytest.approx(4, rel=0.02)
    assert torch.equal(dark[0] * 0, torch.zeros(3, 32, 32))
    same = transplant(bank, torch.zeros(8, 3, 32, 32), gain, torch_generator(0))
    torch.testing.assert_close(same, dark)


def test_the_mixture_is_the_best_one() -> None:
    truth = images(2, 1, 8, 8)
    one, other = truth + 3, truth - 1
    assert best_share(one, other, truth) == pytest.approx(0.25, abs=1e-5)
    assert best_share(one, one, truth) == 0.5
    assert best_share(truth, other, truth) == pytest.approx(1)


def test_repaired_players_begin_near_the_image_and_differ_by_seed() -> None:
    noise = model(0.1, 0.0)
    players = repaired_players(3, 2, noise, torch_generator(0))
    x = images(2, 3, 32, 32) / 50 - 1
    with torch.no_grad():
        one, other = Answer.of(players).branches(x)
    assert one.shape == other.shape == (2, 1, 32, 32)
    assert float((one - x[:, 1:2]).square().mean()) < 0.1
    again = repaired_players(3, 2, noise, torch_generator(0))
    for value, same in zip(players.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(value, same)


def test_published_networks_are_given_what_they_expect() -> None:
    seen: list[torch.Tensor] = []

    class Spy(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return x

    x = images(1, 1, 13, 18) / 25 + 3
    image = Rescaled(Spy(), 2.0, 5.0, image=True)(x)
    torch.testing.assert_close(image, x)
    assert seen[0].shape == (1, 1, 16, 20)
    assert float(seen[0].abs().max()) <= 1
    noise = Rescaled(Spy(), 2.0, 5.0, image=False)(x)
    torch.testing.assert_close(noise, x - 5)


def test_one_step_moves_all_players() -> None:
    noise = model(0.1, 0.0, 48)
    domains = [
        Domain(images(1, 2, 48, 48, seed=s) / 30 - 1.5, 32, seed=0, name="x") for s in (0, 1)
    ]
    crops = torch.stack([domains[0].at(p, 0) for p in domains[0].below(2, 0)])
    pairs = _problem.Pairs(crops + 0.1, crops)
    problem = _problem.Problem(*domains, noise, 0.0, 0, pairs, pairs)
    options = ISCLOptions(
        steps=4, warm_up=0.0, persuasion=1.0, width=2, batch=4, crop=32, device="cpu"
    )
    for part in ("clean_critic", "spoiler", "denoiser", "extractor"):
        trainee = ISCLTrainee(
            problem, options, build=lambda n: repaired_players(1, 2, noise, torch_generator(n))
        )
        trainee.begin(0)
        before = [p.detach().clone() for p in getattr(trainee.players, part).parameters()]
        exhaust(cast(Any, trainee.step(0)))
        after = list(getattr(trainee.players, part).parameters())
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), part
        assert all(p.requires_grad for p in trainee.players.critics)
