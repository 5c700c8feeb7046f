"""Install the system libraries that Qt, OpenGL and the virtual screen need.

Run as ``python .ci/system_packages.py test`` or ``demo``. On Debian and its kin, root gets what
is missing through apt-get, and anybody else gets the one line to type. Elsewhere the needs are
named and the run goes on. Standard library only: it runs before anything can be taken for granted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# What the xcb platform plugin of the Qt wheels links against, and software OpenGL for napari.
WINDOW = (
    "libdbus-1-3",
    "libegl1",
    "libfontconfig1",
    "libgl1",
    "libgl1-mesa-dri",
    "libglib2.0-0",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xinerama0",
    "libxcb-xkb1",
    "libxkbcommon-x11-0",
)
VIRTUAL_SCREEN = ("xvfb",)


def needed(purpose: str, environ: dict[str, str]) -> tuple[str, ...]:
    """Debian packages for one purpose; a demo without a display draws figures and needs none."""
    if purpose == "test":
        return WINDOW + VIRTUAL_SCREEN
    if purpose == "demo":
        return WINDOW if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY") else ()
    raise SystemExit(f"unknown purpose {purpose!r}: say test or demo")


def installed() -> set[str]:
    """Names of the installed Debian packages, and the names that those provide.

    Newer releases rename libraries (libglib2.0-0 became libglib2.0-0t64) and provide the old name.
    """
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}|${Package}|${Provides}\n"]
    listing = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    names: set[str] = set()
    for line in listing.splitlines():
        status, package, provides = line.split("|", 2)
        if status == "installed":
            names.add(package)
            names.update(word.split()[0] for word in provides.split(",") if word.strip())
    return names


def apt_install(packages: list[str]) -> None:
    """Install `packages` as root, with apt's own words in view."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wait = ["-o", "DPkg::Lock::Timeout=120"]
    subprocess.run(["apt-get", *wait, "-qq", "update"], check=True, env=environ)
    install = ["apt-get", *wait, "-qq", "install", "-y", "--no-install-recommends", *packages]
    subprocess.run(install, check=True, env=environ, stdout=subprocess.DEVNULL)


def main(argv: list[str]) -> int:
    """Make sure that the packages for ``argv[0]`` are there; 0 if the run may go on."""
    purpose = argv[0] if argv else "test"
    wanted = needed(purpose, dict(os.environ))
    if not wanted or not sys.platform.startswith("linux"):
        return 0
    if not (shutil.which("dpkg-query") and shutil.which("apt-get")):
        print(
            f"Not a Debian system. If Qt does not start, install what it calls: {', '.join(wanted)}"
        )
        return 0
    have = installed()
    missing = [name for name in wanted if name not in have]
    if not missing:
        return 0
    line = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0:
        print(
            f"The {purpose} run needs system packages that are not there. "
            f"Type this, then run again:\n\n    sudo apt-get update && sudo {line}\n",
            file=sys.stderr,
        )
        return 1
    print(f"Installing system packages for the {purpose} run: {' '.join(missing)}", flush=True)
    try:
        apt_install(missing)
    except subprocess.CalledProcessError as error:
        print(
            f"apt-get ended with status {error.returncode}. Put the packages in place by hand, "
            f"then run again:\n\n    apt-get update && {line}\n",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
