"""What the distributed services coordinator's own project required of it, FR-001 to FR-014, on a lab of real
processes: three small simulators behind the coordinator's surface."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_jupyter.core import Faulted
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.service import Lab
from qpi_server.service.base import Rates
from tests.faults.lab import ANN, FrozenClock, ScriptedDriver, open_lab
from tests.integration.test_service_plans import Drivers, in_lab
from tests.support.plan_runs import TWO, deliver, looked, planned
from tests.support.plan_runs import submitted as run_plan
from tests.support.servers import TOKEN, LabServer, lab_server, python_env
from tests.support.waiting import PATIENCE_S, wait_until
from tests.support.web import EmptyLab, serving, talk

API = "qpi/coordinator/api/v1/"
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
NODES = {"node-a": 5, "node-b": 5, "node-c": 7}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("requirements"), "--log-json") as server:
        admin = server.client()
        for name, qubits in NODES.items():
            body = {"name": name, "options": {"num_qubits": qubits}}
            admin.post("qpi/v1/simulators", json=body).raise_for_status()
        wait_until(lambda: len(admin.get("qpi/health").json()["drivers"]) == len(NODES), what="the nodes' start")
        yield server


def submitted(client: httpx.Client, circuit: str = BELL, **more: Any) -> str:
    """The id of a new job."""
    answer = client.post(f"{API}circuits/submit", json={"circuit": circuit, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])


def over(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job, once it is over."""
    client.get(f"qpi/v1/jobs/{job_id}", params={"wait_s": 60}).raise_for_status()
    found: dict[str, Any] = client.get(f"{API}jobs/{job_id}").json()
    return found


def counts_of(client: httpx.Client, circuit: str) -> dict[str, int]:
    """What a circuit gives."""
    job = over(client, submitted(client, circuit, shots=64))
    assert job["status"] == "COMPLETED", job["error"]
    counts: dict[str, int] = job["result"]["quantum_result"]["counts"]
    return counts


def text(width: int, steps: str) -> str:
    """A circuit of so many qubits, all of them measured."""
    head = f'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{width}] q;\nbit[{width}] c;\n'
    return f"{head}{steps}c = measure q;\n"


def detail(answer: httpx.Response) -> dict[str, Any]:
    """The one reason of a refusal."""
    [found] = answer.json()["details"]
    return dict(found)


def test_fr_001_nodes_advertise_what_they_offer_and_bad_ones_are_refused(server: LabServer) -> None:
    client = server.client()
    found = client.get(f"{API}services").json()
    assert {one["node_id"] for one in found} == set(NODES)
    assert {one["service_type"] for one in found} >= {"hadamard", "cnot", "cz", "qft", "bell_pair"}
    for one in found:
        assert one["qubit_min"] <= one["qubit_max"] <= NODES[one["node_id"]]
        assert one["fidelity"] is None or 0 <= one["fidelity"] <= 1
        assert (one["availability"], one["trust_tier"]) == (True, "platform_managed")
        assert one["updated_at"]
    answer = client.post(f"{API}enrollment/peers", json={"peer_id": "bad", "capability_summary": {"qubit_max": 0}})
    assert (answer.status_code, detail(answer)["field"]) == (400, "capability_summary.qubit_max")


def test_fr_002_nodes_are_found_by_what_is_asked_for(server: LabServer) -> None:
    client = server.client()
    peers = client.get(f"{API}discovery/peers").json()
    assert (peers["total"], peers["include_stale"]) == (len(NODES), False)
    peer = client.get(f"{API}discovery/peers/node-c").json()
    assert (peer["num_qubits"], peer["health_status"], peer["is_stale"]) == (7, "healthy", False)
    narrow = client.get("qpi/v1/services", params={"service": "qft", "min_fidelity": 0.5}).json()["qpus"]
    assert {offer["service"] for one in narrow for offer in one["services"]} == {"qft"}
    client.patch("qpi/v1/qpus/node-b", json={"hold": "a test"}).raise_for_status()
    held = [one["availability"] for one in client.get(f"{API}services").json() if one["node_id"] == "node-b"]
    client.patch("qpi/v1/qpus/node-b", json={"hold": None}).raise_for_status()
    assert held
    assert not any(held)
    topology = client.get(f"{API}discovery/topology").json()
    assert (topology["total_peers"], topology["active_peers"]) == (len(NODES), len(NODES))
    network = client.get(f"{API}discovery/network/topology").json()
    assert network["fabric_running"] is True
    assert {one["peer_id"] for one in network["registry_snapshot"]} == set(NODES)
    stats = client.get(f"{API}discovery/stats").json()
    assert stats["by_trust_tier"] == {"platform_managed": len(NODES)}
    bootstrap = client.get(f"{API}bootstrap/libp2p").json()
    assert bootstrap == {"enabled": False, "state": "stopped", "addresses": []}
    runtime = client.get(f"{API}bootstrap/libp2p/runtime").json()
    assert (runtime["state"], runtime["linked_peers"]) == ("running", len(NODES))
    assert [(bus["kind"], bus["state"]) for bus in runtime["buses"]] == [("websocket", "running")]
    assert client.get(f"{API}discovery/peers/nothing").status_code == 404


def test_fr_002_a_bootstrap_address_is_what_drivers_dial_and_not_where_the_lab_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = "p2p:///ip4/192.0.2.7/tcp/4001/p2p/12D3KooWMe7oeShy2i8ApNdxCxGv1CU7NoTg3QiBvPePrzjHw6Lx"

    async def main() -> None:
        async with open_lab(tmp_path, buses=("inproc://lab",)) as lab:
            monkeypatch.setattr(lab.buses, "reached_at", {"inproc://lab": [peer]}.__getitem__)

            async def dialogue(client: httpx.AsyncClient) -> None:
                found = (await client.get(f"{API}bootstrap/libp2p")).json()
                assert found == {"enabled": True, "state": "running", "addresses": [peer]}
                runtime = (await client.get(f"{API}bootstrap/libp2p/runtime")).json()
                assert runtime["buses"][1:] == [{"kind": "p2p", "address": peer, "state": "running"}]

            await scripted(lab, dialogue)

    asyncio.run(main())


def test_fr_003_openqasm_2_and_3_are_read_and_bad_syntax_says_where(server: LabServer) -> None:
    client = server.client()
    three = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[2] c; x q[2]; swap q[2], q[1]; c[1] = measure q[1];'
    two = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[2]; x q[2]; swap q[2],q[1]; measure q[1] -> c[1];'
    assert counts_of(client, three) == counts_of(client, two) == {"10": 64}
    for text, line in (("h q[0]\nx q[1];", (3, 4)), ("nothing q[0];", (3,)), ("h q[2];", (3,))):
        job = over(client, submitted(client, f"OPENQASM 3.0;\nqubit[2] q;\n{text}\n"))
        assert (job["status"], job["result"]["quantum_result"]) == ("FAILED", None)
        found = job["error_detail"]
        assert found["message"] == job["error"]
        assert found["data"]["line"] in line
        assert found["data"]["column"] >= 1


async def scripted(lab: Lab, dialogue: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Hold a dialogue over HTTP, as Ann, with a lab of scripted drivers."""
    token = (await lab.tokens.create(await lab.authenticator.admit(ANN), TokenIn())).token
    settings = {"trust_env": False, "verify": False, "headers": {"X-API-Token": token}, "timeout": PATIENCE_S}
    async with serving(lab) as url, httpx.AsyncClient(base_url=url, **settings) as client:
        await dialogue(client)


def test_fr_004_fragments_are_assigned_by_cost_and_infeasible_says_what_is_missing(server: LabServer) -> None:
    client = server.client()
    pairs = "".join(f"h q[{i}]; cx q[{i}], q[{i + 1}]; cx q[{i + 1}], q[{i + 2}];\n" for i in (0, 3, 6))
    job = over(client, submitted(client, text(9, pairs)))
    assert job["status"] == "COMPLETED", job["error"]
    plan = client.get(f"{API}plans/{job['plan_id']}").json()
    assert (plan["kind"], plan["overhead"]) == ("components", 1.0)
    assert all(one["dependencies"] == [] for one in plan["fragments"].values())
    for assigned in plan["assignments"].values():
        costs = [node["total_cost"] for node in assigned["candidates"]]
        assert costs[0] == min(costs)
        assert [assigned["primary_node_id"], *assigned["fallback_node_ids"]] == [
            node["node_id"] for node in assigned["candidates"]
        ]
    counts = job["result"]["quantum_result"]["counts"]
    assert all(key[i : i + 3] in ("000", "111") for key in counts for i in (0, 3, 6))
    chain = "".join(f"cx q[{i}], q[{i + 1}];\n" for i in range(39))
    job = over(client, submitted(client, text(40, chain)))
    assert (job["status"], job["error_detail"]["code"]) == ("FAILED", "infeasible")
    assert job["error_detail"]["data"]["missing"]


def test_fr_005_places_carry_what_they_are_for_and_are_released_by_themselves(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _drivers: Drivers, _clock: FrozenClock) -> None:
        async def over_http(client: httpx.AsyncClient) -> None:
            first, second = await planned(lab, "q1", "q2", min_fidelity=0.9), await planned(lab, "q1 q2")
            job_id = await run_plan(lab, first)
            await looked(lab, job_id)
            wanted = {"workflow_run_id": job_id, "fragment_id": "fragment-0"}
            place = (await client.post(f"{API}reservations", json=wanted)).json()
            assert (place["accepting_peer_id"], place["current_transition"]) == ("q1", "COMMITTED")
            assert (place["min_fidelity"], place["plan_id"], place["is_active"]) == (0.9, first.plan_id, True)
            assert place["requested_at"] < place["expires_at"]
            answer = await client.post(f"qpi/v1/plans/{second.plan_id}/jobs", json={})
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "reserved")
            assert answer.json()["error"]["data"]["next_free_at"] > place["requested_at"]
            address = f"{API}reservations/{place['reservation_id']}"
            cancelled = (await client.post(f"{address}/cancel")).json()
            assert (cancelled["current_transition"], cancelled["is_terminal"]) == ("CANCELED", True)
            assert (await client.get(address)).json() == cancelled
            run = await looked(lab, job_id)
            assert [one.reservations[-1].state.value for one in run.fragments] == ["canceled"] * 2
            ended = await client.post(f"{API}reservations", json=wanted)
            assert (ended.status_code, detail(ended)["code"]) == (409, "reservation_ended")
            assert (await client.get(f"{API}jobs/{job_id}")).json()["status"] == "FAILED"
            assert (await client.get(f"{API}reservations/nothing.01")).status_code == 404

        await scripted(lab, over_http)

    in_lab(tmp_path, dialogue, TWO)


def test_fr_006_status_and_node_of_each_fragment_are_kept_and_the_result_joins_them(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        async def over_http(client: httpx.AsyncClient) -> None:
            job_id = await run_plan(lab, await planned(lab, "q1", "q2"))
            await looked(lab, job_id)
            job = (await client.get(f"{API}jobs/{job_id}")).json()
            assert (job["status"], job["progress"]["total_fragments"]) == ("RESERVING", 2)
            await deliver(drivers["q1"])
            job = (await client.get(f"{API}jobs/{job_id}")).json()
            assert (job["status"], job["progress"]["completion_ratio"]) == ("EXECUTING", 0.5)
            done, waits = job["result"]["fragment_results"]
            assert [one["node_id"] for one in (done, waits)] == ["q1", "q2"]
            assert [one["status"] for one in (done, waits)] == ["COMPLETED", "RESERVING"]
            assert done["started_at"] <= done["finished_at"]
            await deliver(drivers["q2"])
            await client.get(f"qpi/v1/jobs/{job_id}?wait_s=60")
            job = (await client.get(f"{API}jobs/{job_id}")).json()
            assert (job["status"], job["progress"]["completed_fragments"]) == ("COMPLETED", 2)
            counts = job["result"]["quantum_result"]["counts"]
            assert set(counts) <= {"00000000", "00001111", "11110000", "11111111"}

        await scripted(lab, over_http)

    in_lab(tmp_path, dialogue, TWO)


def test_fr_007_a_failed_fragment_goes_to_the_next_node_and_without_one_fails_fast(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        async def over_http(client: httpx.AsyncClient) -> None:
            job_id = await run_plan(lab, await planned(lab, "q1 q2"))
            await looked(lab, job_id)
            await fail(drivers["q1"])
            await looked(lab, job_id)
            job = (await client.get(f"{API}jobs/{job_id}")).json()
            assert job["status"] == "EXECUTING", "a fragment that moves takes no job back"
            await fail(drivers["q2"])
            await looked(lab, job_id)
            job = (await client.get(f"{API}jobs/{job_id}")).json()
            assert (job["status"], job["result"]["fragment_results"][0]["attempts"]) == ("FAILED", 2)
            assert "The readout is broken." in job["error"]

        await scripted(lab, over_http)

    in_lab(tmp_path, dialogue, TWO)


async def fail(driver: ScriptedDriver) -> None:
    """The driver takes a job, and its instrument breaks."""
    job = await driver.claim()
    await driver.started(job)
    fault = Faulted("The readout is broken.", code="instrument")
    await driver.report(job, "errored", busy_s=0.5, error=fault.to_dict())


def test_fr_008_quality_is_kept_and_shown_by_node(server: LabServer) -> None:
    client = server.client()
    found = client.get(f"{API}metrics/fidelity/node-a").json()
    assert found["sample_count"] == len(found["samples"]) > 0
    known = [sample["fidelity"] for sample in found["samples"]]
    assert found["min_fidelity"] == min(known) <= found["average_fidelity"] <= max(known) == found["max_fidelity"]
    assert found["below_min_fidelity"] is False
    assert client.get(f"{API}metrics/fidelity/nothing").status_code == 404


def test_fr_009_a_job_id_comes_at_once_and_leads_to_its_states(server: LabServer) -> None:
    client = server.client()
    job_id = submitted(client)
    assert client.get(f"{API}jobs/{job_id}").json()["status"] in (
        "QUEUED", "COMPILING", "RESERVING", "EXECUTING", "COMPLETED",
    )  # fmt: skip
    assert over(client, job_id)["status"] == "COMPLETED"


def test_fr_010_jobs_and_places_survive_a_kill(tmp_path: Path) -> None:
    with lab_server(tmp_path / "first", "--demo") as server:
        client = server.client()
        wait_until(lambda: len(client.get("qpi/health").json()["drivers"]) == 2, what="the drivers' start")
        done = submitted(client)
        before = over(client, done)
        begun = submitted(client)
        server.kill()
    with lab_server(tmp_path / "second", "--demo", lab_dir=server.lab_dir) as server:
        client = server.client()
        assert client.get(f"{API}jobs/{done}").json() == before
        place = client.get(f"{API}reservations/{before['result']['fragment_results'][0]['reservation_id']}").json()
        assert place["current_transition"] == "EXECUTED"
        survived = over(client, begun)
        assert survived["status"] == "COMPLETED", survived["error_detail"]


def test_fr_011_a_bad_setting_stops_the_start_and_is_named(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "qpi_server.tools.standalone",
        "--allow-root",
        "--show-config",
        "--heartbeat-s",
        "no",
    ]
    env = python_env(HOME=str(tmp_path), QPI_LAB_DIR=str(tmp_path / "lab"))
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "heartbeat" in done.stderr


def test_fr_012_the_log_is_json_with_the_ids_and_the_figures_count(server: LabServer) -> None:
    client = server.client()
    answer = client.post(f"{API}circuits/submit", json={"circuit": BELL}, headers={"X-Request-ID": "fr-012"})
    job_id = answer.json()["job_id"]
    over(client, job_id)
    told = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert any(line.get("request") == "fr-012" and line.get("job") == job_id for line in told)
    figures = client.get("qpi/metrics").text
    for name in ("qpi_jobs_queued", "qpi_job_wait_seconds_count", "qpi_attempts_total", "qpi_jobs_ended_total"):
        assert name in figures
    health = server.client(None).get(f"{API}ready").json()
    assert health["persistence"].keys() == {"database", "bus"}


def test_fr_013_a_circuit_is_compared_distributed_and_centralised(server: LabServer) -> None:
    client = server.client()
    run = {"workflow_definition_id": "circuit", "input_snapshot": {"circuit": BELL}}
    run_id = client.post(f"{API}workflows/runs", json=run).json()["run_id"]
    over(client, run_id)
    benchmark_id = client.post(f"{API}workflows/benchmarks", json={"workflow_run_id": run_id}).json()["benchmark_id"]
    over(client, benchmark_id)
    found = client.get(f"{API}workflows/benchmarks/{benchmark_id}").json()
    for way in ("quantum_metrics", "centralized_metrics"):
        assert found[way].keys() >= {"latency_s", "success_rate", "estimated_fidelity", "attempts"}


def test_fr_014_keys_rates_sizes_and_fields_are_checked(server: LabServer) -> None:
    client, anybody = server.client(), server.client(None)
    assert anybody.get(f"{API}jobs").status_code == 401
    assert server.client(f"{TOKEN}x").get(f"{API}jobs").status_code in (401, 403)
    too_long = client.post(f"{API}circuits/submit", json={"circuit": BELL + "//" + "x" * (1 << 20)})
    assert (too_long.status_code, too_long.json()["error"]) == (413, "resource_exhausted")
    unknown = client.post(f"{API}circuits/submit", json={"circuit": BELL, "shotz": 1})
    assert (unknown.status_code, detail(unknown)["field"]) == (400, "shotz")


def test_fr_014_an_address_that_asks_too_often_without_a_key_waits() -> None:
    lab = EmptyLab()
    lab.strangers = Rates(FrozenClock(), per_s=1.0, burst=3)

    async def dialogue(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.get(f"{API}health") for _ in range(4)]

    *answered, limited = talk(lab, dialogue)
    assert [answer.status_code for answer in answered] == [200, 200, 200]
    assert (limited.status_code, limited.json()["error"]) == (429, "rate_limited")
    assert int(limited.headers["Retry-After"]) >= 1


def test_a_contributed_node_is_trusted_once_a_manager_approves_it(server: LabServer) -> None:
    admin = server.client()
    made = admin.post(f"{API}enrollment/peers", json={"peer_id": "garage", "capability_summary": {"qubit_max": 3}})
    assert made.status_code == 201, made.text
    enrolled = made.json()
    assert (enrolled["enrollment_status"], enrolled["trust_tier"]) == ("pending", "public_untrusted")
    assert enrolled["driver"]["token"].startswith("qpi_")
    shown = admin.get(f"{API}enrollment/peers/garage").json()
    assert "driver" not in shown
    for action, status in (("quarantine", "quarantined"), ("reject", "rejected")):
        answer = admin.post(f"{API}enrollment/peers/garage/action", json={"action": action, "reason": "a test"})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["enrollment_status"], answer.json()["reason"]) == (status, "a test")
    listed = admin.get(f"{API}enrollment/peers", params={"status": "rejected"}).json()
    assert ([one["peer_id"] for one in listed["enrollments"]], listed["total"]) == (["garage"], 1)
