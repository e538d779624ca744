"""``python -m qpi_jupyter.testing COMMAND ...``: a lab while a command runs, to which ``QiskitRuntimeService()`` leads.

Without a command: IBM's variables for the lab that `connect` finds, as lines ``NAME=value``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from qpi_jupyter.client import connect
from qpi_jupyter.client.ibm import environment
from qpi_jupyter.core import QpiError

from .local_lab import local_lab


def main(arguments: list[str]) -> int:
    """The status of the command; 1 where there is no lab, and 127 where there is no such command."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if arguments and shutil.which(arguments[0]) is None:
        print(f"There is no command {arguments[0]!r} here.", file=sys.stderr)
        return 127
    try:
        if not arguments:
            with connect() as lab:
                token = lab.tokens.create("QiskitRuntimeService() in a shell", scopes=["submit"], expires="+1d").token
                print("\n".join(f"{name}={value}" for name, value in environment(lab, token).items()))
            return 0
        with tempfile.TemporaryDirectory(prefix="qpi-") as folder, local_lab(Path(folder)) as lab:
            found = environment(lab, lab.tokens.create("tests", scopes=["submit"]).token)
            return subprocess.run(arguments, env=os.environ | found).returncode
    except QpiError as error:
        print(error.message, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
