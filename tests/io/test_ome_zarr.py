"""OME-Zarr written: valid, with a pyramid that lies where it should, block by block."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.io import _files, _pyramid, read, read_provenance, write

VERSIONS = ("0.5", "0.4")
LENGTHS = {
    *("angstrom", "attometer", "centimeter", "decimeter", "exameter", "femtometer", "foot"),
    *("gigameter", "hectometer", "inch", "kilometer", "megameter", "meter", "micrometer", "mile"),
    *("millimeter", "nanometer", "parsec", "petameter", "picometer", "terameter", "yard"),
    *("yoctometer", "yottameter", "zeptometer", "zettameter"),
}


def valid(path: Path) -> dict[str, Any]:
    """Assert that a folder holds a valid image; return the description of its pyramid."""
    group = zarr.open_group(str(path), mode="r")
    attributes = dict(group.attrs)
    if group.metadata.zarr_format == 3:
        attributes = attributes["ome"]
        assert attributes["version"] == "0.5"
    else:
        assert "ome" not in attributes
        assert attributes["multiscales"][0]["version"] == "0.4"
    (image,) = attributes["multiscales"]
    axes = image["axes"]
    names, kinds = [a["name"] for a in axes], [a.get("type") for a in axes]
    assert 2 <= len(axes) <= 5
    assert len(set(names)) == len(names)
    assert 2 <= kinds.count("space") <= 3
    assert kinds.count("time") <= 1
    assert len([k for k in kinds if k not in ("space", "time")]) <= 1
    rank = {"time": 0, "space": 2}
    assert sorted(kinds, key=lambda k: rank.get(k, 1)) == kinds
    assert names[-2:] == ["y", "x"]
    for axis in axes:
        assert axis.get("unit") in LENGTHS | {None} or axis.get("type") != "space"
    arrays = [group[d["path"]] for d in image["datasets"]]
    sizes = [a.size for a in arrays]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == len(set(sizes)) == len(list(group.array_keys()))
    for array, dataset in zip(arrays, image["datasets"], strict=True):
        assert array.ndim == len(axes)
        steps = dataset["coordinateTransformations"]
        assert [s["type"] for s in steps] in (["scale"], ["scale", "translation"])
        assert all(len(s[s["type"]]) == len(axes) for s in steps)
        if group.metadata.zarr_format == 3:
            assert list(array.metadata.dimension_names) == names
        else:
            assert array.metadata.dimension_separator == "/"
    if "omero" in attributes:
        channels = attributes["omero"]["channels"]
        assert len(channels) == arrays[0].shape[names.index("c")]
        for channel in channels:
            assert len(channel["color"]) == 6 and int(channel["color"], 16) >= 0
            window = channel["window"]
            assert window["min"] <= window["start"] < window["end"] <= window["max"]
    return image


def volume(shape: tuple[int, ...], axes: str, **facts: Any) -> Measurement:
    values = np.random.default_rng(0).integers(0, 60000, shape).astype(np.uint16)
    return Measurement(values, axes=tuple(axes), **facts)


MICROSCOPE = {
    "scale": (2.5, 1, 0.3, 0.1, 0.1),
    "units": ("second", "pixel", *("micrometer",) * 3),
    "translate": (0, 0, 1, 2, 3),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_large_image_gets_a_pyramid_of_means(version: Any, tmp_path: Path) -> None:
    source = volume((1, 2, 5, 600, 515), "tczyx", **MICROSCOPE)
    path = write(tmp_path / "cells.ome.zarr", source, ome_zarr=version)
    image = valid(path)
    assert image["type"] == "mean"
    assert len(image["datasets"]) == 3
    half = source.data[:, :, :, ::2, ::2].astype(float)
    half[..., :257] += source.data[:, :, :, ::2, 1::2]
    half[..., 257] *= 2  # the last column has no neighbour
    bottom = source.data[:, :, :, 1::2, ::2].astype(float)
    bottom[..., :257] += source.data[:, :, :, 1::2, 1::2]
    bottom[..., 257] *= 2
    full, second, third = (read(path, level=level) for level in range(3))
    assert [x.shape[-2:] for x in (full, second, third)] == [(600, 515), (300, 258), (150, 129)]
    np.testing.assert_array_equal(np.asarray(full.data), source.data[0])
    means = (half + bottom)[0] / 4
    assert np.abs(np.asarray(second.data) - means).max() <= 0.5
    assert full.axes == second.axes == ("c", "z", "y", "x")
    assert second.dtype == np.uint16
    assert second.scale == pytest.approx((1, 0.3, 0.2, 0.2))
    assert third.scale == pytest.approx((1, 0.3, 0.4, 0.4))
    # The centre of the first voxel lies between those that it is the mean of.
    assert second.translate == pytest.approx((0, 1, 2.05, 3.05))
    assert third.translate == pytest.approx((0, 1, 2.15, 3.15))
    assert full.units == third.units == ("pixel", *("micrometer",) * 3)


@pytest.mark.parametrize(
    ("scale", "units", "wanted"),
    [
        ((1.0, 1.0, 1.0), ("pixel",) * 3, [1, 2, 4]),
        ((0.1, 0.1, 0.1), ("micrometer",) * 3, [1, 2, 4]),
        ((0.3, 0.1, 0.1), ("micrometer",) * 3, [1, 1, 1]),
        ((0.25, 0.1, 0.1), ("micrometer",) * 3, [1, 1, 2]),
        ((250.0, 0.1, 0.1), ("nanometer", "micrometer", "micrometer"), [1, 1, 2]),
        ((0.05, 0.1, 0.1), ("micrometer",) * 3, [1, 2, 4]),
    ],
)
def test_planes_are_joined_once_voxels_are_cubes(
    scale: tuple[float, ...], units: tuple[str, ...], wanted: list[int]
) -> None:
    lazy = dask.array.zeros((64, 1000, 900), dtype="u1")
    found = _pyramid.factors(Measurement(lazy, axes=("z", "y", "x"), scale=scale, units=units))
    assert [f[0] for f in found] == wanted
    assert [f[1:] for f in found] == [(1, 1), (2, 2), (4, 4)]


def test_small_and_thin_images() -> None:
    assert _pyramid.factors(volume((3, 256, 256), "zyx")) == [(1, 1, 1)]
    thin = _pyramid.factors(volume((2, 1, 1030), "zyx"))
    assert thin == [(1, 1, 1), (2, 1, 2), (2, 1, 4), (2, 1, 8)]


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 6)))
    kind = draw(st.sampled_from(["u1", "i2", "u8", "i8", "f2", "f4", "f8", "?"]))
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    if kind in ("u8", "i8"):
        return random.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, dtype=kind)
    return random.integers(-100 if kind == "i2" else 0, 2 if kind == "?" else 200, shape).astype(
        kind
    )


@given(values=arrays(), by=st.tuples(*[st.sampled_from([1, 2])] * 3))
@settings(max_examples=60, deadline=None)
def test_means_are_means(values: np.ndarray, by: tuple[int, ...]) -> None:
    small = _pyramid.shrink(values, by)
    assert small.dtype == values.dtype
    assert small.shape == tuple(-(-n // f) for n, f in zip(values.shape, by, strict=True))
    if 1 in values.shape or any(n % f for n, f in zip(values.shape, by, strict=True)):
        return
    blocks = values.astype(np.float64)
    for axis, f in enumerate(by):
        blocks = blocks.reshape(*blocks.shape[:axis], -1, f, *blocks.shape[axis + 1 :]).mean(
            axis + 1
        )
    if values.dtype.kind == "b":
        assert np.array_equal(small, blocks >= 0.5)
    else:
        size = max(1.0, float(np.abs(blocks).max()))
        slack = 0.5 if values.dtype.kind in "ui" else 0.0
        assert (
            np.abs(small.astype(np.float64) - blocks).max()
            <= slack + 1e-3 * size * (values.dtype == np.float16) + 1e-7 * size
        )
    if values.dtype.itemsize < 8:
        assert small.min() >= values.min() and small.max() <= values.max()


def test_what_is_not_finite_stays_so() -> None:
    values = np.array([[1.0, np.nan], [np.inf, -np.inf]], dtype=np.float32)
    assert np.isnan(_pyramid.shrink(values, (1, 2))[0, 0])
    assert np.isnan(_pyramid.shrink(values, (1, 2))[1, 0])
    assert _pyramid.shrink(values, (2, 1))[0, 0] == np.inf


@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    pieces=st.lists(st.integers(1, 9), min_size=4, max_size=4),
    room=st.integers(1, 4000),
)
def test_blocks_cover_everything_once_in_whole_pieces(
    shape: list[int], pieces: list[int], room: int
) -> None:
    seen = np.zeros(shape, dtype=int)
    before = _pyramid.AT_ONCE
    try:
        _pyramid.AT_ONCE = room
        for where in _pyramid.blocks(shape, pieces[: len(shape)], 2):
            seen[where] += 1
            block = seen[where]
            assert block.size * 2 <= room or block.size <= np.prod(pieces[: len(shape)])
            for part, piece in zip(where, pieces, strict=False):
                assert part.start % piece == 0
    finally:
        _pyramid.AT_ONCE = before
    assert (seen == 1).all()


@pytest.mark.parametrize("version", VERSIONS)
def test_blocks_do_not_show(version: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = volume((2, 20, 300, 290), "czyx")
    whole = write(tmp_path / "whole.zarr", source, ome_zarr=version)
    monkeypatch.setattr(_pyramid, "AT_ONCE", 10**6)
    pieces = write(tmp_path / "pieces.zarr", source, ome_zarr=version)
    for level in range(2):
        one, other = read(whole, level=level), read(pieces, level=level)
        np.testing.assert_array_equal(np.asarray(one.data), np.asarray(other.data))


def test_lazy_chunks_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pyramid, "AT_ONCE", 2 * 10**5)
    computed = []

    def work(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        computed.append(block.shape)
        return block + 1

    plain = np.arange(12 * 300 * 300, dtype=np.float32).reshape(12, 300, 300)
    lazy = dask.array.from_array(plain, chunks=(5, 130, 300)).map_blocks(
        work, dtype=np.float32, meta=np.zeros((0, 0, 0), np.float32)
    )
    path = write(tmp_path / "lazy.ome.zarr", Measurement(lazy, axes=("z", "y", "x")))
    assert len(computed) == lazy.npartitions
    np.testing.assert_array_equal(np.asarray(read(path).data[:]), plain + 1)
    valid(path)


@pytest.mark.parametrize("version", VERSIONS)
def test_axes_come_out_in_the_order_of_the_specification(version: Any, tmp_path: Path) -> None:
    source = volume((3, 2, 8, 9), "ctyx", scale=(1, 2, 0.1, 0.1), translate=(0, 5, 0, 0))
    path = write(tmp_path / "a.zarr", source, ome_zarr=version)
    assert [a["name"] for a in valid(path)["axes"]] == ["t", "c", "y", "x"]
    again = read(path)
    np.testing.assert_array_equal(np.asarray(again.data[:]), source.data.swapaxes(0, 1))
    assert (again.scale[0], again.translate[0]) == (2, 5)
    angles = Measurement(np.zeros((4, 8, 8)), axes=("angle", "y", "x"), units=("degree",) * 3)
    assert "type" not in valid_axes(write(tmp_path / "b.zarr", angles, ome_zarr=version))[0]


def valid_axes(path: Path) -> Any:
    group = zarr.open_group(str(path), mode="r")
    return dict(group.attrs).get("ome", dict(group.attrs))["multiscales"][0]["axes"]


def test_axes_that_do_not_fit_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    for axes in (("angle", "c", "y", "x"), ("a", "b", "y", "x")):
        with pytest.raises(InputError, match="cannot hold the axes") as caught:
            write(tmp_path / "a.zarr", Measurement(np.zeros((2, 2, 4, 4)), axes=axes))
        assert ".npy" in caught.value.hint
    with pytest.raises(InputError, match=r"version '0\.6'"):
        write(tmp_path / "a.zarr", Measurement(np.zeros((4, 4))), ome_zarr="0.6")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_channels_keep_their_names(version: Any, tmp_path: Path) -> None:
    source = volume((2, 8, 8), "cyx", metadata={"channels": ["DAPI", "GFP"]})
    path = write(tmp_path / "a.zarr", source, ome_zarr=version)
    valid(path)
    group = zarr.open_group(str(path), mode="r+")
    attributes = dict(group.attrs)
    ome = attributes.get("ome", attributes)
    assert [c["label"] for c in ome["omero"]["channels"]] == ["DAPI", "GFP"]
    assert ome["omero"]["channels"][1]["window"]["max"] == source.data[1].max()
    assert read(path).metadata["channels"] == ["DAPI", "GFP"]
    # Without our own note, as other programs write it.
    del group.attrs["selfsup_recon"]
    assert read(path).metadata["channels"] == ["DAPI", "GFP"]
    misfit = volume((2, 8, 8), "cyx", metadata={"channels": ["DAPI"]})
    write(path, misfit, overwrite=True, ome_zarr=version)
    assert "omero" not in dict(zarr.open_group(str(path), mode="r").attrs).get("ome", {})
    flat = Measurement(np.zeros((2, 8, 8)), axes=("c", "y", "x"), metadata={"channels": ["a", "b"]})
    valid(write(path, flat, overwrite=True, ome_zarr=version))


@pytest.mark.parametrize("version", VERSIONS)
@given(
    axes=st.sampled_from(["yx", "zyx", "cyx", "tzyx", "tcyx", "czyx", "tczyx", "ctzyx"]),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
@settings(max_examples=12, deadline=None)
def test_both_versions_round_trip(version: Any, axes: str, seed: int, data: st.DataObject) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers(2, 6, len(axes)))
    unit = data.draw(st.sampled_from(["micrometer", "nanometer", "angstrom"]))
    source = Measurement(
        random.normal(size=shape).astype(data.draw(st.sampled_from(["f4", "f8", ">f4"]))),
        axes=tuple(axes),
        scale=tuple(random.uniform(0.01, 5, len(axes))),
        units=tuple({"c": "pixel", "t": "second"}.get(a, unit) for a in axes),
        translate=tuple(random.normal(size=len(axes))),
        name="µ cells",
        metadata={"stain": "DAPI"},
    )
    with tempfile.TemporaryDirectory() as folder:
        story = {"method": "ssi"}
        path = write(Path(folder) / "a.ome.zarr", source, ome_zarr=version, provenance=story)
        valid(path)
        again = read(path)
        order = [axes.index(a) for a in again.axes]
        np.testing.assert_array_equal(np.asarray(again.data[:]), source.data.transpose(order))
        for fact in ("axes", "scale", "units", "translate"):
            expected = tuple(getattr(source, fact)[i] for i in order)
            assert getattr(again, fact) == pytest.approx(expected) if fact != "axes" else expected
        assert (again.name, again.metadata["stain"]) == ("µ cells", "DAPI")
        assert read_provenance(path) == story


def test_a_pyramid_can_be_replaced_by_what_was_read_from_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ome.zarr", volume((300, 280), "yx"))
    before = np.asarray(read(path).data[:])
    write(path, read(path), overwrite=True)  # the source is open while the copy is written
    np.testing.assert_array_equal(np.asarray(read(path).data[:]), before)
    assert [p.name for p in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_room_for_the_pyramid_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = volume((300, 300), "yx")
    usage = type("Usage", (), {"free": source.data.nbytes * 1.2})
    monkeypatch.setattr(_files.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FileError, match="free on the disk"):
        write(tmp_path / "a.zarr", source)
    assert list(tmp_path.iterdir()) == []


def test_descriptions_hold_no_numbers_that_are_no_json(tmp_path: Path) -> None:
    source = Measurement(
        np.full((2, 300, 300), np.nan, np.float32),
        axes=("c", "y", "x"),
        metadata={"channels": ["a", "b"]},
    )
    path = write(tmp_path / "a.zarr", source)
    valid(path)
    text = (path / "zarr.json").read_text()
    json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
