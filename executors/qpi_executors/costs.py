"""How long a simulation takes and what memory it needs, from the circuit's size alone.

The rules are deliberately plain: bytes are exact for a dense state, seconds were fitted on two cores of 2.5 GHz
(2 ns an amplitude and operation, 1 us an operation) and the bound is 20 times the likely figure. What a matrix product
state needs depends on the entanglement, which no count of gates tells: its bytes are a guess from below, so that the
place's own limits stop what grows too large, and no estimate refuses what would have fitted.
"""

from __future__ import annotations

import itertools
import os
import resource

from qiskit import QuantumCircuit

from .programs import Run
from .simulator import Cost

CLIFFORD = frozenset(
    {"x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "ecr", "id", "pauli"}
    | {"measure", "reset", "barrier", "delay"}
)
_COMPLEX_BYTES = 16
_PER_OPERATION_S = 1e-6
_PER_AMPLITUDE_S = 2e-9
_PER_CIRCUIT_S = 0.5e-3
_PER_SHOT_S = 0.3e-6
_UNKNOWN_TURNS = 10
"""A while loop's turns, for a guess."""
_MAX_BOND = 6
"""Entangled qubits at a cut of a matrix product state, for a guess."""
_MAX_EXPONENT = 60
"""Beyond that every figure only says: far too much."""


def simulation_cost(run: Run, *, method: str, width: int, noisy: bool, single_precision: bool) -> Cost:
    """The cost of one circuit.

    Parameters
    ----------
    method
        the one that Aer takes (not ``automatic``).
    width
        the qubits that it keeps: idle ones cost nothing.
    noisy
        whether each shot takes a way of its own.
    """
    analysis = run.analysis
    states = _amplitudes(run, method, width)
    # Without noise and without anything that depends on a measurement, Aer walks the state once and samples it.
    once = not (noisy or analysis.mid_circuit or analysis.control_flow or "reset" in analysis.names)
    walks = 1 if once or method == "density_matrix" else run.shots
    turns = _UNKNOWN_TURNS if analysis.control_flow else 1
    likely_s = (
        _PER_CIRCUIT_S
        + run.shots * _PER_SHOT_S * max(1.0, width / 8)
        + walks * turns * analysis.operations * (_PER_OPERATION_S + _PER_AMPLITUDE_S * states)
    )
    memory_bytes = _element(single_precision=single_precision) * states
    return Cost(likely_s=likely_s, upper_s=20 * likely_s, memory_bytes=memory_bytes)


def dense_bytes(exponent: int, *, single_precision: bool) -> int:
    """Bytes of ``2**exponent`` complex numbers; beyond `_MAX_EXPONENT` only far too many."""
    return _element(single_precision=single_precision) * _power(exponent)


def usable_bytes() -> int:
    """What this process may take: the machine's memory, or less where it is limited."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return machine if limit == resource.RLIM_INFINITY else min(machine, limit)


def _amplitudes(run: Run, method: str, width: int) -> int:
    """Complex numbers that the method keeps."""
    if method == "stabilizer":
        return _tableau(width)
    if method == "density_matrix":
        return _power(2 * width)
    if method in ("matrix_product_state", "tensor_network"):
        bond: int = 2 ** min(_entangling(run.circuit), _MAX_BOND)
        return 2 * width * bond * bond
    if method == "extended_stabilizer":
        return 64 * _tableau(width)
    return _power(width)


def _entangling(circuit: QuantumCircuit) -> int:
    """The largest number of qubits that a cut through the chain can entangle: as many as gates cross it, or as its
    smaller side has.
    """
    crossing = [0] * (circuit.num_qubits + 1)
    for instruction in circuit.data:
        if len(instruction.qubits) > 1 and instruction.name != "barrier":
            places = [circuit.find_bit(bit).index for bit in instruction.qubits]
            crossing[min(places)] += 1
            crossing[max(places)] -= 1
    cuts = itertools.accumulate(crossing[: circuit.num_qubits - 1])
    return max((min(at + 1, circuit.num_qubits - 1 - at, gates) for at, gates in enumerate(cuts)), default=0)


def _element(*, single_precision: bool) -> int:
    return _COMPLEX_BYTES // 2 if single_precision else _COMPLEX_BYTES


def _power(exponent: int) -> int:
    return 1 << min(exponent, _MAX_EXPONENT)


def _tableau(qubits: int) -> int:
    """A stabilizer tableau has (2n)^2 bits: as many complex numbers of 128 bits, rounded up."""
    return 4 * qubits * qubits // 128 + 1
