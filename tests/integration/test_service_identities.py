"""Who a provider's word makes somebody here: by provider and subject, and once by an address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Forbidden
from qpi_jupyter.wire.people import UserChange, UserIn
from qpi_server.service import Lab
from qpi_server.settings.providers import OAuth2Provider
from qpi_server.store import people
from tests.faults.lab import ANN, FrozenClock
from tests.integration.test_service_people import MANAGER, in_lab, refused

CLIENT = httpx.AsyncClient
URLS = {"token_url": "https://provider/token", "user_info_url": "https://provider/me"}
PROVIDERS = tuple(OAuth2Provider(name=name, client_id="x", **URLS) for name in ("a", "a-b"))
Came = Callable[..., Awaitable[str]]


@pytest.fixture
def came(monkeypatch: pytest.MonkeyPatch) -> Came:
    """What somebody is called here whom a provider has just vouched for."""

    async def come(lab: Lab, provider: str, subject: str, email: str = "", *, verified: bool = True) -> str:
        who = {"access_token": "x", "sub": subject, "email": email, "email_verified": verified}
        answers = httpx.MockTransport(lambda _request: httpx.Response(200, json=who))
        monkeypatch.setattr(httpx, "AsyncClient", partial(CLIENT, transport=answers))
        return (await lab.oauth2.sign_in(provider, code="", verifier="", redirect_url="")).user.name

    return come


def identity_lab(folder: Path, dialogue: Callable[[Lab], Awaitable[None]]) -> None:
    async def run(lab: Lab, _clock: FrozenClock) -> None:
        await dialogue(lab)

    in_lab(folder, run, oauth2_providers=PROVIDERS)


def test_provider_and_subject_are_the_person(tmp_path: Path, came: Came) -> None:
    async def dialogue(lab: Lab) -> None:
        whole = [("a", "b-c"), ("a-b", "c"), ("a", "B-C"), ("a", "x" * 200), ("a-b", "x" * 200), ("a", "é")]
        names = [await came(lab, *identity) for identity in whole]
        assert len(set(names)) == len(whole)
        assert [await came(lab, *identity) for identity in whole] == names
        digest = names[3].partition("-")[2]
        assert await came(lab, "a", digest) not in names  # a subject that spells another one's digest

    identity_lab(tmp_path, dialogue)


def test_an_address_joins_another_provider_but_no_second_subject_of_the_same(tmp_path: Path, came: Came) -> None:
    async def dialogue(lab: Lab) -> None:
        dora = await came(lab, "a", "1", "dora@example.org")
        assert await came(lab, "a-b", "1", "Dora@example.org") == dora
        assert await came(lab, "a-b", "2", "dora@example.org") != dora
        assert await came(lab, "a", "2", "dora@example.org") != dora
        assert await came(lab, "a", "1", "moved@example.org") == dora
        log = (await lab.audit.page(MANAGER)).entries
        assert [entry.subject for entry in log if entry.action == "identity.joined"] == [f"user:{dora}"]

    identity_lab(tmp_path, dialogue)


def test_an_unverified_address_neither_joins_nor_keeps_anybody_off_it(tmp_path: Path, came: Came) -> None:
    async def dialogue(lab: Lab) -> None:
        squatter = await came(lab, "a", "1", "emil@example.org", verified=False)
        await lab.users.create(MANAGER, UserIn(name="emil", email="emil@example.org"))
        assert await came(lab, "a", "2", "emil@example.org") == "emil"
        assert squatter != "emil"

    identity_lab(tmp_path, dialogue)


def test_who_has_another_way_in_is_not_joined(tmp_path: Path, came: Came) -> None:
    async def dialogue(lab: Lab) -> None:
        await lab.users.change(MANAGER, "ann", UserChange(email="ann@example.org"))  # comes through Jupyter
        await lab.users.create(MANAGER, UserIn(name="bea", email="bea@example.org", roles=[]))
        assert await came(lab, "a", "1", "ann@example.org") == "a-1"
        assert await came(lab, "a", "2", "bea@example.org") == "bea"
        await refused(lab.users.change(ANN, "ann", UserChange(email="bea@example.org")), Forbidden, "not_yours")

    identity_lab(tmp_path, dialogue)


def test_no_name_of_the_hub_takes_an_account_that_a_provider_named(tmp_path: Path, came: Came) -> None:
    async def dialogue(lab: Lab) -> None:
        name = await came(lab, "a", "4711")
        for source in ("hub", "jupyter"):
            visitor = Principal(name=name, roles=frozenset({Role.USER}))
            await refused(lab.authenticator.admit(visitor, source=source), Forbidden, "name_taken")

    identity_lab(tmp_path, dialogue)


TRUST = ("trust", "contributed_by", "trust_reason", "trust_by", "trust_at")


def test_an_older_lab_keeps_the_addresses_that_people_did_not_write_themselves(tmp_path: Path) -> None:

    async def before(lab: Lab, _clock: FrozenClock) -> None:
        for name in ("own", "entered", "twice-1", "twice-2"):
            await lab.users.create(MANAGER, UserIn(name=name))
        units = [
            "UPDATE users SET email = 'E@x.org' WHERE name = 'entered'",
            "UPDATE users SET email = 'o@x.org' WHERE name = 'own'",
            "UPDATE users SET email = 't@x.org' WHERE name LIKE 'twice%'",
            "INSERT INTO audit (at, who, action, subject, data) "
            "VALUES (0, 'own', 'user.changed', 'user:own', '{\"email\": \"o@x.org\"}')",
            "DROP TABLE identities",
            "DROP TABLE join_links",
            "DROP INDEX ix_users_verified_email",
            "ALTER TABLE users DROP COLUMN verified_email",
            "ALTER TABLE qpus DROP COLUMN num_qubits",
            "ALTER TABLE drivers DROP COLUMN launch",
            "DROP TABLE calibrations",
            "DROP INDEX ix_jobs_alive_calibration_id_seq",
            "ALTER TABLE jobs DROP COLUMN calibration",
            "ALTER TABLE jobs DROP COLUMN calibration_id",
            *(f"ALTER TABLE qpus DROP COLUMN {name}" for name in TRUST),
            "DROP TABLE reservations",
            "DROP TABLE plan_jobs",
            "DROP TABLE plans",
            "DROP TABLE dependencies",
            "DROP INDEX ix_jobs_family_id",
            "DROP INDEX ix_jobs_parent_id",
            "ALTER TABLE jobs DROP COLUMN family_id",
            "ALTER TABLE jobs DROP COLUMN waits_for",
            "ALTER TABLE jobs ADD COLUMN depends_on JSON",
            "ALTER TABLE jobs ADD COLUMN plan_id VARCHAR",
            "UPDATE alembic_version SET version_num = '0005'",
        ]
        store: Any = lab.context.db.store
        await store.write(lambda connection: [connection.execute(text(unit)).close() for unit in units])

    in_lab(tmp_path, before)

    async def after(lab: Lab, _clock: FrozenClock) -> list[str | None]:
        return await lab.context.db.read(
            lambda connection: [
                row.verified_email for row in people.page(connection, after=None, limit=100) if row.email
            ]
        )

    assert in_lab(tmp_path, after) == ["e@x.org", None, None, None]
