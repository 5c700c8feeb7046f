"""Models of runs in files; made for the thread of a background."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.widgets.rerun import config_for
from napari_selfsup_recon.widgets.run_log import Run

_KINDS: dict[str, tuple[type, ...]] = {
    "steps": (int,),
    "seconds": (int, float),
    "scores": (dict,),
    "source": (dict,),
    "run": (dict,),
}


def save_run(run: Run, path: Path, *, overwrite: bool = False) -> Generator[str, None, list[Path]]:
    """Write the models of a run, one file each; of several the names are numbered.

    What :mod:`napari_selfsup_recon.runs` needs to make other measurements of the same kind ready
    goes with those that reconstruct.

    Yields
    ------
    str
        What is being done.

    Raises
    ------
    InputError, FileError
        See :func:`~napari_selfsup_recon.io.models.save_model`.
    """
    from napari_selfsup_recon.io.models import check_model_path, save_model

    story = dict(run.story)
    config = config_for(run)
    if config.task == "reconstruct":
        story["run"] = config.model_dump(mode="json")
    many = len(run.models) > 1
    paths = [
        path.with_name(f"{path.stem}_{number}{path.suffix}") if many else path
        for number in range(len(run.models))
    ]
    for target in paths:  # all of them, before the first is written
        check_model_path(target, overwrite=overwrite)
    written = []
    for model, target in zip(run.models, paths, strict=True):
        yield f"Writing {target.name}"
        made = save_model(model.method(), target, overwrite=overwrite, provenance=story)
        written.append(made)
    return written


def export_run(run: Run, image: Measurement, path: Path) -> Generator[str, None, Path]:
    """Write the model of a run as a package for the BioImage Model Zoo; an existing one stays.

    Raises
    ------
    InputError, FileError
        See :func:`~napari_selfsup_recon.io.zoo.export_model`.
    """
    from napari_selfsup_recon.io.zoo import check_zoo_path, export_model

    check_zoo_path(path)
    yield f"Writing {path.name}"
    frame = image.frame((0,) * len(image.leading_shape))
    return export_model(run.models[0].method(), frame, path, name=run.title)


def load_run(path: Path) -> Generator[str, None, Run]:
    """Return the model of a file as a run.

    Raises
    ------
    FileError
        See :func:`~napari_selfsup_recon.io.models.load`.
    """
    from napari_selfsup_recon.io.models import load, read_provenance
    from napari_selfsup_recon.runs.kept import keep

    yield f"Reading {path.name}"
    story = read_provenance(path)
    method = load(path)
    yield "Taking it in"
    return Run(name=path.name, story=sound(story), models=(keep(method),))


def sound(story: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file tells of itself, without what has not the right form."""
    found: dict[str, Any] = {
        key: value
        for key, value in story.items()
        if isinstance(value, _KINDS.get(key, (str, int, float, dict)))
    }
    found["scores"] = {
        str(name): value
        for name, value in found.get("scores", {}).items()
        if isinstance(value, int | float)
    }
    source = found.get("source", {})
    facts = [source.get(key) for key in ("shape", "axes", "scale", "units")]
    sound = all(isinstance(fact, list) and len(fact) == len(facts[0]) for fact in facts)
    if not (sound and all(isinstance(size, int | float) for size in source["scale"])):
        source = {"name": str(source["name"])} if "name" in source else {}
    return {**found, "source": source}
