"""`%qpi_runtime`: IBM's own client with no arguments, in a real kernel, against a lab with an authority of its own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.notebooks import Kernel, kernel
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SERVICE = "from qiskit_ibm_runtime import QiskitRuntimeService; service = QiskitRuntimeService()"
JOB = """
import warnings
from qiskit import QuantumCircuit
from qiskit_ibm_runtime import SamplerV2
warnings.simplefilter('ignore')
bell = QuantumCircuit(2)
bell.h(0); bell.cx(0, 1); bell.measure_all()
SamplerV2(mode=service.backend('sim-a')).run([bell], shots=10).result()[0].data.meas.num_shots
"""
SHELL = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], capture_output=True).stdout"
OURS = "sorted(n for n in os.environ if 'IBM' in n or n.startswith(('IAM', 'GLOBAL_', 'REQUESTS')))"
SAVED = '{"default-ibm-quantum-platform": {"channel": "ibm_quantum_platform", "token": "t", "url": "https://x"}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    def verify(lab: Path) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=lab / "tls" / "ca.pem")

    with lab_server(tmp_path_factory.mktemp("own-authority"), "--https", "--demo", verify=verify) as server:
        admin = server.client()
        wait_until(lambda: len(admin.get("qpi/health").json()["drivers"]) == 2, what="the drivers' start")
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def notebook(server: LabServer, home: Path) -> Iterator[Kernel]:
    """A kernel as the lab's Jupyter server starts it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN, "QPI_LAB_CA_FILE": str(server.lab_dir / "tls/ca.pem"),
            "HOME": str(home), "IPYTHONDIR": str(home / "ipython"),
        }.items():  # fmt: skip
            patch.setenv(name, value)
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            patch.delenv(name, raising=False)
        with kernel() as notebook:
            notebook.run("%load_ext qpi_jupyter\nimport os")
            yield notebook


def refusal(notebook: Kernel, line: str) -> str:
    """What a magic's mistake shows."""
    return "".join(str(output["text"]) for output in notebook.run(line))


def keys(server: LabServer) -> list[str]:
    return [one["name"] for one in server.client().get("qpi/v1/tokens").json()["tokens"] if "Qiskit" in one["name"]]


def test_without_arguments_ibms_client_is_the_lab(server: LabServer, notebook: Kernel) -> None:
    assert notebook.value("%qpi_runtime").startswith("Off: ")
    assert notebook.value(OURS) == "[]"
    assert f"is the lab at {server.url.rstrip('/')}" in notebook.value("%qpi_runtime on")
    assert keys(server) == ["QiskitRuntimeService() in a notebook"]
    notebook.run(SERVICE)
    assert notebook.value("sorted(one.name for one in service.backends())") == "['sim-a', 'sim-b']"
    assert notebook.value(JOB) == "10"
    inner = SHELL.format(code=f"{SERVICE}; print(service.backend('sim-b').name)")
    assert notebook.value(inner) == "b'sim-b\\n'", "what the kernel starts has it, too"
    secret = "ibm-cloud-key-0123456789"
    assert "InvalidAccountError" in notebook.error(f"QiskitRuntimeService(token='{secret}')")
    assert secret not in server.log.read_text()
    assert notebook.value("%qpi_runtime status").startswith("On until ")
    assert notebook.value("%qpi_runtime on").startswith("On until "), "again: with a new key"
    assert len(keys(server)) == 1
    assert notebook.value("%qpi_runtime off").startswith("Off: ")
    assert (notebook.value(OURS), keys(server)) == ("[]", [])
    assert notebook.value("%qpi_runtime off").startswith("Off: ")


def test_a_key_that_is_revoked_ends_it(server: LabServer, notebook: Kernel) -> None:
    notebook.run("%qpi_runtime on")
    admin = server.client()
    for one in admin.get("qpi/v1/tokens").json()["tokens"]:
        if "Qiskit" in one["name"]:
            admin.delete(f"qpi/v1/tokens/{one['id']}").raise_for_status()
    assert "InvalidAccountError" in notebook.error(SERVICE)
    assert notebook.value("%qpi_runtime").startswith("Off: ")
    assert notebook.value(OURS) == "[]"


@pytest.mark.parametrize("name", ["QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE", "IAM_URL"])
def test_an_account_in_the_environment_stays_what_it_is(server: LabServer, notebook: Kernel, name: str) -> None:
    notebook.run(f"os.environ['{name}'] = 'theirs'")
    try:
        said = refusal(notebook, "%qpi_runtime on")
        assert said.startswith(f"UsageError: Not switched on: there is {name} set here")
        assert "runtime_service()" in said
        assert notebook.value(f"os.environ['{name}'], {OURS}") == f"('theirs', ['{name}'])"
    finally:
        notebook.run(f"del os.environ['{name}']")
    assert keys(server) == []


def test_a_saved_account_stays_what_it_is(server: LabServer, notebook: Kernel, home: Path) -> None:
    (home / ".qiskit").mkdir(exist_ok=True)
    file = home / ".qiskit" / "qiskit-ibm.json"
    file.write_text(SAVED)
    try:
        said = refusal(notebook, "%qpi_runtime on")
        assert "a saved IBM Quantum account (default-ibm-quantum-platform)" in said
        assert (file.read_text(), keys(server)) == (SAVED, [])
    finally:
        file.unlink()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"mine": {}}'])
def test_saved_accounts_that_cannot_be_read_are_told(notebook: Kernel, home: Path, content: str) -> None:
    (home / ".qiskit").mkdir(exist_ok=True)
    file = home / ".qiskit" / "qiskit-ibm.json"
    file.write_text(content)
    try:
        said = refusal(notebook, "%qpi_runtime on")
        assert said.startswith("UsageError: Not switched on: IBM's client cannot read its saved accounts")
        assert file.read_text() == content
    finally:
        file.unlink()


def test_what_was_trusted_before_is_trusted_again(notebook: Kernel) -> None:
    notebook.run("import certifi; os.environ['REQUESTS_CA_BUNDLE'] = certifi.where()")
    notebook.run("%qpi_runtime on")
    assert notebook.value("os.environ['REQUESTS_CA_BUNDLE'] == certifi.where()") == "False"
    assert notebook.value("open(certifi.where()).read() in open(os.environ['REQUESTS_CA_BUNDLE']).read()") == "True"
    notebook.run("%qpi_runtime off")
    assert notebook.value("os.environ.pop('REQUESTS_CA_BUNDLE') == certifi.where()") == "True"


def test_its_words_are_offered_and_others_refused(notebook: Kernel) -> None:
    assert notebook.complete("%qpi_runtime ") == ["on", "off", "status"]
    assert "invalid choice" in refusal(notebook, "%qpi_runtime maybe")
