"""SIAM end to end on tiny problems."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Checkpoint, Done, Notice, Step
from napari_selfsup_recon.io.models import load
from napari_selfsup_recon.methods import METHODS, SIAM, SIAMOptions
from napari_selfsup_recon.methods._recon._partial import hide
from napari_selfsup_recon.methods.siam._balance import Balance
from napari_selfsup_recon.methods.siam._network import Missed, Projections
from napari_selfsup_recon.methods.trust import companions
from napari_selfsup_recon.networks.siam import SIAMNet
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.compressed_sensing import CompressedSensing
from napari_selfsup_recon.physics.identity import Identity
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.noise import Gaussian, Noise, Poisson, PoissonGaussian
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam
from napari_selfsup_recon.physics.transmission import Transmission

QUICK: dict[str, Any] = {
    "width": 4,
    "iterations": 2,
    "solver_steps": 3,
    "steps": 3,
    "start": "inverse",
    "batch": 2,
    "learning_rate": 2e-3,
    "device": "cpu",
    # See test_siam_views.py.
    "orientations": False,
    "begin": 0.0,
}
SIDE = 16


def discs(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    images = np.zeros((count, SIDE, SIDE), np.float32)
    for image in images:
        image += 0.4 * (np.hypot(rows, columns) < 0.42 * SIDE)
        for _ in range(4):
            row, column = random.uniform(-0.25, 0.25, 2) * SIDE
            image += random.uniform(-0.2, 0.3) * (
                np.hypot(rows - row, columns - column) < random.uniform(0.06, 0.16) * SIDE
            )
    return images.clip(0, 1)


def sparse_view(views: int = 8) -> ParallelBeam:
    return ParallelBeam((SIDE, SIDE), np.arange(views) * np.pi / views)


def masks(count: int, share: float = 0.5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 1, SIDE, SIDE)) < share


def measured(physics: Physics, images: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(images)
    x = x[:, None] if physics.channels is None else x
    y = physics.A(x).numpy()
    return y[:, 0] if physics.channels is None else y


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((image - truth) ** 2)))


def make(physics: Physics, noise: Noise | None = None, **options: Any) -> SIAM:
    return SIAM(physics, SIAMOptions(**(QUICK | options)), noise=noise)


def test_it_learns_what_is_missing_where_each_image_has_a_mask() -> None:
    images, fresh = discs(24), discs(6, seed=9)
    physics, other = Inpainting(masks(24)), Inpainting(masks(6, seed=7))
    y, new = measured(physics, images), measured(other, fresh)
    more: dict[str, Any] = {"batch": 4, "learning_rate": 5e-3, "iterations": 1}
    method = make(physics, steps=50, patience=1000, recorrupt=0.0, **more)
    method.fit(y, progress=False)
    reached = psnr(method.behind(other).reconstruct(new), fresh)
    assert method.best_step > 0
    assert reached > psnr(new, fresh) + 5
    assert method.scores["chosen"] < 0.5 * method.scores["constant"]


VARIANTS: dict[str, dict[str, Any]] = {
    "the default": {},
    "from little variation": {"start": "total-variation", "steps": 1},
    "one network": {"network": "unet"},
    "exact": {"projection": "exact"},
    "iterated": {"projection": "iterated", "steps": 1},
    "polynomial": {"projection": "polynomial"},
    "target alone": {"gradient": "target"},
    "as published": {"gradient": "both", "most": 1e6},
    "taught": {"gradient": "teacher"},
    "with equivariance": {"alpha": 0.05, "frames": True},
    "without twins": {"null": 0.0, "mutual": 0.0},
    "nothing hidden": {"split": 0.0, "recorrupt": 0.0},
    "published": {"blocks": "published", "split": 0.0, "recorrupt": 0.0},
}


@pytest.mark.parametrize(("name", "items"), [*((name, 7) for name in VARIANTS), ("the default", 2)])
def test_every_variant_trains_and_changes_no_input(name: str, items: int) -> None:
    physics = sparse_view(9)
    y = measured(physics, discs(items))
    kept = y.copy()
    method = make(physics, **VARIANTS[name])
    events = list(method.train(y))
    assert isinstance(events[-1], Done)
    assert all(np.isfinite(e.loss) for e in events if isinstance(e, Step) and e.loss is not None)
    image = method.reconstruct(y)
    assert image.shape == (items, SIDE, SIDE)
    assert np.isfinite(image).all()
    assert image.min() >= 0
    assert np.array_equal(y, kept)
    assert set(method.scores) == {"chosen", "reported", "constant"}


def instruments() -> dict[str, tuple[Physics, Noise | None]]:
    columns = np.random.default_rng(0).random(SIDE) < 0.4
    columns[SIDE // 2 - 2 : SIDE // 2 + 2] = True
    rows = np.linalg.qr(np.random.default_rng(1).standard_normal((64, 64)))[0][:16]
    return {
        "masks and photons": (Inpainting(masks(7)), Poisson(0.05)),
        "one mask": (Inpainting(masks(1)[0, 0]), Gaussian(0.05)),
        "k-space": (MRI(np.broadcast_to(columns, (SIDE, SIDE))), Gaussian(0.02)),
        "blocks": (CompressedSensing(rows, block=8, shape=(SIDE, SIDE)), Gaussian(0.04)),
        "counts": (Transmission(sparse_view(), I0=1e3, attenuation=0.05), PoissonGaussian(1, 5)),
        "sinograms": (sparse_view(), Gaussian(0.1)),
    }


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        *((name, "default") for name in instruments()),
        ("blocks", "published"),
        ("counts", "published"),
    ],
)
def test_every_instrument(name: str, blocks: str) -> None:
    physics, noise = instruments()[name]
    images = discs(7)
    if physics.channels:
        images = np.stack([images, np.zeros_like(images)], axis=1)
    y = measured(physics, images)
    y = noise.sample(torch.from_numpy(y), torch.Generator().manual_seed(0)).numpy()
    observed = physics.observed(torch.from_numpy(y if physics.channels else y[:, None]))
    if observed is not None:
        y = y * (observed.numpy() if physics.channels else observed.numpy()[:, 0])
    y = y.astype(np.float32)
    method = make(physics, noise, steps=2, blocks=blocks, orientations=True)
    method.fit(y, progress=False)
    assert np.isfinite(method.reconstruct(y)).all()
    first, second = method.twins(y)
    assert first.shape == second.shape == images.shape
    alone = make(physics, noise, steps=2, blocks=blocks, orientations=True, average=False)
    alone.fit(y, progress=False)
    alone.options = alone.options.model_copy(update={"orientations": False})
    np.testing.assert_allclose(first, alone.reconstruct(y), atol=1e-5)
    assert method.disagreement(y).min() >= 0


@pytest.mark.parametrize("blocks", ["default", "published"])
def test_volumes(blocks: str) -> None:
    random = np.random.default_rng(0)
    physics = Inpainting(random.random((6, 1, 4, 8, 8)) < 0.5)
    y = measured(physics, random.random((6, 4, 8, 8)).astype(np.float32))
    method = make(physics, Gaussian(0.1), steps=1, blocks=blocks).fit(y, progress=False)
    assert method.reconstruct(y).shape == method.disagreement(y).shape == (6, 4, 8, 8)


def test_noise_is_learned_away() -> None:
    physics, noise = Inpainting(np.random.default_rng(0).random((SIDE, SIDE)) < 0.8), Gaussian(0.2)
    images = discs(24)
    y = noise.sample(torch.from_numpy(measured(physics, images)), torch.Generator().manual_seed(0))
    noisy = y.numpy() * physics.mask
    more: dict[str, Any] = {"steps": 60, "patience": 1000, "learning_rate": 5e-3, "batch": 4}
    method = make(physics, noise, **more).fit(noisy, progress=False)
    assert psnr(method.reconstruct(noisy), images) > psnr(noisy, images) + 2


def test_the_same_seed_gives_the_same_and_a_checkpoint_resumes_bit_exactly() -> None:
    physics = Inpainting(masks(1)[0, 0])
    y = measured(physics, discs(7))
    options: dict[str, Any] = {"steps": 102, "iterations": 1, "batch": 1, "gradient": "teacher"}
    options |= {"width": 2, "solver_steps": 1, "network": "unet"}
    through = make(physics, Gaussian(0.1), **options)
    state = None
    for event in through.train(y):
        if isinstance(event, Checkpoint):
            state = event.state
    resumed = make(physics, Gaussian(0.1), **options)
    steps = [e.index for e in resumed.train(y, state=state) if isinstance(e, Step) and e.finished]
    assert steps == [101, 102]
    assert np.array_equal(resumed.reconstruct(y), through.reconstruct(y))
    assert resumed.scores == through.scores


@pytest.mark.parametrize("blocks", ["default", "published"])
def test_a_saved_model_reconstructs_the_same(tmp_path: Any, blocks: str) -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    method = make(physics, Gaussian(0.1), blocks=blocks).fit(y, progress=False)
    same = load(method.save(tmp_path / "slices"))
    assert isinstance(same, SIAM)
    assert same.options == method.options
    assert same.scores == method.scores
    assert np.array_equal(same.reconstruct(y), method.reconstruct(y))
    assert np.array_equal(same.disagreement(y[0]), method.disagreement(y[0]))


def test_units_do_not_matter() -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    images = []
    for scale in (1.0, 1e4):
        method = make(physics, Gaussian(0.1 * scale), steps=4).fit(scale * y, progress=False)
        images.append(method.reconstruct(scale * y) / scale)
    assert np.abs(images[1] - images[0]).max() < 2e-3 * images[0].max()


def test_blocks_teach_what_whole_images_need() -> None:
    rows = np.linalg.qr(np.random.default_rng(1).standard_normal((64, 64)))[0][:24]
    crops = discs(40)[:, 4:12, 4:12]
    block = CompressedSensing(rows, shape=(8, 8))
    method = make(block, steps=10, recorrupt=0.0)
    method.fit(measured(block, np.ascontiguousarray(crops)), progress=False)
    whole = CompressedSensing(rows, block=8, shape=(SIDE, SIDE))
    images = discs(3, seed=5)
    found = method.behind(whole).reconstruct(measured(whole, images))
    assert found.shape == images.shape
    inverse = whole.A_dagger(torch.from_numpy(measured(whole, images))[:, None])[:, 0].numpy()
    assert psnr(found, images) > psnr(inverse, images) + 1


def test_the_published_option_set() -> None:
    options = SIAMOptions.published(steps=1, batch=2)
    rows = np.linalg.qr(np.random.default_rng(1).standard_normal((64, 64)))[0][:16]
    physics = CompressedSensing(rows, shape=(8, 8))
    crops = np.ascontiguousarray(discs(7)[:, 4:12, 4:12])
    method = SIAM(physics, options, noise=Gaussian(10 / 255)).fit(
        measured(physics, crops), progress=False
    )
    _, weights = method.state()
    assert sum(values.size for values in weights.values()) == 939_225
    assert (options.null, options.mutual, options.recorrupt, options.draw) == (0.1, 0.05, 0.5, 0.02)
    model = method._build(0)
    assert isinstance(model.blocks, SIAMNet)


def test_the_null_twin_works_behind_the_complement() -> None:
    physics = sparse_view()
    projection = Projections(SIAMOptions(projection="exact")).of(physics)
    x = torch.randn(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    missed = Missed(physics, 1.0, projection.null(x), projection)
    again = missed.backward(missed.forward(projection.null(x)))
    torch.testing.assert_close(again, missed.backward(missed.values), atol=1e-4, rtol=1e-4)
    assert float(physics.A(again).abs().max()) < 1e-2 * float(physics.A(x).abs().max())


def test_the_twins_never_count_for_more_than_their_share() -> None:
    model = torch.nn.Linear(3, 1, bias=False)
    x = torch.eye(3)
    main, other = model(x).sum(), 50 * model(x).sum()
    assert Balance(0.3).weight(model, main, other) == pytest.approx(0.3 / 50)
    assert Balance(0.3).weight(model, main, 0.1 * main) == 1
    kept = Balance(0.3)
    first = kept.weight(model, main, other)
    assert kept.weight(model, main, 0 * other) == first  # it looks again later
    again = Balance(0.3)
    again.load_state(kept.state())
    assert again.weight(model, main, other) == kept.weight(model, main, other)


def test_projections_are_kept_and_know_hidden_projections_of_counts() -> None:
    made = Projections(SIAMOptions())
    counts = Transmission(sparse_view(), I0=1e3, attenuation=0.05)
    assert made.of(counts) is made.of(counts)
    hidden = torch.zeros(1, 1, *counts.measurement_shape)
    hidden[..., ::2, :] = 1
    partial = hide(counts, hidden)
    x = torch.rand(1, 1, SIDE, SIDE)
    share = float(made.of(partial).range(x).square().sum())
    assert share < float(made.of(counts).range(x).square().sum())
    assert made.__deepcopy__({}) is made


def test_companions_of_a_result() -> None:
    physics = Inpainting(masks(1)[0, 0])
    y = measured(physics, discs(7))
    method = make(physics).fit(y, progress=False)
    assert method.transform is None
    beside = companions(method, y, draws=2)
    np.testing.assert_allclose(beside.seen + beside.inferred, beside.image, atol=1e-6)
    assert make(physics, alpha=0.1).transform is not None


def test_bad_input_is_refused_before_any_work() -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    with pytest.raises(InputError, match="misses nothing") as failure:
        next(make(Identity((SIDE, SIDE))).train(discs(7)))
    assert "REI" in failure.value.hint
    with pytest.raises(InputError, match="would learn to copy") as failure:
        next(make(physics, split=0.0).train(y))
    assert "recorrupt=0" in failure.value.hint
    with pytest.raises(InputError, match="one measurement") as failure:
        next(make(physics).train(y[:1]))
    assert "stack of slices" in failure.value.hint
    with pytest.raises(InputError, match="needs 6 of them, but there are 3"):
        next(make(Inpainting(masks(3))).train(discs(3)))
    with pytest.raises(InputError, match="differ in shape"):
        next(make(physics).train([y[0], y[1, :4]]))
    with pytest.raises(InputError, match=r"takes one physics, but 2") as failure:
        SIAM([physics, sparse_view(9)])  # type: ignore[arg-type]
    assert "train one SIAM for each" in failure.value.hint

    class Other(Noise):
        def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
            return clean

        variance = sample  # type: ignore[assignment]

    with pytest.raises(InputError, match="Other noise"):
        next(make(physics, Other()).train(y))
    with pytest.raises(InputError, match="not trained yet"):
        make(physics).reconstruct(y)


def test_an_unknown_noise_is_told() -> None:
    physics = sparse_view()
    y = measured(physics, discs(7))
    notices = [e.message for e in make(physics, steps=1).train(y) if isinstance(e, Notice)]
    assert any("noise was not given" in message for message in notices)


def test_it_is_registered_and_offered() -> None:
    assert "siam" in [entry.key for entry in METHODS.for_task("reconstruct")]
    assert METHODS.find("siam").load_method() is SIAM
    assert METHODS.find("siam").load_options() is SIAMOptions
