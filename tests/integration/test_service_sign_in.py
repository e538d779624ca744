"""Local accounts: passwords, sign-ins and the throttle on guessing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from qpi_jupyter.core.access import Role
from qpi_jupyter.core.errors import Forbidden, TooMany, Unauthorized
from qpi_jupyter.wire.people import PasswordChange, SignedIn, SignIn, UserChange, UserIn
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.service import Lab
from qpi_server.service.people import FREE_PER_ADDRESS, FREE_PER_NAME, LONGEST_S, SIGN_IN_S
from qpi_server.service.people.passwords import AT_ONCE, WAITING_IN_ALL
from tests.faults.lab import ADMIN, ANN, FrozenClock
from tests.integration.test_service_people import MANAGER, PASSWORD, in_lab, refused
from tests.support.waiting import until


async def sign_in(lab: Lab, name: str, password: str = PASSWORD, address: str = "10.0.0.1") -> SignedIn:
    return await lab.sign_ins.sign_in(SignIn(name=name, password=password), address=address)


def with_dora(folder: Path, dialogue: Any) -> None:
    """A lab with a local account."""

    async def run(lab: Lab, clock: FrozenClock) -> None:
        await lab.users.create(MANAGER, UserIn(name="dora", email="Dora@example.org", password=PASSWORD))
        await dialogue(lab, clock)

    in_lab(folder, run, local_accounts=True)


def test_a_name_or_an_address_and_its_password_give_a_token_for_some_hours(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        signed = await sign_in(lab, "dora")
        assert (signed.user.name, signed.user.email) == ("dora", "Dora@example.org")
        dora = await lab.authenticator.authenticate(signed.token)
        assert (dora.name, dora.roles, dora.scopes) == ("dora", {Role.USER}, None)
        assert (await sign_in(lab, "dora@EXAMPLE.org")).user.name == "dora"
        assert [token.session for token in (await lab.tokens.list(dora)).tokens] == [True, True]
        forever = await lab.tokens.create(dora, TokenIn())  # a sign-in is the person, and ends nothing they make
        assert forever.expires_at is None
        clock.advance(SIGN_IN_S + 1)
        await refused(lab.authenticator.authenticate(signed.token), Unauthorized, "token_expired")
        await sign_in(lab, "dora")
        assert len((await lab.tokens.list(dora)).tokens) == 2  # those that ran out are forgotten
        database = b"".join(file.read_bytes() for file in tmp_path.glob("lab.sqlite3*"))
        assert PASSWORD.encode() not in database
        assert b"$argon2id$" in database

    with_dora(tmp_path, dialogue)


@pytest.mark.parametrize(
    ("name", "password"), [("dora", "wrong"), ("nobody", PASSWORD), ("ann", PASSWORD), ("ann", ""), ("", PASSWORD)]
)
def test_what_does_not_belong_together_is_refused_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        verified, verify = [], PasswordHasher.verify

        def count(hasher: PasswordHasher, kept: str, given: str) -> bool:
            verified.append(kept)
            return verify(hasher, kept, given)

        monkeypatch.setattr(PasswordHasher, "verify", count)
        with pytest.raises(Unauthorized) as caught:
            await sign_in(lab, name, password)
        assert caught.value.message == "Wrong name or password."
        assert len(verified) == 1  # as much work for a name that nobody has

    with_dora(tmp_path, dialogue)


def test_a_flood_of_sign_ins_is_bounded_and_others_still_get_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        gate, checking, verify = threading.Event(), [0, 0], PasswordHasher.verify

        def slow(hasher: PasswordHasher, kept: str, given: str) -> bool:
            checking[0] += 1
            checking[1] = max(checking)
            gate.wait()
            checking[0] -= 1
            return given == PASSWORD and verify(hasher, kept, given)

        await sign_in(lab, "dora")  # what is compared with for a name that nobody has is worked out
        monkeypatch.setattr(PasswordHasher, "verify", slow)
        flood = [
            asyncio.ensure_future(sign_in(lab, f"nobody-{n}", "guess", address=f"10.{1 + n // 40}.0.1"))
            for n in range(2 * WAITING_IN_ALL)
        ]
        waiting = WAITING_IN_ALL + AT_ONCE
        await until(lambda: sum(one.done() for one in flood) == len(flood) - waiting)
        error = next(one.exception() for one in flood if one.done())
        assert isinstance(error, TooMany)
        assert error.data["retry_after_s"] > 0
        for _ in range(FREE_PER_NAME + 1):  # and what was not looked at is no guess
            await refused(sign_in(lab, "dora", address="10.99.0.1"), TooMany, "too_many_at_once")
        gate.set()
        answered = await asyncio.gather(*flood, return_exceptions=True)
        assert sum(isinstance(one, Unauthorized) for one in answered) == waiting
        assert checking[1] <= AT_ONCE
        assert (await sign_in(lab, "dora")).user.name == "dora"

    with_dora(tmp_path, dialogue)


def test_guessing_takes_ever_longer_and_the_right_password_ends_that(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        waits = []
        for number in range(FREE_PER_NAME + 3):
            if number >= FREE_PER_NAME:
                with pytest.raises(TooMany) as caught:
                    await sign_in(lab, "dora", address=f"10.0.0.{number}")
                waits.append(caught.value.data["retry_after_s"])
                clock.advance(waits[-1])
            await refused(sign_in(lab, "dora", "wrong", f"10.0.1.{number}"), Unauthorized, "bad_sign_in")
        assert waits == [1.0, 2.0, 4.0]
        clock.advance(8)
        await sign_in(lab, "dora")
        await refused(sign_in(lab, "dora", "wrong"), Unauthorized, "bad_sign_in")  # free again
        await refused(sign_in(lab, "nobody", "wrong"), Unauthorized, "bad_sign_in")

    with_dora(tmp_path, dialogue)


@pytest.mark.slow
def test_one_address_cannot_try_every_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        async def guess(number: int) -> None:
            with monkeypatch.context() as quick:
                quick.setattr(PasswordHasher, "verify", lambda *_: False)
                await refused(sign_in(lab, f"nobody-{number}"), Unauthorized, "bad_sign_in")

        for _ in range(FREE_PER_ADDRESS + 5):
            await sign_in(lab, "dora")  # good sign-ins do not count
        for number in range(FREE_PER_ADDRESS):
            await guess(number)
        await refused(sign_in(lab, "dora"), TooMany, "too_many_attempts")
        await sign_in(lab, "dora", address="10.0.0.2")
        for number in range(20):
            clock.advance(LONGEST_S)
            await guess(number)
        with pytest.raises(TooMany) as caught:
            await sign_in(lab, "dora")
        assert caught.value.data["retry_after_s"] == LONGEST_S

    with_dora(tmp_path, dialogue)


def test_a_new_password_ends_the_other_sign_ins(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        here, there = (await sign_in(lab, "dora")).token, (await sign_in(lab, "dora")).token
        dora = await lab.authenticator.authenticate(here)
        script = (await lab.tokens.create(dora, TokenIn())).token
        new = PASSWORD + "!"
        wrong = PasswordChange(current="x", new=new)
        await refused(lab.sign_ins.change_password(dora, wrong), Forbidden, "bad_password")
        await lab.sign_ins.change_password(dora, PasswordChange(current=PASSWORD, new=new))
        assert await lab.authenticator.authenticate(here) == dora
        assert await lab.authenticator.authenticate(script) == dora
        await refused(lab.authenticator.authenticate(there), Unauthorized, "bad_token")
        await refused(sign_in(lab, "dora"), Unauthorized, "bad_sign_in")
        await sign_in(lab, "dora", new)
        await refused(
            lab.sign_ins.change_password(ANN, PasswordChange(current=PASSWORD, new=new)), Forbidden, "not_local"
        )

    with_dora(tmp_path, dialogue)


def test_guesses_of_others_do_not_keep_anybody_from_a_new_password(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        dora = await lab.authenticator.authenticate((await sign_in(lab, "dora")).token)
        for number in range(FREE_PER_NAME):
            await refused(sign_in(lab, "dora", "a guess", f"10.0.0.{number + 9}"), Unauthorized, "bad_sign_in")
        await refused(sign_in(lab, "dora"), TooMany, "too_many_attempts")
        await lab.sign_ins.change_password(dora, PasswordChange(current=PASSWORD, new=PASSWORD + "!"))
        for _ in range(FREE_PER_NAME):  # whoever has found an open session guesses no more freely
            guess = PasswordChange(current="a guess", new=PASSWORD)
            await refused(lab.sign_ins.change_password(dora, guess), Forbidden, "bad_password")
        await refused(lab.sign_ins.change_password(dora, guess), TooMany, "too_many_attempts")

    with_dora(tmp_path, dialogue)


def test_a_manager_sets_a_new_password_and_suspends(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        token = (await sign_in(lab, "dora")).token
        await lab.users.change(MANAGER, "dora", UserChange(password=PASSWORD + "2"))
        await refused(lab.authenticator.authenticate(token), Unauthorized, "bad_token")
        token = (await sign_in(lab, "dora", PASSWORD + "2")).token
        await lab.users.change(ADMIN, "dora", UserChange(roles=["manager"]))
        assert (await lab.authenticator.authenticate(token)).roles == {Role.MANAGER}  # a sign-in follows its person
        await lab.users.change(ADMIN, "dora", UserChange(suspended=True))
        await refused(lab.authenticator.authenticate(token), Forbidden, "suspended")
        await refused(sign_in(lab, "dora", PASSWORD + "2"), Forbidden, "suspended")
        await refused(sign_in(lab, "dora", "wrong"), Unauthorized, "bad_sign_in")
        await lab.users.change(ADMIN, "dora", UserChange(suspended=False, password=None))
        await refused(sign_in(lab, "dora", PASSWORD + "2"), Unauthorized, "bad_sign_in")

    with_dora(tmp_path, dialogue)


def test_without_local_accounts_nobody_signs_in_here(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await refused(sign_in(lab, "ann"), Forbidden, "no_local_accounts")
        change = PasswordChange(current=PASSWORD, new=PASSWORD)
        await refused(lab.sign_ins.change_password(ANN, change), Forbidden, "no_local_accounts")

    in_lab(tmp_path, dialogue)
