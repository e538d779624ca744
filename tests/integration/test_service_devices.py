"""The device flow's rules: one use, an end, bounds, no guessing."""

from __future__ import annotations

from pathlib import Path

import pytest

from qpi_jupyter.core.access import SCOPES, Principal, Role, Scope
from qpi_jupyter.core.errors import Forbidden, NotFound, TooMany
from qpi_jupyter.wire.people import UserChange
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.service import Lab
from qpi_server.service.people import CODE_S, FREE_PER_NAME, INTERVAL_S, FlowError, devices
from qpi_server.service.people.devices import ALPHABET, LENGTH, PER_ADDRESS, TOKEN_S
from tests.faults.lab import ANN, BOB, FrozenClock
from tests.integration.test_service_people import MANAGER, in_lab, refused

HERE, THERE = "192.0.2.1", "192.0.2.2"


def test_a_confirmed_code_is_a_token_of_the_person_once(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        device = await lab.devices.begin("lab-pc", address=HERE)
        assert device.device_code != device.user_code
        await refused(lab.devices.redeem(device.device_code), FlowError, "authorization_pending")
        await refused(lab.devices.redeem(device.user_code), FlowError, "expired_token")
        typed = f" {device.user_code[:4].lower()}-{device.user_code[4:].lower()} "
        assert (await lab.devices.look(ANN, typed, address=THERE)).name == "lab-pc"
        await lab.devices.decide(ANN, typed, allowed=True, address=THERE)
        await refused(lab.devices.decide(BOB, device.user_code, allowed=True, address=THERE), NotFound, "unknown_code")
        clock.advance(INTERVAL_S)
        made = await lab.devices.redeem(device.device_code)
        person = await lab.authenticator.authenticate(made.token)
        assert (person.name, person.roles, person.scopes) == ("ann", {Role.USER}, None)
        assert [token.name for token in (await lab.tokens.list(ANN)).tokens] == ["lab-pc"]
        await refused(lab.devices.redeem(device.device_code), FlowError, "expired_token")
        clock.advance(TOKEN_S + 1)
        with pytest.raises(Exception, match="expired"):
            await lab.authenticator.authenticate(made.token)

    in_lab(tmp_path, dialogue)


def test_what_is_refused_or_too_late_or_of_somebody_suspended_gives_nothing(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        no, late, sus = [await lab.devices.begin("x", address=HERE) for _ in range(3)]
        await lab.devices.decide(ANN, no.user_code, allowed=False, address=HERE)
        await refused(lab.devices.redeem(no.device_code), FlowError, "access_denied")
        await lab.devices.decide(BOB, sus.user_code, allowed=True, address=HERE)
        await lab.users.change(MANAGER, "bob", UserChange(suspended=True))
        await refused(lab.devices.redeem(sus.device_code), FlowError, "access_denied")
        clock.advance(CODE_S)
        await refused(lab.devices.look(ANN, late.user_code, address=HERE), NotFound, "unknown_code")
        await refused(lab.devices.redeem(late.device_code), FlowError, "expired_token")
        assert (await lab.tokens.list(ANN)).tokens == []

    in_lab(tmp_path, dialogue)


def test_a_program_that_asks_too_often_is_slowed_down(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        device = await lab.devices.begin("x", address=HERE)
        for code in ("authorization_pending", "slow_down", "slow_down"):
            await refused(lab.devices.redeem(device.device_code), FlowError, code)
        clock.advance(2 * INTERVAL_S)
        await refused(lab.devices.redeem(device.device_code), FlowError, "slow_down")  # it is three times that by now
        clock.advance(4 * INTERVAL_S)
        await refused(lab.devices.redeem(device.device_code), FlowError, "authorization_pending")

    in_lab(tmp_path, dialogue)


def test_codes_are_not_guessed(tmp_path: Path) -> None:
    """Five wrong ones, of a person wherever they are and from an address whoever it is; a right one does not count."""

    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        device = await lab.devices.begin("x", address=HERE)
        assert (len(device.user_code), set(device.user_code) <= set(ALPHABET)) == (LENGTH, True)
        for _ in range(2 * FREE_PER_NAME):
            await lab.devices.look(ANN, device.user_code, address=THERE)
        for number in range(FREE_PER_NAME):
            await refused(lab.devices.look(ANN, "AAAA-AAAA", address=f"10.0.0.{number}"), NotFound, "unknown_code")
        await refused(lab.devices.look(ANN, device.user_code, address="10.1.0.1"), TooMany, "too_many_attempts")
        for number in range(FREE_PER_NAME):
            somebody = Principal(name=f"p{number}", roles=frozenset({Role.USER}))
            await refused(lab.devices.look(somebody, "AAAA-AAAA", address=HERE), NotFound, "unknown_code")
        await refused(lab.devices.look(BOB, device.user_code, address=HERE), TooMany, "too_many_attempts")
        guesses = CODE_S / 1.0  # even one a second
        assert guesses / len(ALPHABET) ** LENGTH < 1e-7

    in_lab(tmp_path, dialogue)


def test_waiting_codes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "IN_ALL", PER_ADDRESS + 3)

    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        for _ in range(PER_ADDRESS):
            await lab.devices.begin("x", address=HERE)
        await refused(lab.devices.begin("x", address=HERE), TooMany, "too_many_devices")
        for number in range(3):
            await lab.devices.begin("x", address=f"10.0.0.{number}")
        await refused(lab.devices.begin("x", address=THERE), TooMany, "too_many_devices")
        clock.advance(CODE_S)
        await lab.devices.begin("x", address=HERE)

    in_lab(tmp_path, dialogue)


def test_a_limited_token_confirms_nothing_and_any_token_ends_itself(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        device = await lab.devices.begin("x", address=HERE)
        narrow = Principal(name="ann", roles=frozenset({Role.USER}), scopes=SCOPES[Scope.SUBMIT])
        await refused(
            lab.devices.decide(narrow, device.user_code, allowed=True, address=HERE), Forbidden, "scope_missing"
        )
        made = await lab.tokens.create(ANN, TokenIn())
        me = await lab.authenticator.authenticate(made.token)
        assert (await lab.tokens.revoke(me, "current")).id == made.id
        await refused(lab.tokens.revoke(ANN, "current"), NotFound, "unknown_token")

    in_lab(tmp_path, dialogue)
