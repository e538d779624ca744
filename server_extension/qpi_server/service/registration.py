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

_UNIT = """\
# /etc/systemd/system/qpi-agent-{name}.service
# Mode 600: whoever reads the token can drive {qpu}. Add -e and -o for the executor and its options.
[Unit]
Description=Driver {name} of the QPU {qpu}
Wants=network-online.target
After=network-online.target

[Service]
Environment=QPI_ACCESS_TOKEN={token}
ExecStart=/usr/bin/env {start} --data-dir %S/qpi-agent-{name}
StateDirectory=qpi-agent-{name}
DynamicUser=yes
Restart=always
RestartSec=5
RestartPreventExitStatus=2 3

[Install]
WantedBy=multi-user.target
"""


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

        def unit(connection: Connection) -> DriverRow:
            known = bench.driver_named(connection, name)
            if known is not None and known.revoked_at is None:
                raise Conflict(f"There is a driver called {name} already.", code="name_taken", field="name")
            new = driver if known is None else replace(driver, id=known.id)
            bench.add_driver(connection, new)
            tokens.add(connection, replace(row, owner=new.id, driver=new.id))
            data = {"qpu": request.qpu, "monitor": request.monitor}
            record(connection, principal, "driver.registered", f"driver:{name}", at, **data)
            return new

        new = await self._room.store.write(unit)
        self._door.forget(new.id)
        return registered(new, token, address=address, ca_fingerprint=ca_fingerprint)

    async def driver_token(self, name: str, *, by: Principal | None = None) -> str:
        """A new token for the driver of that name; its earlier ones end. ``by`` is who asked, if somebody did.

        Raises
        ------
        NotFound
            no such driver.
        """
        token, at = new_token(), self._room.now()
        row = new_row(token, name=name, owner="", roles={Role.DRIVER}, created_at=at)

        def unit(connection: Connection) -> str:
            driver = bench.driver_named(connection, name)
            if driver is None or driver.revoked_at is not None:
                raise NotFound(f"There is no driver called {name!r}.", code="unknown_driver")
            tokens.revoke_all(connection, driver.id, at)
            tokens.add(connection, replace(row, owner=driver.id, driver=driver.id))
            if by is not None:
                record(connection, by, "driver.renewed", f"driver:{name}", at, qpu=driver.qpu)
            return driver.id

        self._door.forget(await self._room.store.write(unit))
        return token


def registered(driver: DriverRow, token: str, *, address: str, ca_fingerprint: str | None) -> DriverRegistered:
    """What a driver needs to know, and an engineer to type."""
    start = f"qpi-agent start --qpi-addr {address} --name {driver.name}"
    trust = "" if ca_fingerprint is None else f" --ca-fingerprint {ca_fingerprint}"
    return DriverRegistered(
        id=driver.id,
        name=driver.name,
        qpu=driver.qpu,
        token=token,
        command=f"{start} --token {token}{trust}",
        unit=_UNIT.format(name=driver.name, qpu=driver.qpu, token=token, start=start + trust),
        ca_fingerprint=ca_fingerprint,
    )
