"""Tiles cover every pixel once and join without seams."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.inference.arrays import map_items
from napari_selfsup_recon.inference.tiles import tiled, tiles
from napari_selfsup_recon.networks.unet import UNet, initialise


def exhaust(work: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    seen = []
    while True:
        try:
            seen.append(next(work))
        except StopIteration as end:
            return seen, end.value


@given(
    n=st.integers(1, 90),
    core=st.integers(1, 40),
    halo=st.integers(0, 20),
    m=st.sampled_from([1, 4]),
)
def test_every_pixel_is_kept_exactly_once(n: int, core: int, halo: int, m: int) -> None:
    count = np.zeros((n, n), int)
    image = np.arange(n * n).reshape(n, n)
    for tile in tiles((n, n), (core, core), (halo, halo), (m, m)):
        count[tile.put] += 1
        assert np.array_equal(image[tile.read][tile.keep], image[tile.put])
        assert all(s.start % m == 0 for s in tile.read)
    assert (count == 1).all()


@pytest.mark.parametrize("shape", [(100, 75), (64, 131)])
def test_tiles_with_a_halo_as_wide_as_the_reach_equal_the_whole_image(
    shape: tuple[int, int],
) -> None:
    net = UNet(2, widths=[4, 6, 8])
    initialise(net, torch.Generator().manual_seed(0))
    net = net.double().eval()
    x = torch.rand(1, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    work = tiled(
        net, x, core=(24, 24), halo=net.reach, multiple=net.multiple, device=torch.device("cpu")
    )
    seen, result = exhaust(work)
    assert seen[-1][0] == seen[-1][1] == len(seen) > 4
    with torch.no_grad():
        assert torch.allclose(result, net(x), atol=1e-12, rtol=0)


def double(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


def test_arrays_of_every_kind() -> None:
    y = np.random.default_rng(0).random((2, 3, 8, 9)).astype(np.float32)
    kept = y.copy()
    result = map_items(double, y, 2)
    assert isinstance(result, np.ndarray)
    assert np.array_equal(result, 2 * y)
    tensor = map_items(double, torch.from_numpy(y), 2)
    assert isinstance(tensor, torch.Tensor)
    assert torch.equal(tensor, 2 * torch.from_numpy(y))
    lazy = map_items(double, da.from_array(y, chunks=(1, 2, 4, 9)), 2)
    assert isinstance(lazy, da.Array)
    assert np.array_equal(lazy.compute(), 2 * y)
    source = zarr.array(y, chunks=(1, 1, 8, 9))
    out = zarr.zeros(y.shape, chunks=(1, 1, 8, 9), dtype="f4")
    assert map_items(double, source, 2, out=out) is out
    assert np.array_equal(out[:], 2 * y)
    assert np.array_equal(y, kept)


def test_bad_arrays_are_refused() -> None:
    with pytest.raises(InputError, match="2 spatial axes"):
        map_items(double, np.zeros(5), 2)
    with pytest.raises(InputError, match="NaN"):
        map_items(double, np.full((4, 4), np.nan), 2)
    with pytest.raises(InputError, match="output array"):
        map_items(double, np.zeros((4, 4)), 2, out=np.zeros((4, 5)))
