"""Networks as packages for the BioImage Model Zoo; needs the extra ``bioimageio``."""

from __future__ import annotations

import gc
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import FileError, InputError
from napari_selfsup_recon.core.provenance import versions
from napari_selfsup_recon.io import _files
from napari_selfsup_recon.methods.registry import METHODS

if TYPE_CHECKING:
    from napari_selfsup_recon.methods.base import LearnedMethod
    from napari_selfsup_recon.methods.feed_forward import FeedForward

SUFFIX = ".zip"
FORMAT = "0.5.3"
HOW_TO_INSTALL = 'Install it with: pip install "napari-selfsup-recon[bioimageio]"'
# Pixels of the picture of a package, and of halos of tiles.
_COVER, _MOST_HALO = 256, 48
_TOLERANCE = 1e-3


def available() -> bool:
    """Whether the library that packages are checked with is installed."""
    try:
        return find_spec("bioimageio.spec") is not None
    except ModuleNotFoundError:
        return False


def check_zoo_path(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path that :func:`export_model` would write, if it can.

    Raises
    ------
    InputError
        If the extra is not installed.
    FileError
        If the folder cannot be written or the file exists.
    """
    if not available():
        raise InputError("The library of the BioImage Model Zoo is missing.", hint=HOW_TO_INSTALL)
    wanted = Path(path).expanduser()
    if wanted.suffix.lower() != SUFFIX:
        wanted = wanted.with_name(wanted.name + SUFFIX)
    target = _files.check_target(wanted, overwrite=overwrite)
    if target.is_dir():
        raise FileError(f"{str(target)!r} is a folder.", hint="Choose another name.")
    return target


def export_model(
    method: LearnedMethod,
    image: ArrayLike,
    path: str | os.PathLike[str],
    *,
    name: str = "",
    authors: Sequence[str] = (),
    licence: str = "CC-BY-4.0",
    overwrite: bool = False,
) -> Path:
    """Write the network of a trained method as a package for the BioImage Model Zoo, and check it.

    The zip holds ``rdf.yaml``, the network as TorchScript with its scaling of grey values, a test
    input with its output, a picture, and a README. It is what the method says in one orientation:
    averaging over turns and the repair of single wrong pixels are left out.

    Parameters
    ----------
    method
        A trained method whose network is an image filter: SSI without an image that it starts from,
        or ISCL that sees single slices.
    image
        What it is tested with, ``(y, x)`` or ``(z, y, x)``: best what it learned from. Its middle
        becomes part of the package.
    path
        Where to; ``.zip`` is added where it is missing.
    name
        Of the model.
    authors
        Names of those who publish it.
    licence
        SPDX identifier of the licence of the package.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        If the extra is not installed, or the network cannot stand alone.
    FileError
        If the file cannot be written, or exists.
    """
    target = check_zoo_path(path, overwrite=overwrite)
    import torch

    from napari_selfsup_recon.methods.feed_forward import feed_forward

    network = feed_forward(method)
    given = _test_image(np.asarray(image, dtype=np.float32), network)
    with torch.no_grad():
        made = network.module(torch.from_numpy(given)).numpy()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _write_script(network, given, folder / "weights.pt")
        np.save(folder / "test_input.npy", given)
        np.save(folder / "test_output.npy", made)
        _write_cover(folder / "cover.png", given, made)
        label = METHODS.find(method.key).label
        title = name or f"{label} network of napari-selfsup-recon"
        (folder / "README.md").write_text(_readme(title, label, method, network), "utf-8")
        facts = _description(title, label, method, network, list(authors), licence)
        # JSON is YAML; the library writes it anew.
        (folder / "rdf.yaml").write_text(json.dumps(facts, indent=1), "utf-8")
        with _files.replacing(target, overwrite=overwrite) as part:
            _package(folder / "rdf.yaml", part)
    return target


def _package(description: Path, target: Path) -> None:
    """Check the package and write it."""
    from bioimageio import spec

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = spec.load_description(description)
        if found.validation_summary.status == "failed" or isinstance(found, spec.InvalidDescr):
            raise InputError(
                "The package is not what the BioImage Model Zoo asks for: "
                f"{found.validation_summary.format()[:2000]}",
                hint="Save the model as an .nsr file.",
            )
        folder = description.parent / "package"
        spec.save_bioimageio_package_as_folder(found, output_path=folder)
        del found
        gc.collect()  # the library leaves files open
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)


def _write_script(network: FeedForward, given: NDArray[np.float32], path: Path) -> None:
    """Write the network as TorchScript; checked on an image of another size."""
    import torch

    one = torch.from_numpy(given)
    larger = [0, network.multiple[-1], *[0, 0] * (network.ndim - 1)]
    other = torch.nn.functional.pad(one, larger, mode="replicate")
    with warnings.catch_warnings(), torch.no_grad():
        # That sizes are traced is checked below; that TorchScript grows old the zoo does not mind.
        warnings.simplefilter("ignore")
        script = torch.jit.trace(network.module, one, check_trace=False)  # type: ignore[no-untyped-call]
        for image in (one, other):
            wanted, found = network.module(image), script(image)
            if wanted.shape != found.shape or not torch.allclose(wanted, found, rtol=_TOLERANCE):
                raise InputError(
                    "This network cannot be written as TorchScript.",
                    hint="Save it as an .nsr file.",
                )
        script.save(str(path))


def _halo(network: FeedForward) -> list[int]:
    return [min(reach, _MOST_HALO) for reach in network.reach]


def _least(network: FeedForward) -> list[int]:
    """Return the smallest size an axis: a halo on either side, and something between."""
    pairs = zip(_halo(network), network.multiple, strict=True)
    return [-(-(2 * halo + 1) // m) * m for halo, m in pairs]


def _test_image(image: NDArray[np.float32], network: FeedForward) -> NDArray[np.float32]:
    """Return the middle of an image in a size that the network takes; small ones are mirrored."""
    if image.ndim != network.ndim:
        kinds = {2: "an image (y, x)", 3: "a volume (z, y, x)"}
        raise InputError(
            f"The network is for {kinds[network.ndim]}; the array has {image.ndim} axes.",
            hint="Give one such image.",
        )
    if not np.isfinite(image).all():
        raise InputError("The image holds values that are not finite.", hint="Give another image.")
    wanted = _least(network)
    cut = []
    for n, least, m in zip(image.shape, wanted, network.multiple, strict=True):
        most = 256 if network.ndim == 2 else 64
        size = max(least, min(n, most) // m * m)
        start = max(0, (n - size) // 2)
        cut.append((slice(start, start + size), (0, max(0, size - n))))
    part = image[tuple(place for place, _ in cut)]
    padded = np.pad(part, [missing for _, missing in cut], mode="symmetric")
    return np.ascontiguousarray(padded[None, None], dtype=np.float32)


def _write_cover(path: Path, given: NDArray[Any], made: NDArray[Any]) -> None:
    """Write a picture, the measurement on its left and the answer on its right."""
    from PIL import Image

    planes = [array[0, 0] if array.ndim == 4 else array[0, 0, array.shape[2] // 2]
              for array in (given, made)]  # fmt: skip
    low, high = np.quantile(planes[0], (0.01, 0.998))
    half = planes[0].shape[1] // 2
    joined = np.concatenate([planes[0][:, :half], planes[1][:, half:]], axis=1)
    grey = (255 * ((joined - low) / max(high - low, 1e-30)).clip(0, 1)).astype(np.uint8)
    Image.fromarray(grey).resize((_COVER, _COVER)).save(path)


def _description(
    title: str,
    label: str,
    method: LearnedMethod,
    network: FeedForward,
    authors: list[str],
    licence: str,
) -> dict[str, Any]:
    """Return what ``rdf.yaml`` says."""
    import torch

    axes = ("z", "y", "x")[-network.ndim :]
    first: list[dict[str, Any]] = [
        {"type": "batch"},
        {"type": "channel", "id": "channel", "channel_names": ["intensity"]},
    ]
    sizes = zip(axes, _least(network), network.multiple, strict=True)
    inputs = [{"type": "space", "id": a, "size": {"min": n, "step": m}} for a, n, m in sizes]
    outputs = [
        {
            "type": "space",
            "id": axis,
            "halo": halo,
            "size": {"tensor_id": "measurement", "axis_id": axis, "offset": 0},
        }
        for axis, halo in zip(axes, _halo(network), strict=True)
    ]
    data = {"type": "float32"}
    text, doi = network.paper
    what = "deconvolution" if method.physics.recipe().kind == "blur" else "denoising"
    return {
        "type": "model",
        "format_version": FORMAT,
        "name": title[:128],
        "description": f"{label}: {what} of {network.ndim}D images, learned without a ground "
        "truth. It serves images of the same instrument, kind and brightness.",
        "authors": [{"name": who} for who in authors]
        or [{"name": "The users of napari-selfsup-recon"}],
        "cite": [{"text": text, "doi": doi}],
        "license": licence,
        "documentation": "README.md",
        "covers": ["cover.png"],
        "tags": [f"{network.ndim}d", what, "self-supervised", "pytorch"],
        "inputs": [
            {
                "id": "measurement",
                "description": "Grey values as recorded; they are scaled inside.",
                "axes": [*first, *inputs],
                "data": data,
                "test_tensor": {"source": "test_input.npy"},
            }
        ],
        "outputs": [
            {
                "id": "image",
                "description": "Grey values of the restored image.",
                "axes": [*first, *outputs],
                "data": data,
                "test_tensor": {"source": "test_output.npy"},
            }
        ],
        "weights": {
            "torchscript": {
                "source": "weights.pt",
                "pytorch_version": torch.__version__.split("+")[0],
            }
        },
    }


def _readme(title: str, label: str, method: LearnedMethod, network: FeedForward) -> str:
    scores: dict[str, float] = getattr(method, "scores", {})
    told = "\n".join(f"- {name}: {value:.4g}" for name, value in scores.items())
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    options = json.dumps(method.options.model_dump(mode="json"), indent=1)
    return f"""# {title}

A network that {label} trained without a ground truth. It knows no more than what it learned from:
use it on images of the same instrument, kind, noise and brightness.

It takes grey values as they were recorded and returns grey values; scaling is part of it. It
answers in one orientation: the averaging over turns and the repair of single wrong pixels of
napari-selfsup-recon are not part of it.

Method: {network.paper[0]}, doi {network.paper[1]}.

# Validation

Held-out scores of the training (lower is better); `reported` was never looked at while choosing:

{told or "- none"}

To validate it on another image, compare with a reference where there is one; without one, look at
the residual, which should be free of structure.

# Options

```json
{options}
```

Made with {made}.
"""
