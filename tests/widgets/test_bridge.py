"""What is read from a layer and where results lie."""

from __future__ import annotations

import gc
import weakref

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.widgets.bridge import (
    add_layer,
    axes_choices,
    guess_axes,
    has_voxel_size,
    origin_of,
    set_voxel_size,
    source_of,
    unique_name,
)


def tilted(**more):
    return Image(
        np.arange(2 * 4 * 6 * 8.0).reshape(2, 4, 6, 8),
        name="cells",
        scale=(1.0, 2.0, 0.5, 0.25),
        translate=(0.0, 10.0, 20.0, 30.0),
        rotate=np.array(
            [
                [1, 0, 0, 0],
                [0, 1, 0, 0],
                [0, 0, np.cos(0.3), -np.sin(0.3)],
                [0, 0, np.sin(0.3), np.cos(0.3)],
            ]
        ),
        shear=(0, 0, 0, 0.1, 0, 0.2),
        affine=np.diag([1, 1, 3, 2, 1]) + 0.01 * np.eye(5, k=1) * np.array([1, 1, 1, 1, 0]),
        units=("s", "um", "um", "um"),
        axis_labels=("t", "z", "y", "x"),
        **more,
    )


def test_the_facts_of_a_layer():
    measurement = source_of(tilted()).measurement
    assert measurement.axes == ("t", "z", "y", "x")
    assert measurement.scale == (1.0, 2.0, 0.5, 0.25)
    assert measurement.units == ("second", "micrometer", "micrometer", "micrometer")
    assert measurement.translate == (0.0, 10.0, 20.0, 30.0)
    assert measurement.name == "cells"


@pytest.mark.parametrize(
    ("labels", "shape", "axes"),
    [
        (None, (5, 6), ("y", "x")),
        (None, (4, 5, 6), ("z", "y", "x")),
        (None, (3, 4, 5, 6), ("t", "z", "y", "x")),
        (("c", "y", "x"), (4, 5, 6), ("c", "y", "x")),
        (("Time", "Y", "X"), (4, 5, 6), ("t", "y", "x")),
        (("plane", "row", "column"), (4, 5, 6), ("z", "y", "x")),
        (("a", "b", "c"), (4, 5, 6), ("z", "y", "x")),
    ],
)
def test_axes_are_read_or_guessed(labels, shape, axes):
    layer = Image(np.zeros(shape), axis_labels=labels)
    assert guess_axes(layer) == axes
    assert axes_choices(layer)[0] == axes


def test_nothing_is_copied_and_dask_stays_lazy():
    array = np.ones((8, 9), np.uint8)
    assert source_of(Image(array)).measurement.data is array

    reads = []

    def read(block):
        reads.append(block)
        return block

    lazy = da.ones((4, 8, 9), chunks=(1, 8, 9)).map_blocks(read, dtype=float, meta=np.ones(()))
    layer = Image(lazy, contrast_limits=(0, 1), cache=False)  # napari reads what it shows
    reads.clear()
    source = source_of(layer, axes="tyx", fixed={0: 2})
    assert source.measurement.shape == (8, 9)
    assert isinstance(source.measurement.data, da.Array)
    assert reads == []


def test_a_level_of_a_multiscale_layer():
    levels = [np.zeros((16, 32)), np.zeros((8, 16))]
    layer = Image(levels, multiscale=True, scale=(0.5, 0.5), contrast_limits=(0, 1))
    assert source_of(layer).measurement.shape == (16, 32)
    coarse = source_of(layer, level=1).measurement
    assert coarse.shape == (8, 16)
    assert coarse.scale == (1.0, 1.0)


def test_colour_and_label_layers_are_refused_with_a_way_out():
    with pytest.raises(InputError, match="colour"):
        source_of(Image(np.zeros((8, 8, 3), np.uint8), rgb=True))
    with pytest.raises(InputError, match="labels layer"):
        source_of(Labels(np.zeros((8, 8), int)))


@pytest.mark.parametrize("fixed", [{}, {0: 1}, {0: 1, 1: 2}])
def test_a_crop_lies_exactly_where_it_was_cut(fixed):
    layer = tilted()
    source = source_of(layer, fixed=fixed)
    offset = (1, 2, 3)[len(fixed) - 1 :] if fixed else (0, 1, 2, 3)
    crop = source.measurement.data[tuple(slice(o, o + 2) for o in offset)]
    viewer = ViewerModel()
    result = add_layer(viewer, source, crop, "crop", offset=offset)
    assert result.ndim == 4
    first = np.array([fixed.get(axis, 0) for axis in range(4)])
    first[[axis for axis in range(4) if axis not in fixed]] = offset
    # Every corner of the crop has the world coordinates that it has in the source.
    for corner in np.ndindex(*(min(2, n) for n in result.data.shape)):
        np.testing.assert_allclose(
            result.data_to_world(corner), layer.data_to_world(first + corner), atol=1e-9
        )
        assert result.data[corner] == layer.data[tuple(first + corner)]
    assert result.units == layer.units
    assert result.axis_labels == layer.axis_labels


def test_results_look_like_the_source_and_tell_where_they_come_from():
    viewer = ViewerModel()
    layer = viewer.add_image(
        np.random.default_rng(0).random((8, 9)), contrast_limits=(0.2, 0.7), colormap="green"
    )
    layer.gamma = 0.8
    source = source_of(layer)
    result = add_layer(viewer, source, np.zeros((8, 9)), "a", provenance={"method": "ssi"})
    assert result.contrast_limits == [0.2, 0.7]
    assert result.colormap.name == "green"
    assert result.gamma == 0.8
    assert result.metadata["selfsup_recon"] == {"method": "ssi"}
    assert origin_of(result) is layer
    assert origin_of(layer) is layer
    again = add_layer(viewer, source, np.zeros((8, 9)), "a")
    assert again.name == "a [2]"


def test_names_count_up():
    assert unique_name("a", []) == "a"
    assert unique_name("a", ["a"]) == "a [2]"
    assert unique_name("a", ["a", "a [2]"]) == "a [3]"


def test_a_source_survives_its_layer():
    layer = Image(np.zeros((8, 9)), name="gone")
    source = source_of(layer)
    reference = weakref.ref(layer)
    del layer
    gc.collect()
    assert reference() is None
    assert source.layer() is None
    assert source.name == "gone"


def test_the_voxel_size_is_written_where_asked():
    layer = Image(np.zeros((3, 4, 8, 9)), axis_labels=("t", "z", "y", "x"))
    assert not has_voxel_size(layer)
    set_voxel_size(layer, ("t", "z", "y", "x"), (0.3, 0.1, 0.2), "micrometer")
    assert has_voxel_size(layer)
    np.testing.assert_allclose(layer.scale, (1, 0.3, 0.1, 0.2))
    assert [str(unit) for unit in layer.units] == ["pixel", *["micrometer"] * 3]
