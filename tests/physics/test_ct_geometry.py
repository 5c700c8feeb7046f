"""Where rays run and what filtered back-projection makes of them: discs, scikit-image, scans."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.data import shepp_logan_phantom
from skimage.transform import iradon, radon, resize

from napari_selfsup_recon.physics import FanBeam, ParallelBeam
from napari_selfsup_recon.physics._projector import Projector
from napari_selfsup_recon.physics.filtered_back_projection import Filter, filtered_back_projection
from napari_selfsup_recon.physics.tomography._views import view_weights

Array = NDArray[np.float64]


def turn(views: int, degrees: float = 180) -> Array:
    return np.arange(views) * np.deg2rad(degrees) / views


def disc(shape: tuple[int, int], x: float, y: float, radius: float) -> Array:
    """A disc about (x, y) from the centre, to the right and downwards; the edge covers in part."""
    fine = 8
    height, width = shape
    rows, columns = ((np.arange(n * fine) + 0.5) / fine - n / 2 for n in (height, width))
    inside = (columns[None] - x) ** 2 + (rows[:, None] - y) ** 2 <= radius**2
    return inside.reshape(height, fine, width, fine).mean((1, 3))


def chords(distance: Array, radius: float) -> Array:
    return 2 * np.sqrt(np.maximum(radius**2 - distance**2, 0))


def cells(beam: Projector) -> Array:
    count = beam.detectors
    return (np.arange(count) - (count - 1) / 2 - beam.axis_offset) * beam.pitch


def error(found: Array, expected: Array) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def tensor(image: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image))[None, None]


def psnr(found: Array, expected: Array) -> float:
    return float(-10 * np.log10(np.mean((found - expected) ** 2)))


@pytest.mark.parametrize(
    ("shape", "kwargs", "bound"),
    [
        ((256, 256), {}, 0.005),
        ((255, 200), {"axis_offset": 3.3}, 0.005),
        ((160, 256), {"pitch": 0.7, "axis_offset": -2.5}, 0.005),
        ((256, 256), {"pitch": 2.0, "detectors": 181}, 0.008),
    ],
)
def test_parallel_beam_sees_a_disc(
    shape: tuple[int, int], kwargs: dict[str, float], bound: float
) -> None:
    x, y, radius = 10.3, -13.7, 60.0
    beam = ParallelBeam(shape, turn(180), memory=0, **kwargs)  # type: ignore[arg-type]
    angle = beam.angles[:, None]
    centre = x * np.cos(angle) - y * np.sin(angle)
    expected = chords(cells(beam) - centre, radius)
    assert error(beam.A(tensor(disc(shape, x, y, radius)))[0, 0].numpy(), expected) < bound


@pytest.mark.parametrize("offset", [0.0, 4.2])
def test_fan_beam_sees_a_disc(offset: float) -> None:
    x, y, radius, source, detector = 10.3, -13.7, 40.0, 210.0, 140.0
    beam = FanBeam(
        (128, 140),
        turn(90, 360),
        source_distance=source,
        detector_distance=detector,
        pitch=1.2,
        axis_offset=offset,
        memory=0,
    )
    angle, u = beam.angles[:, None], cells(beam)
    start = np.stack([-source * np.sin(angle), -source * np.cos(angle)])
    end_x = u * np.cos(angle) + detector * np.sin(angle)
    end_y = -u * np.sin(angle) + detector * np.cos(angle)
    along = np.stack([end_x, end_y]) - start
    cross = along[0] * (y - start[1]) - along[1] * (x - start[0])
    expected = chords(cross / np.hypot(*along), radius)
    found = beam.A(tensor(disc((128, 140), x, y, radius)))[0, 0].numpy()
    assert error(found, expected) < 0.01


def test_a_far_source_makes_a_parallel_beam() -> None:
    image = tensor(disc((40, 50), 4, -7, 9))
    parallel = ParallelBeam((40, 50), turn(24, 360), detectors=71, axis_offset=1.3)
    far = FanBeam(
        (40, 50),
        turn(24, 360),
        source_distance=1e7,
        detector_distance=0,
        detectors=71,
        axis_offset=1.3,
    )
    sinogram = parallel.A(image)
    torch.testing.assert_close(far.A(image), sinogram, rtol=0, atol=1e-3)
    torch.testing.assert_close(
        far.A_dagger(sinogram), parallel.A_dagger(sinogram), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("pitch", [0.3, 1.0, 2.7])
@pytest.mark.parametrize("shape", [(20, 20), (21, 16), (1, 30)])
def test_nothing_is_lost_in_any_view(shape: tuple[int, int], pitch: float) -> None:
    image = torch.rand(1, 1, *shape, dtype=torch.float64)
    sinogram = ParallelBeam(shape, turn(13, 360) + 0.2, pitch=pitch, detectors=140).A(image)
    torch.testing.assert_close(
        sinogram.sum(-1) * pitch, image.sum().expand(1, 1, 13), rtol=1e-12, atol=0
    )


def test_angle_zero_sums_columns_and_ninety_rows() -> None:
    image = torch.rand(1, 1, 6, 9, dtype=torch.float64)
    y = ParallelBeam((6, 9), [0.0, np.pi / 2], detectors=9).A(image)[0, 0]
    torch.testing.assert_close(y[0], image[0, 0].sum(0))
    # At 90 degrees the detector looks up: its first cell sees the last row.
    y = ParallelBeam((6, 9), [np.pi / 2], detectors=6).A(image)[0, 0]
    torch.testing.assert_close(y[0], image[0, 0].sum(1).flip(0))


def test_agrees_with_scikit_image() -> None:
    phantom = resize(shepp_logan_phantom(), (256, 256), anti_aliasing=True)
    degrees = np.arange(180.0)
    reference = radon(phantom, degrees, circle=False)
    width = len(reference)
    # Its axis is in pixel n // 2 of the image and of the detector; ours is in the middle of both.
    padded = np.pad(phantom, ((0, 1), (0, 1)))
    beam = ParallelBeam(
        padded.shape,
        np.deg2rad(degrees),
        detectors=width,
        axis_offset=width // 2 - (width - 1) / 2,
        memory=0,
    )
    assert error(beam.A(tensor(padded))[0, 0].numpy(), reference.T) < 0.003
    theirs = iradon(reference, degrees, circle=False, filter_name="ramp", output_size=256)
    ours = beam.A_dagger(tensor(reference.T))[0, 0].numpy()[:256, :256]
    assert psnr(ours, phantom) == pytest.approx(psnr(theirs, phantom), abs=0.2)
    own = ParallelBeam((256, 256), np.deg2rad(degrees), memory=0)
    alone = own.A_dagger(own.A(tensor(phantom)))[0, 0].numpy()
    assert psnr(alone, phantom) == pytest.approx(psnr(theirs, phantom), abs=0.2)


@pytest.mark.parametrize("filter", ["ramp", "shepp-logan", "cosine", "hamming", "hann"])
def test_filters_are_those_of_scikit_image(filter: Filter) -> None:
    generator = np.random.default_rng(0)
    reference = generator.random((41, 20))
    beam = ParallelBeam((41, 41), turn(20), detectors=41)
    theirs = iradon(reference, np.arange(20) * 9.0, circle=True, filter_name=filter)
    ours = filtered_back_projection(beam, tensor(reference.T), filter)[0, 0].numpy()
    inside = disc((41, 41), 0, 0, 18) == 1
    # The back-projections interpolate differently: compare what is smooth.
    assert abs(np.mean(ours[inside]) - np.mean(theirs[inside])) < 0.01 * np.std(theirs[inside])
    assert np.corrcoef(ours[inside], theirs[inside])[0, 1] > 0.9


@pytest.mark.parametrize(
    "angles",
    [
        turn(180),
        turn(180)[::-1] + 2.0,
        turn(180, 360) - 3.0,
        np.random.default_rng(0).permutation(turn(181)),
        np.arange(180) * (3 - 5**0.5) * np.pi % (2 * np.pi),
    ],
    ids=["half turn", "backwards", "full turn", "shuffled", "golden angle"],
)
def test_filtered_back_projection_of_any_order(angles: Array) -> None:
    image = disc((96, 96), 9, -14, 24)
    beam = ParallelBeam((96, 96), angles, memory=0)
    found = beam.A_dagger(beam.A(tensor(image)))[0, 0].numpy()
    assert found[image == 1].mean() == pytest.approx(1, abs=0.01)
    assert abs(found[image == 0].mean()) < 0.005
    assert psnr(found, image) > 28


@pytest.mark.parametrize(
    ("degrees", "pitch", "offset"), [(360, 1.2, 0.0), (360, 2.0, 3.4), (220, 1.2, 0.0), (300, 1, 2)]
)
def test_fan_beam_filtered_back_projection(degrees: float, pitch: float, offset: float) -> None:
    image = disc((96, 96), 9, -14, 24)
    beam = FanBeam(
        (96, 96),
        turn(int(degrees / 1.5), degrees) + 0.5,
        source_distance=240,
        detector_distance=140,
        pitch=pitch,
        axis_offset=offset,
        memory=0,
    )
    found = beam.A_dagger(beam.A(tensor(image)))[0, 0].numpy()
    # A wrong distance weight would tilt it, a wrong share of the doubly measured would streak.
    inside = disc((96, 96), 9, -14, 20) == 1
    left, right = (found[inside & side].mean() for side in (np.tri(96) > 0, np.tri(96) == 0))
    assert left == pytest.approx(1, abs=0.01)
    assert right == pytest.approx(1, abs=0.01)
    assert abs(found[image == 0].mean()) < 0.005
    assert psnr(found, image) > (32 if pitch < 2 else 30)


@pytest.mark.parametrize("offset", [36.0, -36.0, 49.0])
@pytest.mark.parametrize("kind", ["parallel", "fan"])
def test_a_full_turn_with_the_axis_near_one_end(kind: str, offset: float) -> None:
    image = disc((96, 96), 9, -14, 24) + 0.5 * disc((96, 96), -20, 10, 12)
    beam: Projector
    if kind == "parallel":
        beam = ParallelBeam((96, 96), turn(240, 360), detectors=100, axis_offset=offset, memory=0)
    else:
        beam = FanBeam(
            (96, 96),
            turn(240, 360),
            source_distance=240,
            detector_distance=140,
            detectors=100,
            pitch=1.6,
            axis_offset=offset,
            memory=0,
        )
    found = beam.A_dagger(beam.A(tensor(image)))[0, 0].numpy()
    inside = disc((96, 96), 9, -14, 20) == 1
    assert found[inside].mean() == pytest.approx(1, abs=0.01)
    assert psnr(found, image) > 28


def test_shares_of_the_turn() -> None:
    np.testing.assert_allclose(view_weights(turn(10), np.pi), np.pi / 10)
    np.testing.assert_allclose(view_weights(turn(10, 360), np.pi), np.pi / 10)
    # A missing wedge is not given to the views beside it.
    np.testing.assert_allclose(view_weights(turn(100)[:60], np.pi), np.pi / 100)
    uneven = np.deg2rad([0, 10, 30, 40, 60])
    shares = np.rad2deg(view_weights(uneven, np.deg2rad(70)))
    np.testing.assert_allclose(shares, [10, 15, 15, 15, 15])
    np.testing.assert_allclose(view_weights(np.array([1.0]), np.pi), np.pi)
