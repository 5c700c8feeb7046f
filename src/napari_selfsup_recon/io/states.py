"""What training goes on from in one safetensors file: numbers and JSON, no pickle, no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.io import _files

SUFFIX = ".safetensors"
_KEY = "napari-selfsup-recon"
_VERSION = 1
_DEEPEST = 40
_PLAIN = (str, int, float, bool, type(None))


def save_state(path: Path, facts: Mapping[str, Any], state: Mapping[str, Any], most: int) -> int:
    """Write ``state`` in one go; what was there is replaced.

    Parameters
    ----------
    path
        The file.
    facts
        JSON-safe; :func:`read_facts` returns them without reading the rest.
    state
        Nested dictionaries, lists and tuples of numbers, text, tensors and arrays.
    most
        Bytes of tensors and arrays at most.

    Returns
    -------
    int
        Bytes of tensors and arrays.

    Raises
    ------
    InputError
        If it is larger, or holds something else.
    FileError
        If it cannot be written.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    tree = _taken_apart(state, tensors)
    size: int = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > most:
        raise InputError(f"What was learned has {size} bytes, which is more than is kept.")
    _files.check_disk(path, 2 * size)
    try:
        note = json.dumps({"version": _VERSION, "facts": dict(facts), "tree": tree})
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"What was learned cannot be written: {error}.") from error
    with _files.replacing(path, overwrite=True) as part:
        save_file(tensors, part, metadata={_KEY: note})
    return size


def read_facts(path: Path) -> dict[str, Any]:
    """Return the facts of a file; neither its arrays nor torch are loaded.

    Raises
    ------
    FileError
        If it is damaged, or from another version.
    """
    facts = _note(path)["facts"]
    return dict(facts)


def read_state(path: Path) -> dict[str, Any]:
    """Return the state of a file; arrays come back as tensors.

    Raises
    ------
    FileError
        If it is damaged, from another version, or does not fit the memory.
    """
    from safetensors.torch import load_file

    tree = _note(path)["tree"]
    _files.check_room(path, 3 * path.stat().st_size)
    try:
        state = _put_together(tree, load_file(path))
    except Exception as error:  # safetensors and wrong trees have no common error
        raise _files.damaged(path, "a state of training", error) from error
    if not isinstance(state, dict):
        raise _files.damaged(path, "a state of training", "it holds something else")
    return state


def _note(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    found = _files.existing(path)
    try:
        with safe_open(found, framework="numpy") as file:
            note = json.loads((file.metadata() or {})[_KEY])
        if note["version"] != _VERSION or not isinstance(note["facts"], dict):
            raise ValueError("it is from another version")
    except Exception as error:  # safetensors and JSON have no common error
        raise _files.damaged(found, "a state of training", error) from error
    return {"facts": note["facts"], "tree": note.get("tree")}


def _taken_apart(value: Any, tensors: dict[str, Any], depth: int = 0) -> Any:
    """Return ``value`` as JSON; tensors and arrays are put into ``tensors``."""
    import torch

    if depth > _DEEPEST:
        raise InputError("What was learned is nested too deeply to be kept.")
    if isinstance(value, torch.Tensor | np.ndarray):
        name = str(len(tensors))
        if isinstance(value, np.ndarray):
            tensors[name] = torch.from_numpy(np.array(value, order="C"))
            return {"array": name}
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        inner = [[key, _taken_apart(entry, tensors, depth + 1)] for key, entry in value.items()]
        if not all(isinstance(key, str | int) for key, _ in inner):
            raise InputError("What was learned cannot be kept: it has strange names.")
        return {"dict": inner}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_taken_apart(entry, tensors, depth + 1) for entry in value]}
    raise InputError(f"What was learned cannot be kept: it holds a {type(value).__name__}.")


def _put_together(tree: Any, tensors: Mapping[str, Any], depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise FileError("It is nested too deeply.")
    if isinstance(tree, _PLAIN):
        return tree
    ((kind, inner),) = tree.items()
    if kind == "tensor":
        return tensors[inner]
    if kind == "array":
        return tensors[inner].numpy()
    if kind == "dict":
        return {key: _put_together(entry, tensors, depth + 1) for key, entry in inner}
    made = [_put_together(entry, tensors, depth + 1) for entry in inner]
    return {"list": list, "tuple": tuple}[kind](made)
