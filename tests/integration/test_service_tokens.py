"""API tokens: they neither outrank nor outlive whose they are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.access import (
    PERMISSIONS,
    SCOPES,
    Permission,
    Principal,
    Role,
    Scope,
    greatest_scopes,
    may_scope,
    permissions,
    within,
)
from qpi_jupyter.core.errors import Forbidden, NotFound, Rejected, Unauthorized
from qpi_jupyter.wire.events import TokenChanged
from qpi_jupyter.wire.people import GroupIn, TokenChange, UserChange, UserIn
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, small_lab
from tests.integration.test_service_people import MANAGER, in_lab, refused

SERVICE = Principal(name="prometheus", roles=frozenset({Role.SERVICE}))


async def made(lab: Lab, asker: Principal, **fields: Any) -> Principal:
    """Who asks with a new token that ``asker`` made."""
    return await lab.authenticator.authenticate((await lab.tokens.create(asker, TokenIn(**fields))).token)


def test_a_token_is_listed_with_its_last_use_renamed_and_revoked_at_once(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        created = await lab.tokens.create(ANN, TokenIn(name="script", scopes=["submit"]))
        assert created.scopes == ["submit"]
        (before,) = (await lab.tokens.list(ANN)).tokens
        assert (before.name, before.owner, before.scopes, before.last_used_at) == ("script", "ann", ["submit"], None)
        clock.advance(5)
        await lab.authenticator.authenticate(created.token)
        renamed = await lab.tokens.change(ANN, created.id, TokenChange(name="night run"))
        assert (renamed.name, renamed.last_used_at) == ("night run", clock.now())
        assert await lab.tokens.get(ANN, created.id) == renamed
        await lab.authenticator.authenticate(created.token)
        await lab.tokens.revoke(ANN, created.id)
        await refused(lab.authenticator.authenticate(created.token), Unauthorized, "bad_token")
        assert (await lab.tokens.list(ANN)).tokens == []
        await refused(lab.tokens.revoke(ANN, created.id), NotFound, "unknown_token")

    in_lab(tmp_path, dialogue)


def test_whose_a_token_is_hears_of_it_and_of_nobody_elses(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        token = (await lab.tokens.create(ANN, TokenIn())).id
        await lab.tokens.change(ANN, token, TokenChange(name="script"))
        await lab.tokens.revoke(ADMIN, token)
        told = [event.data for event in (await lab.events.page(ANN)).events if isinstance(event, TokenChanged)]
        assert [(data.id, data.action, data.by) for data in told] == [
            (token, "created", "ann"), (token, "changed", "ann"), (token, "revoked", "root"),
        ]  # fmt: skip
        assert (await lab.events.page(BOB)).events == []

    in_lab(tmp_path, dialogue)


def test_tokens_of_others_are_nobodys_but_an_admins(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        token = await lab.tokens.create(ANN, TokenIn())
        for stranger in (BOB, MANAGER):
            await refused(lab.tokens.get(stranger, token.id), NotFound, "unknown_token")
            await refused(lab.tokens.change(stranger, token.id, TokenChange(name="x")), NotFound, "unknown_token")
            await refused(lab.tokens.revoke(stranger, token.id), NotFound, "unknown_token")
            await refused(lab.tokens.list(stranger, owner="ann"), Forbidden, "forbidden")
        assert [found.id for found in (await lab.tokens.list(ADMIN, owner="ann")).tokens] == [token.id]
        await lab.tokens.revoke(ADMIN, token.id)
        await refused(lab.authenticator.authenticate(token.token), Unauthorized, "bad_token")

    in_lab(tmp_path, dialogue)


def test_a_token_has_its_owners_rights_of_now_cut_by_its_scopes(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        whole = (await lab.tokens.create(MANAGER, TokenIn())).token
        reader = (await lab.tokens.create(MANAGER, TokenIn(scopes=["read"]))).token
        assert permissions(await lab.authenticator.authenticate(whole)) == PERMISSIONS[Role.MANAGER]
        assert (
            permissions(await lab.authenticator.authenticate(reader)) == PERMISSIONS[Role.MANAGER] & SCOPES[Scope.READ]
        )
        await lab.authenticator.admit(replace(MANAGER, roles=frozenset({Role.USER})))
        assert permissions(await lab.authenticator.authenticate(whole)) == PERMISSIONS[Role.USER]
        assert permissions(await lab.authenticator.authenticate(reader)) == PERMISSIONS[Role.USER] & SCOPES[Scope.READ]
        await lab.groups.create(ADMIN, GroupIn(name="qed", members=["max"]))
        assert (await lab.authenticator.authenticate(whole)).groups == {"qed"}

    in_lab(tmp_path, dialogue)


def test_a_token_does_not_rise_with_its_owner(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        token = (await lab.tokens.create(ANN, TokenIn())).token
        await lab.users.change(ADMIN, "ann", UserChange(roles=["admin"]))
        asker = await lab.authenticator.authenticate(token)
        assert permissions(asker) == PERMISSIONS[Role.USER]
        again = await made(lab, asker)
        assert permissions(again) == PERMISSIONS[Role.USER]
        await refused(lab.tokens.create(asker, TokenIn(scopes=["manage"])), Forbidden, "scope_beyond")

    in_lab(tmp_path, dialogue)


@pytest.mark.parametrize("asks_with", [None, *Scope])
@pytest.mark.parametrize("role", [Role.USER, Role.MANAGER, Role.ADMIN])
def test_no_token_that_a_token_makes_may_more(tmp_path: Path, role: Role, asks_with: Scope | None) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        asker = Principal(
            name=role, roles=frozenset({role}), scopes=None if asks_with is None else SCOPES[asks_with]
        )  # fmt: skip
        await lab.authenticator.admit(replace(asker, scopes=None))
        assert permissions(await made(lab, asker)) <= permissions(asker)
        for wanted in Scope:
            if may_scope(asker, wanted):
                assert permissions(await made(lab, asker, scopes=[wanted.value])) <= permissions(asker)
                continue
            with pytest.raises(Forbidden, match=f"scope {wanted} ") as caught:
                await made(lab, asker, scopes=[wanted.value])
            assert (caught.value.code, caught.value.data["scope"]) == ("scope_beyond", wanted)
        assert not may_scope(asker, Scope.DRIVE)

    in_lab(tmp_path, dialogue)


def test_a_token_does_not_outlive_the_one_it_is_made_with(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        now = clock.now()
        asker = await made(lab, ANN, expires_at=now + timedelta(hours=1))
        child = await lab.tokens.create(asker, TokenIn())
        assert child.expires_at == now + timedelta(hours=1)
        late = now + timedelta(hours=2)
        await refused(lab.tokens.create(asker, TokenIn(expires_at=late)), Forbidden, "expiry_beyond")
        await refused(lab.tokens.change(asker, child.id, TokenChange(expires_at=late)), Forbidden, "expiry_beyond")
        await refused(lab.tokens.change(asker, child.id, TokenChange(expires_at=None)), Forbidden, "expiry_beyond")
        soon = await lab.tokens.change(asker, child.id, TokenChange(expires_at=now + timedelta(minutes=1)))
        assert soon.expires_at == now + timedelta(minutes=1)
        clock.advance(61)
        await refused(lab.authenticator.authenticate(child.token), Unauthorized, "token_expired")
        for past in (now, clock.now()):
            await refused(lab.tokens.create(ANN, TokenIn(expires_at=past)), Rejected, "past")
            await refused(lab.tokens.change(ANN, child.id, TokenChange(expires_at=past)), Rejected, "past")

    in_lab(tmp_path, dialogue)


def test_a_services_token_is_made_by_an_admin_and_a_persons_by_nobody_else(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.users.create(ADMIN, UserIn(name=SERVICE.name, roles=["service"]))
        assert await made(lab, ADMIN, owner=SERVICE.name) == SERVICE
        await refused(lab.tokens.create(ADMIN, TokenIn(owner="ann")), Forbidden, "not_a_service")
        await refused(lab.tokens.create(ADMIN, TokenIn(owner="nobody")), Forbidden, "not_a_service")
        await refused(lab.tokens.create(MANAGER, TokenIn(owner=SERVICE.name)), Forbidden, "forbidden")
        wide = TokenIn(owner=SERVICE.name, scopes=["manage"])
        await refused(lab.tokens.create(ADMIN, wide), Forbidden, "scope_beyond")
        await refused(lab.tokens.create(ADMIN, TokenIn(scopes=[])), Rejected, "rejected")

    in_lab(tmp_path, dialogue)


def test_a_revoked_drivers_token_takes_its_link_with_it(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await lab.authenticator.admit(ADMIN)
            await driver.connect()
            (token,) = (await lab.tokens.list(ADMIN, owner=driver.principal.name)).tokens
            await refused(lab.tokens.change(ADMIN, token.id, TokenChange(name="x")), Rejected, "is_driver")
            await refused(lab.tokens.revoke(ANN, token.id), NotFound, "unknown_token")
            await lab.tokens.revoke(ADMIN, token.id)
            assert driver.closed == ["Its token was revoked."]

    asyncio.run(dialogue())


PERSONS = [role for role in Role if role is not Role.DRIVER]


@pytest.mark.parametrize("role", PERSONS)
@pytest.mark.parametrize("bound", PERSONS)
def test_within_is_exactly_what_both_may(role: Role, bound: Role) -> None:
    both = within({role}, {bound})
    granted = frozenset[Permission]().union(*(PERMISSIONS[each] for each in both))
    assert granted == PERMISSIONS[role] & PERMISSIONS[bound]
    assert len(both) == 1
    assert within({role, bound}, PERSONS) >= {role} or PERMISSIONS[role] < PERMISSIONS[bound]


def test_the_greatest_scopes_leave_out_what_another_covers() -> None:
    assert greatest_scopes(SCOPES[Scope.MANAGE]) == {Scope.MANAGE}
    assert greatest_scopes(SCOPES[Scope.SUBMIT]) == {Scope.SUBMIT}
    assert greatest_scopes(frozenset()) == frozenset()
