"""The how-to's own code, run as it is printed; and how executors are found."""

from __future__ import annotations

import json
import re
import sys
import threading
import types
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from qpi_agent.messages import Said
from qpi_agent.readings import reads, said
from qpi_executors import CircuitExecutor, RunCancelled, load, run_program
from qpi_executors.registry import find
from qpi_jupyter.core.errors import Faulted, Rejected
from qpi_jupyter.core.manifest import Manifest
from qpi_jupyter.wire.frames import Reading
from tests.circuits import bell, qpy_program

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "custom-executor.md"


@pytest.fixture
def how_to(monkeypatch):
    """The how-to's Python as a module."""
    blocks = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    module = types.ModuleType("mylab_coins")
    exec(compile("\n".join(blocks), str(HOW_TO), "exec"), vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_the_how_to_runs(how_to):
    coins = load("mylab_coins:CoinExecutor")
    (dataset,) = run_program(coins, qpy_program(bell(), seed_simulator=1))
    assert sorted(dataset.qpi.counts()) == ["00", "01", "10", "11"]
    assert dataset.qpi.info["provenance"]["executor"] == "coins"


def test_the_how_to_is_ten_lines(how_to):
    text = HOW_TO.read_text(encoding="utf-8")
    body = text[text.index("class CoinExecutor") : text.index("```\n\n`CircuitExecutor`")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10


def test_the_how_to_options(how_to):
    always = load("mylab_coins:BiasedExecutor", bias="1")
    (dataset,) = run_program(always, qpy_program(bell(), shots=10))
    assert dataset.qpi.counts() == {"11": 10}
    with pytest.raises(Rejected, match="'bais'; it knows: bias"):
        load("mylab_coins:BiasedExecutor", bais=1)
    with pytest.raises(Rejected, match=r"'bias' must be a number from 0 to 1, not 'much' \(chance of a 1\)"):
        load("mylab_coins:BiasedExecutor", bias="much")


def test_the_how_to_tells_its_progress_and_hears_a_cancel(how_to):
    coins, shares = load("mylab_coins:BiasedExecutor"), []
    run_program(coins, qpy_program(bell(), bell()), progress=shares.append)
    assert (shares, shares[-1]) == (sorted(shares), 1.0)
    with pytest.raises(RunCancelled):
        run_program(coins, qpy_program(bell()), cancelled=lambda: True)


def test_the_how_to_reads_a_thermometer_in_ten_lines(how_to):
    with answering(json.dumps({"kelvin": 0.011}).encode()) as url:
        cold = load("mylab_coins:ColdCoins", fridge=f"{url}/mxc")
        assert said(cold) == Said(readings=[Reading(channel="mxc/temperature", value=0.011, unit="K")])
    assert "URLError" in said(cold).problem
    assert not reads(load("mylab_coins:CoinExecutor"))
    text = HOW_TO.read_text(encoding="utf-8")
    body = text[text.index("class ColdCoins") : text.index("```\n\nThe driver asks every five seconds")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10


@contextmanager
def answering(body):
    """A server that answers everything with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_unknown_name_lists_what_is_there_and_what_to_install():
    with pytest.raises(Rejected, match=r"no executor 'nope'. Installed: .*mock.*module:Class") as caught:
        load("nope")
    assert caught.value.code == "unknown_executor"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Thing", "cannot be loaded: ModuleNotFoundError"),
        ("json:Nothing", "cannot be loaded: AttributeError"),
        ("json:loads", "is not a subclass"),
    ],
)
def test_a_broken_one_is_reported_by_name(name, message):
    with pytest.raises(Rejected, match=message) as caught:
        find(name)
    assert caught.value.code == "broken_executor"
    assert name in caught.value.message


class Scripted(CircuitExecutor):
    def capabilities(self):
        return Manifest(executor="scripted", executor_version="1", num_qubits=5, basis_gates=("cz",))

    def run(self, program, *, progress, cancelled):
        outcome = self.answer
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.mark.parametrize("answer", [[], None, ["no dataset"], [bell()]])
def test_what_is_no_result_is_the_executors_fault(answer):
    executor = Scripted()
    executor.answer = answer
    with pytest.raises(Faulted, match="must return a list of Datasets"):
        run_program(executor, qpy_program(bell()))


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ZeroDivisionError("boom"), Faulted), (Rejected("no"), Rejected), (RunCancelled(), RunCancelled)],
)
def test_errors_say_who_must_act(error, kind):
    executor = Scripted()
    executor.answer = error
    with pytest.raises(kind):
        run_program(executor, qpy_program(bell()))


def test_the_default_estimate_grows_with_the_shots():
    few, many = (Scripted().estimate(qpy_program(bell(), shots=shots)).estimate_s for shots in (10, 10_000))
    assert few < many
