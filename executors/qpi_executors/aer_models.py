"""Noise models and fake backends for Aer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from qiskit.providers import BackendV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import Target
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.manifest import GateProperties, Manifest, QubitProperties

_RATES = ("gate_1q", "gate_2q", "readout")
_NOISY_1Q = ["x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "r", "u", "u1", "u2", "u3"]
_NOISY_2Q = ["cx", "cy", "cz", "ecr", "swap", "rzz", "rxx", "ryy", "rzx", "cp", "crx", "cry", "crz", "csx", "cu"]
_GENERIC = re.compile(r"generic-(\d+)")


def noise_model(rates: dict[str, Any]) -> NoiseModel:
    """Depolarizing errors on gates and flipped readout bits, at the given rates.

    Raises
    ------
    Rejected
        an unknown rate, or one that is no probability.
    """
    for name, rate in rates.items():
        if name not in _RATES or isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise Rejected(
                f"noise_model has the rates {', '.join(_RATES)}, each from 0 to 1, not {name!r}: {rate!r}.",
                code="bad_option",
                field="noise_model",
            )
    model = NoiseModel()
    if rates.get("gate_1q"):
        model.add_all_qubit_quantum_error(depolarizing_error(rates["gate_1q"], 1), _NOISY_1Q)
    if rates.get("gate_2q"):
        model.add_all_qubit_quantum_error(depolarizing_error(rates["gate_2q"], 2), _NOISY_2Q)
    if rate := rates.get("readout"):
        model.add_all_qubit_readout_error(ReadoutError([[1 - rate, rate], [rate, 1 - rate]]))
    return model


def noise_facts(model: NoiseModel, rates: dict[str, Any], manifest: Manifest) -> Manifest:
    """The manifest with the errors of a `noise_model`: each gate's average infidelity, and the chance to misread a bit.

    Gates of two qubits are listed where there are edges; between all pairs they would only repeat one number.
    """
    noisy = set(model.noise_instructions)
    qubits = range(manifest.num_qubits)
    places = {1: [(qubit,) for qubit in qubits], 2: list(manifest.coupling_map or ())}
    gates = tuple(
        GateProperties(gate=name, qubits=place, error=rate * (1 - 2.0**-width))
        for width, names, rate in (
            (1, _NOISY_1Q, rates.get("gate_1q", 0.0)),
            (2, _NOISY_2Q, rates.get("gate_2q", 0.0)),
        )
        for name in sorted(noisy.intersection(names, manifest.basis_gates))
        for place in places[width]
    )
    readout = rates.get("readout")
    said = tuple(QubitProperties(readout_error=readout) for _ in qubits) if readout else ()
    return replace(manifest, gates=gates, qubits=said)


def load_backend(name: str) -> BackendV2:
    """A fake backend by name.

    Raises
    ------
    Rejected
        there is none of that name, or the package with the fake backends is missing.
    """
    generic = _GENERIC.fullmatch(name)
    if generic:
        return GenericBackendV2(int(generic[1]), seed=0)
    try:
        from qiskit_ibm_runtime import fake_provider
    except ImportError:
        raise Rejected(
            "Named fake backends need qiskit-ibm-runtime: pip install 'qpi-jupyter[runtime]', or use 'generic-5'.",
            code="missing_package",
            field="fake_backend",
        ) from None
    known = sorted(entry for entry in vars(fake_provider) if entry.startswith("Fake"))
    if name not in known:
        raise Rejected(
            f"There is no fake backend {name!r}; there are: {', '.join(known)}, and generic-N.",
            code="bad_option",
            field="fake_backend",
        )
    backend: BackendV2 = getattr(fake_provider, name)()
    return backend


def target_facts(target: Target) -> dict[str, Any]:
    """A Target's calibration as manifest fields: ``dt_s``, ``gates``, ``qubits``."""
    gates = tuple(
        GateProperties(gate=name, qubits=tuple(qubits), duration_s=facts.duration, error=facts.error)
        for name in sorted(target.operation_names)
        for qubits, facts in sorted((target[name] or {}).items(), key=lambda item: item[0] or ())
        if qubits is not None and facts is not None
    )
    readout = {gate.qubits[0]: gate.error for gate in gates if gate.gate == "measure"}
    qubits = tuple(
        QubitProperties(t1_s=facts.t1, t2_s=facts.t2, frequency_hz=facts.frequency, readout_error=readout.get(index))
        for index, facts in enumerate(target.qubit_properties or ())
        if facts is not None
    )
    return {"dt_s": target.dt, "gates": gates, "qubits": qubits}
