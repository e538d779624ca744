"""Every option of IBM's client's classes, found by reflection: applied, refused or named, as the docs' table says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import CouplingMap
from qiskit_aer.noise import NoiseModel
from qiskit_ibm_runtime import RuntimeEncoder, options_models
from qiskit_ibm_runtime.executor_estimator import Estimator
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.fake_provider import FakeManilaV2
from qiskit_ibm_runtime.options import EstimatorOptions, SamplerOptions
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

from qpi_executors.primitives.ibm_options import RUNTIME_OPTIONS, Fate, fate
from qpi_executors.primitives.quantum_programs import work_of
from qpi_jupyter.core import Program, Rejected, RunOptions
from tests.support.servers import ROOT

VALUES: dict[str, Any] = {
    "simulator.noise_model": NoiseModel(),
    "simulator.coupling_map": CouplingMap([[0, 1]]),
    "simulator.basis_gates": ["cx"],
    "experimental": {"odd": {"deep": 1}},
    "execution.meas_type": "classified",
    "execution.init_qubits": True,
    "execution.rep_delay": 1e-4,
    "default_precision": 0.1,
    "twirling.strategy": "all",
    "dynamical_decoupling.sequence_type": "XY4",
    "dynamical_decoupling.extra_slack_distribution": "edges",
    "dynamical_decoupling.scheduling_method": "asap",
    "resilience.zne.amplifier": "gate_folding",
    "resilience.zne.noise_factors": [1, 3],
    "resilience.zne.extrapolator": "linear",
    "resilience.zne.extrapolated_noise_factors": [0],
    "resilience.layer_noise_learning.layer_pair_depths": [0, 1],
    "resilience.pec.max_overhead": 10,
    "resilience.pec.noise_gain": 1,
    "resilience.measure_noise_learning.shots_per_randomization": "auto",
    "simulator.angle_decimals": 7,
    "simulator.warn_absent": False,
}
"""Where a value is neither a switch nor a small number."""
EXPERIMENTAL = "experimental.odd.deep"


def paths(options: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    fields = getattr(type(options), "model_fields", None) or getattr(type(options), "__dataclass_fields__", {})
    for name in fields:
        value = getattr(options, name)
        if name.startswith("_"):
            continue
        if hasattr(type(value), "model_fields") or hasattr(type(value), "__dataclass_fields__"):
            yield from paths(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def told(kind: Any, name: str) -> Any:
    """The options with one of them set."""
    options = kind()
    *groups, last = name.split(".")
    target = options
    for group in groups:
        target = getattr(target, group)
    switch = any(word in name for word in ("enable", "mitigation", "skip_reset", "timing", "stretch"))
    setattr(target, last, VALUES.get(name, True if switch else 1))
    return options


LEGACY = [
    (kind, name) for kind in (SamplerOptions, EstimatorOptions) for name, _ in paths(kind())
    if name not in RUNTIME_OPTIONS and "layer_noise_model" not in name
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), LEGACY, ids=lambda part: part if isinstance(part, str) else part.__name__)
def test_an_option_of_a_primitive_is_applied_refused_or_named(kind: Any, name: str) -> None:
    inputs = kind._get_program_inputs(asdict(told(kind, name)))  # noqa: SLF001 -- what its run sends
    circuit = QuantumCircuit(1)
    circuit.x(0)
    pub: list[Any] = [circuit, {"Z": 1.0}, None, None]
    if kind is SamplerOptions:
        circuit.measure_all()
        pub = [circuit, None, None]
    source = json.dumps({"backend": "fake_manila@ideal", "params": {"pubs": [pub], **inputs}}, cls=RuntimeEncoder)
    program = Program(
        format="runtime-sampler" if kind is SamplerOptions else "runtime-estimator",
        sources=(source.encode(),), options=RunOptions(shots=10),
    )  # fmt: skip
    if fate(name) is Fate.REFUSED:
        with pytest.raises(Rejected, match="cannot be used here"):
            work_of(program, max_shots=1000)
        return
    named = list(work_of(program, max_shots=1000).not_applied)
    assert named == ([EXPERIMENTAL if name == "experimental" else name] if fate(name) is Fate.NAMED else [])


SENT = [
    (options_models.SamplerOptions, Sampler, name)
    for name, _ in paths(options_models.SamplerOptions())
    if name.startswith(("execution.", "simulator.", "experimental"))
] + [
    (options_models.EstimatorOptions, Estimator, name)
    for name, _ in paths(options_models.EstimatorOptions())
    if name.startswith(("execution.", "simulator.", "experimental"))
]


@pytest.mark.parametrize(
    ("kind", "primitive", "name"),
    [case for case in SENT if not case[2].endswith("layer_noise_model")],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_an_option_that_a_quantum_program_brings_is_applied_or_named(
    kind: Any, primitive: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(
        "qiskit_ibm_runtime.executor.executor.Executor.run",
        lambda self, program, dry_run=False: sent.append((program, self.options)),
    )
    circuit = QuantumCircuit(1)
    circuit.x(0)
    pub: Any = circuit
    if primitive is Sampler:
        circuit.measure_all()
    else:
        pub = (circuit, SparsePauliOp("Z"))
    primitive(FakeManilaV2(), options=told(kind, name)).run([pub])
    params = QUANTUM_PROGRAM_PARAMS_CONVERTERS["v2.0"].encoder(*sent[0]).model_dump(mode="json")
    source = json.dumps({"backend": "fake_manila@ideal", "params": params}).encode()
    program = Program(format="runtime-executor", sources=(source,), options=RunOptions(shots=10))
    named = list(work_of(program, max_shots=10_000).not_applied)
    assert named == ([name] if fate(name, program=True) is Fate.NAMED else [])


def test_the_docs_have_every_option() -> None:
    table = (ROOT / "docs" / "reference" / "ibm-options.md").read_text()
    kinds = [SamplerOptions, EstimatorOptions, *(getattr(options_models, f"{one}Options") for one in NEW)]
    names = {name for kind in kinds for name, _ in paths(kind())}
    assert [name for name in sorted(names) if f"| `{name}` |" not in table] == []
    assert all(f"| `{name}` |" in table for name in RUNTIME_OPTIONS)


NEW = ("Sampler", "Estimator", "Executor")
