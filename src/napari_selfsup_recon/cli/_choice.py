"""Which methods the arguments name; known before the flags are, since the flags depend on it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.instruments import LABELS

_INSTRUMENT = "parallel-beam"


@dataclass(frozen=True)
class Choice:
    """The configuration to start from, with the methods that the arguments name."""

    config: RunConfig

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The method and the baseline, as far as they run."""
        keys = (self.config.method, self.config.baseline)
        return tuple(METHODS.find(key) for key in keys if key is not None)


def choose(task: str, arguments: Sequence[str]) -> Choice:
    """Return what ``arguments`` (without the command) choose.

    The baseline runs where its result is asked for, or where it is all there is.

    Raises
    ------
    InputError
        If a method does not exist, or the configuration is for another task.
    FileError
        If the configuration cannot be read.
    """
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in (
        "--config",
        "--method",
        "--baseline",
        "--baseline-output",
        "--instrument",
        "--clean",
        "--clean-slices",
        "--clean-average",
    ):
        # Without a value the full parser complains later, in its own words.
        peek.add_argument(flag, nargs="?")
    peek.add_argument("--clean-denoised", action="store_true")
    given, _ = peek.parse_known_args(list(arguments))
    start: dict[str, Any] = {"task": task}
    if task == "reconstruct":
        # Which baseline serves depends on the instrument; a wrong word is refused by its flag.
        instrument = given.instrument if given.instrument in LABELS else _INSTRUMENT
        start["physics"] = {"instrument": instrument}
    examples = (given.clean, given.clean_slices, given.clean_average, given.clean_denoised)
    if task == "denoise" and any(examples):
        start["method"] = "iscl"
    config = RunConfig.model_validate(start)
    if given.config:
        config = RunConfig.load_toml(given.config)
        if config.task != task:
            raise InputError(
                f"{given.config} describes a run to {config.task}.",
                hint=f"Use the command {config.task}.",
            )
    update: dict[str, Any] = {}
    if given.method and given.method != config.method:
        update.update(method=_key(given.method), options={})
    if given.baseline and given.baseline != config.baseline:
        update.update(baseline=_key(given.baseline), baseline_options={})
    config = config.model_copy(update=update)
    if config.method is None:
        if given.baseline_output:
            raise InputError(
                "Without a method there is one result only.", hint="Give --output alone."
            )
    elif given.baseline_output:
        if config.baseline is None:
            raise InputError(
                "--baseline-output is given, but no baseline runs.",
                hint="Choose one with --baseline.",
            )
    else:
        config = config.model_copy(update={"baseline": None, "baseline_options": {}})
    choice = Choice(config)
    _ = choice.entries  # complains about unknown methods
    return choice


def _key(name: str) -> str | None:
    return None if name == "none" else name
