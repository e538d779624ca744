"""Join links: a manager sends one, and whoever opens it makes their own account, in a group and with QPU time."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, Forbidden, NotFound, Permission, Principal, Role, allows, existing, permissions
from qpi_jupyter.wire.people import JoinLinkIn, JoinLinkList, JoinLinkModel, SignedIn, SignIn, UserIn
from qpi_server.service.accounts import give_allowance
from qpi_server.service.base import Context, Tx, network
from qpi_server.store import JoinLinkRow, join_links, people

from .authenticator import effective, sha256
from .oauth2 import reserved_names
from .passwords import Passwords
from .shared import require_groups
from .signing_in import SignIns
from .users import add_person

MAX_LINKS = 1_000
"""Of a lab, that still count."""


class JoinLinks:
    """Makes, lists, ends and honours them. A link counts no longer than its maker may make people."""

    def __init__(self, context: Context, passwords: Passwords, sign_ins: SignIns) -> None:
        self._context, self._passwords, self._sign_ins = context, passwords, sign_ins

    async def create(self, principal: Principal, request: JoinLinkIn, here: str) -> JoinLinkModel:
        """A new link below the address ``here``; only this answer shows it.

        Raises
        ------
        Forbidden
            the lab has no local accounts; or QPU time from somebody who grants none.
        Rejected
            there is no such group.
        """
        self._passwords.require_enabled()
        if request.allowance_s is not None and not allows(principal, Permission.TIME_GRANT):
            raise Forbidden("QPU time is granted by managers.", code="no_grant", field="allowance_s")
        secret, now = secrets.token_urlsafe(32), self._context.now()
        row = JoinLinkRow(
            id=f"join-{secrets.token_hex(8)}", sha256=sha256(secret), name=request.name.strip(), group=request.group,
            allowance_s=request.allowance_s, uses=request.uses, created_by=principal.name, created_at=now,
            expires_at=now + timedelta(days=request.days),
        )  # fmt: skip

        def unit(tx: Tx) -> None:
            if row.group is not None:
                require_groups(tx.connection, [row.group], "group")
            if len(join_links.current(tx.connection, tx.at)) >= MAX_LINKS:
                raise Forbidden(f"There are {MAX_LINKS:,} join links already: revoke some.", code="too_many_links")
            join_links.add(tx.connection, row)
            data = {"group": row.group, "allowance_s": row.allowance_s, "uses": row.uses}
            tx.audit(principal, "join_link.created", f"join-link:{row.id}", **data)

        await self._context.db.write(unit)
        return _model(row, url=f"{here}qpi/join?code={secret}")

    async def list(self, _principal: Principal) -> JoinLinkList:
        """Those that still count, the newest first, without their addresses."""
        now = self._context.now()
        rows = await self._context.db.read(lambda connection: join_links.current(connection, now))
        return JoinLinkList(links=[_model(row) for row in rows], local_accounts=self._passwords.enabled)

    async def revoke(self, principal: Principal, link_id: str) -> JoinLinkModel:
        """End a link at once; who has joined stays."""

        def unit(tx: Tx) -> JoinLinkRow:
            missing = NotFound(f"There is no join link {link_id!r}.", code="unknown_link")
            row = existing(join_links.find(tx.connection, link_id), missing)
            join_links.change(tx.connection, link_id, revoked_at=tx.at)
            tx.audit(principal, "join_link.revoked", f"join-link:{link_id}")
            return row

        return _model(await self._context.db.write(unit))

    async def require(self, code: str) -> JoinLinkRow:
        """The link with this secret.

        Raises
        ------
        Forbidden
            there is none, or it has expired, was revoked or was used as often as it may be; or the lab has no local
            accounts.
        """
        if not self._passwords.enabled:
            raise Forbidden(
                "Nobody can join this lab with a link any more: it has no local accounts. Sign in as others here do "
                "(through the Jupyter server, a JupyterHub or a provider), or ask whoever sent you the link.",
                code="no_local_accounts",
            )
        return await self._context.db.read(lambda connection: self._good(connection, code))

    async def join(self, code: str, name: str, password: str, *, address: str) -> SignedIn:
        """The account that somebody makes with a link, and a sign-in of theirs.

        Raises
        ------
        Forbidden
            as `require`.
        Conflict
            the name is taken, or is kept for somebody who signs in through a provider.
        """
        await self.require(code)
        hashed = await self._passwords.hash(password, network(address))

        def unit(tx: Tx) -> None:
            link = self._good(tx.connection, code)
            _require_unlike(tx.connection, name, reserved_names(self._context.config.oauth2_providers))
            by = Principal(name=link.created_by, roles=frozenset())
            groups = [link.group] if link.group is not None else []
            add_person(tx, by, UserIn(name=name, groups=groups), hashed)
            if link.allowance_s is not None:
                give_allowance(tx, name, link.allowance_s, by=link.created_by, reason="Join link")
            join_links.change(tx.connection, link.id, used=link.used + 1)
            tx.audit(Principal(name=name, roles=frozenset()), "join_link.used", f"join-link:{link.id}")

        await self._context.db.write(unit)
        return await self._sign_ins.sign_in(SignIn(name=name, password=password), address=address)

    def _good(self, connection: Connection, code: str) -> JoinLinkRow:
        row, now = join_links.by_secret(connection, sha256(code)), self._context.now()
        if row is None or row.revoked_at is not None or row.expires_at <= now or row.used >= row.uses:
            raise Forbidden(
                "This join link has expired or was used: ask whoever sent it for a new one.", code="bad_join_link"
            )
        maker = people.find(connection, row.created_by)
        if maker is None or maker.suspended_at is not None or not _makes_people(effective(maker)):
            raise Forbidden("Whoever sent this join link no longer manages the lab.", code="bad_join_link")
        return row


def _require_unlike(connection: Connection, name: str, reserved: tuple[str, ...]) -> None:
    """Refuse a name that people, or the page of signing in, would take for somebody else, today or some day."""
    if (beginning := next((start for start in reserved if name.lower().startswith(start)), None)) is not None:
        raise Conflict(
            f"Names that begin with {beginning!r} are for people who sign in that way: choose another name.",
            code="name_reserved", field="name",
        )  # fmt: skip
    if name.lower() in set(Role):
        raise Conflict(f"{name!r} is a role in this lab: choose another name.", code="name_reserved", field="name")
    if people.with_email(connection, name) is not None or people.alike(connection, name):
        raise Conflict(f"There is somebody called {name} already.", code="name_taken", field="name")


def _makes_people(roles: frozenset[Role]) -> bool:
    return Permission.PEOPLE_MANAGE in permissions(Principal(name="", roles=roles))


def _model(row: JoinLinkRow, *, url: str | None = None) -> JoinLinkModel:
    return JoinLinkModel(
        id=row.id, name=row.name, group=row.group, allowance_s=row.allowance_s, uses=row.uses, used=row.used,
        created_by=row.created_by, created_at=row.created_at, expires_at=row.expires_at, url=url,
    )  # fmt: skip
