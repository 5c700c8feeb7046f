"""Errors in the user's words, each with the way out."""

from __future__ import annotations


class ReconError(Exception):
    """Something the user can understand and mend.

    Parameters
    ----------
    message
        What is wrong, in the user's words.
    hint
        The way out, as an instruction.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(ReconError, ValueError):
    """The data, the PSF or an option cannot be used as it is; nothing was started."""


class FileError(ReconError, OSError):
    """A file or folder cannot be read or written."""

    def __str__(self) -> str:  # OSError would print its arguments
        return ReconError.__str__(self)


# Not RuntimeErrors: Qt workers that are driven by a generator swallow those.
class OutOfMemoryError(ReconError):
    """The device ran out of memory; what was reached before is kept."""


class UnstableTrainingError(ReconError):
    """Training became unstable and restarts did not help."""


class JobFailedError(ReconError):
    """An unexpected failure inside a running job; the cause is chained."""
