"""Oneself, API tokens and notices from a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Protocol

from qpi_jupyter.core import NotFound
from qpi_jupyter.wire.people import (
    Me,
    NoticeList,
    NoticeModel,
    ScopeName,
    TokenChange,
    TokenList,
    TokenModel,
)
from qpi_jupyter.wire.rest import TokenCreated, TokenIn

from . import times
from .http import Http, path
from .portal import both
from .tables import ModelTable


class Notice:
    """An announcement."""

    def __init__(self, http: Http, model: NoticeModel) -> None:
        self.http = http
        self.model = model

    @both
    async def dismiss(self) -> Notice:
        """Do not show it to me again."""
        self.model = await self.http.call("POST", f"v1/notices/{path(self.model.id)}/dismiss", NoticeModel)
        return self

    def __repr__(self) -> str:
        body = f": {self.model.body}" if self.model.body else ""
        return f"<Notice {self.model.id} by {self.model.created_by}, {self.model.title!r}{body}>"

    def _repr_html_(self) -> str:
        return NoticeTable([self])._repr_html_()


class NoticeTable(ModelTable[Notice]):
    """Announcements for you; ``table.dismiss()`` puts them all away."""

    caption = "Notices"
    empty = "No notices."
    columns = ("when", "from", "title", "text")

    def row(self, item: Notice) -> tuple[str, ...]:
        model = item.model
        at = model.start_at or model.created_at
        return times.stamp(at, datetime.now(UTC)), model.created_by, model.title, model.body

    def dismiss(self) -> None:
        """Do not show any of these again."""
        for notice in self:
            notice.dismiss()


class ShowsToken(Protocol):
    """Shows a new token where no notebook saves it; the ui room's is put into `NewToken.renderer`."""

    def show_token(self, token: NewToken) -> None:
        """Display it, once."""


class NewToken:
    """A token that was just made. ``.token`` has it; it is shown once, and no saved notebook holds it.

    A terminal sees it in the first repr; JupyterLab in a widget that fetches it from the kernel.
    """

    renderer: ClassVar[ShowsToken | None] = None

    def __init__(self, created: TokenCreated) -> None:
        self.id = created.id
        self.name = created.name
        self.token = created.token
        self.expires_at = created.expires_at
        self._shown = False

    def once(self) -> str:
        """The token, the first time; then nothing."""
        token = "" if self._shown else self.token
        self._shown = True
        return token

    def hidden(self) -> str:
        """The token's name, without the token."""
        return f"<Token {self.name or self.id}: shown once; .token has it until this kernel ends>"

    def __repr__(self) -> str:
        token = self.once()
        return f"<Token {self.name or self.id}, shown this once: {token}>" if token else self.hidden()

    def _ipython_display_(self) -> None:
        if self.renderer is None:
            raise NotImplementedError  # IPython then asks for the repr
        self.renderer.show_token(self)


class TokenTable(ModelTable[TokenModel]):
    """API tokens, without what they open."""

    caption = "API tokens"
    empty = "No API tokens: lab.tokens.create(name) makes one."
    columns = ("id", "name", "may", "made", "last used", "ends")

    def row(self, item: TokenModel) -> tuple[str, ...]:
        now = datetime.now(UTC)
        dates = [
            times.stamp(at, now) if at else "never" for at in (item.created_at, item.last_used_at, item.expires_at)
        ]
        return item.id, item.name, "everything you may" if item.scopes is None else ", ".join(item.scopes), *dates


class Tokens:
    """Your API tokens: ``create``, ``list``, ``rename``, ``expire``, ``revoke``; a token is named by its name or id."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def create(
        self, name: str = "", *, scopes: Sequence[ScopeName] | None = None, expires: times.When | None = None
    ) -> NewToken:
        """Make a token that may what you may, or only ``read``, ``submit``, ``manage``, ``drive`` (``scopes``).

        Parameters
        ----------
        expires
            when it ends: a time as `Lab.book` takes it, for example ``"+90d"``.
        """
        body = TokenIn(
            name=name, scopes=None if scopes is None else list(scopes),
            expires_at=None if expires is None else _later(expires),
        )  # fmt: skip
        created = await self.http.call("POST", "v1/tokens", TokenCreated, body=body, once=True)
        return NewToken(created)

    @both
    async def list(self) -> TokenTable:
        """All of them, with their last use."""
        return TokenTable((await self.http.call("GET", "v1/tokens", TokenList)).tokens)

    @both
    async def rename(self, token: str, name: str) -> TokenTable:
        """Give it another name."""
        return await self._change(token, TokenChange(name=name))

    @both
    async def expire(self, token: str, when: times.When | None) -> TokenTable:
        """Let it end then; None: never."""
        return await self._change(token, TokenChange(expires_at=None if when is None else _later(when)))

    @both
    async def revoke(self, token: str) -> TokenTable:
        """End it now; gives those that are left."""
        await self.http.call("DELETE", f"v1/tokens/{path(await self._id(token))}", TokenModel)
        return await self.list.aio()

    async def _change(self, token: str, change: TokenChange) -> TokenTable:
        model = await self.http.call("PATCH", f"v1/tokens/{path(await self._id(token))}", TokenModel, body=change)
        return TokenTable([model])

    async def _id(self, token: str) -> str:
        found = [model.id for model in await self.list.aio() if token in (model.id, model.name)]
        if len(found) != 1:
            which = "several tokens of that name: use the id" if found else "no such token"
            raise NotFound(f"{token!r}: {which}. lab.tokens lists them.", code="unknown_token")
        return found[0]

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()


def _later(when: times.When) -> datetime:
    now = datetime.now(UTC)
    return times.moment(when, times.zone_of(), now, after=now)


class Whoami:
    """Who the lab takes you for, and what you may do."""

    def __init__(self, me: Me) -> None:
        self.user = me.user
        self.permissions = tuple(me.permissions)

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.user.groups)

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self.user.roles)

    def __repr__(self) -> str:
        known = f" ({self.user.display_name})" if self.user.display_name not in ("", self.name) else ""
        groups = f"; groups: {', '.join(self.groups)}" if self.groups else ""
        return f"<{self.name}{known}, {', '.join(self.roles)}{groups}>"


async def me(http: Http) -> Me:
    """Who one is, as the lab says it."""
    return await http.call("GET", "v1/me", Me)


class People:
    """What a `Lab` knows about people."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.tokens = Tokens(http)

    @both
    async def whoami(self) -> Whoami:
        """Who the lab takes you for: name, roles, groups."""
        return Whoami(await me(self.http))

    @both
    async def notices(self) -> NoticeTable:
        """What the lab's managers have to say to you; each has ``dismiss()``."""
        found = await self.http.call("GET", "v1/notices", NoticeList)
        return NoticeTable([Notice(self.http, model) for model in found.notices])
