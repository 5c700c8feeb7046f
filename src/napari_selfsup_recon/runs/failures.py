"""What went wrong, in the user's words."""

from __future__ import annotations

from napari_selfsup_recon.core.errors import JobFailedError, OutOfMemoryError, ReconError

# What allocators say; torch's own class is told by its name, so that torch need not be loaded.
_MEMORY = ("out of memory", "not enough memory", "alloc_cpu")


def as_recon_error(error: Exception, device: str = "") -> ReconError:
    """Return ``error`` as one that people can read; the cause is chained.

    Parameters
    ----------
    error
        Anything.
    device
        Where it was computed (``"cpu"``, ``"cuda"``), where known.

    Returns
    -------
    ReconError
        ``error`` itself if it is one already; never a ``RuntimeError``, which Qt workers swallow.
    """
    if isinstance(error, ReconError):
        return error
    known: ReconError
    if _is_memory(error):
        known = OutOfMemoryError(
            f"The memory of the {device.upper()} ran out." if device else "Memory ran out.",
            hint="Choose a smaller region or smaller crops, or the CPU as device.",
        )
    else:
        known = JobFailedError(
            f"The work failed unexpectedly ({type(error).__name__}: {error}).",
            hint="What was reached before is kept. Please report the details.",
        )
    known.__cause__ = error
    return known


def _is_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _MEMORY)
