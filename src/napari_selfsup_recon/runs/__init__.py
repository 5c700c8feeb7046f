"""Floor 5: what a person intends and what the data are, as one frozen snapshot that is executed.

``execute`` has the name of its module:
``from napari_selfsup_recon.runs.execute import execute``.
"""

from napari_selfsup_recon.core.lazy import attach

_NAMES = {
    "CleanChoice": ".clean",
    "PhysicsChoice": ".config",
    "RunConfig": ".config",
    "RunPlan": ".plan",
    "resolve": ".plan",
    "Control": ".control",
    "Result": ".result",
    "Problem": ".problem",
    "Sampling": ".instruments",
    "Tomograph": ".instruments",
}

__all__ = list(_NAMES)

__getattr__, __dir__ = attach(__name__, _NAMES)
