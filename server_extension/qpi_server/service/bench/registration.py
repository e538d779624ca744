"""Drivers get to be known: their rows, and the tokens that they sign in with."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, NotFound, Principal, Role
from qpi_jupyter.wire.events import DriverAction, DriverChanged, DriverData
from qpi_jupyter.wire.rest import DriverIn, DriverRegistered
from qpi_server.service.base import MANAGERS, Context, Tx, require_distinct, the_qpu
from qpi_server.service.links import SentAway
from qpi_server.service.people import add_token, end_tokens, new_token
from qpi_server.store import DriverRow, bench

from .launch import Launch, registered


class Registration:
    """Registers drivers and replaces their tokens."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def register(
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
        self._context.qpus.get(request.qpu)
        token = new_token()
        new = await self._context.db.write(lambda tx: enter(tx, principal, request, token))
        return registered(new, token, address=address, ca_fingerprint=ca_fingerprint)

    async def token(self, name: str, *, by: Principal | None = None) -> str:
        """A new token for the driver of that name; its earlier ones end. ``by`` is who asked, if somebody did.

        Raises
        ------
        NotFound
            no such driver.
        """
        token, who = new_token(), "" if by is None else by.name

        def unit(tx: Tx) -> None:
            driver = the_driver(tx.connection, name)
            end_tokens(tx, driver.id, who)
            _add_token(tx, token, driver, who)
            if by is not None:
                tell(tx, by, "renewed", driver)
                tx.tell(SentAway(driver.id, "Its token was renewed."))

        await self._context.db.write(unit)
        return token


def enter(tx: Tx, by: Principal, request: DriverIn, token: str) -> DriverRow:
    """Write a new driver with its token.

    Raises
    ------
    NotFound
        no such QPU.
    Conflict
        the name is taken.
    """
    the_qpu(tx.connection, request.qpu)
    known = bench.driver_named(tx.connection, request.name)
    if known is not None and known.revoked_at is None:
        raise Conflict(f"There is a driver called {request.name} already.", code="name_taken", field="name")
    require_distinct(tx.connection, "driver", request.name)
    new = DriverRow(
        id=f"drv-{secrets.token_hex(8)}" if known is None else known.id, name=request.name, qpu=request.qpu,
        monitor=request.monitor, created_at=tx.at, launch=asdict(Launch.of(request)),
    )  # fmt: skip
    bench.add_driver(tx.connection, new)
    _add_token(tx, token, new, by.name)
    tell(tx, by, "registered", new, monitor=request.monitor)
    return new


def the_driver(connection: Connection, name: str) -> DriverRow:
    """The driver of that name, which nobody has revoked."""
    driver = bench.driver_named(connection, name)
    if driver is None or driver.revoked_at is not None:
        raise NotFound(f"There is no driver called {name!r}.", code="unknown_driver")
    return driver


def _add_token(tx: Tx, token: str, driver: DriverRow, by: str) -> None:
    add_token(tx, token, by=by, name=driver.name, owner=driver.id, roles={Role.DRIVER}, driver=driver.id)


def tell(tx: Tx, by: Principal, action: DriverAction, driver: DriverRow, **data: Any) -> None:
    """Tell, and write down, what somebody did to a driver (Any: JSON)."""
    said = DriverData(driver=driver.name, action=action, by=by.name)
    tx.event(DriverChanged(at=tx.at, qpu=driver.qpu, data=said), owner=MANAGERS)
    kind = "simulator" if action in ("started", "stopped") else "driver"
    tx.audit(by, f"{kind}.{action}", f"driver:{driver.name}", qpu=driver.qpu, **data)


def end(tx: Tx, by: Principal, action: DriverAction, driver: DriverRow) -> None:
    """Let a driver in no more, by none of its tokens."""
    bench.change_driver(tx.connection, driver.id, revoked_at=tx.at)
    end_tokens(tx, driver.id, by.name)
    tell(tx, by, action, driver)
