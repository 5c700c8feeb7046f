"""Many files, one configuration: a plan of rows, each of which is run, passed over or told of."""

from napari_selfsup_recon.core.lazy import attach

_NAMES = {
    "BatchControl": ".control",
    "BatchPlan": ".plan",
    "Input": ".rows",
    "Reading": "..reading",
    "Row": ".rows",
    "RowChanged": ".events",
    "RowReport": ".events",
    "RowState": ".events",
    "images_in": ".files",
    "parts_of": ".parts",
    "plan_batch": ".plan",
    "run_batch": ".run",
}

__all__ = list(_NAMES)

__getattr__, __dir__ = attach(__name__, _NAMES)
