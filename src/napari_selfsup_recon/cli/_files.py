"""Where results go, checked before any work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.runs.result import Result


@dataclass(frozen=True)
class Outputs:
    """The files of a run; ``companions`` are the names of what goes beside the result."""

    result: Path
    baseline: Path | None = None
    model: Path | None = None
    overwrite: bool = False
    companions: tuple[str, ...] = ()
    curves: Path | None = None

    def check(self, sources: Sequence[Path]) -> None:
        """Refuse what could not be written in the end, or would replace an input.

        Raises
        ------
        InputError
            If two outputs, or an output and an input, are the same file.
        FileError
            If one cannot be written, or exists and may not be replaced.
        """
        from napari_selfsup_recon.io import volumes
        from napari_selfsup_recon.io.curves import check_curves_path
        from napari_selfsup_recon.io.models import check_model_path

        images = [path for path in (self.result, self.baseline) if path is not None]
        images += [self.companion(name) for name in self.companions]
        paths = [*images, *(path for path in (self.model, self.curves) if path is not None)]
        for path in paths:
            if any(_same(path, source) for source in sources):
                raise InputError(
                    f"{path} is an input of this run and would be overwritten.",
                    hint="Choose another name for the output.",
                )
        if len({path.resolve() for path in paths}) < len(paths):
            raise InputError(
                "Two outputs have the same name.", hint="Choose different names for them."
            )
        for path in images:
            volumes.check_writable(path, overwrite=self.overwrite)
        if self.model is not None:  # of several frames: check_models()
            check_model_path(self.model, overwrite=self.overwrite)
        if self.curves is not None:
            check_curves_path(self.curves, overwrite=self.overwrite)

    def check_models(self, count: int) -> None:
        """Refuse to replace the models of ``count`` frames.

        Raises
        ------
        FileError
            If one cannot be written, or exists and may not be replaced.
        """
        from napari_selfsup_recon.io.models import check_model_path

        if self.model is not None:
            for number in range(count):
                check_model_path(_model(self.model, number, count), overwrite=self.overwrite)

    def companion(self, name: str) -> Path:
        """Return where a companion of the result goes."""
        stem, dot, endings = self.result.name.partition(".")
        return self.result.with_name(f"{stem}_{name}{dot}{endings}")

    def write_companions(self, result: Result) -> Iterator[Path]:
        """Write what belongs beside a result."""
        from napari_selfsup_recon.io import volumes

        for name, measurement in result.companions.items():
            if name not in self.companions:
                continue
            path = self.companion(name)
            volumes.write(path, measurement, provenance=result.provenance, overwrite=self.overwrite)
            yield path

    def write(self, path: Path, result: Result) -> None:
        """Write the image of a result with its provenance."""
        from napari_selfsup_recon.io import volumes

        volumes.write(
            path, result.measurement, provenance=result.provenance, overwrite=self.overwrite
        )


def save_models(result: Result, path: Path, overwrite: bool) -> Iterator[Path]:
    """Save the trained methods of a result; several get the number of their frame in the name."""
    for number, model in enumerate(result.models):
        target = _model(path, number, len(result.models))
        yield model.save(target, overwrite=overwrite)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _model(path: Path, number: int, count: int) -> Path:
    return path.with_stem(f"{path.stem}_{number}") if count > 1 else path
