"""What can be done with the model of a run, and the jobs that do it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from napari.layers import Layer

from napari_selfsup_recon.core.errors import InputError, ReconError
from napari_selfsup_recon.io.zoo import HOW_TO_INSTALL, available
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.applied import config_of, plan_applied, why_not
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.kept import Reuse
from napari_selfsup_recon.runs.words import validate
from napari_selfsup_recon.widgets.bridge import Source, is_psf, is_result, origin_of, source_of
from napari_selfsup_recon.widgets.job import Job
from napari_selfsup_recon.widgets.levels import level_count
from napari_selfsup_recon.widgets.recon_source import recon_source
from napari_selfsup_recon.widgets.request import view_index
from napari_selfsup_recon.widgets.run_log import MOST_MODELS, MOST_STATES, Run, without_state
from napari_selfsup_recon.widgets.unfinished import stash_of

BUSY = "A run is under way in this viewer: wait for it, or stop it."


@dataclass(frozen=True)
class Reasons:
    """Why something cannot be done with a run; empty where it can."""

    save: str = ""
    apply: str = ""
    train: str = ""
    forget: str = ""
    keep: str = ""
    curves: str = ""
    zoo: str = ""


def reasons(run: Run | None, *, busy: bool) -> Reasons:
    """Return what stands in the way of using the model of ``run``.

    Parameters
    ----------
    run
        The chosen run, None if there is none.
    busy
        Whether a job is under way, or a file is being read or written.
    """
    if run is None:
        none = "No run is chosen."
        return Reasons(none, none, none, none, none, none, none)
    own = BUSY if busy else ""
    layer = run.layer() if run.layer is not None else None
    keep = own or ("" if layer is not None else "The layer of this run is not there.")
    curves = "" if run.curves else "There are no curves of this run."
    if not run.models:
        none = (
            f"Its network was let go: only those of the last {MOST_MODELS} runs are kept."
            if run.let_go
            else "This run trained no network."
        )
        return Reasons(none, none, none, keep=keep, curves=curves, zoo=none)
    apply, train = own or _no_config(run), own or _not_resumable(run)
    return Reasons(
        save=own, apply=apply, train=train, keep=keep, curves=curves, zoo=own or _no_zoo(run)
    )


def config_for(run: Run) -> RunConfig:
    """Return the run that the models belong to.

    Raises
    ------
    InputError
        If it is not known.
    """
    if run.again is not None:
        return run.again.config
    told = run.story.get("run")
    if isinstance(told, Mapping):
        config = validate(RunConfig, dict(told), where="The model")
        assert isinstance(config, RunConfig)
        return config
    return config_of(run.models[0])


def source_for(run: Run, layer: Layer, viewer: Any) -> Source:
    """Return a layer as what the models of ``run`` are applied to.

    Raises
    ------
    InputError
        If they do not fit, in words.
    """
    config = config_for(run)
    if config.task == "reconstruct":
        index = view_index(layer, viewer)
        source = recon_source(layer, config.physics.instrument, index=index)
        if run.again is not None and not source.measurement.metadata:
            told = replace(source.measurement, metadata=run.again.metadata)
            source = replace(source, measurement=told)
    else:
        # Learned from a coarse level, it belongs on that of another pyramid, too.
        level = min(config.level, level_count(layer) - 1)
        source = source_of(layer, level=level)
    why = why_not(run.models, config, run.story.get("source", {}), source.measurement)
    if why:
        raise InputError(why, hint="Choose another image.")
    return source


def misfit(run: Run, layer: Layer, viewer: Any) -> str:
    """Return why the models of ``run`` cannot be applied to ``layer``; empty if they can."""
    if is_result(layer) or is_psf(layer):
        return "Results and PSFs are not offered."
    try:
        source_for(run, layer, viewer)
    except ReconError as error:
        return error.message
    return ""


def job_to_apply(viewer: Any, run: Run, layer: Layer) -> Job:
    """Return the job that reconstructs ``layer`` with the models of ``run``.

    Raises
    ------
    InputError
        If they do not fit each other.
    """
    source = source_for(run, layer, viewer)
    config = config_for(run).model_copy(update={"level": source.level})
    reconstructs = config.task == "reconstruct"
    given = run.again.extras() if run.again is not None and reconstructs else {}
    models = tuple(map(without_state, run.models))
    story = {"name": run.title, "steps": run.steps, "learned_from": run.story.get("source", {})}
    reuse = Reuse(models, story=story, steps=run.steps)
    plan = partial(plan_applied, models, config, source.measurement, given=given)
    return Job(viewer, source, plan, run=partial(execute, reuse=reuse))


def job_to_train_on(viewer: Any, run: Run, steps: int) -> Job:
    """Return the job that trains the models of ``run`` for ``steps`` more steps.

    Raises
    ------
    InputError
        If that is not possible.
    """
    if why := _not_resumable(run):
        raise InputError(why, hint="Run the method again with more steps.")
    assert run.again is not None
    source = run.again.source()
    states = [model.state for model in run.models if model.state is not None]
    done = max(int(state["step"]) for state in states)
    config, entry = run.again.config, METHODS.find(run.key)
    begun = validate(entry.load_options(), config.options, where=entry.label).model_dump()
    options: dict[str, Any] = {"steps": done + steps}
    if "patience" in begun:  # counts from here, or what has converged would end at once
        waited = max(int(s["step"]) - int(s.get("best_step", s["step"])) for s in states)
        options["patience"] = begun["patience"] + waited
    reuse = Reuse(run.models, train=True, story={"name": run.title, "trained_on_from": done})
    fingerprint = run.story["source"]["fingerprint"]
    longer = config.model_copy(update={"options": {**config.options, **options}})
    return Job(
        viewer,
        source,
        partial(run.again.resolve, options, source, fingerprint),
        run=partial(execute, keep_models=True, reuse=reuse),
        again=run.again,
        stash=stash_of(source, replace(run.again, config=longer)),
    )


def learned_from(run: Run) -> weakref.ReferenceType[Layer] | None:
    """Return the layer that ``run`` learned from."""
    return run.again.layer if run.again is not None else None


def _no_zoo(run: Run) -> str:
    if not available():
        return f"The library of the BioImage Model Zoo is missing. {HOW_TO_INSTALL}"
    if len(run.models) > 1:
        return "Of several frames each has a network: export them in a script."
    return "" if image_of_run(run) is not None else "The image that it learned from is not there."


def image_of_run(run: Run) -> Layer | None:
    """Return the layer that ``run`` was made from, None where it is not known or gone."""
    learned = learned_from(run)
    if learned is not None:
        return learned()
    made = run.layer() if run.layer is not None else None
    return origin_of(made) if made is not None and is_result(made) else None


def _no_config(run: Run) -> str:
    try:
        config_for(run)
    except ReconError as error:
        return str(error)
    return ""


def _not_resumable(run: Run) -> str:
    if run.again is None:
        return "A model from a file cannot be trained on: what it learned from is not in it."
    if not all(model.state is not None for model in run.models):
        return f"Only the last {MOST_STATES} runs that ended well can be trained on."
    if run.again.layer() is None:
        return "The layer that it learned from was removed."
    return ""
