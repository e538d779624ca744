"""FR-001, FR-002, FR-008: what a QPU offers follows from its manifest, how well from its calibration."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from qpi_jupyter.core.capabilities import (
    Availability,
    availability,
    connected_qubits,
    errors_of,
    offers,
    profile_of,
    qpu_fidelity,
    stale,
    summary,
)
from qpi_jupyter.core.errors import Conflict
from qpi_jupyter.core.manifest import GateProperties, Manifest, QubitProperties
from qpi_jupyter.core.services import SERVICES, Service, Step
from qpi_jupyter.core.trust import TrustAction, TrustTier, require_trust, tier_after, withheld

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CHIP = Manifest(
    executor="fridge", executor_version="1", num_qubits=5, formats=("openqasm3",), basis_gates=("rz", "sx", "cz"),
    coupling_map=((0, 1), (1, 2)), simulator=False, control_flow=True,
    gates=(
        GateProperties(gate="sx", qubits=(0,), error=0.001, duration_s=2e-8),
        GateProperties(gate="sx", qubits=(1,), error=0.003, duration_s=2e-8),
        GateProperties(gate="sx", qubits=(2,), error=0.002, duration_s=2e-8),
        GateProperties(gate="rz", qubits=(0,), error=0.0, duration_s=0.0),
        GateProperties(gate="cz", qubits=(0, 1), error=0.01),
        GateProperties(gate="cz", qubits=(1, 2), error=0.03),
        GateProperties(gate="measure", qubits=(0,), error=0.5),
    ),
    qubits=(QubitProperties(readout_error=0.02), QubitProperties(readout_error=0.04)),
)  # fmt: skip


def names(manifest: Manifest) -> list[str]:
    return [offer.service for offer in offers(manifest)]


def test_a_whole_chip_offers_every_service() -> None:
    wide = replace(CHIP, coupling_map=((0, 1), (1, 2), (2, 3), (3, 4)))
    assert names(wide) == [service.name for service in SERVICES]


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"control_flow": False}, {"teleportation", "measurement_feedforward"}),
        (
            {"mid_circuit_measurement": False},
            {"teleportation", "measurement_feedforward", "syndrome_extraction", "distillation"},
        ),
        ({"coupling_map": ((0, 1), (1, 2))}, {"teleportation", "distillation"}),  # three qubits hang together
        ({"formats": ("quantify-schedule",)}, {service.name for service in SERVICES}),
        (
            {"num_qubits": 1, "coupling_map": None, "qubits": (), "gates": ()},
            {service.name for service in SERVICES} - {"hadamard", "programmable_gate"},
        ),
    ],
)  # fmt: skip
def test_what_a_service_needs_decides_who_offers_it(changed: dict[str, object], missing: set[str]) -> None:
    whole = replace(CHIP, coupling_map=None)
    assert set(names(whole)) - set(names(replace(whole, **changed))) == missing  # type: ignore[arg-type]


def test_the_range_of_qubits_is_what_hangs_together() -> None:
    found = {offer.service: (offer.min_qubits, offer.max_qubits) for offer in offers(CHIP)}
    assert connected_qubits(CHIP) == 3
    assert found["qft"] == (1, 3)
    assert found["cnot"] == (2, 2)
    assert found["syndrome_extraction"] == (1, 2)  # and an ancilla
    assert {o.service: o.max_qubits for o in offers(replace(CHIP, coupling_map=None))}["distillation"] == 2  # 1, 2 or 4


def test_fidelity_is_the_product_of_the_median_errors() -> None:
    errors = errors_of(CHIP)
    assert (errors.one, errors.two, errors.readout) == (0.002, 0.02, 0.03)  # without rz, which takes no time
    found = {offer.service: offer.fidelity for offer in offers(CHIP)}
    assert found["bell_pair"] == pytest.approx(0.998 * 0.98)
    syndrome = next(service for service in SERVICES if service.name == "syndrome_extraction")
    assert profile_of(syndrome) == (0, 2, 1)
    assert found["syndrome_extraction"] == pytest.approx(0.98**2 * 0.97)
    assert qpu_fidelity(CHIP) == pytest.approx(0.998 * 0.98 * 0.97**2)


def test_a_service_that_takes_neither_one_nor_two_qubits_has_a_usual_width_and_a_price() -> None:
    steps = [Step(gate="h", qubits=(0,)), Step(gate="cx", qubits=(0, 1)), Step(gate="swap", qubits=(1, 2))]
    three = Service(
        name="three", word="three", operands="", counts=(3,), summary="", source="", steps=lambda _: steps
    )  # fmt: skip
    assert three.usual.num_qubits == 3
    assert profile_of(three) == (1, 4, 0)
    unknown = replace(three, steps=lambda _: [*steps, Step(gate="iswap", qubits=(0, 1))])
    with pytest.raises(KeyError, match="iswap"):  # no gate on two qubits is taken for one on one
        profile_of(unknown)


def test_a_simulator_without_figures_is_ideal_and_of_a_device_nothing_is_known() -> None:
    bare = replace(CHIP, gates=(), qubits=())
    assert qpu_fidelity(bare) is None
    assert {offer.fidelity for offer in offers(bare)} == {None}
    assert qpu_fidelity(replace(bare, simulator=True)) == 1.0


def test_three_missed_heartbeats_make_it_stale() -> None:
    assert stale(None, NOW, 2.0)
    assert not stale(NOW - timedelta(seconds=6), NOW, 2.0)
    assert stale(NOW - timedelta(seconds=6.1), NOW, 2.0)


def test_availability_is_whether_a_job_would_start_now() -> None:
    assert availability(open_=True, stale_=False, running=1, places=2) is Availability.AVAILABLE
    assert availability(open_=True, stale_=False, running=2, places=2) is Availability.BUSY
    for broken in ({"open_": False}, {"stale_": True}, {"places": 0}):
        given = {"open_": True, "stale_": False, "running": 0, "places": 2} | broken
        assert availability(**given) is Availability.UNAVAILABLE  # type: ignore[arg-type]


def test_every_decision_about_trust_can_be_taken_back() -> None:
    for contributed, trusted in ((True, TrustTier.USER_CONTRIBUTED), (False, TrustTier.PLATFORM_MANAGED)):
        assert tier_after(TrustAction.QUARANTINE, contributed=contributed) is TrustTier.QUARANTINED
        assert tier_after(TrustAction.APPROVE, contributed=contributed) is trusted


def test_who_gets_no_jobs_is_told_why_and_a_tier_of_a_newer_lab_gets_none() -> None:
    newer = TrustTier("provisional")
    assert newer is TrustTier.QUARANTINED
    why = withheld(newer, decided=True, reason="strange counts")
    assert why == "in quarantine (strange counts)"
    with pytest.raises(
        Conflict, match=r"q1 takes no jobs: it is in quarantine \(strange counts\)\. Choose another QPU"
    ):
        require_trust("q1", newer, why)
    assert withheld(TrustTier.PUBLIC_UNTRUSTED, decided=False, reason="") == "waiting for a manager's approval"
    assert withheld(TrustTier.USER_CONTRIBUTED, decided=True, reason="x") == ""


def test_a_driver_says_of_itself_what_its_manifest_comes_to() -> None:
    said = summary(replace(CHIP, calibration_id="cal-7"), Availability.BUSY)
    assert (said["num_qubits"], said["calibration_id"], said["availability"]) == (5, "cal-7", "busy")
    assert said["fidelity"] == qpu_fidelity(CHIP)
    assert [one["service"] for one in said["services"]] == names(CHIP)
    assert said["services"][0] == {
        "service": offers(CHIP)[0].service, "min_qubits": offers(CHIP)[0].min_qubits,
        "max_qubits": offers(CHIP)[0].max_qubits, "fidelity": offers(CHIP)[0].fidelity,
    }  # fmt: skip
