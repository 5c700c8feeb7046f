"""A run in a folder: images, models and what they were made from. Neither pickle nor code."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping, Sequence
from math import prod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from napari_selfsup_recon.core.errors import FileError
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.provenance import fingerprint
from napari_selfsup_recon.io import _files, _ome
from napari_selfsup_recon.io._facts import parse_json
from napari_selfsup_recon.io.models import SUFFIX, save_model
from napari_selfsup_recon.io.volumes import read, write

if TYPE_CHECKING:
    from napari_selfsup_recon.methods.base import LearnedMethod

NAME = "run.json"
_KIND = "napari-selfsup-recon run"
_VERSION = 1
_MOST_LAYERS, _MOST_MODELS, _MOST_AXES = 20, 10_000, 12
_MOST_VALUES = 100_000  # of an array in the metadata

Numbers = Annotated[tuple[FiniteFloat, ...], Field(max_length=(_MOST_AXES + 1) ** 2)]
Text = Annotated[str, Field(max_length=1000)]
_FROZEN = ConfigDict(frozen=True, extra="ignore")


class SavedLayer(BaseModel):
    """An image of a run, where it lies and how it is shown; its values are in a file.

    ``file`` is its name in the folder, None where the values were left where they were read from:
    ``origin``, or ``beside`` as seen from the folder. ``fingerprint`` tells whether they are the
    same.
    """

    model_config = _FROZEN

    role: Text
    name: Text
    file: Text | None = None
    origin: Annotated[str, Field(max_length=10_000)] | None = None
    beside: Annotated[str, Field(max_length=10_000)] | None = None
    fingerprint: Text = ""
    shape: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2, max_length=_MOST_AXES)
    ]
    scale: Numbers
    translate: Numbers
    rotate: tuple[Numbers, ...]
    shear: Numbers
    affine: tuple[Numbers, ...]
    units: tuple[Text, ...]
    axis_labels: tuple[Text, ...]
    contrast_limits: tuple[FiniteFloat, FiniteFloat]
    colormap: Text = "gray"
    gamma: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    visible: bool = True
    metadata: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_space(self) -> Self:
        ndim = len(self.shape)
        vectors = (self.scale, self.translate, self.units, self.axis_labels)
        wrong = any(len(values) != ndim for values in vectors)
        wrong |= len(self.shear) != ndim * (ndim - 1) // 2 or not all(self.scale)
        for matrix, side in ((self.rotate, ndim), (self.affine, ndim + 1)):
            wrong |= len(matrix) != side or any(len(line) != side for line in matrix)
        if wrong or self.contrast_limits[0] >= self.contrast_limits[1]:
            raise ValueError(f"the place of {self.name!r} makes no sense")
        return self


class SavedRun(BaseModel):
    """What a folder tells of a run.

    Attributes
    ----------
    name
        Of the result.
    story
        Provenance.
    config
        What was asked for (:class:`~napari_selfsup_recon.runs.config.RunConfig`), empty if unknown.
    layers
        The result, its companions, and what it was made from.
    models
        Names of the files of the trained networks, one a frame.
    """

    model_config = _FROZEN

    kind: Text = _KIND
    version: int = _VERSION
    name: Text
    story: dict[str, Any] = {}
    config: dict[str, Any] = {}
    layers: Annotated[tuple[SavedLayer, ...], Field(min_length=1, max_length=_MOST_LAYERS)]
    models: Annotated[tuple[Text, ...], Field(max_length=_MOST_MODELS)] = ()


def file_name(stem: str, measurement: Measurement) -> str:
    """Return the name of a file that holds ``measurement`` without loss."""
    order = [axis for axis in _ome.AXES if axis in measurement.axes]
    plain = measurement.dtype.name in _ome.TYPES and measurement.dtype.kind != "b"
    return f"{stem}.ome.tif" if plain and list(measurement.axes) == order else f"{stem}.npy"


def write_run(
    path: str | os.PathLike[str],
    run: SavedRun,
    images: Mapping[str, Measurement],
    models: Sequence[LearnedMethod] = (),
    *,
    texts: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Generator[str, None, Path]:
    """Write a run as a folder, which appears in one go.

    Parameters
    ----------
    path
        The folder; it must not exist, unless it is a saved run that is to be replaced.
    run
        What ``run.json`` tells.
    images
        Values by the name of their file.
    models
        Trained methods, in the order of ``run.models``.
    texts
        Further files for people to read, by name.
    overwrite
        Whether a saved run may be replaced.

    Yields
    ------
    str
        What is being done.

    Raises
    ------
    FileError
        If the folder cannot be written, or is there already.
    InputError
        If something in ``run`` is no JSON.
    """
    target = check_run_path(path, overwrite=overwrite)
    _files.check_disk(target, sum(prod(m.shape) * m.dtype.itemsize for m in images.values()))
    text = run.model_dump_json(indent=1)
    with _files.replacing(target, overwrite=overwrite) as part:
        part.mkdir()
        for name, measurement in images.items():
            yield f"Writing {name}"
            write(part / name, measurement)
        for name, model in zip(run.models, models, strict=True):
            yield f"Writing {name}"
            save_model(model, part / name, provenance=run.story)
        for name, words in (texts or {}).items():
            (part / name).write_text(words, encoding="utf-8")
        (part / NAME).write_text(text, encoding="utf-8")
    return target


def check_run_path(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the folder that :func:`write_run` would write, if it can.

    Raises
    ------
    FileError
        If it cannot be written, or holds anything but a saved run that may be replaced.
    """
    target = _files.check_target(path, overwrite=overwrite)
    if target.exists() and not (target / NAME).is_file():
        raise FileError(
            f"{str(target)!r} is not the folder of a saved run.", hint="Choose another name."
        )
    return target


def read_run(path: str | os.PathLike[str]) -> tuple[Path, SavedRun]:
    """Return the folder of a saved run and what it tells; images and models stay where they are.

    Parameters
    ----------
    path
        The folder, or ``run.json`` in it.

    Raises
    ------
    FileError
        If there is none, it is damaged, or from a newer version.
    """
    found = _files.existing(path)
    folder = found if found.is_dir() else found.parent
    note = folder / NAME
    if not note.is_file():
        raise FileError(
            f"{str(folder)!r} is not the folder of a saved run: it has no {NAME}.",
            hint="Choose a folder that Save run has made.",
        )
    try:
        with note.open("rb") as file:
            values = parse_json(file.read(17 * 2**20), note)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise _files.cannot_read(note, error) from error
    if not isinstance(values, dict) or values.get("kind") != _KIND:
        raise _refused(note, "it says nothing of a run")
    version = values.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise FileError(
            f"{str(folder)!r} was written by a newer version of napari-selfsup-recon.",
            hint="Update napari-selfsup-recon.",
        )
    try:
        run = SavedRun.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _refused(note, f"{where or 'run'}: {first['msg']}") from error
    for name in (*(layer.file for layer in run.layers), *run.models):
        if name is not None:
            _inside(folder, name, note)
    if strange := [name for name in run.models if not name.endswith(SUFFIX)]:
        raise _refused(note, f"{strange[0]!r} is no name of a model")
    return folder, run


def read_layer(folder: Path, layer: SavedLayer) -> tuple[Any, str]:
    """Return the values of a layer, and why there are none.

    Values that lie in the folder must be there; those that were left outside may be gone or may
    have changed, which is told.

    Raises
    ------
    FileError
        If a file of the folder is missing or damaged, or holds another image.
    """
    if layer.file is not None:
        path = _inside(folder, layer.file, folder / NAME)
        data = _shaped(read(path).data, layer)
        if data is None:
            raise _refused(path, f"it does not hold {_by(layer.shape)} voxels")
        return data, ""
    why = f"The file of {layer.name!r} is gone: {layer.origin}."
    for path in _places(folder, layer):
        if not (path.is_file() or path.is_dir()):
            continue
        try:
            data = _shaped(read(path).data, layer)
        except FileError as error:
            why = f"{layer.name!r} is not shown: {error.message}"
            continue
        if data is not None and fingerprint(data) == layer.fingerprint:
            return data, ""
        why = f"{layer.name!r} is not shown: {str(path)!r} has changed since the run was saved."
    return None, why


def same_in_file(path: Path, data: Any) -> bool:
    """Return whether ``path`` is a file that :func:`read_layer` reads as ``data``."""
    try:
        found = _reshaped(read(path).data, tuple(map(int, data.shape)))
    except FileError:
        return False
    return found is not None and fingerprint(found) == fingerprint(data)


def _places(folder: Path, layer: SavedLayer) -> list[Path]:
    """Return where the file of a layer may lie: beside the folder, if both were moved, first."""
    places = []
    if layer.beside:
        places.append(folder / PurePosixPath(layer.beside))
    if layer.origin:
        places.append(Path(layer.origin))
    return places


def _shaped(data: Any, layer: SavedLayer) -> Any:
    return _reshaped(data, layer.shape)


def _reshaped(data: Any, shape: Sequence[int]) -> Any:
    """Return ``data`` with axes of length 1 put back; None if it is another image."""
    long = tuple(n for n in shape if n > 1)
    if tuple(int(n) for n in data.shape if n > 1) != long:
        return None
    if tuple(data.shape) == tuple(shape):
        return data
    if not hasattr(data, "reshape"):  # a zarr array
        import dask.array

        data = dask.array.from_zarr(data)  # type: ignore[no-untyped-call, unused-ignore]
    return data.reshape(tuple(shape))


def _inside(folder: Path, name: str, note: Path) -> Path:
    """Return a file of the folder; names that lead elsewhere are refused."""
    path = folder / name
    if name in ("", ".", "..") or Path(name).name != name or "\\" in name or path.is_symlink():
        raise _refused(note, f"{name!r} is not a file of this folder")
    return path


def _refused(path: Path, cause: str) -> FileError:
    return FileError(
        f"{str(path)!r} is not what a saved run holds: {cause.strip().rstrip('.')}.",
        hint="Save the run again, or get an undamaged copy of the whole folder.",
    )


def _plain(value: Any) -> Any:
    """Return an array or a number of NumPy as JSON has it."""
    if isinstance(value, np.ndarray | np.generic) and value.size <= _MOST_VALUES:
        return value.tolist()
    raise TypeError(type(value).__name__)


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def json_safe(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the entries of ``values`` that JSON can hold."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        try:
            kept[str(key)] = json.loads(json.dumps(value, allow_nan=False, default=_plain))
        except (TypeError, ValueError, RecursionError):
            continue
    return kept
