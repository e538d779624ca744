"""The examples in the docstrings of IBM's client, as they are written there but for the name of the backend."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
import qiskit_ibm_runtime
from qiskit_ibm_runtime import Batch, EstimatorV2, Executor, QiskitRuntimeService, Session
from qiskit_ibm_runtime.accounts import management
from qiskit_ibm_runtime.executor_estimator import Estimator as ClientEstimator
from qiskit_ibm_runtime.executor_sampler import Sampler as ClientSampler

from tests.support.runtime import CRN, runtime_lab, service_of, token_of
from tests.support.servers import LabServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The (SamplerV2|EstimatorV2) class is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The class ``qiskit.circuit.library.*IQP:DeprecationWarning"),
]
_BACKEND = re.compile(r"service\.least_busy\([^)]*\)|service\.backend\([^)]*\)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with runtime_lab(tmp_path_factory.mktemp("examples")) as server:
        yield server


@pytest.fixture
def token(server: LabServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a kernel of the lab would have: IBM's own variables."""
    token = token_of(server.client())
    service_of(server, token, monkeypatch)
    for name, value in (("URL", f"{server.url}qpi/experimental/v1"), ("TOKEN", token), ("INSTANCE", CRN)):
        monkeypatch.setenv(f"QISKIT_IBM_{name}", value)
    return token


def examples(thing: Any) -> list[str]:
    """The Python in a docstring: each indented block after a line that ends with ``::`` or says ``code-block``."""
    found, block = [], None
    for line in (inspect.getdoc(thing) or "").splitlines():
        indent = len(line) - len(line.lstrip())
        if block is not None and (not line.strip() or indent > block[0]):
            block[1].append(line)
            continue
        if block is not None:
            found.append(textwrap.dedent("\n".join(block[1])))
        begins = line.rstrip().endswith("::") or line.strip() == ".. code-block:: python"
        block = (indent, []) if begins else None
    if block is not None:
        found.append(textwrap.dedent("\n".join(block[1])))
    return [example for example in found if "import" in example]


def run(example: str, backend: str, **others: str) -> dict[str, Any]:
    text, count = _BACKEND.subn(f'service.backend("{backend}")', example)
    assert count == 1
    for before, after in others.items():
        assert before in text
        text = text.replace(before, after)
    names: dict[str, Any] = {}
    exec(text, names)
    return names


def test_the_service(server: LabServer, token: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = str(tmp_path / "account.json")
    monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", saved)
    given, account = examples(QiskitRuntimeService)
    url = f'url="{server.url}qpi/experimental/v1", token="{token}"'
    for example in (given, account):
        names: dict[str, Any] = {}
        exec(example.replace('token="API_KEY"', url).replace('"CRN"', f'"{CRN}"'), names)
        assert names["service"].backend("sim-a").name == "sim-a"


@pytest.mark.usefixtures("token")
def test_primitives_in_a_session(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(examples(qiskit_ibm_runtime)[0], "fake_manila@aer")
    said = capsys.readouterr().out
    assert re.search(r"Counts: \{'(00|11)'", said)
    assert "Expectation values: " in said
    assert names["session"].status() == "Closed"


@pytest.mark.usefixtures("token")
def test_a_session(capsys: pytest.CaptureFixture[str]) -> None:
    run(examples(Session)[0], "sim-a")
    assert re.search(r"Counts: \{'(00|11)': \d+, '(00|11)': \d+\}", capsys.readouterr().out)


@pytest.mark.usefixtures("token")
def test_a_batch() -> None:
    # 127 qubits of a dense circuit are more than any simulator holds.
    names = run(examples(Batch)[0], "fake_manila@aer", **{"n_qubits = 127": "n_qubits = 4"})
    assert len(names["jobs"]) == 3
    assert all(len(job.result()) == 10 for job in names["jobs"])


@pytest.mark.usefixtures("token")
def test_an_estimator(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(examples(EstimatorV2)[0], "fake_manila@ideal")
    assert names["pub_result"].data.evs.shape == (1,)
    assert "Expectation values: [" in capsys.readouterr().out


@pytest.mark.usefixtures("token")
def test_an_executor() -> None:
    contents = "from qiskit import QuantumCircuit; circuit = QuantumCircuit(1, 1); circuit.measure(0, 0); " \
        "program.append_circuit_item(circuit)"  # fmt: skip
    names = run(examples(Executor)[0], "fake_manila@ideal", **{"... # add program contents": contents})
    assert names["job"].result()[0]["c"].shape == (100, 1)
    assert names["job"].tags == ["my_tag"]


@pytest.mark.usefixtures("token")
def test_the_clients_own_sampler() -> None:
    names = run(examples(ClientSampler)[0], "sim-a")
    assert names["result"][0].data.meas.num_shots == 2048


@pytest.mark.usefixtures("token")
def test_the_clients_own_estimator() -> None:
    names = run(examples(ClientEstimator)[0], "sim-a")
    assert abs(float(names["result"][0].data.evs) - 2) < 0.1
