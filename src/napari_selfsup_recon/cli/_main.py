"""Entry point and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from napari_selfsup_recon.cli._parser import build_parser
from napari_selfsup_recon.core.errors import FileError, InputError, ReconError

OK, USAGE, FILE, FAILED, DISCARDED = 0, 2, 3, 4, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv
        Arguments without the name of the program; those of the process if not given.

    Returns
    -------
    int
        0: done (or stopped and kept). 1: files of a batch failed. 2: wrong usage, or data that
        cannot be used. 3: a file cannot be read or written. 4: out of memory, or the job failed.
        130: discarded by Ctrl-C, or a batch was ended and files are left.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        options = build_parser(arguments).parse_args(arguments)
        return int(options.run(options))
    except InputError as error:
        return _complain(error, USAGE)
    except FileError as error:
        return _complain(error, FILE)
    except ReconError as error:
        return _complain(error, FAILED)
    except KeyboardInterrupt:
        print("Discarded.", file=sys.stderr)
        return DISCARDED


def _complain(error: ReconError, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code
