"""The container of ``.nsr`` files: three members, stored, nothing believed before it is checked."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.io._files import check_room

MODEL = "model.json"
GROUPS = ("weights", "physics")
MEMBERS = (MODEL, *(f"{group}.safetensors" for group in GROUPS))
JSON_LIMIT = 16 * 2**20  # bytes
Arrays = dict[str, NDArray[Any]]


def refused(path: Path, cause: str) -> FileError:
    """Return the error for a file that is no sound model."""
    return FileError(
        f"{str(path)!r} is no model that can be loaded: {cause.strip().rstrip('.')}.",
        hint="Save the model again, or get an undamaged copy.",
    )


def pack(model: Mapping[str, Any], arrays: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """Return the members of a model file by name.

    Raises
    ------
    InputError
        If ``model`` is not JSON-safe or an array has a dtype that safetensors does not know.
    """
    from safetensors.numpy import save

    members: dict[str, bytes] = {}
    listing: dict[str, Any] = {}
    for group in GROUPS:
        # safetensors writes the bytes as they lie in memory.
        plain = {name: _plain(array) for name, array in arrays[group].items()}
        listing[group] = {
            name: {"dtype": array.dtype.name, "shape": list(array.shape)}
            for name, array in plain.items()
        }
        try:
            members[f"{group}.safetensors"] = save(plain)
        except Exception as error:
            raise InputError(f"The {group} cannot be saved: {error}.") from error
    try:
        text = json.dumps({**model, "arrays": listing}, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"The model cannot be described as JSON: {error}.") from error
    return {MODEL: text.encode(), **members}


def _plain(array: Any) -> NDArray[Any]:
    values = np.asarray(array)
    return np.array(values, dtype=values.dtype.newbyteorder("="), order="C")


def unpack(path: Path, schema: int) -> tuple[dict[str, Any], dict[str, Arrays]]:
    """Return the description and the arrays of a model file.

    Raises
    ------
    FileError
        If anything about the file is not as :func:`pack` makes it, or its schema is newer than
        ``schema``.
    """
    from safetensors.numpy import load

    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            members = {name: archive.read(name) for name in MEMBERS}
        model = json.loads(members[MODEL])
        arrays = {group: dict(load(members[f"{group}.safetensors"])) for group in GROUPS}
    except FileError:
        raise
    except zipfile.BadZipFile as error:
        raise refused(path, "it is incomplete, or no .nsr file at all") from error
    except Exception as error:  # zipfile, json and safetensors have no common error
        raise refused(path, f"{type(error).__name__}: {error}") from error
    _check_model(model, arrays, path, schema)
    return model, arrays


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    names = [info.filename for info in archive.infolist()]
    if sorted(names) != sorted(MEMBERS):
        raise refused(path, f"it holds {', '.join(names[:5]) or 'nothing'}")
    total = 0
    for info in archive.infolist():
        # Stored members cannot be larger than the file: no bomb can hide.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise refused(path, f"{info.filename} is compressed")
        if info.flag_bits & 0x1:
            raise refused(path, f"{info.filename} is encrypted")
        total += info.file_size
        if info.filename == MODEL and info.file_size > JSON_LIMIT:
            raise refused(path, f"{MODEL} has {info.file_size} bytes")
    if total > path.stat().st_size:
        raise refused(path, "its members overlap")
    check_room(path, 3 * total)


def _check_model(model: Any, arrays: Mapping[str, Arrays], path: Path, schema: int) -> None:
    if not isinstance(model, dict) or not isinstance(model.get("schema"), int):
        raise refused(path, f"{MODEL} does not describe a model")
    if model["schema"] > schema:
        raise FileError(
            f"{str(path)!r} was written by a newer version of napari-selfsup-recon.",
            hint="Update napari-selfsup-recon.",
        )
    kinds = {"method": str, "options": dict, "facts": dict, "arrays": dict}
    for key, kind in kinds.items():
        if not isinstance(model.get(key), kind):
            raise refused(path, f"{MODEL} has no {key}")
    if "physics" not in model:
        raise refused(path, f"{MODEL} has no physics")
    for group in GROUPS:
        found = {
            name: {"dtype": array.dtype.name, "shape": list(array.shape)}
            for name, array in arrays[group].items()
        }
        if found != model["arrays"].get(group):
            raise refused(path, f"the {group} are not those that {MODEL} describes")
