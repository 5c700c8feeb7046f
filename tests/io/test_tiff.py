"""TIFF as other programs write it, and as it should not be."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import _tiff, read, write

STACK = np.random.default_rng(0).integers(0, 60000, (5, 40, 50)).astype(np.uint16)


def saved(path: Path, data: np.ndarray = STACK, **options: Any) -> Path:
    options.setdefault("photometric", "minisblack")
    tifffile.imwrite(path, data, **options)
    return path


def test_imagej_hyperstack(tmp_path: Path) -> None:
    data = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint16).reshape(2, 3, 4, 5, 6)
    path = saved(
        tmp_path / "hyper.tif",
        data,
        imagej=True,
        resolution=(1 / 0.1, 1 / 0.2),
        metadata={"axes": "TZCYX", "spacing": 0.3, "unit": "um", "finterval": 2.5},
    )
    image = read(path)
    assert image.axes == ("t", "c", "z", "y", "x")
    np.testing.assert_array_equal(image.data, data.transpose(0, 2, 1, 3, 4))
    assert image.scale == pytest.approx((2.5, 1.0, 0.3, 0.2, 0.1), rel=1e-6)
    assert image.units == ("second", "pixel", "micrometer", "micrometer", "micrometer")
    assert image.dtype == np.dtype("=u2")
    assert image.name == "hyper"


@pytest.mark.parametrize("unit", ["\\u00B5m", "micron", "um", "nm", "mm"])
def test_imagej_units(unit: str, tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.tif",
        imagej=True,
        resolution=(4, 4),
        metadata={"axes": "ZYX", "spacing": 2.0, "unit": unit},
    )
    expected = {"nm": "nanometer", "mm": "millimeter"}.get(unit, "micrometer")
    assert read(path).units == (expected,) * 3
    assert read(path).scale == (2.0, 0.25, 0.25)


def test_imagej_without_units_has_none(tmp_path: Path) -> None:
    image = read(saved(tmp_path / "a.tif", imagej=True, metadata={"axes": "ZYX"}))
    assert image.scale == (1.0, 1.0, 1.0)
    assert image.units == ("pixel", "pixel", "pixel")


def test_ome_tiff_of_others(tmp_path: Path) -> None:
    data = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.float32).reshape(2, 3, 4, 5, 6)
    path = saved(
        tmp_path / "cells.ome.tif",
        data,
        ome=True,
        metadata={
            "axes": "TCZYX",
            "PhysicalSizeX": 65.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.065,
            "PhysicalSizeYUnit": "µm",
            "PhysicalSizeZ": 0.29,
            "TimeIncrement": 100.0,
            "TimeIncrementUnit": "ms",
        },
    )
    image = read(path)
    assert image.axes == ("t", "c", "z", "y", "x")
    assert image.scale == (100.0, 1.0, 0.29, 0.065, 65.0)
    assert image.units == ("millisecond", "pixel", "micrometer", "micrometer", "nanometer")
    assert image.name == "cells"
    np.testing.assert_array_equal(image.data, data)


def test_scenes_and_levels(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for factor in (1, 2):
            tif.write(
                STACK[:, ::factor, ::factor],
                photometric="minisblack",
                subifds=1,
                metadata={"axes": "ZYX", "PhysicalSizeX": 0.1 * factor, "PhysicalSizeY": 0.2},
            )
            tif.write(
                STACK[:, :: 2 * factor, :: 2 * factor], photometric="minisblack", subfiletype=1
            )
    assert read(path).shape == (5, 40, 50)
    assert read(path, scene=1).shape == (5, 20, 25)
    assert read(path, scene=1).scale[-1] == 0.2
    half = read(path, level=1)
    np.testing.assert_array_equal(half.data, STACK[:, ::2, ::2])
    assert half.scale == pytest.approx((1.0, 0.4, 0.2))
    for asked in ({"scene": 2}, {"level": 2}, {"scene": -1}):
        with pytest.raises(FileError, match="there is no number"):
            read(path, **asked)


@pytest.mark.parametrize(
    ("unit", "per_unit", "size"),
    [
        ("CENTIMETER", 1e5, 0.1),
        ("INCH", 25400, 1.0),
        ("INCH", 300, None),
        ("INCH", 72, None),
        ("CENTIMETER", 118.11, None),
        ("CENTIMETER", 1, None),
        ("NONE", 1e5, None),
    ],
)
def test_resolution_tags(unit: str, per_unit: float, size: float | None, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", STACK[0], resolution=(per_unit, per_unit), resolutionunit=unit)
    image = read(path)
    if size is None:
        assert image.units == ("pixel", "pixel")
        assert image.scale == (1.0, 1.0)
    else:
        assert image.units == ("micrometer", "micrometer")
        assert image.scale == pytest.approx((size, size))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((6, 7), ("y", "x")),
        ((5, 6, 7), ("z", "y", "x")),
        ((3, 5, 6, 7), ("t", "z", "y", "x")),
        ((2, 3, 5, 6, 7), ("t", "c", "z", "y", "x")),
        ((2, 1, 5, 6, 7), ("t", "z", "y", "x")),
    ],
)
def test_unnamed_axes_are_guessed(
    shape: tuple[int, ...], axes: tuple[str, ...], tmp_path: Path
) -> None:
    data = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    image = read(saved(tmp_path / "plain.tif", data))
    assert image.axes == axes
    np.testing.assert_array_equal(image.data, data.reshape(image.shape))
    notes = image.metadata.get("notes", [])
    assert len(notes) == (len(axes) > 2)
    for axis, n in zip(axes[:-2], image.shape, strict=False):
        assert f"{axis} ({n} long)" in notes[0]


def test_named_axes_are_not_noted(tmp_path: Path) -> None:
    data = np.zeros((5, 6, 7), dtype=np.uint8)
    for facts in ({"imagej": True}, {"ome": True}):
        path = saved(tmp_path / "a.tif", data, metadata={"axes": "ZYX"}, **facts)
        assert "notes" not in read(path).metadata


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_compressed_and_tiled(compression: str, byteorder: Any, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", compression=compression, tile=(16, 16), byteorder=byteorder)
    image = read(path)
    np.testing.assert_array_equal(image.data, STACK)
    assert image.dtype.isnative


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressions_of_other_programs(compression: str, tmp_path: Path) -> None:
    from PIL import Image

    planes = [Image.fromarray(plane) for plane in (STACK // 256).astype(np.uint8)]
    path = tmp_path / "a.tif"
    planes[0].save(path, compression=compression, save_all=True, append_images=planes[1:])
    np.testing.assert_array_equal(read(path).data, (STACK // 256).astype(np.uint8))


def test_colour_is_refused_but_channels_are_not(tmp_path: Path) -> None:
    colour = np.zeros((20, 30, 3), dtype=np.uint8)
    for path in (
        saved(tmp_path / "rgb.tif", colour, photometric="rgb"),
        saved(tmp_path / "rgba.tif", np.zeros((20, 30, 4), dtype=np.uint8), photometric="rgb"),
        saved(tmp_path / "ij.tif", colour, imagej=True, photometric="rgb"),
    ):
        with pytest.raises(FileError, match="colour") as caught:
            read(path)
        assert "grey" in caught.value.hint
    data = np.arange(20 * 30 * 7, dtype=np.uint16).reshape(20, 30, 7)
    path = saved(tmp_path / "spectral.tif", data, planarconfig="contig")
    image = read(path)
    assert image.axes == ("c", "y", "x")
    np.testing.assert_array_equal(image.data, np.moveaxis(data, -1, 0))


def test_large_files_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tiff, "MAP_FROM", 1000)
    for name, options in {"little": {}, "imagej": VARIANTS["imagej"]}.items():
        image = read(saved(tmp_path / f"{name}.tif", **options))
        assert isinstance(image.data, np.memmap)
        np.testing.assert_array_equal(image.data, STACK)
        assert image.frame().dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        image.data[0] = 0


# Our own files, in the eyes of others


def test_our_files_are_ome_tiff_to_others(tmp_path: Path) -> None:
    data = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.float32).reshape(2, 3, 4, 5, 6)
    measurement = Measurement(
        data,
        scale=(10, 1, 0.3, 0.1, 0.1),
        units=("second", "pixel", "micrometer", "micrometer", "micrometer"),
        name="µ",
    )
    path = write(tmp_path / "a.ome.tif", measurement, provenance={"method": "ssi"})
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome
        assert tif.pages.first.description.isascii()  # as TIFF demands
        assert tif.series[0].axes == "TCZYX"
        np.testing.assert_array_equal(tif.asarray(), data)
        facts = tifffile.xml2dict(tif.ome_metadata or "")["OME"]["Image"]["Pixels"]
        assert tif.series[0].dataoffset is not None  # contiguous: others can map it
    assert facts["PhysicalSizeZ"] == 0.3
    assert facts["PhysicalSizeXUnit"] == "µm"
    assert facts["TimeIncrement"] == 10
    assert (facts["SizeT"], facts["SizeC"], facts["SizeZ"]) == (2, 3, 4)


def test_voxel_sizes_changed_by_others_are_believed(tmp_path: Path) -> None:
    measurement = Measurement(
        np.eye(6, dtype=np.float32), scale=(0.1, 0.1), units=("micrometer", "micrometer")
    )
    path = write(tmp_path / "a.tif", measurement)
    changed = path.read_bytes().replace(b'PhysicalSizeX="0.1"', b'PhysicalSizeX="0.7"')
    path.write_bytes(changed)
    assert read(path).scale == (0.1, 0.7)


# Bad files


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"metadata": None},
    "shaped": {},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX", "spacing": 0.3, "unit": "um"}},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "zlib": {"compression": "zlib"},
    "tiled": {"tile": (16, 16)},
    "ome-zlib": {"ome": True, "metadata": {"axes": "ZYX"}, "compression": "zlib"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_truncated_tiff_never_yields_half_an_image(
    variant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, STACK, photometric="minisblack", **VARIANTS[variant])
    raw = buffer.getvalue()
    path = tmp_path / "cut.tif"
    for length in sorted({1, 4, 8, 20, *np.linspace(30, len(raw) - 1, 60).astype(int)}):
        path.write_bytes(raw[:length])
        if not _is_whole(path):
            with pytest.raises(FileError, match="damaged, incomplete") as caught:
                read(path)
            assert caught.value.hint
    path.write_bytes(raw)
    np.testing.assert_array_equal(read(path).data, STACK)
    assert capsys.readouterr().err == ""


def _is_whole(path: Path) -> bool:
    """Whether nothing but the very last pointer is missing: all voxels are there."""
    try:
        return np.array_equal(read(path).data, STACK)
    except FileError:
        return False


@given(st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_scrambled_headers_raise_file_errors_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    options = VARIANTS[list(VARIANTS)[int(rng.integers(len(VARIANTS)))]]
    tifffile.imwrite(buffer, STACK[:2, :8, :8], photometric="minisblack", **options)
    raw = bytearray(buffer.getvalue())
    for _ in range(int(rng.integers(1, 6))):
        raw[int(rng.integers(min(len(raw), 500)))] = int(rng.integers(256))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scrambled.tif"
        path.write_bytes(raw)
        with contextlib.suppress(FileError):
            assert read(path).spatial_ndim >= 2


def _claiming(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((4, 4), dtype=np.uint8), photometric="minisblack")
    raw = bytearray(buffer.getvalue())
    with tifffile.TiffFile(io.BytesIO(raw)) as tif:
        tags = tif.pages.first.tags
        for name, value in (("ImageWidth", width), ("ImageLength", height)):
            tag = tags[name]
            raw[tag.offset + 2 : tag.offset + 4] = (4).to_bytes(2, "little")
            raw[tag.offset + 8 : tag.offset + 12] = value.to_bytes(4, "little")
    return bytes(raw)


@pytest.mark.parametrize("compressed", [False, True])
def test_claimed_sizes_are_not_believed(compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    raw = bytearray(_claiming(10**6, 10**6))
    if compressed:
        with tifffile.TiffFile(io.BytesIO(raw)) as tif:
            offset = tif.pages.first.tags["Compression"].valueoffset
        raw[offset : offset + 2] = (8).to_bytes(2, "little")
    path.write_bytes(raw)
    with pytest.raises(FileError, match=r"damaged|memory"):
        read(path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"this is text, not an image\n" * 50, "not a TIFF"),
        (b"II*\x00", "not a TIFF"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 100, "not a TIFF"),
        (b"\x00" * 1000, "not a TIFF"),
    ],
)
def test_what_is_no_tiff(content: bytes, word: str, tmp_path: Path) -> None:
    path = tmp_path / "fake.tif"
    path.write_bytes(content)
    with pytest.raises(FileError, match=word) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_broken_ome_xml(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, STACK[0], photometric="minisblack", description="<OME><Image></OME>", metadata=None
    )
    with pytest.raises(FileError, match="damaged"):
        read(path)


def test_reading_is_silent_and_leaves_the_logger_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cut.tif"
    path.write_bytes(saved(tmp_path / "a.tif").read_bytes()[:-3000])
    logger = logging.getLogger("tifffile")
    before = (logger.level, list(logger.filters), list(logger.handlers))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileError):
            read(path)
    assert not [r for r in caplog.records if r.name == "tifffile"]
    assert (logger.level, list(logger.filters), list(logger.handlers)) == before


def test_real_files() -> None:
    if "NSR_DATA" not in os.environ:
        pytest.skip("NSR_DATA names no folder of real data")
    folder = Path(os.environ["NSR_DATA"])
    beads = read(folder / "microscopy_3d" / "confocal_beads_41x150x150.tif")
    assert beads.axes == ("z", "y", "x")
    assert beads.units == ("micrometer",) * 3
    assert beads.scale == pytest.approx((0.125, 0.0225, 0.0225), abs=1e-4)
    worm = read(folder / "microscopy_2d" / "celegans_widefield2d.tif")
    assert worm.scale == pytest.approx((0.0426, 0.0426), abs=1e-4)
    for path in sorted(folder.glob("*/*.tif")):
        assert read(path).spatial_ndim in (2, 3)
