"""Errors, programs, access and accounting."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core import accounting, errors
from qpi_jupyter.core.access import (
    PERMISSIONS,
    Permission,
    Principal,
    Role,
    allows,
    may_read_job,
    permissions,
)
from qpi_jupyter.core.accounting import EntryKind, balance
from qpi_jupyter.core.errors import ProgramError, QpiError, Rejected, TooLarge
from qpi_jupyter.core.formats import BUILT_IN, MAX_CIRCUITS, MAX_PROGRAM_BYTES, MAX_SOURCE_BYTES
from qpi_jupyter.core.manifest import Manifest
from qpi_jupyter.core.programs import (
    CircuitOptions,
    Program,
    RunOptions,
    check_program,
    pack,
    unpack,
)
from tests.support import ledger

NOBODY = Principal(name="", roles=frozenset())
KINDS = [getattr(errors, n) for n in dir(errors) if isinstance(getattr(errors, n), type)]
KINDS = [k for k in KINDS if issubclass(k, QpiError)]
READABLE = st.text("aZ09_ \n\té☃😀'\"\\<")
INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
JSON = st.recursive(st.none() | st.booleans() | INTEGERS | READABLE, lambda x: st.lists(x), max_leaves=4)


@given(
    st.sampled_from(KINDS),
    READABLE.filter(bool),
    READABLE.filter(bool),
    st.dictionaries(READABLE | st.sampled_from(["message", "code", "self", "line"]), JSON),
)
def test_an_error_survives_the_trip(kind: type[QpiError], message: str, code: str, data: dict[str, Any]) -> None:
    there = kind(message, code=code)
    there.data |= data
    for back in (QpiError.from_dict(json.loads(json.dumps(there.to_dict()))), pickle.loads(pickle.dumps(there))):
        assert type(back) is kind
        assert back.to_dict() == there.to_dict()


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    max_leaves=50,
)


@given(st.fixed_dictionaries({}, optional={name: ANY for name in ("kind", "code", "message", "data")}))
def test_whatever_a_driver_calls_an_error_is_small_plain_and_the_programs_or_the_benchs(raw: dict[str, Any]) -> None:
    error = QpiError.from_bench(raw)
    assert isinstance(error, errors.Rejected | errors.TooLarge | errors.Faulted)
    said = error.to_dict()
    assert QpiError.from_bench(json.loads(json.dumps(said, allow_nan=False))).to_dict() == said


@pytest.mark.parametrize("data", [{"x": "y" * 10**6}, {str(n): n for n in range(10**5)}, {"x": [0] * 10**6}])
def test_a_drivers_error_does_not_grow(data: dict[str, Any]) -> None:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    raw = {"kind": "Faulted", "code": "c" * 10**6, "message": "m" * 10**6, "data": {**data, "deep": deep}}
    assert len(json.dumps(QpiError.from_bench(raw).to_dict())) < 32_000


@pytest.mark.parametrize("raw", [{}, {"kind": "Nonsense", "data": 3}, {"kind": None, "message": None}])
def test_an_error_of_a_stranger_is_still_an_error(raw: dict[str, Any]) -> None:
    assert type(QpiError.from_dict(raw)) is QpiError


def test_a_program_error_says_where() -> None:
    back = QpiError.from_dict(ProgramError("x", circuit=2, line=3, column=4).to_dict())
    assert isinstance(back, ProgramError)
    assert (back.circuit, back.line, back.column) == (2, 3, 4)


def test_every_error_has_a_default_message_and_a_code_of_its_own() -> None:
    assert all(kind().message for kind in KINDS)
    assert len({kind.default_code for kind in KINDS}) == len(KINDS)


QASM = b"OPENQASM 3.0; qubit q; bit c; c = measure q;"
ROWS = ((0.1, 0.2), (0.3, 0.4))


def program(*sources: bytes, kind: str = "openqasm3", **options: Any) -> Program:
    return Program(format=kind, sources=sources, options=RunOptions(**options))


@pytest.mark.parametrize(
    "good",
    [
        program(QASM),
        program(QASM, QASM, shots=1),
        program(QASM, shots=2000, meas_level=1, meas_return="avg", seed_simulator=0),
        program(QASM, circuits=(CircuitOptions(shots=5, parameter_values=ROWS),)),
        program(b"QISKIT\x0d", kind="qpy"),
        program(b"QISKIT\x0e", kind="qpy", circuits=(CircuitOptions(), CircuitOptions())),
        program(b"x" * MAX_SOURCE_BYTES),
    ],
)
def test_what_is_fine_passes(good: Program) -> None:
    check_program(good, BUILT_IN[good.format], max_shots=2000)


@pytest.mark.parametrize(
    ("bad", "kind", "code", "words"),
    [
        (program(), ProgramError, "empty_program", "at least one"),
        (program(b" \n"), ProgramError, "empty_program", "Circuit 0 is empty"),
        (program(QASM, b"x" * (MAX_SOURCE_BYTES + 1)), TooLarge, "program_too_large", "Circuit 1"),
        (program(*[b"x" * MAX_SOURCE_BYTES] * 16, b"x"), TooLarge, "program_too_large", f"{MAX_PROGRAM_BYTES:,}"),
        (program(*[QASM] * (MAX_CIRCUITS + 1)), TooLarge, "too_many_circuits", f"{MAX_CIRCUITS:,}"),
        (
            program(QASM, circuits=(CircuitOptions(parameter_values=((0.0,),) * (MAX_CIRCUITS + 1)),)),
            TooLarge,
            "too_many_circuits",
            f"{MAX_CIRCUITS + 1:,}",
        ),
        (program(b"caf\xe9"), ProgramError, "bad_program", "Circuit 0 is not UTF-8 text (line 1)"),
        (program(b"QISKI", kind="qpy"), ProgramError, "not_qpy", "not a QPY"),
        (program(b"QISKIT", kind="qpy"), ProgramError, "not_qpy", "not a QPY"),
        (program(b"QISKIT\x0c", kind="qpy"), ProgramError, "qpy_too_old", "version 12"),
        (program(QASM, shots=0), Rejected, "bad_shots", "not 0"),
        (program(QASM, shots=-5), Rejected, "bad_shots", "not -5"),
        (program(QASM, shots=2001), Rejected, "bad_shots", "1 to 2,000"),
        (program(QASM, shots=2.0), Rejected, "bad_shots", "2.0"),
        (program(QASM, shots=True), Rejected, "bad_shots", "True"),
        (program(QASM, circuits=(CircuitOptions(shots=0),)), Rejected, "bad_shots", "of circuit 0"),
        (program(QASM, meas_level=3), Rejected, "bad_option", "meas_level"),
        (program(QASM, meas_level=True), Rejected, "bad_option", "meas_level"),
        (program(QASM, meas_return="all"), Rejected, "bad_option", "meas_return"),
        (program(QASM, seed_simulator=-1), Rejected, "bad_option", "seed_simulator"),
        (program(QASM, seed_simulator=2**63), Rejected, "bad_option", "seed_simulator"),
        (program(QASM, seed_simulator=1.5), Rejected, "bad_option", "seed_simulator"),
        (program(QASM, circuits=(CircuitOptions(),) * 2), Rejected, "bad_option", "2 entries for 1"),
        (program(QASM, QASM, circuits=(CircuitOptions(),)), Rejected, "bad_option", "1 entries for 2"),
        (
            program(QASM, circuits=(CircuitOptions(parameter_values=((1.0,), (1.0, 2.0))),)),
            Rejected,
            "bad_option",
            "different lengths",
        ),
        (
            program(QASM, circuits=(CircuitOptions(parameter_values=((float("nan"),),)),)),
            Rejected,
            "bad_option",
            "finite",
        ),
    ],
)
def test_what_is_bad_is_refused_with_its_reason(bad: Program, kind: type[QpiError], code: str, words: str) -> None:
    with pytest.raises(kind) as caught:
        check_program(bad, BUILT_IN[bad.format], max_shots=2000)
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert words in caught.value.message


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_sources_survive_packing_and_a_cut_is_noticed(sources: list[bytes]) -> None:
    packed = pack(tuple(sources))
    assert unpack(packed) == tuple(sources)
    if packed:
        with pytest.raises(ValueError, match="cut short"):
            unpack(packed[:-1])


def who(*roles: Role, name: str = "ada", **more: Any) -> Principal:
    return Principal(name=name, roles=frozenset(roles), **more)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_a_role_may_what_its_row_says(role: Role, permission: Permission) -> None:
    assert allows(who(role), permission) is (permission in PERMISSIONS[role])
    assert allows(who(role), permission, owner="ada") is (permission in PERMISSIONS[role])


@pytest.mark.parametrize(("role", "may"), [(Role.USER, False), (Role.MANAGER, True), (Role.ADMIN, True)])
@pytest.mark.parametrize("permission", [Permission.JOBS_READ, Permission.JOBS_CANCEL])
def test_other_peoples_jobs_are_the_managers_business(role: Role, may: bool, permission: Permission) -> None:
    assert allows(who(role), permission, owner="bob") is may


@pytest.mark.parametrize(
    ("reader", "shared_with", "may"),
    [
        (who(Role.USER), None, True),
        (who(Role.USER), "qed", True),
        (who(Role.USER, name="bob"), None, False),
        (who(Role.USER, name="bob"), "qed", False),
        (who(Role.USER, name="bob", groups=frozenset({"staff"})), "qed", False),
        (who(Role.USER, name="bob", groups=frozenset({"qed"})), "qed", True),
        (who(Role.USER, name="bob", groups=frozenset({"qed"})), None, False),
        (who(Role.USER, name="bob", groups=frozenset({""})), None, False),
        (who(Role.MANAGER, name="bob"), None, True),
        (who(Role.ADMIN, name="bob"), "qed", True),
        (who(Role.MANAGER, name="bob", scopes=frozenset({Permission.JOBS_READ})), None, False),
        (who(Role.USER, scopes=frozenset({Permission.DRIVE})), "qed", False),
        (who(Role.DRIVER, name="bob", groups=frozenset({"qed"}), qpu="q1"), "qed", False),
        (who(Role.SERVICE, name="bob", groups=frozenset({"qed"})), "qed", False),
        (NOBODY, None, False),
    ],
)
def test_who_reads_a_job(reader: Principal, shared_with: str | None, may: bool) -> None:
    assert may_read_job(reader, owner="ada", shared_with=shared_with) is may


def test_nobody_and_a_narrow_token_may_little() -> None:
    assert [p for p in Permission if allows(NOBODY, p)] == [
        Permission.HEALTH, Permission.FEEDS_OPEN, Permission.SIGN_IN,
    ]  # fmt: skip
    narrow = who(Role.ADMIN, scopes=frozenset({Permission.JOBS_READ, Permission.DRIVE}))
    assert permissions(narrow) == {Permission.JOBS_READ}, "a scope never adds"
    assert not allows(narrow, Permission.JOBS_READ, owner="bob")


def test_no_permission_can_be_invented() -> None:
    with pytest.raises(ValueError, match="jobs:everything"):
        Permission("jobs:everything")
    assert frozenset(Permission) == frozenset().union(*PERMISSIONS.values())


@given(
    st.lists(st.tuples(st.sampled_from(["hold", "settle", "refund"]), st.integers(1, 3)), max_size=20),
    st.floats(0, 1e6),
)
def test_an_attempt_costs_what_it_used_or_nothing(history: list[tuple[str, int]], busy_s: float) -> None:
    entries: ledger.Entries = ()
    for what, n in history:
        amount: float | None
        if what == "hold":
            new = accounting.hold(entries, like=ledger.entry(EntryKind.HOLD, n, -3.0))
            amount = None if new is None else new.amount_s
        elif what == "settle":
            amount = accounting.settle(entries, attempt=n, busy_s=busy_s)
        else:
            amount = accounting.refund(entries, attempt=n)
        entries += () if amount is None else (ledger.entry(EntryKind(what), n, amount),)
    lines = [(e.kind, e.attempt) for e in entries]
    assert len(lines) == len(set(lines))
    for n, total in ledger.sums(entries).items():
        settled = (EntryKind.SETTLE, n) in lines
        after = [i for i, line in enumerate(lines) if line == (EntryKind.SETTLE, n)]
        late_hold = settled and (EntryKind.HOLD, n) in lines[after[0] :]
        if not late_hold:
            wanted = -busy_s if settled else 0.0 if (EntryKind.REFUND, n) in lines else -3.0
            assert total == pytest.approx(wanted)
    assert balance(entries) == pytest.approx(sum(ledger.sums(entries).values()))


def test_a_manifest_declares_the_run_options_that_it_has() -> None:
    schemas = {"gain": {"type": "number", "minimum": 0, "maximum": 1, "description": "of the readout"}}
    asked = {"executor": "x", "executor_version": "1", "num_qubits": 1, "basis_gates": ()}
    assert Manifest(**asked, options=("gain",), option_schemas=schemas).option_schemas == schemas
    for options, declared, message in (
        ((), schemas, "'gain', which is none of the options"),
        (("gain",), {"gain": {"description": "x" * 20_000}}, "size of option_schemas"),
    ):
        with pytest.raises(ValueError, match=message):
            Manifest(**asked, options=options, option_schemas=declared)
