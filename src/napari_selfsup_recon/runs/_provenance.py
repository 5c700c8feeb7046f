"""The provenance of a result of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.provenance import Provenance, fingerprint
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.runs._outcome import Outcome
from napari_selfsup_recon.runs.plan import RunPlan


def provenance(
    plan: RunPlan,
    entry: Entry,
    options: Options,
    outcomes: Sequence[Outcome],
    *,
    device: str,
    seconds: float,
    story: Mapping[str, Any] | None = None,
) -> Provenance:
    """Return the recipe and circumstances of what ``outcomes`` were stacked to; JSON-safe.

    Scores, and what was chosen automatically, are given by frame where there are several. ``story``
    tells of the model that the run began with.
    """
    source = plan.measurement.describe()
    for key in ("level", "region", "frames"):
        source[key] = plan.config.model_dump(mode="json")[key]
    if story:
        source["model"] = dict(story)
    scores = {
        name + (f" {list(o.index)}" if len(outcomes) > 1 else ""): float(score)
        for o in outcomes
        for name, score in (*o.scores.items(), *_chosen(o))
        if isfinite(score)
    }
    reasons = [o.reason for o in outcomes]
    return Provenance(
        method=entry.key,
        options=options.model_dump(mode="json"),
        physics=_physics(plan) | _noise(plan, outcomes),
        source=source,
        steps=max(o.steps for o in outcomes),
        best_step=max(o.best_step for o in outcomes),
        reason=next((r for r in ("failed", "stopped") if r in reasons), reasons[-1]),
        scores=scores,
        device=device,
        seconds=round(seconds, 3),
    )


def _chosen(outcome: Outcome) -> list[tuple[str, float]]:
    return [(f"{name} (auto)", float(value)) for name, value in outcome.chosen.items()]


def _noise(plan: RunPlan, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the noise that was given to the method, and which of it was known beforehand."""
    if plan.config.noise is None or not plan.config.noise.given:
        return {}
    used = [
        {"gain": o.noise.gain, "offset": o.noise.offset, "read_noise": o.noise.sigma}
        for o in outcomes
        if o.noise is not None
    ]
    given = plan.config.noise.model_dump(exclude_none=True)
    return {"noise": {"given": given, "used": used[0] if len(used) == 1 else used}}


def _clean(plan: RunPlan) -> dict[str, Any]:
    """Return which clean examples were learned from."""
    if plan.clean is None or plan.config.clean is None:
        return {}
    choice = plan.config.clean.model_dump(mode="json", exclude_none=True)
    return {"clean": {"choice": choice, **plan.clean.describe()}}


def _physics(plan: RunPlan) -> dict[str, Any]:
    if plan.problem is not None:
        return {
            "kind": plan.problem.instrument,
            **plan.problem.facts,
            "report": [finding.message for finding in plan.problem.findings],
        }
    if plan.psf is None:
        return {"kind": "identity"} | _clean(plan)
    return {
        "kind": "blur",
        "choice": plan.config.physics.model_dump(mode="json"),
        **_psfs(plan),
        "psf_report": [finding.message for finding in plan.psf_report],
    }


def _psfs(plan: RunPlan) -> dict[str, Any]:
    """Return what tells the PSF from others; lists of it where each channel has its own."""
    shapes = [list(kernel.shape) for kernel in plan.psfs]
    prints = [fingerprint(kernel) for kernel in plan.psfs]
    if len(plan.psfs) == 1:
        return {"psf_shape": shapes[0], "psf_fingerprint": prints[0]}
    return {"psf_shape": shapes, "psf_fingerprint": prints}
