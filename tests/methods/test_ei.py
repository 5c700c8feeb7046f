"""EI, REI and Supervised end to end on tiny problems."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Checkpoint, Done, Notice, Step
from napari_selfsup_recon.io.models import load
from napari_selfsup_recon.methods import (
    EI,
    METHODS,
    REI,
    EIOptions,
    REIOptions,
    Supervised,
    SupervisedOptions,
)
from napari_selfsup_recon.methods._recon._method import ReconstructionMethod
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.noise import Gaussian, Noise, Poisson, PoissonGaussian
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam
from napari_selfsup_recon.physics.transmission import Transmission

QUICK: dict[str, Any] = {
    "width": 4,
    "iterations": 2,
    "solver_steps": 3,
    "learning_rate": 2e-3,
    "device": "cpu",
    "start": "inverse",
}
SIDE = 16


def discs(count: int, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """Slices of discs, in [0, 1]."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    images = np.zeros((count, side, side), np.float32)
    for image in images:
        image += 0.4 * (np.hypot(rows, columns) < 0.42 * side)
        for _ in range(4):
            row, column = random.uniform(-0.25, 0.25, 2) * side
            image += random.uniform(-0.2, 0.3) * (
                np.hypot(rows - row, columns - column) < random.uniform(0.06, 0.16) * side
            )
    return images.clip(0, 1)


def sparse_view(views: int = 8, side: int = SIDE) -> ParallelBeam:
    return ParallelBeam((side, side), np.arange(views) * np.pi / views)


def measured(physics: Physics, images: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(images)
    x = x[:, None] if physics.channels is None else x
    y = physics.A(x).numpy()
    return y[:, 0] if physics.channels is None else y


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((image - truth) ** 2)))


def make(kind: type[ReconstructionMethod], physics: Physics, **options: Any) -> Any:
    noise: Noise | None = options.pop("noise", None)
    return kind(physics, kind.options_type(**(QUICK | options)), noise=noise)  # type: ignore[arg-type]


def test_each_method_learns_what_is_missing_and_supervision_is_best() -> None:
    physics = Inpainting(np.random.default_rng(0).random((SIDE, SIDE)) < 0.6)
    images, fresh = discs(24), discs(6, seed=9)
    y, new = measured(physics, images), measured(physics, fresh)
    reached = {}
    for kind, clean in ((EI, None), (Supervised, images)):
        method = make(kind, physics, steps=60, patience=1000)
        method.fit(y, clean=clean, progress=False)
        reached[kind] = psnr(method.reconstruct(new), fresh)
        assert method.best_step > 0
        assert reached[kind] > psnr(new, fresh) + 5
        assert method.scores["chosen"] < 0.5 * method.scores["constant"]
    assert reached[Supervised] > reached[EI] - 0.5


@pytest.mark.parametrize("network", ["unrolled", "unet"])
@pytest.mark.parametrize("items", [1, 8])
def test_it_trains_on_one_slice_and_on_many_and_changes_no_input(network: str, items: int) -> None:
    physics = sparse_view(9)
    y = measured(physics, discs(items))
    kept = y.copy()
    method = make(EI, physics, steps=3, network=network)
    events = list(method.train(y))
    assert isinstance(events[-1], Done)
    image = method.reconstruct(y)
    assert image.shape == (items, SIDE, SIDE)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert np.array_equal(y, kept)
    assert set(method.scores) == {"chosen", "reported", "constant"}


@pytest.mark.parametrize("kind", [EI, REI])
@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_units_do_not_matter(kind: type[ReconstructionMethod], factor: float) -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    images = []
    for scale in (1.0, factor):
        method = make(kind, physics, steps=4, noise=Gaussian(0.1 * scale))
        images.append(method.fit(scale * y, progress=False).reconstruct(scale * y) / scale)
    assert np.abs(images[1] - images[0]).max() < 2e-3 * images[0].max()


def test_the_same_seed_gives_the_same_losses_and_image_and_another_does_not() -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    losses, images = [], []
    for seed in (0, 0, 1):
        method = make(EI, physics, steps=3, seed=seed)
        steps = [e for e in method.train(y) if isinstance(e, Step) and e.finished]
        losses.append([step.loss for step in steps])
        images.append(method.reconstruct(y))
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    assert np.array_equal(images[0], images[1])


@pytest.mark.parametrize("kind", [EI, REI])
def test_resuming_from_a_checkpoint_is_bit_exact(kind: type[ReconstructionMethod]) -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    options: dict[str, Any] = {"steps": 102, "noise": Gaussian(0.1), "iterations": 1, "batch": 1}
    through = make(kind, physics, **options)
    state = None
    for event in through.train(y):
        if isinstance(event, Checkpoint):
            state = event.state
    resumed = make(kind, physics, **options)
    steps = [e.index for e in resumed.train(y, state=state) if isinstance(e, Step) and e.finished]
    assert steps == [101, 102]
    assert np.array_equal(resumed.reconstruct(y), through.reconstruct(y))
    assert resumed.scores == through.scores


def test_stopping_early_leaves_a_usable_method() -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    method = make(EI, physics, steps=50)
    run = method.train(y)
    for event in run:
        if isinstance(event, Step) and event.finished:
            break
    assert method.trained
    run.close()
    assert np.isfinite(method.reconstruct(y)).all()


def test_a_saved_model_reconstructs_the_same(tmp_path: Any) -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    method = make(REI, physics, steps=2, noise=Gaussian(0.1), start="total-variation")
    method.fit(y, progress=False)
    same = load(method.save(tmp_path / "slices"))
    assert isinstance(same, REI)
    assert same.options == method.options
    assert same.noise == method.noise
    assert same.scores == method.scores
    assert np.array_equal(same.reconstruct(y), method.reconstruct(y))
    (done,) = (e for e in same.run(y[0]) if isinstance(e, Done))
    assert np.array_equal(done.result, method.reconstruct(y[0]))


@pytest.mark.parametrize("network", ["unrolled", "unet"])
def test_missing_pixels_with_a_mask_each(network: str) -> None:
    images = discs(7)
    masks = np.random.default_rng(0).random((7, 1, SIDE, SIDE)) < 0.7
    physics = Inpainting(masks)
    y = images * masks[:, 0]
    method = make(EI, physics, steps=3, network=network).fit(y, progress=False)
    assert "shift" in type(method.transform).__name__.lower()
    assert method.reconstruct(y).shape == y.shape
    shared = make(REI, Inpainting(masks[0, 0]), steps=3, noise=Poisson(0.05), network=network)
    y = images * masks[0, 0]
    assert shared.fit(y, progress=False).reconstruct(y).shape == y.shape


@pytest.mark.parametrize("items", [1, 7])
def test_complex_images_from_k_space(items: int) -> None:
    random = np.random.default_rng(0)
    mask = np.broadcast_to(random.random(SIDE) < 0.4, (SIDE, SIDE)).copy()
    mask[:, SIDE // 2 - 2 : SIDE // 2 + 2] = True
    physics = MRI(mask)
    images = np.stack([discs(items), np.zeros((items, SIDE, SIDE), np.float32)], axis=1)
    y = measured(physics, images)
    method = make(REI, physics, steps=3, noise=Gaussian(0.02)).fit(y, progress=False)
    assert method.reconstruct(y).shape == images.shape
    (done,) = (e for e in method.run(y[0]) if isinstance(e, Done))
    assert done.result.shape == images.shape[1:]


@pytest.mark.parametrize("kind", [EI, REI])
def test_the_published_losses_without_hidden_projections(kind: type[ReconstructionMethod]) -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    method = make(kind, physics, steps=2, split=0.0, noise=Gaussian(0.1), stop_gradient="none")
    assert method.fit(y, progress=False).reconstruct(y).shape == (7, SIDE, SIDE)
    counts = Transmission(physics, I0=1e3, attenuation=0.05)
    y = PoissonGaussian(1.0, 5.0).sample(
        torch.from_numpy(measured(counts, discs(7))), torch.Generator().manual_seed(0)
    )
    y[0, 0, 0] = 0
    y[0, 0, 1] = -3
    for options in ({"split": 0.0}, {"split": 0.25}, {"network": "unet"}, {"frames": True}):
        method = make(kind, counts, steps=2, noise=PoissonGaussian(1.0, 5.0), **options)
        assert np.isfinite(method.fit(y, progress=False).reconstruct(y.numpy())).all()


def test_a_transform_that_shows_nothing_new_is_told() -> None:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, ::2] = True
    y = np.ones((7, 2, SIDE, SIDE), np.float32) * mask
    warnings = [
        event.message
        for event in make(EI, MRI(mask), steps=1, transform="shift").train(y)
        if isinstance(event, Notice) and event.level == "warning"
    ]
    assert any("Choose rotate" in message for message in warnings)


def test_noise_is_estimated_where_it_can_be_and_asked_for_where_it_cannot() -> None:
    physics = sparse_view()
    random = np.random.default_rng(0)
    y = measured(physics, discs(7))
    y = y + 0.3 * random.standard_normal(y.shape).astype(np.float32)
    notices = [e.message for e in make(REI, physics, steps=1).train(y) if isinstance(e, Notice)]
    assert any("noise was estimated" in message for message in notices)
    with pytest.raises(InputError, match="cannot be estimated"):
        list(make(REI, Inpainting(np.eye(SIDE)), steps=1).train(discs(7) * np.eye(SIDE)))


def test_noise_is_learned_away_by_rei_and_copied_by_plain_ei() -> None:
    physics = Inpainting(np.random.default_rng(0).random((SIDE, SIDE)) < 0.8)
    images = discs(24)
    noise = Gaussian(0.2)
    clean = torch.from_numpy(measured(physics, images))
    y = noise.sample(clean, torch.Generator().manual_seed(0)).numpy() * physics.mask
    reached = {}
    smooth = {"steps": 20, "start": "total-variation"}
    for kind, options in ((EI, {"split": 0.0, "steps": 40}), (REI, smooth)):
        method = make(kind, physics, noise=noise, patience=1000, learning_rate=5e-3, **options)
        reached[kind] = psnr(method.fit(y, progress=False).reconstruct(y), images)
    assert reached[REI] > psnr(y, images) + 1.5
    assert reached[REI] > reached[EI] + 0.5


def test_bad_input_is_refused_before_any_work() -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    method = make(EI, physics)
    with pytest.raises(InputError, match="not trained yet"):
        method.reconstruct(y)
    with pytest.raises(InputError, match="not \\(8, 20\\)"):
        next(method.train(y[..., :20]))
    with pytest.raises(InputError, match="NaN"):
        next(method.train(np.full_like(y, np.nan)))
    with pytest.raises(InputError, match="zero everywhere"):
        next(method.train(0 * y))
    with pytest.raises(InputError, match="takes EIOptions"):
        EI(physics, SupervisedOptions())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="needs the clean image"):
        next(make(Supervised, physics).train(y))
    with pytest.raises(InputError, match="7 measurements but 6"):
        next(make(Supervised, physics).train(y, clean=discs(6)))
    with pytest.raises(InputError, match="at least"):
        next(make(Supervised, physics).train(y[:2], clean=discs(2)))


def test_the_oracle_is_registered_but_not_offered() -> None:
    offered = [entry.key for entry in METHODS.for_task("reconstruct")]
    assert {"ei", "rei"} <= set(offered)
    assert "supervised" not in offered
    assert METHODS.find("supervised").load_method() is Supervised
    assert METHODS.find("rei").load_options() is REIOptions
    assert METHODS.find("ei").load_options() is EIOptions
