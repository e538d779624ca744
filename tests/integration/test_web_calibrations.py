"""Calibrations over HTTP: pages of them, jobs for one of them, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx

from qpi_jupyter.core.calibrations import Calibration
from qpi_jupyter.core.manifest import QubitProperties
from tests.faults.lab import ANN, BELL, driver_of
from tests.integration.test_web_bookings import Street, play

PROGRAM = {"format": "openqasm2", "sources": [BELL]}


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], str(error["data"].get("field"))


def test_the_history_is_asked_for_in_pages_and_jobs_are_for_one_of_it(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        driver = await driver_of(ask.lab, "q1", "fresh")
        await driver.connect()
        at = datetime(2029, 12, 31, 9, tzinfo=UTC)
        for name, t1_s in (("cold", 1e-4), ("warm", 2e-4)):
            await driver.recalibrate(Calibration(id=name, at=at, qubits=(QubitProperties(t1_s=t1_s),)))
        first = (await ask(ANN, "GET", "qpus/q1/calibrations?limit=1&quantity=t1&qubit=0")).json()
        assert first["calibrations"] == [
            {
                "id": "warm", "at": "2029-12-31T09:00:00Z", "config_sha256": "",
                "figures": [{"quantity": "t1", "gate": "", "qubits": [0], "value": 2e-4, "unit": "s"}],
            }
        ]  # fmt: skip
        rest = (await ask(ANN, "GET", f"qpus/q1/calibrations?after={first['next']}")).json()
        assert ([one["id"] for one in rest["calibrations"]], rest["next"]) == (["cold"], None)

        job = {"program": PROGRAM, "qpu": "q1", "options": {"shots": 10}}
        taken = await ask(ANN, "POST", "jobs", json={**job, "calibration": "warm"})
        assert (taken.status_code, taken.json()["calibration"]) == (201, "warm")
        other = await ask(ANN, "POST", "jobs", json={**job, "calibration": "cold"})
        assert refusal(other) == (400, "other_calibration", "calibration")
        unknown = await ask(ANN, "POST", "jobs", json={**job, "calibration": "hot"})
        assert refusal(unknown) == (400, "unknown_calibration", "calibration")
        nowhere = await ask(ANN, "POST", "jobs", json={"program": PROGRAM, "calibration": "warm"})
        assert refusal(nowhere) == (400, "no_target", "qpu")
        assert (await ask(ANN, "GET", "jobs?calibration=warm")).json()["jobs"] == [], "it has no result yet"

    play(tmp_path, dialogue)


WRONG = {
    "quantity=t3": "quantity",
    "qubit=-1": "qubit",
    "limit=201": "limit",
    "start=2030-01-01T00:00:00": "start",
    "start=2030-01-02T00:00:00Z&end=2030-01-01T00:00:00Z": "start",
    "when=now": "when",
}


def test_a_wrong_question_is_told_by_its_field(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        for query, field in WRONG.items():
            answer = await ask(ANN, "GET", f"qpus/q1/calibrations?{query}")
            assert answer.status_code == 400, query
            assert field in answer.json()["error"]["message"], query

    play(tmp_path, dialogue)
