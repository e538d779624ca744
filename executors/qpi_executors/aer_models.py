"""Noise models and fake backends for Aer."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import msgspec
from qiskit.providers import BackendV2, Options
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import Target
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from qpi_jupyter.core import MAX_SECONDS, GateProperties, Manifest, QubitProperties, Rejected, unpack_twin
from qpi_jupyter.data.targets import target_of

_RATES = ("gate_1q", "gate_2q", "readout")
_NOISY_1Q = ["x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "r", "u", "u1", "u2", "u3"]
_NOISY_2Q = ["cx", "cy", "cz", "ecr", "swap", "rzz", "rxx", "ryy", "rzx", "cp", "crx", "cry", "crz", "csx", "cu"]
_MAX_GENERIC = 1000
_GENERIC = re.compile(r"generic-(\d+)")


def noise_model(rates: dict[str, float]) -> NoiseModel:
    """Depolarizing errors on gates and flipped readout bits, at the given rates.

    Raises
    ------
    Rejected
        an unknown rate.
    """
    if unknown := sorted(set(rates) - set(_RATES)):
        raise Rejected(
            f"noise_model has the rates {', '.join(_RATES)}, not {unknown[0]!r}.",
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


def noise_facts(model: NoiseModel, rates: dict[str, float], manifest: Manifest) -> Manifest:
    """The manifest with the errors of a `noise_model`: each gate's average infidelity, and the chance to misread a bit.

    Gates of two qubits are listed where there are edges; between all pairs they would only repeat one number.
    """
    noisy = set(model.noise_instructions)
    qubits = range(manifest.num_qubits)
    places: dict[int, list[tuple[int, ...]]] = {1: [(qubit,) for qubit in qubits], 2: list(manifest.coupling_map or ())}
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
        if not 1 <= len(generic[1]) <= 4 or not 1 <= int(generic[1]) <= _MAX_GENERIC:
            raise Rejected(
                f"generic-N is a backend of 1 to {_MAX_GENERIC} qubits, not {name!r}.",
                code="bad_option",
                field="fake_backend",
            )
        return GenericBackendV2(int(generic[1]), control_flow=True, seed=0)
    try:
        from qiskit_ibm_runtime import fake_provider
    except ImportError:
        raise Rejected(
            "Named fake backends need qiskit-ibm-runtime: pip install 'qpi-jupyter[runtime]', or use 'generic-5'.",
            code="missing_package",
            field="fake_backend",
        ) from None
    # Its provider is called like them.
    known = {
        name: kind for name, kind in sorted(vars(fake_provider).items())
        if name.startswith("Fake") and isinstance(kind, type) and issubclass(kind, BackendV2)
    }  # fmt: skip
    if name not in known:
        raise Rejected(
            f"There is no fake backend {name!r}; there are: {', '.join(known)}, and generic-N.",
            code="bad_option",
            field="fake_backend",
        )
    return known[name]()


def read_twin(packed: str) -> Manifest:
    """The manifest that a twin was made of, its ``description`` saying of which QPU and calibration.

    Raises
    ------
    Rejected
        it is none.
    """
    of, facts = unpack_twin(packed)
    try:
        manifest = msgspec.convert(facts, Manifest)
    except (msgspec.ValidationError, ValueError) as error:
        raise Rejected(f"This twin cannot be read: {error}.", code="bad_option", field="twin") from error
    edges = manifest.coupling_map or tuple(itertools.permutations(range(manifest.num_qubits), 2))
    said = f"twin of {of}, calibration {manifest.calibration_id}"
    return replace(manifest, coupling_map=edges, description=said)


class Described(BackendV2):  # type: ignore[misc]  # qiskit has no types
    """What Aer takes gates and noise from: a Target. It runs nothing."""

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name=name)
        self._target = target

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> None:
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        """It only describes."""
        raise NotImplementedError


def twin_backend(manifest: Manifest) -> Described:
    """What a twin simulates."""
    return Described("twin", target_of(manifest, description=manifest.description))


def twin_facts(manifest: Manifest) -> dict[str, Any]:
    """What a twin's manifest has of the QPU's own: its calibration, with id and time, and ``dt_s``."""
    names = ("dt_s", "gates", "qubits", "calibration_id", "calibrated_at")
    return {name: getattr(manifest, name) for name in names}


def target_facts(target: Target) -> dict[str, Any]:
    """A Target's calibration as manifest fields: ``dt_s``, ``gates``, ``qubits``."""
    gates = tuple(
        GateProperties(
            gate=name, qubits=tuple(qubits), duration_s=_known(facts.duration), error=_known(facts.error, 1.0)
        )
        for name in sorted(target.operation_names)
        for qubits, facts in sorted((target[name] or {}).items(), key=lambda item: item[0] or ())
        if qubits is not None and facts is not None
    )
    readout = {gate.qubits[0]: gate.error for gate in gates if gate.gate == "measure"}
    qubits = tuple(
        QubitProperties(
            t1_s=_known(facts.t1),
            t2_s=_known(facts.t2),
            frequency_hz=_known(facts.frequency, 1e18),
            readout_error=readout.get(index),
        )
        for index, facts in enumerate(target.qubit_properties or ())
        if facts is not None
    )
    return {"dt_s": target.dt, "gates": gates, "qubits": qubits}


def _known(value: float | None, highest: float = MAX_SECONDS) -> float | None:
    """The figure, unless it was not measured: calibrations then say infinity, NaN or nothing."""
    return value if value is not None and 0.0 <= value <= highest else None
