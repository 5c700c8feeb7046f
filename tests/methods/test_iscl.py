"""Denoising with clean examples: it learns, resumes, is saved, and says what is wrong."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_selfsup_recon import ISCL, Blur, Identity, ISCLOptions, load
from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Notice, Step
from napari_selfsup_recon.methods.iscl import _noise_fit, _published_trainee
from napari_selfsup_recon.methods.iscl import method as module
from napari_selfsup_recon.metrics import psnr

pytestmark = pytest.mark.usefixtures("quick_noise_fit")

SMALL = {"steps": 6, "width": 2, "batch": 4, "crop": 32, "device": "cpu", "ensemble": False}


def textures(count: int, seed: int, side: int = 64) -> np.ndarray[Any, Any]:
    """Blobs with sharp edges, 50 to 150."""
    from scipy.ndimage import gaussian_filter

    draw = np.random.default_rng(seed).standard_normal((count + 4, side, side))
    smooth = gaussian_filter(draw, (1.5, 4, 4), mode="wrap")[2:-2]
    return (100 + 50 * np.tanh(6 * smooth / smooth.std())).astype(np.float32)


def grain(shape: tuple[int, ...], seed: int) -> np.ndarray[Any, Any]:
    """Gaussian noise of deviation 30 that neighbours share."""
    from scipy.ndimage import gaussian_filter

    draw = np.random.default_rng(seed).standard_normal(shape)
    smooth = gaussian_filter(draw, (0, 0.8, 0.8), mode="wrap")
    return (30 * smooth / smooth.std()).astype(np.float32)


CLEAN = textures(8, 0)
TRUTH = textures(6, 1)
NOISY = TRUTH + grain(TRUTH.shape, 2)


@pytest.fixture(scope="module")
def trained(quick_noise_fit: None) -> tuple[ISCL, list[Any]]:
    options = ISCLOptions(
        steps=150, width=4, batch=8, crop=32, device="cpu", learning_rate=6e-3, neighbours="none"
    )
    method = ISCL(Identity(NOISY.shape), options)
    events = list(method.train(NOISY, clean=CLEAN))
    return method, events


def test_both_branches_gain_and_their_mixture_two_decibels(
    trained: tuple[ISCL, list[Any]],
) -> None:
    method, _ = trained
    before = psnr(TRUTH, NOISY)
    assert psnr(TRUTH, method.reconstruct(NOISY)) > before + 2
    answer = method._current()
    share = answer.share
    for alone in (0.0, 1.0):
        answer.share = alone
        assert psnr(TRUTH, method.reconstruct(NOISY)) > before + 0.5
    answer.share = share


def test_it_tells_what_it_does(trained: tuple[ISCL, list[Any]]) -> None:
    method, events = trained
    steps = [e for e in events if isinstance(e, Step) and e.finished]
    assert [e.index for e in steps] == list(range(1, 151))
    assert isinstance(events[-1], Done)
    assert events[-1].reason in ("finished", "converged")
    assert any("held-out" in e.message for e in events if isinstance(e, Notice))
    scores = method.scores
    assert 0 < scores["reported"] < 0.6 * scores["constant"]
    assert scores["noise"] == pytest.approx(scores["made"], rel=0.5)
    assert scores["identity"] < scores["noise"]
    assert all(np.isfinite(value) for value in scores.values())


def test_a_saved_model_gives_the_same_image(
    trained: tuple[ISCL, list[Any]], tmp_path: Path
) -> None:
    method, _ = trained
    path = method.save(tmp_path / "film.nsr")
    same = load(path)
    assert isinstance(same, ISCL)
    np.testing.assert_array_equal(same.reconstruct(NOISY[:3]), method.reconstruct(NOISY[:3]))
    assert same.scores == method.scores
    assert same.best_step == method.best_step


def test_run_and_reconstruct_agree_and_leave_their_input(
    trained: tuple[ISCL, list[Any]],
) -> None:
    method, _ = trained
    before = NOISY.copy()
    *_, done = method.run(NOISY)
    np.testing.assert_array_equal(done.result, method.reconstruct(NOISY))
    np.testing.assert_array_equal(NOISY, before)
    assert done.result.dtype == np.float32


@pytest.mark.parametrize("more", [{"warm_up": 0.5, "persuasion": 0.01}, {"players": "published"}])
def test_the_same_seed_gives_the_same_weights_also_after_a_pause(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SIDE", 64)
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(
        _published_trainee.PublishedTrainee.__init__, "__kwdefaults__", {"batch": 2}
    )
    steps = {"steps": 2} if "players" in more else {}
    options = ISCLOptions.model_validate(SMALL | steps | more)
    one, other = (ISCL(Identity(NOISY.shape), options) for _ in range(2))
    middle: Any = None
    for event in one.train(NOISY, clean=CLEAN):
        if isinstance(event, Step) and event.finished and event.index == options.steps - 1:
            assert one._loop is not None
            middle = one._loop.state()
    for _ in other.train(NOISY, clean=CLEAN, state=middle):
        pass
    weights = [method.state()[1] for method in (one, other)]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][name], err_msg=name)


def test_it_sees_the_neighbours_in_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_noise_fit, "_ROUNDS", 0)
    method = ISCL(Identity(NOISY.shape), ISCLOptions(**SMALL))
    events = method.train(NOISY, clean=CLEAN)
    for event in events:
        if isinstance(event, Step) and event.finished:
            break
    events.close()  # what was learned so far can be used
    changed = NOISY.copy()
    changed[3] += 10
    image, other = method.reconstruct(NOISY), method.reconstruct(changed)
    differs = [not np.array_equal(a, b) for a, b in zip(image, other, strict=True)]
    assert differs == [False, False, True, True, True, False]


def test_images_need_no_stack_and_any_size_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_noise_fit, "_ROUNDS", 0)
    noisy, clean = NOISY[:, :61, :50], CLEAN[:, :47, :]
    method = ISCL(Identity(noisy.shape[1:]), ISCLOptions(**SMALL))
    *_, last = method.train(noisy, clean=clean)
    assert isinstance(last, Done)
    assert method.reconstruct(noisy).shape == noisy.shape
    wide = method.run(np.pad(noisy[0], ((0, 9), (0, 3))))
    assert list(wide)[-1].result.shape == (70, 53)


def test_clean_slices_of_the_stack_are_not_taken_for_noisy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_noise_fit, "_ROUNDS", 0)
    stack = np.concatenate([CLEAN, NOISY])
    method = ISCL(Identity(stack.shape), ISCLOptions(**SMALL))
    events = method.train(stack, clean=stack[:8])
    first = next(events)
    assert isinstance(first, Notice)
    assert first.message.startswith("8 slices are clean examples")
    events.close()


def test_it_denoises_and_nothing_else() -> None:
    with pytest.raises(InputError, match="denoises"):
        ISCL(Blur(np.ones((3, 3)) / 9, (64, 64)))
    with pytest.raises(InputError, match="not trained"):
        ISCL(Identity((64, 64))).reconstruct(NOISY[0])


@pytest.mark.parametrize(
    ("noisy", "clean", "options", "message"),
    [
        (NOISY, None, {}, "needs clean examples"),
        (NOISY, np.empty((0, 64, 64)), {}, "needs clean examples"),
        (NOISY, NOISY, {}, "are the noisy images themselves"),
        (NOISY, np.full((4, 64, 64), 7.0), {}, "constant"),
        (NOISY, CLEAN[:1, :40, :40], {}, "crops of 32 x 32"),
        (NOISY, CLEAN * 100, {}, "another bit depth"),
        (NOISY, CLEAN * np.nan, {}, "NaN"),
        (NOISY[0], CLEAN, {"neighbours": "both"}, "no neighbouring slices"),
        (NOISY, CLEAN, {"neighbours": "both", "players": "published"}, "see one slice"),
        (NOISY[0][None, :16], CLEAN, {"crop": 32}, "for images of shape"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    noisy: np.ndarray[Any, Any], clean: Any, options: dict[str, Any], message: str
) -> None:
    shape = NOISY.shape if noisy.ndim == 3 and noisy.shape[1] != 64 else noisy.shape
    method = ISCL(Identity(shape), ISCLOptions.model_validate(SMALL | options))
    events: list[Any] = []
    with pytest.raises(InputError, match=message) as caught:
        events.extend(method.train(noisy, clean=clean))
    assert not [e for e in events if isinstance(e, Step) and e.finished]
    assert caught.value.hint


def test_examples_of_other_things_are_told_before_training() -> None:
    rows, columns = np.mgrid[:64, :64]
    bright = 250.0 * (np.hypot(rows - 32, columns - 32) < 12).astype(np.float32)
    options = ISCLOptions(steps=2, crop=32, width=2, batch=2, device="cpu", match="off")
    told: dict[bool, list[str]] = {}
    for other in (False, True):
        noisy = NOISY[:, :64, :64] + bright * other
        method = ISCL(Identity(noisy.shape), options)
        events = method.train(noisy, clean=CLEAN[:, :64, :64])
        before = itertools.takewhile(lambda e: getattr(e, "name", "") != "Training", events)
        told[other] = [e.message for e in before if isinstance(e, Notice) and e.level == "warning"]
    assert not any("other things" in message for message in told[False])
    assert any("other things" in message for message in told[True])
