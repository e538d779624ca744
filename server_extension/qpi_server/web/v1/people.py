"""People and groups: who one is, signing in, who there is, and the managers' log."""

from __future__ import annotations

from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire import people, rest
from qpi_server.web.table import Call, Route

from .base import PageQuery, Query, Text, v1


@v1.route("POST", "me/password", P.PROFILE_EDIT, {200: people.Me}, body=people.PasswordChange, refuses=(429,))
async def change_password(call: Call, wanted: people.PasswordChange) -> people.Me:
    """Change the password of one's local account; other sign-ins end."""
    await call.lab.sign_ins.change_password(call.person, wanted)
    return await call.lab.users.me(call.person)


@v1.route("PUT", "me/timezone", P.PROFILE_EDIT, {200: people.Me}, body=people.ClockIn)
async def set_timezone(call: Call, wanted: people.ClockIn) -> people.Me:
    """Say by which clock one is told times; one's kernels hear of it with their next answer."""
    await call.lab.users.set_timezone(call.person, wanted.timezone)
    return await call.lab.users.me(call.person)


class AuditQuery(PageQuery):
    text: Text = ""


v1.serve(
    Route("get_me", "GET", "me", P.PEOPLE_READ, {200: people.Me},
          "Who one is, and what one may do with the credential one asks with.",
          lambda c: c.lab.users.me(c.person), refuses=(404,)),
    Route("sign_in", "POST", "sign-in", P.SIGN_IN, {200: people.SignedIn},
          "A local account's name (or e-mail) and password for a token that ends after some hours.",
          lambda c: c.lab.sign_ins.sign_in(c.body, address=c.address), body=people.SignIn, refuses=(401, 403, 429)),
    Route("list_users", "GET", "users", P.PEOPLE_READ, {200: people.UserList},
          "The lab's people by name.",
          lambda c: c.lab.users.list(c.person, **c.given), query=PageQuery),
    Route("create_user", "POST", "users", P.PEOPLE_MANAGE, {201: people.UserModel},
          "Make a person before their first visit; with a password a local account.",
          lambda c: c.lab.users.create(c.person, c.body), body=people.UserIn),
    Route("get_user", "GET", "users/{name}", P.PEOPLE_READ, {200: people.UserModel},
          "One person.", lambda c: c.lab.users.get(c.person, c.path["name"])),
    Route("change_user", "PATCH", "users/{name}", P.PROFILE_EDIT, {200: people.UserModel},
          "Change one's own names, or, as a manager, anybody.",
          lambda c: c.lab.users.change(c.person, c.path["name"], c.body), body=people.UserChange),
    Route("list_groups", "GET", "groups", P.PEOPLE_READ, {200: people.GroupList},
          "Every group with its members.", lambda c: c.lab.groups.list(c.person)),
    Route("create_group", "POST", "groups", P.PEOPLE_MANAGE, {201: people.GroupModel},
          "Make a group.", lambda c: c.lab.groups.create(c.person, c.body), body=people.GroupIn),
    Route("change_group", "PATCH", "groups/{name}", P.PEOPLE_MANAGE, {200: people.GroupModel},
          "Describe a group, or say who is in it.",
          lambda c: c.lab.groups.change(c.person, c.path["name"], c.body), body=people.GroupChange),
    Route("delete_group", "DELETE", "groups/{name}", P.PEOPLE_MANAGE, {200: people.GroupModel},
          "Take a group away; jobs that were shared with it become private.",
          lambda c: c.lab.groups.delete(c.person, c.path["name"])),
    Route("get_audit", "GET", "audit", P.AUDIT_READ, {200: people.AuditPage},
          "Who did what, newest first; ``text`` finds the lines that have each of its words.",
          lambda c: c.lab.audit.page(c.person, **c.given),
          query=AuditQuery),
)  # fmt: skip


v1.serve(
    Route("create_join_link", "POST", "join-links", P.PEOPLE_MANAGE, {201: people.JoinLinkModel},
          "Make a link with which people make their own accounts; only this answer shows it.",
          lambda c: c.lab.join_links.create(c.person, c.body, c.site.public_address(c.here)), body=people.JoinLinkIn),
    Route("list_join_links", "GET", "join-links", P.PEOPLE_MANAGE, {200: people.JoinLinkList},
          "The join links that still count.", lambda c: c.lab.join_links.list(c.person)),
    Route("revoke_join_link", "DELETE", "join-links/{id}", P.PEOPLE_MANAGE, {200: people.JoinLinkModel},
          "End a join link at once.", lambda c: c.lab.join_links.revoke(c.person, c.path["id"])),
)  # fmt: skip


class TokensQuery(Query):
    """``GET tokens``: one's own, or for admins somebody's."""

    owner: Text | None = None


v1.serve(
    Route("create_token", "POST", "tokens", P.TOKENS_OWN, {201: rest.TokenCreated},
          "Make an API token of one's own; only this answer shows it.",
          lambda c: c.lab.tokens.create(c.person, c.body), body=rest.TokenIn),
    Route("list_tokens", "GET", "tokens", P.TOKENS_OWN, {200: people.TokenList},
          "Tokens that are not revoked, with when each was used last.",
          lambda c: c.lab.tokens.list(c.person, **c.given), query=TokensQuery),
    Route("get_token", "GET", "tokens/{id}", P.TOKENS_OWN, {200: people.TokenModel},
          "One token.", lambda c: c.lab.tokens.get(c.person, c.path["id"])),
    Route("change_token", "PATCH", "tokens/{id}", P.TOKENS_OWN, {200: people.TokenModel},
          "Rename a token or move its end.", lambda c: c.lab.tokens.change(c.person, c.path["id"], c.body),
          body=people.TokenChange),
    Route("revoke_token", "DELETE", "tokens/{id}", P.TOKENS_OWN, {200: people.TokenModel},
          "End a token at once.", lambda c: c.lab.tokens.revoke(c.person, c.path["id"])),
)  # fmt: skip


class NoticesQuery(Query):
    """``GET notices``: one's own of now, or all of them."""

    all: bool = False


v1.serve(
    Route("list_notices", "GET", "notices", P.NOTICES_READ, {200: people.NoticeList},
          "What one has to know now and has not dismissed; with all, every notice, for managers.",
          lambda c: c.lab.notices.list(c.person, **c.given), query=NoticesQuery),
    Route("create_notice", "POST", "notices", P.NOTICES_WRITE, {201: people.NoticeModel},
          "Tell everybody, or people and groups.", lambda c: c.lab.notices.create(c.person, c.body),
          body=people.NoticeIn),
    Route("change_notice", "PATCH", "notices/{id}", P.NOTICES_WRITE, {200: people.NoticeModel},
          "Change a notice; who has dismissed it does not see it again.",
          lambda c: c.lab.notices.change(c.person, c.path["id"], c.body), body=people.NoticeChange),
    Route("delete_notice", "DELETE", "notices/{id}", P.NOTICES_WRITE, {200: people.NoticeModel},
          "Take a notice back.", lambda c: c.lab.notices.delete(c.person, c.path["id"])),
    Route("dismiss_notice", "POST", "notices/{id}/dismiss", P.PROFILE_EDIT, {200: people.NoticeModel},
          "Do not show a notice to oneself again.", lambda c: c.lab.notices.dismiss(c.person, c.path["id"])),
)  # fmt: skip
