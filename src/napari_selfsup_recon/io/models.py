"""Trained models in one ``.nsr`` file: a zip of JSON and safetensors, neither pickle nor code."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_selfsup_recon.core.errors import FileError, InputError, ReconError
from napari_selfsup_recon.core.provenance import Provenance, versions
from napari_selfsup_recon.io import _files, _nsr
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.physics.recipe import Recipe, from_recipe

if TYPE_CHECKING:
    from napari_selfsup_recon.core.options import Options
    from napari_selfsup_recon.methods.base import LearnedMethod
    from napari_selfsup_recon.physics.base import Physics
    from napari_selfsup_recon.physics.noise import Noise

SUFFIX = ".nsr"
SCHEMA = 1
NOISES = ("Gaussian", "PoissonGaussian")


def save_model(
    method: LearnedMethod,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    provenance: Provenance | Mapping[str, Any] | None = None,
) -> Path:
    """Save a trained method with its physics, options and scores as one file.

    The file is a zip, stored without compression, of ``model.json`` (schema, method, options,
    physics, facts, provenance, versions, and dtype and shape of every array),
    ``weights.safetensors`` and ``physics.safetensors``.

    Parameters
    ----------
    method
        A trained method.
    path
        Where to; ``.nsr`` is added where it is missing.
    overwrite
        Whether an existing file may be replaced.
    provenance
        Where the model comes from.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        If the method is not trained or is none of this package.
    FileError
        If the file cannot be written, or exists.
    """
    target = check_model_path(path, overwrite=overwrite)
    if not method.trained:
        raise InputError(
            f"{type(method).__name__} is not trained; there is nothing to save.",
            hint="Call fit(measurement) first.",
        )
    entry = METHODS.find(method.key)
    facts, weights = method.state()
    try:
        recipe: Recipe | None = method.physics.recipe()
    except InputError:  # physics of somebody else's making: to be given again when loading
        recipe = None
    story = provenance.as_dict() if isinstance(provenance, Provenance) else provenance
    model = {
        "schema": SCHEMA,
        "method": entry.key,
        "options": method.options.model_dump(mode="json"),
        "physics": None if recipe is None else {"kind": recipe.kind, "params": dict(recipe.params)},
        "noise": _describe_noise(method.noise),
        "facts": facts,
        "provenance": None if story is None else dict(story),
        "versions": versions(),
    }
    arrays = {"weights": weights, "physics": {} if recipe is None else dict(recipe.arrays)}
    content = _nsr.pack(model, arrays)
    _files.check_disk(target, sum(map(len, content.values())))
    with (
        _files.replacing(target, overwrite=overwrite) as part,
        zipfile.ZipFile(part, "x", zipfile.ZIP_STORED) as archive,
    ):
        for name, data in content.items():
            archive.writestr(name, data)
    return target


def load(path: str | os.PathLike[str], *, physics: Physics | None = None) -> LearnedMethod:
    """Load a trained method that :func:`save_model` (or ``method.save``) wrote.

    A model that was trained on a device that this machine has not is put on the best one it has.
    Nothing in the file is ever run; sizes, names, dtypes and shapes are checked before they are
    believed.

    Parameters
    ----------
    path
        An ``.nsr`` file.
    physics
        The instrument, if it is another (a larger image), or if the file could not hold it.

    Returns
    -------
    LearnedMethod
        Ready to ``reconstruct``.

    Raises
    ------
    FileError
        If the file is missing, damaged, no model, from a newer version, or holds no physics and
        none is given.
    """
    found = _files.existing(path)
    if found.is_dir():
        raise FileError(f"{str(found)!r} is a folder.", hint=f"Choose a {SUFFIX} file.")
    model, arrays = _nsr.unpack(found, SCHEMA)
    try:
        entry = METHODS.find(str(model["method"]))
        options = _here(entry.load_options().model_validate(model["options"]))
        kind = entry.load_method()
        if physics is None:
            physics = _physics(model["physics"], arrays["physics"], found)
        method: LearnedMethod = kind.from_state(physics, options, model["facts"], arrays["weights"])
        method.noise = _rebuild_noise(model.get("noise"))
    except FileError:
        raise
    except MemoryError as error:
        raise _nsr.refused(found, "it needs more memory than there is") from error
    except Exception as error:  # any wrong type or shape, wherever it is noticed
        cause = error.message if isinstance(error, ReconError) else _first_line(error)
        raise _nsr.refused(found, cause) from error
    return method


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a model file tells of where the model comes from; empty if it tells nothing.

    Raises
    ------
    FileError
        If the file is missing, damaged or no model.
    """
    model, _ = _nsr.unpack(_files.existing(path), SCHEMA)
    story = model.get("provenance")
    return dict(story) if isinstance(story, Mapping) else {}


def check_model_path(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path that :func:`save_model` would write, if it can.

    Raises
    ------
    FileError
        If the folder cannot be written or the file exists.
    """
    wanted = Path(path).expanduser()
    if wanted.suffix.lower() != SUFFIX:
        wanted = wanted.with_name(wanted.name + SUFFIX)
    target = _files.check_target(wanted, overwrite=overwrite)
    if target.is_dir():
        raise FileError(f"{str(target)!r} is a folder.", hint="Choose another name.")
    return target


def _here(options: Options) -> Options:
    """Return the options with a device of this machine: the model may come from another one."""
    if "device" not in type(options).model_fields:
        return options
    from napari_selfsup_recon.training.device import pick_device

    try:
        pick_device(options.model_dump()["device"])
    except InputError:
        return options.model_copy(update={"device": "auto"})
    return options


def _physics(described: Any, arrays: Mapping[str, Any], path: Path) -> Physics:
    if described is None:
        raise FileError(
            f"{str(path)!r} does not hold the physics it was trained with.",
            hint="Rebuild it and pass it on: load(path, physics=...).",
        )
    return from_recipe(Recipe(described["kind"], described["params"], arrays))


def _describe_noise(noise: Noise | None) -> dict[str, Any] | None:
    name = type(noise).__name__
    return {"kind": name, "params": dict(vars(noise))} if name in NOISES else None


def _rebuild_noise(described: Any) -> Noise | None:
    if described is None:
        return None
    from napari_selfsup_recon.physics import noise

    if described["kind"] not in NOISES:
        raise InputError(f"The noise {described['kind']!r} is not known to this version.")
    built: Noise = getattr(noise, described["kind"])(**described["params"])
    return built


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
