"""What an evaluation is asked for: a YAML file, read into structs that refuse what they do not know."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta, Struct, field

from qpi_jupyter.core import Rejected
from qpi_jupyter.core.plans import MAX_OVERHEAD

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*\Z")]
Probability = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=60)]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]
EXAMPLE = Path(__file__).parent / "example.yaml"


class Noise(Struct, forbid_unknown_fields=True, frozen=True):
    """Depolarizing errors of gates and flipped bits, as the option ``noise_model`` of ``qiskit_aer`` takes them."""

    gate_1q: Probability = 0.0
    gate_2q: Probability = 0.0
    readout: Probability = 0.0


class Node(Struct, forbid_unknown_fields=True, frozen=True):
    """A QPU with a driver process of its own. ``latency_s`` is added to all that goes to it and comes from it."""

    name: Name
    num_qubits: Annotated[int, Meta(ge=1, le=24)]
    noise: Noise = Noise()
    latency_s: Seconds = 0.0


class Circuit(Struct, forbid_unknown_fields=True, frozen=True):
    """A circuit by its kind, or from a ``file`` of OpenQASM; measured are ``observables``, by default every Z and every
    ZZ of neighbours."""

    name: Name
    kind: Literal["ghz", "qft", "pairs", "blocks", "file"] = "ghz"
    num_qubits: Annotated[int, Meta(ge=1, le=20)] = 4
    seed: Seed = 0
    file: str = ""
    observables: list[str] = []


class Lost(Struct, forbid_unknown_fields=True, frozen=True):
    """A node whose driver is killed: once the plan is ``planned``, or while its fragment is ``running``."""

    node: Name
    once: Literal["planned", "running"] = "planned"


class Scenario(Struct, forbid_unknown_fields=True, frozen=True):
    """Where circuits run, and what is done to their nodes. Without ``nodes``: all of them.

    ``latency_s`` and ``noise`` are those of some nodes, by name, in place of their own.
    """

    name: Name
    nodes: list[Name] = []
    latency_s: dict[Name, Seconds] = {}
    noise: dict[Name, Noise] = {}
    lost: Lost | None = None
    min_fidelity: Probability = 0.0
    max_overhead: Annotated[float, Meta(ge=1)] = MAX_OVERHEAD
    circuits: list[Name] = []
    """Only these; by default all."""


class Matrix(Struct, forbid_unknown_fields=True, frozen=True):
    """Every circuit in every scenario, with every number of shots and every seed."""

    nodes: Annotated[list[Node], Meta(min_length=1, max_length=64)]
    circuits: Annotated[list[Circuit], Meta(min_length=1, max_length=1_000)]
    scenarios: Annotated[list[Scenario], Meta(min_length=1, max_length=1_000)]
    shots: Annotated[list[Annotated[int, Meta(ge=1, le=1_000_000)]], Meta(min_length=1)] = field(
        default_factory=lambda: [2_000]
    )
    seeds: Annotated[list[Seed], Meta(min_length=1)] = field(default_factory=lambda: [1])
    deadline_s: Annotated[float, Meta(gt=0, le=3_600)] = 120.0
    """Of one trial; it has failed then."""

    def trials(self, scenario: Scenario) -> Iterator[tuple[Circuit, int, int]]:
        """The circuits of a scenario, with shots and seeds."""
        wanted = [one for one in self.circuits if not scenario.circuits or one.name in scenario.circuits]
        return itertools.product(wanted, self.shots, self.seeds)


def read(path: Path) -> Matrix:
    """The matrix in a file.

    Raises
    ------
    Rejected
        the file cannot be read, or says what nobody understands: with the place in it.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        matrix = msgspec.convert(raw, Matrix)
    except OSError as error:
        raise Rejected(f"Cannot read {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise Rejected(f"{path}: {error}") from error
    _check(matrix, path)
    return matrix


def only(matrix: Matrix, names: list[str], path: Path) -> Matrix:
    """The matrix with these scenarios alone; with all of them where none is named.

    Raises
    ------
    Rejected
        there is no scenario of that name.
    """
    known = [scenario.name for scenario in matrix.scenarios]
    for name in names:
        if name not in known:
            raise Rejected(f"{path} has no scenario {name!r}. There are: {', '.join(known)}.")
    chosen = [scenario for scenario in matrix.scenarios if not names or scenario.name in names]
    return msgspec.structs.replace(matrix, scenarios=chosen)


def _check(matrix: Matrix, path: Path) -> None:
    for what, names in (
        ("nodes", [node.name for node in matrix.nodes]),
        ("circuits", [circuit.name for circuit in matrix.circuits]),
        ("scenarios", [scenario.name for scenario in matrix.scenarios]),
    ):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise Rejected(f"{path}: two {what} are called {twice[0]!r}. Give each a name of its own.")
    nodes, circuits = {node.name for node in matrix.nodes}, {circuit.name for circuit in matrix.circuits}
    for scenario in matrix.scenarios:
        lost = [scenario.lost.node] if scenario.lost is not None else []
        named = {*scenario.nodes, *scenario.latency_s, *scenario.noise, *lost}
        for what, unknown in (("node", named - nodes), ("circuit", set(scenario.circuits) - circuits)):
            if unknown:
                where = f"{path}: the scenario {scenario.name!r}"
                raise Rejected(f"{where} names the {what} {min(unknown)!r}, which is not in the list of {what}s.")
        if scenario.nodes and (absent := named - set(scenario.nodes)):
            where = f"{path}: the scenario {scenario.name!r}"
            raise Rejected(f"{where} says something of the node {min(absent)!r}, which is not among its own.")
