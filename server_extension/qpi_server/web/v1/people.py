"""People and groups: who one is, signing in, who there is, and the managers' log."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import people
from qpi_server.web.table import Call, Reply

from .base import PageQuery, Text, v1


@v1.route("GET", "me", P.PEOPLE_READ, {200: people.Me}, refuses=(404,))
async def get_me(call: Call) -> Reply:
    """Who one is, and what one may do with the credential one asks with."""
    return Reply(body=await call.lab.people.me(call.person))


@v1.route("POST", "me/password", P.PROFILE_EDIT, {200: people.Me}, body=people.PasswordChange, refuses=(429,))
async def change_password(call: Call) -> Reply:
    """Change the password of one's local account; other sign-ins end."""
    await call.lab.people.change_password(call.person, call.body)
    return Reply(body=await call.lab.people.me(call.person))


@v1.route("POST", "sign-in", P.SIGN_IN, {200: people.SignedIn}, body=people.SignIn, refuses=(401, 403, 429))
async def sign_in(call: Call) -> Reply:
    """A local account's name (or e-mail) and password for a token that ends after some hours."""
    return Reply(body=await call.lab.people.sign_in(call.body, address=call.address))


@v1.route("GET", "users", P.PEOPLE_READ, {200: people.UserList}, query=PageQuery)
async def list_users(call: Call) -> Reply:
    """The lab's people by name."""
    q: PageQuery = call.query
    return Reply(body=await call.lab.people.users(call.person, limit=q.limit, after=q.after))


@v1.route("POST", "users", P.PEOPLE_MANAGE, {201: people.UserModel}, body=people.UserIn)
async def create_user(call: Call) -> Reply:
    """Make a person before their first visit; with a password a local account."""
    return Reply(body=await call.lab.people.create_user(call.person, call.body), status=201)


@v1.route("GET", "users/{name}", P.PEOPLE_READ, {200: people.UserModel})
async def get_user(call: Call) -> Reply:
    """One person."""
    return Reply(body=await call.lab.people.user(call.person, call.path["name"]))


@v1.route("PATCH", "users/{name}", P.PROFILE_EDIT, {200: people.UserModel}, body=people.UserChange)
async def change_user(call: Call) -> Reply:
    """Change one's own names, or, as a manager, anybody."""
    return Reply(body=await call.lab.people.change_user(call.person, call.path["name"], call.body))


@v1.route("GET", "groups", P.PEOPLE_READ, {200: people.GroupList})
async def list_groups(call: Call) -> Reply:
    """Every group with its members."""
    return Reply(body=await call.lab.people.groups(call.person))


@v1.route("POST", "groups", P.PEOPLE_MANAGE, {201: people.GroupModel}, body=people.GroupIn)
async def create_group(call: Call) -> Reply:
    """Make a group."""
    return Reply(body=await call.lab.people.create_group(call.person, call.body), status=201)


@v1.route("PATCH", "groups/{name}", P.PEOPLE_MANAGE, {200: people.GroupModel}, body=people.GroupChange)
async def change_group(call: Call) -> Reply:
    """Describe a group, or say who is in it."""
    return Reply(body=await call.lab.people.change_group(call.person, call.path["name"], call.body))


@v1.route("DELETE", "groups/{name}", P.PEOPLE_MANAGE, {200: people.GroupModel})
async def delete_group(call: Call) -> Reply:
    """Take a group away; jobs that were shared with it become private."""
    return Reply(body=await call.lab.people.delete_group(call.person, call.path["name"]))


class AuditQuery(PageQuery):
    text: Text = ""


@v1.route("GET", "audit", P.AUDIT_READ, {200: people.AuditPage}, query=AuditQuery)
async def get_audit(call: Call) -> Reply:
    """Who did what, newest first; ``text`` finds the lines that have each of its words."""
    q: AuditQuery = call.query
    return Reply(body=await call.lab.audit.page(call.person, limit=q.limit, after=q.after, text=q.text))
