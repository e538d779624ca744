"""Widgets in a kernel: their traits, what their page may ask, and what they leave in a saved notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import ipywidgets
import pytest
from qiskit import QuantumCircuit

from qpi_jupyter.client import JobHandle, Lab
from qpi_jupyter.core import ProgramError
from qpi_jupyter.data.codec import encode
from qpi_jupyter.ui import shown
from qpi_jupyter.ui.calendar import CalendarWidget, Chosen
from qpi_jupyter.ui.job_widget import JobWidget
from qpi_jupyter.ui.submit_form import SubmitForm
from qpi_jupyter.ui.telemetry_widget import TelemetryWidget
from qpi_jupyter.ui.widget import LabWidget
from qpi_jupyter.wire.telemetry import ChannelList, ChannelModel, Series, SeriesPoint
from tests.faults.scripted_rest import PREVIEW, TOKEN
from tests.faults.scripted_rules import RulesLab
from tests.integration.test_client_data import simulate


@pytest.fixture
def server() -> Iterator[RulesLab]:
    with RulesLab() as server:
        yield server


@pytest.fixture
def lab(server: RulesLab) -> Iterator[Lab]:
    with Lab(server.url, TOKEN) as lab:
        yield lab


@pytest.fixture
def job(lab: Lab) -> JobHandle:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    return lab.submit(circuit, qpu="sim-a", shots=5)


def live(body: Coroutine[Any, Any, None]) -> None:
    """Run ``body`` as a kernel's loop would; what still follows the lab afterwards ends with it."""

    async def run() -> None:
        await body
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(run())


async def until(widget: LabWidget, trait: str, value: object) -> None:
    """Wait until the trait has that value."""
    there = asyncio.Event()
    widget.observe(lambda change: there.set() if change["new"] == value else None, trait)
    if getattr(widget, trait) != value:
        await asyncio.wait_for(there.wait(), 20)


class Page:
    """What a page of the widget is told."""

    def __init__(self, widget: LabWidget, monkeypatch: pytest.MonkeyPatch) -> None:
        self.widget = widget
        self.told: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        monkeypatch.setattr(widget, "send", self._take)

    def _take(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.told.append({**content, "bytes": buffers} if buffers else content)
        self._news.set()

    async def ask(self, **question: Any) -> dict[str, Any]:
        n = str(len(self.told))
        content = {"n": n, "method": "GET", "body": None, **question}
        message = {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
        self.widget.comm.handle_msg(message)
        return await self.hear(lambda message: message.get("n") == n)

    async def hear(self, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                for message in self.told:
                    if wanted(message):
                        return message
                self._news.clear()
                await self._news.wait()


def test_a_job_widget_has_the_job_as_traits(server: RulesLab, job: JobHandle) -> None:
    async def body() -> None:
        widget = JobWidget(job)
        order: list[str] = []
        widget.observe(lambda change: order.append(change["name"]), ["status", "result"])
        assert (widget.job_id, widget.status, widget.result) == (job.id, "pending", None)
        server.change(job.id, status="running", phase="running", progress=0.5)
        await until(widget, "progress", 0.5)
        assert widget.phase == "running"
        server.finish(job.id, [{"1": 5}], blob=encode(simulate(server.submits[-1])))
        await until(widget, "status", "completed")
        assert dict(widget.result.qpi.counts()) == {"1": 5}
        assert order == ["status", "result", "status"]  # who hears of the end finds the result

    live(body())


def test_a_job_widget_says_why_there_is_no_result(server: RulesLab, job: JobHandle) -> None:
    async def body() -> None:
        widget = JobWidget(job)
        server.fail(job.id, ProgramError("No gate x2.", line=3))
        await until(widget, "status", "failed")
        assert isinstance(widget.error, ProgramError)

    live(body())


def test_the_page_asks_through_the_kernel_for_its_job_only(
    server: RulesLab, job: JobHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        page = Page(JobWidget(job), monkeypatch)
        assert (await page.ask(path=f"jobs/{job.id}"))["body"]["id"] == job.id
        assert (await page.ask(path=f"jobs/{job.id}/partial?wait_s=0&version=0"))["error"]["status"] == 404
        for question in (
            {"path": "jobs/another"}, {"path": "people"}, {"path": f"jobs/{job.id}", "method": "DELETE"},
            {"path": f"jobs/{job.id}/../../people"}, {"path": f"http://elsewhere/jobs/{job.id}"},
        ):  # fmt: skip
            assert (await page.ask(**question))["error"]["status"] in (400, 403)
        assert await page.ask(method="POST", path=f"jobs/{job.id}/cancel")
        assert server.jobs[job.id].status == "cancelled"

    live(body())


def test_the_page_hears_what_happens_and_when_the_lab_is_away(
    server: RulesLab, job: JobHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        page = Page(JobWidget(job), monkeypatch)
        await page.hear(lambda message: message.get("away") == "")  # from here on nothing is missed
        server.tell("qpu.changed", "sim-a")
        heard = await page.hear(lambda message: "event" in message)
        assert heard["event"]["kind"] == "qpu.changed"
        server.stop()
        assert (await page.hear(lambda message: message.get("away")))["away"] == page.widget.lab_away

    live(body())


def test_a_box_shows_the_pictures_of_the_widgets_in_it(server: RulesLab, job: JobHandle) -> None:
    async def body() -> None:
        widget = JobWidget(job)
        box = ipywidgets.VBox([ipywidgets.HBox([widget]), ipywidgets.IntSlider(), JobWidget(job)])
        data = shown.bundle(box)
        assert data[shown.WIDGET] == {"model_id": box.model_id}
        assert data[shown.VIEW]["model_id"] == box.model_id
        assert data["text/plain"].count(job.id) == 2
        assert data["text/html"].count(f"Job {job.id}") == 2
        assert shown.WIDGET not in shown.bundle(ipywidgets.HBox([ipywidgets.IntSlider()]))

    live(body())


def test_what_is_chosen_in_the_calendar_is_its_value(server: RulesLab, lab: Lab) -> None:
    async def body() -> None:
        widget = CalendarWidget(lab.http, "sim-a")
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
        chosen = Chosen("sim-a", start, start + timedelta(hours=1))
        widget.set_state({"value": {"qpu": "sim-a", "start": start.isoformat(), "end": chosen.end.isoformat()}})
        assert widget.value == chosen
        server.book(start, chosen.end, title="<b>Rabi</b>")
        data = await asyncio.to_thread(widget.draw)
        assert "<b>Rabi</b>" in data["text/plain"]
        assert "&lt;b&gt;Rabi&lt;/b&gt;" in data["text/html"]

    live(body())


def test_a_page_books_through_the_kernel(server: RulesLab, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        page = Page(CalendarWidget(lab.http), monkeypatch)
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
        wanted = {"qpu": "sim-a", "start_at": start.isoformat(), "end_at": (start + timedelta(hours=1)).isoformat()}
        assert (await page.ask(method="POST", path="bookings", body=wanted))["body"]["bookings"]
        refused = (await page.ask(method="POST", path="bookings", body=wanted))["error"]
        assert (refused["status"], refused["code"]) == (409, "booking_conflict")
        assert refused["data"]["next_free"]

    live(body())


async def submit(page: Page, **fields: object) -> dict[str, Any]:
    return await page.ask(do="submit", body={"shots": "100", **fields})


def test_a_form_submits_what_stands_in_it(server: RulesLab, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        form = SubmitForm(lab.http, qpu="sim-a")
        assert form.value == {"qpu": "sim-a", "shots": "1024"}
        page = Page(form, monkeypatch)
        program = 'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit q; rx(a) q;'
        answer = await submit(page, program=program, qpu="sim-a", name="x", parameter_values="[0.1]")
        assert form.job.id == answer["body"]["id"]
        assert server.submits[-1].options.shots == 100
        assert server.submits[-1].name == "x"
        for fields, said in (
            ({"program": " "}, "Enter an OpenQASM program"),
            ({"program": program, "shots": "many"}, "Cannot read 'many' as a number of shots"),
            ({"program": program, "parameter_values": "a b"}, "Cannot read 'a b' as parameter values"),
        ):
            assert said in (await submit(page, **fields))["error"]["message"]

    live(body())


def test_a_form_previews_what_stands_in_it(server: RulesLab, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        page = Page(SubmitForm(lab.http), monkeypatch)
        fields = {"program": 'OPENQASM 3.0; include "stdgates.inc"; qubit q; x q;', "shots": "7"}
        nowhere = await page.ask(do="preview", body=fields)
        assert "Choose a QPU" in nowhere["error"]["message"]
        answer = await page.ask(do="preview", body={**fields, "qpu": "sim-a"})
        assert answer["body"]["circuits"][0]["native"] == PREVIEW.circuits[0].native
        ((name, asked),) = server.previews
        assert (name, asked.program.sources, asked.options.shots) == ("sim-a", [fields["program"]], 7)
        assert server.submits == []

    live(body())


def test_a_form_draws_the_circuit_that_it_was_made_with(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        circuit = QuantumCircuit(2)
        circuit.cx(0, 1)
        form = SubmitForm(lab.http, circuit)
        assert "cx q[0], q[1]" in form.source
        page = Page(form, monkeypatch)
        assert (await submit(page))["body"]["id"]
        assert form.job.id in form.draw()["text/plain"]

    live(body())


def test_telemetry_has_the_latest_readings(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    channel = ChannelModel(name="mxc", unit="K", calibration=False, value=0.012, at=now)
    points = [SeriesPoint(at=now - timedelta(minutes=n), mean=0.01 * n, lowest=0.0, highest=1.0, n=1) for n in (3, 2)]
    answers = {
        "v1/qpus/sim-a/channels": ChannelList(channels=[channel]),
        "v1/qpus/sim-a/readings": Series(qpu="sim-a", name="mxc", unit="K", width_s=0.0, points=points),
    }
    ask = lab.http.call

    async def call(method: str, where: str, kind: Any, **more: Any) -> Any:
        return answers[where] if where in answers else await ask(method, where, kind, **more)

    monkeypatch.setattr(lab.http, "call", call)

    async def body() -> None:
        widget = TelemetryWidget(lab.http, "sim-a", ["mxc"])
        await until(widget, "value", {"mxc": 0.012})
        data = await asyncio.to_thread(widget.draw)
        assert data["text/plain"].splitlines() == ["Telemetry of sim-a", "mxc: 0.02 K"]
        assert 'alt="mxc" src="data:image/png;base64,' in data["text/html"]

    live(body())
