"""The small values of the core: errors, units, provenance, options, registry, generators."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import dask.array
import numpy as np
import pydantic
import pytest
import torch
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_selfsup_recon.core import errors, memory
from napari_selfsup_recon.core.lazy import attach
from napari_selfsup_recon.core.options import Options, option
from napari_selfsup_recon.core.provenance import Provenance, fingerprint, versions
from napari_selfsup_recon.core.random import derive_seed, numpy_generator, torch_generator
from napari_selfsup_recon.core.registry import Entry, Registry, load_object
from napari_selfsup_recon.core.units import (
    canonical_unit,
    conversion,
    is_length,
    is_time,
    unit_symbol,
)

# Errors


def test_errors_say_what_and_the_way_out() -> None:
    for kind in (errors.InputError, errors.FileError, errors.OutOfMemoryError):
        error = kind("The image is empty.", hint="Open another.")
        assert str(error) == "The image is empty. Open another."
        assert (error.message, error.hint) == ("The image is empty.", "Open another.")
        assert isinstance(error, errors.ReconError)
    assert str(errors.InputError("Alone.")) == "Alone."
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.FileError, OSError)


def test_failures_of_a_job_are_no_runtime_errors() -> None:
    for kind in (errors.OutOfMemoryError, errors.UnstableTrainingError, errors.JobFailedError):
        assert not issubclass(kind, RuntimeError)


# Units


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("µm", "micrometer"),
        ("μm", "micrometer"),
        ("um", "micrometer"),
        ("UM", "micrometer"),
        (" micron ", "micrometer"),
        ("\\u00B5m", "micrometer"),
        ("nm", "nanometer"),
        ("Å", "angstrom"),
        ("mm", "millimeter"),
        ("m", "meter"),
        ("s", "second"),
        ("ms", "millisecond"),
        ("sec", "second"),
        (None, "pixel"),
        ("", "pixel"),
        ("px", "pixel"),
        ("parsec", "parsec"),
    ],
)
def test_units_have_one_spelling(spelling: str | None, name: str) -> None:
    assert canonical_unit(spelling) == name
    assert canonical_unit(canonical_unit(spelling)) == name
    assert canonical_unit(unit_symbol(name)) == name


def test_units_convert() -> None:
    assert conversion("nm", "micrometer") == pytest.approx(1e-3)
    assert conversion("µm", "um") == 1.0
    assert conversion("minute", "s") == pytest.approx(60)
    assert conversion("parsec", "parsec") == 1.0
    assert conversion("pixel", "px") == 1.0
    assert conversion("nm", "s") is None
    assert conversion("pixel", "nm") is None
    assert is_length("µm")
    assert is_time("ms")
    assert not is_length("s")
    assert not is_time("pixel")


# Provenance


def test_provenance_is_json_safe_and_comes_back() -> None:
    story = Provenance(
        method="ssi",
        options={"steps": 3},
        physics={"kind": "blur"},
        source={"name": "cells"},
        scores={"held_out": 0.5},
    )
    again = json.loads(json.dumps(story.as_dict()))
    assert again == story.as_dict()
    assert Provenance(**again) == story
    assert set(versions()) == {"python", "napari-selfsup-recon", "torch", "numpy"}


def test_fingerprints_see_shape_dtype_and_values() -> None:
    data = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    same = fingerprint(data.copy())
    assert fingerprint(data) == same
    assert fingerprint(data[:, ::-1][:, ::-1]) == same
    others = [data + 1, data.astype("f8"), data.T, data.reshape(10, 1000), data[:-1]]
    corner = data.copy()
    corner[-1, -1] += 1
    assert len({same, *map(fingerprint, [*others, corner])}) == 7


@pytest.mark.parametrize("shape", [(3, 2), (1, 1), (7, 40, 50), (2, 3, 9, 30, 31)])
def test_fingerprints_do_not_depend_on_the_container(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    data = np.random.default_rng(0).integers(0, 1000, shape).astype(np.uint16)
    stored = zarr.create_array(str(tmp_path / "a"), data=data)
    lazy = dask.array.from_array(data, chunks=3)
    assert fingerprint(data) == fingerprint(stored) == fingerprint(lazy)


def test_fingerprints_read_little() -> None:
    class Counting:
        shape, dtype, voxels = (10**6,) * 3, np.dtype("u1"), 0

        def __getitem__(self, block: tuple[slice, ...]) -> np.ndarray:
            part = np.zeros([s.stop - s.start for s in block], dtype="u1")
            self.voxels += part.size
            return part

    array = Counting()
    fingerprint(array)
    assert array.voxels == 4096


# Options


class Example(Options):
    """Options of nothing."""

    steps: int = option(
        5, ge=1, le=10, title="Steps", description="How many.", unit="steps", advanced=True
    )


def test_options_are_frozen_ranged_and_described() -> None:
    with pytest.raises(pydantic.ValidationError):
        Example(steps=0)
    with pytest.raises(pydantic.ValidationError):
        Example(step=3)  # type: ignore[call-arg]
    with pytest.raises(pydantic.ValidationError):
        Example().steps = 7  # type: ignore[misc]
    field = Example.model_fields["steps"]
    assert (field.title, field.description) == ("Steps", "How many.")
    assert field.json_schema_extra == {"unit": "steps", "advanced": True}
    assert Example.model_validate_json(Example(steps=7).model_dump_json()) == Example(steps=7)


def test_bad_defaults_are_noticed() -> None:
    class Wrong(Options):
        steps: int = option(0, ge=1, title="Steps", description="How many.")

    with pytest.raises(pydantic.ValidationError):
        Wrong()


# Registry


def entry(key: str, *, learned: bool, tasks: tuple[str, ...]) -> Entry:
    return Entry(key, key.title(), "", "", tasks, learned, "no.such.module:Class", "json:dumps")


def test_the_registry_imports_nothing_before_it_is_asked() -> None:
    registry = Registry(
        (
            entry("a", learned=True, tasks=("deconvolve", "denoise")),
            entry("b", learned=False, tasks=("deconvolve",)),
        )
    )
    assert list(registry) == ["a", "b"]
    assert len(registry) == 2
    assert [e.key for e in registry.for_task("deconvolve")] == ["a", "b"]
    assert [e.key for e in registry.for_task("deconvolve", learned=False)] == ["b"]
    assert [e.key for e in registry.for_task("denoise")] == ["a"]
    assert registry.find("a").load_options() is json.dumps
    assert load_object("json:loads") is json.loads
    with pytest.raises(ModuleNotFoundError):
        registry["a"].load_method()
    with pytest.raises(errors.InputError, match="Choose from a, b"):
        registry.find("c")


# Lazy names


def test_lazy_names_are_imported_on_first_use() -> None:
    package = types.ModuleType("json")
    get, names = attach("json", {"JSONDecoder": ".decoder", "scanner": ".scanner", "gone": ".no"})
    assert names() == ["JSONDecoder", "gone", "scanner"]
    assert get("JSONDecoder") is json.JSONDecoder
    assert get("scanner") is sys.modules["json.scanner"]
    with pytest.raises(AttributeError, match="has no attribute 'missing'"):
        get("missing")
    with pytest.raises(ModuleNotFoundError):
        get("gone")
    assert package.__name__ == "json"


def test_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, napari_selfsup_recon as n, napari_selfsup_recon.io, "
        "napari_selfsup_recon.physics, napari_selfsup_recon.core.measurement, "
        "napari_selfsup_recon.io.volumes; dir(n); n.Measurement; n.psf;"
        "heavy = {'torch', 'napari', 'qtpy', 'scipy', 'tifffile', 'zarr', 'dask', 'skimage'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Random generators


@given(st.lists(st.integers() | st.text(), min_size=1, max_size=4))
def test_seeds_depend_on_their_parts_alone(parts: list) -> None:
    seed = derive_seed(*parts)
    assert 0 <= seed < 2**63
    assert derive_seed(*parts) == seed
    assert derive_seed(*parts, "more") != seed


def test_generators_repeat_and_leave_the_global_ones_alone() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one = torch.rand(5, generator=torch_generator(0, "masks"))
    two = torch.rand(5, generator=torch_generator(0, "masks"))
    other = torch.rand(5, generator=torch_generator(1, "masks"))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    np.testing.assert_array_equal(numpy_generator(3).random(5), numpy_generator(3).random(5))
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


# Memory


def test_memory_is_told_in_words() -> None:
    assert memory.free_memory() > 10**6
    assert memory.readable_bytes(12) == "12 B"
    assert memory.readable_bytes(3.14e9) == "3.1 GB"
    assert memory.readable_bytes(2.5e15) == "2500.0 TB"
