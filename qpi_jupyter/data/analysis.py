"""Analysis on request: what a circuit's exact state is, and what its counts say, as one Dataset.

All of it is computed when it is asked for. What cannot be known is left out: a state from counts, a fidelity without
something to compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Pauli, Statevector, entropy, hellinger_fidelity

from qpi_jupyter.core import Rejected, format_outcome, parse_outcome

from .attributes import ANALYSIS
from .states import Exact, exact

TOP = 5
MAX_OBSERVABLES = 1_000
_AXES = ("X", "Y", "Z")
_ABOUT = {
    "statevector": "Amplitudes of the state before the final measurements",
    "probabilities": "Exact probability of each basis state before the final measurements",
    "measured_probabilities": "Exact probability of each outcome of the classical bits",
    "counts": "Shots with each outcome",
    "shares": "Share of the shots with each outcome",
    "shares_error": "Standard error of that share, sqrt(p (1 - p) / shots)",
    "observable_expectations": "Exact expectation values",
    "observed_expectations": "Measured expectation values; from counts, of products of Z on measured qubits",
    "observed_error": "Standard error of these; from counts, sqrt((1 - <P>^2) / shots)",
    "reduced_density_matrices": "Density matrix of each qubit by itself",
    "bloch_vectors": "Expectation values of X, Y and Z of each qubit by itself",
    "entanglement_entropy": "Entropy in bits of each qubit against the rest; the mean over what was measured midway",
    "top_probabilities": "Probability of the likeliest basis states",
    "classical_fidelity": (
        "Hellinger fidelity of counts and exact outcomes: (sum of sqrt(p q))^2, the squared Bhattacharyya coefficient"
    ),
    "estimated_execution_fidelity": "Estimated success probability: the product of 1 - error of all operations",
}


def analyse(
    circuit: QuantumCircuit | None = None,
    counts: Mapping[str, int] | None = None,
    *,
    observables: Sequence[str] = (),
    esp: float | None = None,
    measured: Mapping[str, tuple[float, float]] | None = None,
) -> xr.Dataset:
    """Analyse a circuit, what was measured of it (counts, or expectation values), or both.

    Parameters
    ----------
    circuit
        what ran; its state is computed without its final measurements.
    counts
        by outcome, as Qiskit keys them.
    observables
        Pauli strings as Qiskit's labels, over all qubits of the circuit, beside ``Z_q0`` of each qubit and ``ZZ_q0_q1``
        and ``XX_q0_q1`` of neighbours.
    esp
        the estimated success probability of the circuit on its QPU, where that is known.
    measured
        expectation values with their standard errors (NaN: not known), by Pauli string.

    Returns
    -------
    xarray.Dataset
        with the dimensions ``state`` (2^n), ``outcome``, ``qubit``, ``axis`` (X, Y, Z), ``row`` and ``column`` (2
        each), ``observable``, ``top``; only what can be known. Its plots: ``ds.qpi.plot()``, ``ds.qpi.bloch()``,
        ``ds.qpi.city()``.

    Raises
    ------
    TooLarge
        more than `states.MAX_QUBITS` qubits, with the figure.
    Rejected
        neither circuit nor counts; a circuit without states; observables of another width; counts of another circuit.
    """
    if circuit is None and counts is None and measured is None:
        raise Rejected("Give a circuit, counts or both.", code="nothing_to_analyse")
    if circuit is None and observables:
        raise Rejected("Observables are of a circuit's qubits: give the circuit, too.", code="bad_observable")
    known = None if circuit is None else exact(circuit)
    found: dict[str, Any] = {}
    values = None if counts is None else _by_value(counts, circuit)
    if known is not None and circuit is not None:
        found |= _of_state(known)
        paulis = _observables(circuit, dict.fromkeys([*(measured or ()), *observables]))
        found |= _of_observables(known, paulis, values)
    if measured is not None:
        names = found.setdefault("observable", list(measured))
        pairs = np.array([measured.get(name, (np.nan, np.nan)) for name in names]).reshape(-1, 2)
        found |= {
            name: ("observable", pairs[:, k]) for k, name in enumerate(("observed_expectations", "observed_error"))
        }
    found |= _of_outcomes(known, values, _labels(circuit, counts))
    if esp is not None:
        found["estimated_execution_fidelity"] = ((), float(esp))
    attrs: dict[str, Any] = {ANALYSIS: 1, "shots": sum(values.values()) if values else 0}
    if circuit is not None and known is not None:
        attrs |= {"circuit": circuit.name, "num_qubits": known.num_qubits, "ways": len(known.ways)}
        attrs["measured_qubits"] = [known.final[bit] for bit in sorted(known.final)]
    dataset = xr.Dataset({name: value for name, value in found.items() if name in _ABOUT}, attrs=attrs)
    for name, variable in dataset.data_vars.items():
        variable.attrs["long_name"] = _ABOUT[str(name)]
    return dataset.assign_coords(_coordinates(dataset, found, circuit))


def _of_state(known: Exact) -> dict[str, Any]:
    """What the exact state says; of several ways the mean."""
    shares = known.probabilities()
    reduced, entropies = _reduced(known)
    paulis = np.array([Pauli(axis).to_matrix() for axis in _AXES])
    vectors = np.einsum("qij,aji->qa", reduced, paulis).real
    order = np.argsort(-shares, kind="stable")[:TOP]
    order = order[shares[order] > 0]
    found = {
        "probabilities": ("state", shares),
        "reduced_density_matrices": (("qubit", "row", "column"), reduced),
        "bloch_vectors": (("qubit", "axis"), vectors),
        "entanglement_entropy": ("qubit", entropies),
        "top_probabilities": ("top", shares[order]),
        "top": [_basis(int(index), known.num_qubits) for index in order],
    }
    if (state := known.state) is not None:
        found["statevector"] = ("state", state)
    return found


def _reduced(known: Exact) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Density matrices of the single qubits, and their entropies in bits."""
    matrices = np.zeros((known.num_qubits, 2, 2), dtype=np.complex128)
    entropies = np.zeros(known.num_qubits)
    for way in known.ways:
        for qubit in range(known.num_qubits):
            parts = way.state.reshape(-1, 2, 1 << qubit)
            one = np.einsum("aib,ajb->ij", parts, parts.conj())
            matrices[qubit] += way.probability * one
            entropies[qubit] += way.probability * max(0.0, float(entropy(DensityMatrix(one), base=2)))
    return matrices, entropies


def _observables(circuit: QuantumCircuit, labels: Iterable[str]) -> dict[str, Pauli]:
    """By name, over all qubits."""
    width = circuit.num_qubits
    found = {f"Z_q{k}": _pauli(width, {k: "Z"}) for k in range(width)}
    for k in range(width - 1):
        for letter in "ZX":
            found[f"{letter * 2}_q{k}_q{k + 1}"] = _pauli(width, {k: letter, k + 1: letter})
    for label in labels:
        if len(label) != width or set(label) - set("IXYZ"):
            raise Rejected(
                f"{label!r} is not an observable of this circuit: write {width} letters of I, X, Y and Z, the last for "
                "qubit 0.",
                code="bad_observable",
            )
        found[label] = Pauli(label)
    if len(found) > MAX_OBSERVABLES:
        raise Rejected(f"{len(found):,} observables; the limit is {MAX_OBSERVABLES:,}.", code="too_many_observables")
    return found


def _pauli(width: int, letters: Mapping[int, str]) -> Pauli:
    return Pauli("".join(letters.get(k, "I") for k in reversed(range(width))))


def _of_observables(known: Exact, paulis: Mapping[str, Pauli], values: Mapping[int, int] | None) -> dict[str, Any]:
    expected = [
        sum(way.probability * float(Statevector(way.state).expectation_value(one).real) for way in known.ways)
        for one in paulis.values()
    ]
    found: dict[str, Any] = {"observable": list(paulis), "observable_expectations": ("observable", expected)}
    if values:
        bits = {qubit: bit for bit, qubit in known.final.items()}
        observed = np.array([_observed(one, bits, values) for one in paulis.values()])
        found["observed_expectations"] = ("observable", observed)
        error = np.sqrt(np.clip(1 - observed**2, 0, None) / sum(values.values()))
        found["observed_error"] = ("observable", error)
    return found


def _observed(pauli: Pauli, bits: Mapping[int, int], values: Mapping[int, int]) -> float:
    """NaN where the counts do not say it."""
    on = [int(k) for k in np.flatnonzero(pauli.z)]
    if pauli.x.any() or not set(on) <= set(bits):
        return float("nan")
    mask = sum(1 << bits[k] for k in on)
    total = sum(values.values())
    return sum(-count if (value & mask).bit_count() % 2 else count for value, count in values.items()) / total


def _by_value(counts: Mapping[str, int], circuit: QuantumCircuit | None) -> dict[int, int]:
    try:
        values = {parse_outcome(str(key)): int(count) for key, count in counts.items()}
    except ValueError as error:
        raise Rejected(f"These are not counts: {error}", code="bad_outcome") from None
    if circuit is not None and any(value.bit_length() > circuit.num_clbits for value in values):
        raise Rejected(
            f"These counts are of another circuit: this one has {circuit.num_clbits} classical bits.",
            code="bad_outcome",
        )
    return values


def _labels(circuit: QuantumCircuit | None, counts: Mapping[str, int] | None) -> Any:
    """How an outcome is written."""
    if circuit is not None:
        sizes = tuple((register.name, register.size) for register in circuit.cregs)
        return lambda value: format_outcome(value, sizes, circuit.num_clbits)
    written = {parse_outcome(str(key)): str(key) for key in counts or ()}
    return lambda value: written[value]


def _of_outcomes(known: Exact | None, values: Mapping[int, int] | None, label: Any) -> dict[str, Any]:
    """Exact and counted outcomes side by side, and how alike they are."""
    expected = {} if known is None or not known.num_bits else known.outcomes()
    every = sorted({*expected, *(values or ())})
    if not every:
        return {}
    found: dict[str, Any] = {"outcome": [label(value) for value in every]}
    if expected:
        found["measured_probabilities"] = ("outcome", [expected.get(value, 0.0) for value in every])
    if values:
        shots = sum(values.values())
        shares = np.array([values.get(value, 0) / shots for value in every])
        found["counts"] = ("outcome", [values.get(value, 0) for value in every])
        found["shares"] = ("outcome", shares)
        found["shares_error"] = ("outcome", np.sqrt(shares * (1 - shares) / shots))
    if expected and values:
        found["classical_fidelity"] = ((), float(hellinger_fidelity(dict(values), expected)))
    if known is None and values:
        order = np.argsort(-found["shares"][1], kind="stable")[:TOP]
        found |= {"top": [found["outcome"][k] for k in order], "top_probabilities": ("top", found["shares"][1][order])}
    return found


def _coordinates(dataset: xr.Dataset, found: Mapping[str, Any], circuit: QuantumCircuit | None) -> dict[str, Any]:
    coords: dict[str, Any] = {name: found[name] for name in ("outcome", "observable", "top") if name in found}
    if circuit is not None and "state" in dataset.dims:
        width = circuit.num_qubits
        coords |= {"state": [_basis(index, width) for index in range(1 << width)], "axis": list(_AXES)}
        names = [_name(circuit, k) for k in range(width)]
        coords |= {"qubit": list(range(width)), "qubit_name": ("qubit", names)}
    return coords


def _name(circuit: QuantumCircuit, index: int) -> str:
    registers = circuit.find_bit(circuit.qubits[index]).registers
    return f"{registers[0][0].name}[{registers[0][1]}]" if registers else f"q{index}"


def _basis(index: int, width: int) -> str:
    return format(index, f"0{width}b")


def to_dict(dataset: xr.Dataset) -> dict[str, Any]:
    """An analysis as JSON has it, by the names of a coordinator of distributed quantum services.

    Complex numbers are pairs of real and imaginary part; what is not known is null.
    """
    qubits = [f"q{k}" for k in dataset.get("qubit", xr.DataArray([])).values]
    return {
        "counts": {key: count for key, count in (_table(dataset, "counts", "outcome") or {}).items() if count},
        "probabilities": _table(dataset, "probabilities", "state"),
        "measured_probabilities": _table(dataset, "measured_probabilities", "outcome"),
        "statevector": _pairs(dataset["statevector"].values) if "statevector" in dataset else None,
        "shots": dataset.attrs["shots"],
        "measured_qubits": dataset.attrs.get("measured_qubits"),
        "observable_expectations": _table(dataset, "observable_expectations", "observable"),
        "observed_expectations": _table(dataset, "observed_expectations", "observable"),
        "reduced_density_matrices": _by(qubits, dataset, "reduced_density_matrices"),
        "bloch_vectors": _by(qubits, dataset, "bloch_vectors"),
        "entanglement_entropy": _by([f"{qubit}|rest" for qubit in qubits], dataset, "entanglement_entropy"),
        "fidelity": {
            "target_state": "exact outcomes of the circuit" if "classical_fidelity" in dataset else None,
            "fidelity_to_target_state": _number(dataset, "classical_fidelity"),
            "estimated_execution_fidelity": _number(dataset, "estimated_execution_fidelity"),
        },
        "top_basis_states": [
            {"state": str(state), "probability": float(share)}
            for state, share in (_table(dataset, "top_probabilities", "top") or {}).items()
        ],
    }  # fmt: skip


def _number(dataset: xr.Dataset, name: str) -> float | None:
    return float(dataset[name]) if name in dataset else None


def _table(dataset: xr.Dataset, name: str, dim: str) -> dict[str, Any] | None:
    if name not in dataset:
        return None
    pairs = zip(dataset[dim].values.tolist(), dataset[name].values.tolist(), strict=True)
    return {str(key): value for key, value in pairs if value == value}  # without NaN


def _by(keys: Sequence[str], dataset: xr.Dataset, name: str) -> dict[str, Any] | None:
    if name not in dataset:
        return None
    values = dataset[name].values
    return dict(zip(keys, _pairs(values) if np.iscomplexobj(values) else values.tolist(), strict=True))


def _pairs(values: NDArray[Any]) -> Any:
    return np.stack([values.real, values.imag], axis=-1).tolist()
