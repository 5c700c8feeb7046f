"""Run a benchmark of this folder by name: ``python tests/bench/run.py NAME [ARGUMENTS]``."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def summary(script: Path) -> str:
    """Return the first line of the docstring of a script, without running it."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def main(argv: list[str]) -> int:
    """Run the benchmark that ``argv[0]`` names with the other arguments; 2 if there is none."""
    scripts = {path.stem: path for path in sorted(HERE.glob("[a-z]*.py")) if path.stem != "run"}
    if not argv or argv[0] not in scripts:
        if argv:
            print(f"There is no benchmark called {argv[0]!r}.", file=sys.stderr)
        for name, path in scripts.items():
            print(f"{name:<12} {summary(path)}")
        return 2 if argv else 0
    script = scripts[argv[0]]
    sys.path[0] = str(HERE)
    sys.argv = [str(script), *argv[1:]]
    runpy.run_path(str(script), run_name="__main__")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
