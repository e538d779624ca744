"""People, groups and the managers' log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.access import Permission, Principal, Role, allows
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, QpiError, Rejected, Unauthorized
from qpi_jupyter.wire.bookings import FeedIn
from qpi_jupyter.wire.events import GroupChanged
from qpi_jupyter.wire.people import GroupChange, GroupIn, SignIn, UserChange, UserIn
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.service import Lab
from qpi_server.service.base import Tx
from qpi_server.service.people import add_token
from qpi_server.service.people.authenticator import CONFIRMED_S
from qpi_server.store import people, tokens
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, bell, open_lab, small_lab
from tests.support.watch import watch

MANAGER = Principal(name="max", roles=frozenset({Role.MANAGER}))
PASSWORD = "correct horse battery"
ANNS: dict[str, Any] = {"by": "ann", "name": "", "owner": "ann", "roles": [Role.USER]}


def in_lab(folder: Path, dialogue: Callable[[Lab, FrozenClock], Awaitable[Any]], **settings: Any) -> Any:
    """What ``dialogue`` returns, held in a lab that has seen everybody once."""

    async def run() -> Any:
        clock = FrozenClock()
        async with open_lab(folder, clock=clock, **settings) as lab:
            await watch(lab)
            for person in (ADMIN, MANAGER, ANN, BOB):
                await lab.authenticator.admit(person)
            return await dialogue(lab, clock)

    return asyncio.run(run())


async def refused(work: Awaitable[Any], kind: type[QpiError], code: str) -> None:
    with pytest.raises(kind) as caught:
        await work
    assert caught.value.code == code


@pytest.mark.parametrize(
    "forgets",
    [
        lambda tx: tokens.revoke_all(tx.connection, "ann", tx.at),
        lambda tx: tokens.end_sign_ins(tx.connection, "ann"),
        lambda tx: people.change(tx.connection, "ann", suspended_at=tx.at),
        lambda tx: people.change(tx.connection, "ann", roles=["manager"]),
        lambda tx: people.set_members(tx.connection, "qed", ["bob"]),
        lambda tx: people.delete_group(tx.connection, "qed"),
    ],
)  # fmt: skip
def test_a_use_case_that_changes_somebody_and_does_not_tell_them_fails_here(
    tmp_path: Path, forgets: Callable[[Tx], None]
) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.groups.create(MANAGER, GroupIn(name="qed", members=["ann"]))
        await lab.context.db.write(lambda tx: [add_token(tx, "x", session=True, **ANNS), add_token(tx, "y", **ANNS)])
        with pytest.raises(AssertionError, match=r"not told: .*ann"):
            await lab.context.db.write(forgets)

    in_lab(tmp_path, dialogue)


def test_who_comes_in_through_jupyter_is_known_from_then_on(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        me = await lab.users.me(ANN)
        assert (me.user.name, me.user.roles, me.user.source) == ("ann", ["user"], "jupyter")
        assert "jobs:submit" in me.permissions
        assert "people:manage" not in me.permissions
        listed = await lab.users.list(MANAGER)
        assert [user.name for user in listed.users] == ["ann", "bob", "max", "root"]
        await refused(lab.authenticator.admit(replace(ANN, name="group:qed")), Forbidden, "bad_name")

    in_lab(tmp_path, dialogue)


def test_the_requests_of_somebody_new_may_come_together(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        eve = replace(ANN, name="eve", groups=frozenset({"course"}))
        assert await asyncio.gather(*(lab.authenticator.admit(eve, source="hub") for _ in range(5))) == [eve] * 5
        assert (await lab.events.page(eve)).events == []

    in_lab(tmp_path, dialogue)


def test_a_request_of_somebody_known_writes_at_most_once_a_minute(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        units = lab.metrics.get_sample_value

        def written() -> float:
            return units("qpi_store_units_total") or 0.0

        before = written()
        for _ in range(100):
            await lab.authenticator.admit(ANN)
        assert written() == before
        seen = (await lab.users.get(ANN, "ann")).seen_at
        clock.advance(61)
        for _ in range(100):
            await lab.authenticator.admit(ANN)
        await lab.groups.create(MANAGER, GroupIn(name="behind"))  # the note is on disk before it
        assert written() == before + 2
        assert (await lab.users.get(ANN, "ann")).seen_at == clock.now() != seen

    in_lab(tmp_path, dialogue)


def test_roles_given_here_add_to_those_of_where_one_comes_from(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.users.change(ADMIN, "ann", UserChange(roles=["manager"]))
        ann = await lab.authenticator.admit(ANN)
        assert ann.roles == {Role.USER, Role.MANAGER}
        assert allows(ann, Permission.NOTICES_WRITE)
        await lab.users.change(ADMIN, "ann", UserChange(roles=[]))
        assert (await lab.authenticator.admit(ANN)).roles == {Role.USER}
        # what Jupyter or the Hub says of somebody counts from their next request
        assert (await lab.authenticator.admit(replace(ANN, roles=frozenset({Role.ADMIN})))).roles == {Role.ADMIN}
        assert (await lab.authenticator.admit(ANN)).roles == {Role.USER}

    in_lab(tmp_path, dialogue)


BY_HUB = {role: Principal(name="dana", roles=frozenset({role})) for role in (Role.USER, Role.MANAGER)}


def test_a_narrow_token_of_the_hub_takes_nothing_from_who_has_more(tmp_path: Path) -> None:
    """It is cut for itself alone; to go to and fro would write with every request."""

    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        for role in (Role.MANAGER, Role.USER, Role.MANAGER, Role.USER):
            assert (await lab.authenticator.admit(BY_HUB[role], source="hub")).roles == {role}
            assert (await lab.users.get(ADMIN, "dana")).roles == ["manager"]
            clock.advance(CONFIRMED_S / 8)
        clock.advance(CONFIRMED_S)
        await lab.authenticator.admit(BY_HUB[Role.USER], source="hub")
        assert (await lab.users.get(ADMIN, "dana")).roles == ["user"]

    in_lab(tmp_path, dialogue)


def test_a_token_of_the_lab_manages_only_while_the_hub_says_so(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        dana = await lab.authenticator.admit(BY_HUB[Role.MANAGER], source="hub")
        token = (await lab.tokens.create(dana, TokenIn())).token
        assert allows(await lab.authenticator.authenticate(token), Permission.PEOPLE_MANAGE)
        clock.advance(CONFIRMED_S)
        assert (await lab.authenticator.authenticate(token)).roles == {Role.USER}
        await lab.authenticator.admit(BY_HUB[Role.MANAGER], source="hub")
        assert allows(await lab.authenticator.authenticate(token), Permission.PEOPLE_MANAGE)
        clock.advance(CONFIRMED_S)
        await lab.users.change(ADMIN, "dana", UserChange(roles=["manager"]))  # what the lab gives needs no Hub
        assert allows(await lab.authenticator.authenticate(token), Permission.PEOPLE_MANAGE)

    in_lab(tmp_path, dialogue)


def test_who_has_left_the_hub_keeps_neither_tokens_nor_feeds_nor_what_the_hub_gave(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        gone = replace(BY_HUB[Role.MANAGER], groups=frozenset({"course"}))
        stays = replace(BY_HUB[Role.USER], name="eva")
        for person in (gone, stays):
            await lab.authenticator.admit(person, source="hub")
        tokens = {one.name: (await lab.tokens.create(one, TokenIn())).token for one in (gone, stays)}
        secret = str((await lab.feeds.create(gone, FeedIn(), "http://lab/")).url).split("/")[-2]
        assert "BEGIN:VCALENDAR" in await lab.feeds.render(secret)
        assert await lab.authenticator.keep(["eva"], at=clock.now()) == [], "whoever came since is not judged"
        clock.advance(1)
        assert await lab.authenticator.keep(["eva"], at=clock.now()) == ["dana"]
        assert await lab.authenticator.keep(["eva"], at=clock.now()) == []
        await refused(lab.authenticator.authenticate(tokens["dana"]), Unauthorized, "bad_token")
        assert (await lab.authenticator.authenticate(tokens["eva"])).name == "eva"
        await refused(lab.feeds.render(secret), NotFound, "unknown_feed")
        found = await lab.users.get(ADMIN, "dana")
        assert (found.roles, found.groups) == (["user"], [])
        # People of the lab itself are none of the Hub's affair.
        assert (await lab.users.get(ADMIN, "ann")).roles == ["user"]
        assert [(entry.who, entry.action) for entry in (await lab.audit.page(ADMIN, limit=1)).entries] == [
            ("JupyterHub", "user.left")
        ]

    in_lab(tmp_path, dialogue)


def test_groups_of_the_hub_come_and_go_with_it_and_the_labs_stay(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.groups.create(MANAGER, GroupIn(name="qed", members=["ann"]))
        hub = replace(ANN, groups=frozenset({"course", "qed"}))
        assert (await lab.authenticator.admit(hub, source="hub")).groups == {"course", "qed"}
        assert (await lab.authenticator.admit(ANN, source="hub")).groups == {"qed"}
        assert (await lab.authenticator.admit(hub, source="hub")).groups == {"course", "qed"}
        await lab.users.change(MANAGER, "ann", UserChange(groups=[]))
        assert (await lab.users.get(BOB, "ann")).groups == ["course"]
        groups = {group.name: group.members for group in (await lab.groups.list(BOB)).groups}
        assert groups == {"course": ["ann"], "qed": []}

    in_lab(tmp_path, dialogue)


def test_groups_are_made_changed_and_taken_away(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        made = await lab.groups.create(MANAGER, GroupIn(name="qed", members=["bob", "ann"]))
        assert made.members == ["ann", "bob"]
        assert (await lab.authenticator.admit(ANN)).groups == {"qed"}
        await refused(lab.groups.create(MANAGER, GroupIn(name="qed")), Conflict, "name_taken")
        unknown = GroupChange(members=["nobody"])
        await refused(lab.groups.change(MANAGER, "qed", unknown), Rejected, "unknown_user")
        await refused(lab.groups.change(MANAGER, "none", GroupChange()), NotFound, "unknown_group")
        changed = await lab.groups.change(MANAGER, "qed", GroupChange(description="Optics", members=["bob"]))
        assert (changed.description, changed.members) == ("Optics", ["bob"])
        assert (await lab.authenticator.admit(ANN)).groups == frozenset()
        events = (await lab.events.page(ANN)).events
        assert [event.kind for event in events] == ["person.changed", "person.changed"]
        await lab.groups.delete(MANAGER, "qed")
        assert (await lab.authenticator.admit(BOB)).groups == frozenset()
        await refused(lab.groups.delete(MANAGER, "qed"), NotFound, "unknown_group")

    in_lab(tmp_path, dialogue)


def test_managers_hear_of_groups_however_they_change(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.groups.create(MANAGER, GroupIn(name="qed"))
        await lab.users.change(MANAGER, "ann", UserChange(groups=["qed"]))
        await lab.authenticator.admit(replace(BOB, groups=frozenset({"qed", "hub"})), source="hub")
        await lab.groups.delete(MANAGER, "qed")
        told = [event.data for event in (await lab.events.page(MANAGER)).events if isinstance(event, GroupChanged)]
        assert [(data.name, data.action, data.by) for data in told] == [
            ("qed", "created", "max"), ("qed", "changed", "max"), ("hub", "created", "bob"), ("hub", "changed", "bob"),
            ("qed", "changed", "bob"), ("qed", "deleted", "max"),
        ]  # fmt: skip
        assert all(event.kind == "person.changed" for event in (await lab.events.page(ANN)).events)

    in_lab(tmp_path, dialogue)


def test_everybody_sees_names_and_groups_and_managers_the_rest(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.users.change(ANN, "ann", UserChange(display_name=" Ann "))
        await lab.users.change(MANAGER, "ann", UserChange(email="ann@example.org"))
        seen = await lab.users.get(BOB, "ann")
        assert (seen.display_name, seen.email, seen.roles, seen.source, seen.seen_at) == ("Ann", "", [], "", None)
        assert (await lab.users.get(MANAGER, "ann")).email == "ann@example.org"
        assert (await lab.users.get(ANN, "ann")).email == "ann@example.org"
        first = await lab.users.list(BOB, limit=3)
        rest = await lab.users.list(BOB, limit=3, after=first.next)
        assert [user.name for user in first.users + rest.users] == ["ann", "bob", "max", "root"]
        assert rest.next is None
        await refused(lab.users.get(ANN, "nobody"), NotFound, "unknown_user")

    in_lab(tmp_path, dialogue)


CHANGES: dict[str, tuple[Principal, str, UserChange, type[QpiError], str]] = {
    "somebody else's name": (ANN, "bob", UserChange(display_name="x"), Forbidden, "not_yours"),
    "one's own groups": (ANN, "ann", UserChange(groups=[]), Forbidden, "not_yours"),
    "one's own password, without the present one": (ANN, "ann", UserChange(password=PASSWORD), Forbidden, "not_yours"),
    "one's own role": (ANN, "ann", UserChange(roles=["admin"]), Forbidden, "roles_are_admins"),
    "a role, by a manager": (MANAGER, "max", UserChange(roles=["admin"]), Forbidden, "roles_are_admins"),
    "an admin, by a manager": (MANAGER, "root", UserChange(suspended=True), Forbidden, "admin_account"),
    "an admin's name, by a manager": (MANAGER, "root", UserChange(email="x@y"), Forbidden, "admin_account"),
    "nobody": (MANAGER, "nobody", UserChange(suspended=True), NotFound, "unknown_user"),
    "an unknown group": (MANAGER, "ann", UserChange(groups=["g"]), Rejected, "unknown_group"),
    "one's own suspension": (MANAGER, "max", UserChange(suspended=True), Rejected, "own_suspension"),
    "a password of a person of Jupyter": (MANAGER, "ann", UserChange(password=PASSWORD), Rejected, "not_local"),
    "the owner of the server": (
        Principal(name="eve", roles=frozenset({Role.ADMIN})), "root", UserChange(suspended=True), Conflict,
        "local_owner",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_that_is_not_ones_to_make_is_refused(tmp_path: Path, what: str) -> None:
    principal, name, change, kind, code = CHANGES[what]

    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        before = await lab.users.list(ADMIN)
        await refused(lab.users.change(principal, name, change), kind, code)
        assert await lab.users.list(ADMIN) == before

    in_lab(tmp_path, dialogue, local_accounts=True)


def test_the_last_admin_stays_one(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.authenticator.admit(
            replace(ADMIN, roles=frozenset({Role.USER})), source="hub"
        )  # no admin by its source
        await lab.users.create(ADMIN, UserIn(name="carl", roles=["admin"]))
        carl = Principal(name="carl", roles=frozenset({Role.ADMIN}))
        for change in (UserChange(roles=["user"]), UserChange(roles=[])):
            await refused(lab.users.change(carl, "carl", change), Conflict, "last_admin")
        await lab.users.change(carl, "ann", UserChange(roles=["admin"]))
        await lab.users.change(carl, "carl", UserChange(roles=["user"]))
        await refused(lab.users.change(ADMIN, "ann", UserChange(suspended=True)), Conflict, "last_admin")

    in_lab(tmp_path, dialogue)


def test_an_address_is_one_persons(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.users.change(MANAGER, "ann", UserChange(email="ann@example.org"))
        taken = UserChange(email="ANN@example.org")
        await refused(lab.users.change(MANAGER, "bob", taken), Conflict, "email_taken")
        await refused(lab.users.create(MANAGER, UserIn(name="x", email="Ann@Example.org")), Conflict, "email_taken")
        await lab.users.change(MANAGER, "ann", UserChange(email="Ann@example.org"))

    in_lab(tmp_path, dialogue)


def test_somebody_is_made_before_their_first_visit(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.groups.create(MANAGER, GroupIn(name="course"))
        await lab.users.create(MANAGER, UserIn(name="dora", groups=["course"]))
        dora = await lab.authenticator.admit(Principal(name="dora", roles=frozenset({Role.USER})), source="hub")
        assert dora.groups == {"course"}
        await refused(lab.users.create(MANAGER, UserIn(name="dora")), Conflict, "name_taken")
        await refused(lab.users.create(MANAGER, UserIn(name="x", roles=["manager"])), Forbidden, "roles_are_admins")
        await refused(lab.users.create(MANAGER, UserIn(name="x", groups=["y"])), Rejected, "unknown_group")
        await refused(lab.users.create(MANAGER, UserIn(name="x", password=PASSWORD)), Forbidden, "no_local_accounts")

    in_lab(tmp_path, dialogue)


def test_who_is_suspended_gets_no_further_and_their_jobs_stay(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            for person in (ADMIN, MANAGER, ANN):
                await lab.authenticator.admit(person)
            await driver.connect()
            token = (await lab.tokens.create(ANN, TokenIn())).token
            job, _ = await lab.jobs.submit(ANN, bell())
            suspended = await lab.users.change(MANAGER, "ann", UserChange(suspended=True))
            assert suspended.suspended_at is not None
            await refused(lab.authenticator.admit(ANN), Forbidden, "suspended")
            await refused(lab.authenticator.authenticate(token), Forbidden, "suspended")
            assert (await driver.run()).job_id == job.id
            assert (await lab.jobs.get(MANAGER, job.id)).status == "completed"
            await lab.users.change(MANAGER, "ann", UserChange(suspended=False))
            assert await lab.authenticator.admit(ANN) == await lab.authenticator.authenticate(token) == ANN

    asyncio.run(dialogue())


@pytest.mark.parametrize("taken_back", [False, True])
def test_a_password_made_for_a_name_ends_when_jupyter_signs_that_name_in(tmp_path: Path, taken_back: bool) -> None:
    """Else whoever made the account could act as the person, with roles that the account never had."""

    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.users.create(MANAGER, UserIn(name="owner", password=PASSWORD))
        session = await lab.sign_ins.sign_in(SignIn(name="owner", password=PASSWORD), address="a")
        owner = await lab.authenticator.authenticate(session.token)
        assert owner.roles == {Role.USER}
        script = (await lab.tokens.create(owner, TokenIn())).token
        if taken_back:
            await lab.users.change(MANAGER, "owner", UserChange(password=None))
        await lab.authenticator.admit(Principal(name="owner", roles=frozenset({Role.ADMIN})))
        for token in (session.token, script):
            await refused(lab.authenticator.authenticate(token), Unauthorized, "bad_token")
        await refused(
            lab.sign_ins.sign_in(SignIn(name="owner", password=PASSWORD), address="a"), Unauthorized, "bad_sign_in"
        )

    in_lab(tmp_path, dialogue, local_accounts=True)


def test_the_log_says_who_did_what_and_no_passwords(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        await lab.users.create(MANAGER, UserIn(name="dora", password=PASSWORD))
        await lab.users.change(MANAGER, "dora", UserChange(suspended=True, password=PASSWORD + "!"))
        await lab.users.change(MANAGER, "dora", UserChange(suspended=True))  # nothing new: no line
        await lab.groups.create(MANAGER, GroupIn(name="qed", members=["ann"]))
        token = await lab.tokens.create(ANN, TokenIn(name="script"))
        await lab.tokens.revoke(ADMIN, token.id)
        page = await lab.audit.page(MANAGER, limit=4)
        rest = await lab.audit.page(MANAGER, limit=4, after=page.next)
        told = [(entry.who, entry.action, entry.subject.split(":")[0]) for entry in page.entries + rest.entries]
        assert told == [
            ("root", "token.revoked", "token"),
            ("ann", "token.created", "token"),
            ("max", "group.created", "group"),
            ("max", "user.changed", "user"),
            ("max", "user.created", "user"),
        ]
        assert page.entries[0].at == clock.now()
        assert PASSWORD not in repr(page) + repr(rest)
        assert rest.next is None
        found = await lab.audit.page(MANAGER, limit=1, text="DORA user.")
        assert [entry.action for entry in found.entries] == ["user.changed"]
        found = await lab.audit.page(MANAGER, limit=9, text="dora user.", after=found.next)
        assert [entry.action for entry in found.entries] == ["user.created"]
        assert (await lab.audit.page(MANAGER, text="do%ra")).entries == []
        for bad in ("x", "-1", "9" * 30):
            await refused(lab.audit.page(MANAGER, after=bad), Rejected, "bad_cursor")

    in_lab(tmp_path, dialogue, local_accounts=True)
