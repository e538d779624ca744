"""Drivers get to be known: their rows, and the tokens that they sign in with."""

from __future__ import annotations

import secrets
from dataclasses import replace

from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Conflict, NotFound
from qpi_jupyter.wire.rest import DriverIn, DriverRegistered
from qpi_server.store import bench, tokens
from qpi_server.store.bench import DriverRow

from .parts import Part, record
from .tokens import new_row, new_token


class Registration(Part):
    """Registers drivers and replaces their tokens."""

    async def register_driver(
        self, principal: Principal, request: DriverIn, *, address: str, ca_fingerprint: str | None = None
    ) -> DriverRegistered:
        """A new driver of a QPU, with the token that is shown only now.

        Parameters
        ----------
        address
            where the driver finds this lab.

        Raises
        ------
        NotFound
            no such QPU.
        Conflict
            the name is taken.
        """
        self._room.qpu(request.qpu)
        token, driver_id = new_token(), f"drv-{secrets.token_hex(8)}"
        at, name = self._room.now(), request.name
        driver = DriverRow(id=driver_id, name=name, qpu=request.qpu, monitor=request.monitor, created_at=at)
        row = new_row(token, name=name, owner=driver_id, roles={Role.DRIVER}, driver=driver_id, created_at=at)

        def unit(connection: Connection) -> None:
            if bench.driver_named(connection, name) is not None:
                raise Conflict(f"There is a driver called {name} already.", code="name_taken")
            bench.add_driver(connection, driver)
            tokens.add(connection, row)
            data = {"qpu": request.qpu, "monitor": request.monitor}
            record(connection, principal, "driver.registered", f"driver:{name}", at, **data)

        await self._room.store.write(unit)
        return DriverRegistered(
            id=driver_id,
            name=name,
            qpu=request.qpu,
            token=token,
            command=_command(address, name, token, ca_fingerprint),
            ca_fingerprint=ca_fingerprint,
        )

    async def driver_token(self, name: str) -> str:
        """A new token for the driver of that name; its earlier ones end.

        Raises
        ------
        NotFound
            no such driver.
        """
        token, at = new_token(), self._room.now()
        row = new_row(token, name=name, owner="", roles={Role.DRIVER}, created_at=at)

        def unit(connection: Connection) -> str:
            driver = bench.driver_named(connection, name)
            if driver is None:
                raise NotFound(f"There is no driver called {name!r}.", code="unknown_driver")
            tokens.revoke_all(connection, driver.id, at)
            tokens.add(connection, replace(row, owner=driver.id, driver=driver.id))
            return driver.id

        self._door.forget(await self._room.store.write(unit))
        return token


def _command(address: str, name: str, token: str, ca_fingerprint: str | None) -> str:
    """What an engineer types on the driver's machine."""
    command = f"qpi-agent start --qpi-addr {address} --name {name} --token {token}"
    return command if ca_fingerprint is None else f"{command} --ca-fingerprint {ca_fingerprint}"
