"""Plans in a notebook, against a scripted lab: what is asked, and what is shown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from msgspec import structs
from qiskit.quantum_info import Pauli, SparsePauliOp

import qpi_jupyter.client.connecting as connecting
from qpi_jupyter.client import Plan
from qpi_jupyter.client.family import Family
from qpi_jupyter.client.jobs import JobTable
from qpi_jupyter.client.plan import RunningPlan
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.planner import Rule
from qpi_jupyter.core.plans import Operation
from qpi_jupyter.ui.bundle import headline
from qpi_jupyter.ui.state import state_of
from qpi_jupyter.wire.jobs import FamilyJob, FamilyModel, WaitReason
from qpi_jupyter.wire.plans import FragmentRun
from tests.faults.scripted_rest import PLAN, ScriptedLab

GHZ = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\ncx q[0], q[1];\n'


def test_a_plan_is_asked_for_as_one_says_it(server: ScriptedLab) -> None:
    lab = connecting.connect()
    plan = lab.plan(GHZ, observables=[Pauli("ZZ"), "XI"], qpus=[lab.qpu("sim-a"), "sim-b"], seed=3, deadline="1h")
    asked = server.plans[0]
    assert (asked.observables, asked.qpus, asked.seed, asked.deadline_s) == (["ZZ", "XI"], ["sim-a", "sim-b"], 3, 3600)
    assert (asked.shots, asked.max_overhead, asked.min_fidelity) == (1024, 81.0, 0.0)
    assert (plan.plan_id, plan.qpus, plan.overhead, plan.cost) == (PLAN.plan_id, ("<q1>", "q2"), 9.0, 0.7)
    lab.plan(GHZ, observables="ZZ", qpus="sim-a")
    assert (server.plans[1].observables, server.plans[1].qpus) == (["ZZ"], ["sim-a"])
    for wrong in (3, SparsePauliOp("ZZ"), [3.0]):
        with pytest.raises(TypeError, match="Pauli strings"):
            lab.plan(GHZ, observables=wrong)
    with pytest.raises(Rejected, match="Cannot read 'ZQ' as an observable"):
        lab.plan(GHZ, observables=["ZZ", "ZQ"])
    assert len(server.plans) == 2


def test_the_magic_takes_an_expression_or_a_cell(server: ScriptedLab, shell: InteractiveShell) -> None:
    shell.user_ns["ghz"] = GHZ
    line = "ghz --observable ZZ --observable XX --qpu q1 --qpu q2 --min-fidelity 0.9 --max-overhead 300 --seed 2"
    assert isinstance(shell.run_line_magic("qpi_plan", line), Plan)
    asked = server.plans[0]
    assert (asked.observables, asked.qpus, asked.min_fidelity) == (["ZZ", "XX"], ["q1", "q2"], 0.9)
    assert (asked.max_overhead, asked.seed, asked.program.sources) == (300.0, 2, [GHZ])
    shell.run_cell_magic("qpi_plan", "--shots 50", GHZ)
    assert server.plans[1].shots == 50
    for wrong, said in (("--min-fidelity x ghz", "takes a number"), ("", "Which circuit")):
        with pytest.raises(UsageError, match=said):
            shell.run_line_magic("qpi_plan", wrong)
    server.refuse = Rejected("As a whole: it needs 8 qubits.", code="infeasible")
    with pytest.raises(UsageError, match="it needs 8 qubits"):
        shell.run_line_magic("qpi_plan", "ghz")


def test_the_tab_key_offers_options_variables_and_qpus(server: ScriptedLab, shell: InteractiveShell) -> None:
    shell.user_ns["ghz"] = GHZ

    def offered(text: str) -> set[str]:
        with provisionalcompleter():
            return {found.text for found in shell.Completer.completions(text, len(text))}

    assert {"ghz", "--observable", "--max-overhead"} <= offered("%qpi_plan ")
    assert offered("%qpi_plan ghz --qpu ") == {"sim-a", "sim-b"}


def test_it_shows_circuit_costs_and_alternatives(server: ScriptedLab) -> None:
    plan = connecting.connect().plan(GHZ)
    text = repr(plan)
    for said in (
        "1 cut into 2 fragments on <q1>, q2, for 9 times the shots", "0 to 2", "6 x 100", "0.9000", "q3",
        "cut, up to 2 qubits", "81 times", "It needs 4 qubits; the largest QPU, q3, has 3.", PLAN.plan_id,
    ):  # fmt: skip
        assert said in text, said
    html = plan._repr_html_()
    page = ET.fromstring(html)
    assert "<q1>" not in html
    picture = next(page.iter("svg"))
    assert picture.get("aria-label") == "Circuit of 4 qubits in 2 fragments, 1 gate cut"
    assert [one.text for one in page.iter("title")] == ["h on q0", "cx on q0, q1", "cx on q2, q3", "measure on q3"]
    colours = re.findall(r"y2='\d+' stroke='(#\w+)'", html)  # of the wires
    assert colours == ["#0072B2"] * 3 + ["#E69F00"]
    assert html.count("✂") == 1
    assert "<script" not in html


def test_a_wire_that_is_cut_is_drawn(server: ScriptedLab) -> None:
    model = connecting.connect().plan(GHZ).model
    operations = [Operation(name="cx", qubits=(1, 2), fragment=0), Operation(name="x", qubits=(2,), fragment=0)]
    operations.append(Operation(name="cx", qubits=(2, 3), fragment=1, cut_wires=(2,)))
    html = Plan(structs.replace(model, operations=operations))._repr_html_()
    page = ET.fromstring(html)
    assert [one.text for one in page.iter("title") if "Wire" in str(one.text)] == ["Wire of q2 cut"]
    assert next(page.iter("svg")).get("aria-label") == "Circuit of 4 qubits in 2 fragments, 0 gates and 1 wire cut"
    colours = re.findall(r"y1='75' y2='75' stroke='(#\w+)'", html)
    assert colours == ["#0072B2", "#E69F00"]


def test_a_plans_job_says_what_its_fragments_do(server: ScriptedLab) -> None:
    job = connecting.connect().submit(GHZ)
    reason = WaitReason(rule=Rule.FRAGMENTS, message="1 of 2 fragments on a; 1 waiting for b.")
    job.model = structs.replace(job.model, phase="blocked", qpu="a", qpus=["a", "b"], reason=reason)
    assert repr(job) == f"<Job {job.id}: Running: 1 of 2 fragments on a; 1 waiting for b>"
    assert headline(state_of(job)) == f"Job {job.id} on a, b: Running (1 of 2 fragments on a; 1 waiting for b)"
    assert "a, b" in repr(JobTable([job]))
    assert JobTable([job]).record(job)["qpus"] == ["a", "b"]
    own = FamilyJob(id=job.id, name="", qpu="a", status="pending", phase="blocked", parent=None, after=["f1"])
    other = structs.replace(own, id="other")
    family = Family(FamilyModel(jobs=[own, other], cost_s=None), job.model)
    assert [family.row(one)[1:3] for one in family] == [("Running", "a, b"), ("Waiting for other jobs", "a")]
    job.model = structs.replace(job.model, phase="completed", status="completed", reason=None, busy_s=2.0)
    assert repr(job) == f"<Job {job.id}: Completed on a, b in 2 s>"


def test_a_plan_that_runs_is_shown_by_its_fragments() -> None:
    fragments = [
        FragmentRun(
            index=n, job_id=f"job-{n}", qpu=qpu, status="running", phase="running", fallback=fallback, below=False,
            reservations=[], attempts=[], esp=0.9,
        )
        for n, (qpu, fallback) in enumerate([("<q1>", False), ("q3", True)])
    ]  # fmt: skip
    run = RunningPlan(job_id="job-9", plan=PLAN, fragments=fragments, cost_s=2.0)
    assert run.summary == Plan(PLAN).summary
    assert "q3 (fallback for q2)" in repr(run)
    assert "Running" in repr(run)
    fragments[0].phase = "blocked"
    assert "Waiting for other jobs" not in repr(run)
    assert "&lt;q1&gt;" in run._repr_html_()
    waiting = RunningPlan(job_id="job-9", plan=None, fragments=[])
    assert repr(waiting) == "The circuit is being planned. Job job-9, 0 s of QPU time."
