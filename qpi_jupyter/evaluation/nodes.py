"""A lab whose QPUs are driver processes of ours: each behind a delay, and ended as a power cut ends it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import to_builtins

from qpi_jupyter.client import Lab
from qpi_jupyter.core import Faulted
from qpi_jupyter.testing.local_lab import START_S, ServedLab, served, stop
from qpi_jupyter.wire.rest import DriverIn, DriverRegistered, QpuIn, QpuModel

from .relay import Relay
from .scenarios import Node, Noise

HEARTBEAT_S = 0.5
LEASE_S = 3.0
"""So that a lost node is missed within seconds, and a trial doesn't take minutes."""
_SETTINGS = (
    "--QPIServer.embedded_drivers=False", f"--QPIServer.heartbeat_s={HEARTBEAT_S}", f"--QPIServer.lease_s={LEASE_S}",
)  # fmt: skip
_FIRST = "OPENQASM 3.0; qubit q; bit c; c = measure q;"


@contextlib.contextmanager
def node_lab(folder: Path, nodes: list[Node]) -> Iterator[Nodes]:
    """A lab in ``folder`` with these QPUs, none of which has a driver yet."""
    with served(folder, *_SETTINGS) as lab:
        there = Nodes(lab, folder)
        try:
            for node in nodes:
                there.register(node)
            yield there
        finally:
            there.stop_all()


@dataclass(frozen=True, kw_only=True)
class _Running:
    """A driver, with what it was started with."""

    node: Node
    process: subprocess.Popen[bytes]
    stack: contextlib.ExitStack
    """Closes the way to the lab."""


class Nodes:
    """The driver processes of a lab, by the names of their QPUs."""

    def __init__(self, served_lab: ServedLab, folder: Path) -> None:
        self._served, self._folder = served_lab, folder
        self._nodes, self._tokens = dict[str, Node](), dict[str, str]()
        self._running = dict[str, _Running]()

    @property
    def lab(self) -> Lab:
        return self._served.lab

    def register(self, node: Node) -> None:
        """Let the lab know of its QPU."""
        lab = self.lab
        lab.http.portal.run(lab.http.call("POST", "v1/qpus", QpuModel, body=QpuIn(name=node.name), once=True))
        wanted = DriverIn(name=node.name, qpu=node.name)
        made = lab.http.portal.run(lab.http.call("POST", "v1/drivers", DriverRegistered, body=wanted, once=True))
        self._nodes[node.name], self._tokens[node.name] = node, made.token

    def arrange(self, names: list[str], latency_s: Mapping[str, float], noise: Mapping[str, Noise]) -> None:
        """Have drivers of exactly these nodes, each with its own delay and noise or with those given here.

        Raises
        ------
        Faulted
            one of them did not come.
        """
        wanted = {name: self._as(name, latency_s, noise) for name in names}
        for name, running in list(self._running.items()):
            if wanted.get(name) != running.node or running.process.poll() is not None:
                self._stop(name)
        new = [node for name, node in wanted.items() if name not in self._running]
        for node in new:
            self._running[node.name] = self._start(node)
        for name in wanted:
            self._check(name)
        self._served.wait_online(list(wanted))
        self._warm_up([node.name for node in new])

    def _warm_up(self, names: list[str]) -> None:
        """Run something on each, as a plan: what is loaded once is in no trial's time."""
        for job in [self.lab.submit(self.lab.plan(_FIRST, qpus=name, shots=1)) for name in names]:
            job.wait(START_S)

    def kill(self, name: str) -> None:
        """End a node's driver as a power cut does: SIGKILL, without a word."""
        self._running[name].process.kill()
        self._running[name].process.wait()

    def stop_all(self) -> None:
        """Have no driver any more."""
        for name in list(self._running):
            self._stop(name)

    def _as(self, name: str, latency_s: Mapping[str, float], noise: Mapping[str, Noise]) -> Node:
        node = self._nodes[name]
        return Node(
            name=name, num_qubits=node.num_qubits, latency_s=latency_s.get(name, node.latency_s),
            noise=noise.get(name, node.noise),
        )  # fmt: skip

    def _start(self, node: Node) -> _Running:
        address, stack = self.lab.url, contextlib.ExitStack()
        if node.latency_s:
            port = urlsplit(address).port
            assert port is not None, "a lab of ours has a port"
            relay = stack.enter_context(Relay(port, node.latency_s))
            address = f"http://127.0.0.1:{relay.port}/"
        options = {"num_qubits": node.num_qubits, "max_parallel_threads": 1}
        if node.noise != Noise():
            options["noise_model"] = to_builtins(node.noise)
        words = [word for key, value in options.items() for word in ("-o", f"{key}={json.dumps(value)}")]
        command = [
            sys.executable, "-m", "qpi_agent", "start", "--qpi-addr", address, "--name", node.name, "--executor",
            "qiskit_aer", "--data-dir", str(self._folder / "nodes" / node.name), *words,
        ]  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QPI_")}
        with (self._folder / f"{node.name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env={**kept, "QPI_ACCESS_TOKEN": self._tokens[node.name]}, cwd=self._folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        return _Running(node=node, process=process, stack=stack)

    def _check(self, name: str) -> None:
        if self._running[name].process.poll() is not None:
            log = (self._folder / f"{name}.log").read_text(errors="replace")
            raise Faulted(f"The driver of {name} did not start:\n{log[-2000:]}", code="no_start")

    def _stop(self, name: str) -> None:
        running = self._running.pop(name)
        stop(running.process)
        running.stack.close()
