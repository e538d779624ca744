"""What both libraries need of a Qblox cluster's own package: dummies that several processes can use, and an end."""

from __future__ import annotations

import pwd
import socket
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qpi_jupyter.core import Faulted

_TRACE_SAMPLES = 16384
"""What a module's scope keeps, one a nanosecond."""


class Claim:
    """A cluster that is this process's alone on this machine, until `release` or the end of the process.

    Raises
    ------
    Faulted
        another process has it; the message says which.
    """

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        # A name without a file: the system frees it with the process, however that ends.
        name = f"\0qpi-cluster:{address}"
        try:
            self._socket.bind(name)
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise Faulted(
                f"The cluster at {address} is in use by {_holder(name)}: stop that driver, or wait until it has "
                "finished.",
                code="instrument_in_use",
            ) from error

    def release(self) -> None:
        """Let others have it."""
        self._socket.close()


def _holder(name: str) -> str:
    """The process behind a socket's name."""
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(name)
            who = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return "another process"
    pid, uid, _ = struct.unpack("3i", who)
    return f"process {pid} of {_user(uid)}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def private_assembler() -> None:
    """Have dummy modules assemble their programs in a folder of their own, not in the current one.

    The package's own way writes ``tmp.q1asm`` into the current folder, where two processes spoil each other's. What is
    assembled is the same, by the same program.

    Raises
    ------
    Faulted
        the assembler doesn't start here: it was built for a newer system.
    """
    from qblox_instruments.ieee488_2 import module_dummy_transport

    program = Path(module_dummy_transport.__file__).parents[1] / "assemblers" / "q1asm_linux"
    try:
        tried = subprocess.run([program], capture_output=True, text=True, check=False)
        problem = tried.stderr.strip() if "GLIBC" in tried.stderr else ""
    except OSError as error:
        problem = str(error)
    if problem:
        raise Faulted(
            f"The dummy cluster's assembler does not start here: {problem} Install 'qblox-instruments<1.2', which "
            "runs on older systems.",
            code="no_assembler",
        )

    def assemble(self: Any, _params: Any, _args: Any, bin_in: bytes) -> None:  # Any: the package's own
        source = self._decode_bin(bin_in).decode()
        with tempfile.TemporaryDirectory(prefix="qpi-q1asm-") as folder:
            Path(folder, "tmp.q1asm").write_text(source)
            done = subprocess.run(
                [program, "-o", "tmp", "tmp.q1asm"], cwd=folder, capture_output=True, text=True, check=False
            )
        self._asm_log, self._asm_status = done.stdout + done.stderr, done.returncode == 0
        if done.returncode:
            self._system_error.append("Assembly failed.")

    module_dummy_transport.ModuleDummyTransport._set_sequencer_program = assemble


def forget(cluster: Any, slot: int, sequencer: str) -> None:
    """Have a sequencer of a dummy module no longer answer what was injected for an earlier schedule."""
    cluster.delete_dummy_binned_acquisition_data(slot, int(sequencer.removeprefix("seq")))


def inject_bins(
    cluster: Any, slot: int, sequencer: str, acquisition: str, means: NDArray[np.complex128], samples: int
) -> None:
    """Have a sequencer of a dummy module answer these means over an integration of so many samples; a bit of theirs
    is 1 from a half on."""
    from qblox_instruments import DummyBinnedAcquisitionData

    # The module adds up over the integration, and what reads it divides again.
    data = [
        DummyBinnedAcquisitionData((samples * z.real, samples * z.imag), int(z.real > 0.5), 1) for z in means.tolist()
    ]
    cluster.set_dummy_binned_acquisition_data(slot, int(sequencer.removeprefix("seq")), acquisition, data)


def inject_trace(cluster: Any, slot: int, points: NDArray[np.complex128]) -> None:
    """Have the scope of a dummy module answer these samples, one a nanosecond."""
    from qblox_instruments import DummyScopeAcquisitionData

    samples = np.zeros(_TRACE_SAMPLES, dtype=np.complex128)
    samples[: points.size] = points
    data = DummyScopeAcquisitionData([(z.real, z.imag) for z in samples.tolist()], (False, False), (1, 1))
    cluster.set_dummy_scope_acquisition_data(slot, None, data)


def close_all() -> None:
    """Close every instrument of this process: the libraries know theirs by name, and leave some of them open."""
    from qcodes.instrument import Instrument

    Instrument.close_all()
