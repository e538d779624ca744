"""The lab's people: who is asking, who there is, in which groups, and the drivers' credentials."""

from __future__ import annotations

from qpi_jupyter.core.access import Principal

from .groups import Groups
from .oauth2 import OAuth2SignIns
from .registration import Registration
from .signing_in import SignIns
from .users import Users


class PeopleService(Users, Groups, SignIns, OAuth2SignIns, Registration):
    """Everything about people that is not a token's own life: one theme a part."""

    async def authenticate(self, token: str) -> Principal:
        """Whose token this is; see `Door.authenticate`."""
        return await self._door.authenticate(token)

    async def seen(self, principal: Principal, *, source: str = "jupyter") -> Principal:
        """Somebody whom Jupyter or a Hub has signed in; see `Door.seen`."""
        return await self._door.seen(principal, source=source)
