"""How long a simulation takes and what memory it needs, from the circuit's size alone.

The rules are deliberately plain: bytes are exact for a dense state, seconds were fitted on two cores of 2.5 GHz
(2 ns an amplitude and operation, 1 us an operation) and the bound is 20 times the likely figure.
"""

from __future__ import annotations

from .programs import Run
from .simulator import Cost

_CLIFFORD = frozenset(
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
_MAX_EXPONENT = 60
"""Beyond that every figure only says: far too much."""


def simulation_cost(run: Run, *, method: str, noisy: bool, single_precision: bool) -> Cost:
    """The cost of one circuit by the method Aer will take."""
    analysis = run.analysis
    qubits = run.circuit.num_qubits
    states = _amplitudes(run, method, noisy)
    # Without noise and without anything that depends on a measurement, Aer walks the state once and samples it.
    once = not (noisy or analysis.mid_circuit or analysis.control_flow or "reset" in analysis.names)
    walks = 1 if once or method in ("density_matrix", "superop") else run.shots
    turns = _UNKNOWN_TURNS if analysis.control_flow else 1
    likely_s = (
        _PER_CIRCUIT_S
        + run.shots * _PER_SHOT_S * max(1.0, qubits / 8)
        + walks * turns * analysis.operations * (_PER_OPERATION_S + _PER_AMPLITUDE_S * states)
    )
    element = _COMPLEX_BYTES // 2 if single_precision else _COMPLEX_BYTES
    return Cost(likely_s=likely_s, upper_s=20 * likely_s, memory_bytes=element * states)


def _amplitudes(run: Run, method: str, noisy: bool) -> int:
    """Complex numbers that the method keeps."""
    qubits = run.circuit.num_qubits
    if method == "automatic":
        if not noisy and run.analysis.names <= _CLIFFORD:
            return _tableau(qubits)
        # With noise Aer takes the density matrix when that is smaller than walking every shot.
        return _power(2 * qubits if noisy and 2**qubits < run.shots else qubits)
    if method == "stabilizer":
        return _tableau(qubits)
    if method in ("density_matrix", "unitary"):
        return _power(2 * qubits)
    if method == "superop":
        return _power(4 * qubits)
    if method in ("matrix_product_state", "tensor_network"):
        # A bond cannot carry more than half the chain, nor more than the gates can entangle.
        bond: int = 2 ** min(qubits // 2, run.analysis.operations, 12)
        return 2 * qubits * bond * bond
    if method == "extended_stabilizer":
        return 64 * _tableau(qubits)
    return _power(qubits)


def _power(exponent: int) -> int:
    return 1 << min(exponent, _MAX_EXPONENT)


def _tableau(qubits: int) -> int:
    """A stabilizer tableau has (2n)^2 bits: as many complex numbers of 128 bits, rounded up."""
    return 4 * qubits * qubits // 128 + 1
