"""Many clients of the task service at once, over drivers of one QPU that are drained and killed meanwhile."""

from __future__ import annotations

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest

from tests.faults.executors import read_diary
from tests.support.books import Books
from tests.support.realworld import PATIENCE_S
from tests.support.servers import TOKEN
from tests.support.trips import going
from tests.support.waiting import wait_until

CLIENTS, EACH = 8, 250
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_task_has_one_result_whoever_is_drained_or_killed(tmp_path: Path) -> None:
    with going(tmp_path) as trip:
        diary = tmp_path / "diary.jsonl"
        drivers = {}
        for name in ("d1", "d2"):
            trip.register("q1", driver=name)
            drivers[name] = trip.drive(name, f"diary={diary}", "seconds=0.01")
        wait_until(lambda: trip.customer.drivers() == 2, what="the drivers' start")
        url, begun = f"{trip.server.url}qpi/", Barrier(CLIENTS + 1)

        def client(number: int) -> list[str]:
            taken = []
            with httpx.Client(base_url=url, headers=HEADERS, timeout=70, trust_env=False) as http:
                for n in range(EACH):
                    if n == EACH // 4:
                        begun.wait(PATIENCE_S)
                    task = {"quantum_circuit": f"OPENQASM 3.0; // {number}.{n}", "shots": 8}
                    answer = http.post("tasks", json=task)
                    assert answer.status_code == 201, answer.text
                    taken.append(answer.json()["task_id"])
            return taken

        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(client, number) for number in range(CLIENTS)]
            begun.wait(PATIENCE_S)
            assert trip.customer.call("POST", "v1/drivers/d1/drain").status_code == 200
            drivers["d2"].send(signal.SIGKILL)
            drivers["d2"].process.wait(PATIENCE_S)
            assert drivers["d1"].process.wait(PATIENCE_S) == 0
            trip.drive("d2", f"diary={diary}")
            taken = [task for done in clients for task in done.result()]
        assert len(set(taken)) == CLIENTS * EACH
        for task in taken:
            assert trip.customer.finished(task)["status"] == "completed"
        shown = trip.customer.call("GET", f"tasks/{taken[0]}").json()
        assert (shown["status"], shown["result"]) == ("completed", {"11": 8})
        figures = trip.customer.call("GET", "metrics").text
        assert 'qpi_jobs_queued{qpu="q1"} 0.0' in figures
        assert 'qpi_drivers_desired{qpu="q1"} 0.0' in figures
        assert f'qpi_job_wait_seconds_count{{qpu="q1"}} {CLIENTS * EACH}.0' in figures
        ran = {line["job_id"] for line in read_diary(diary)}
        assert ran == set(taken)
        books = Books(trip.server.lab_dir)
        books.check_each_attempt_ran_once(
            Counter((line["job_id"], line["attempt"]) for line in read_diary(diary) if line["event"] == "run")
        )
        assert Counter(row["outcome"] for row in books.attempts.values())["result_stored"] == CLIENTS * EACH
