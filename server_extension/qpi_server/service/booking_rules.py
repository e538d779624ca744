"""The lab's booking rules: set by managers per QPU and group, and what they come to for one person."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import booking_rules as core
from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.booking_rules import ScopedRule, resolve, strictest, zone
from qpi_jupyter.core.errors import NotFound, Rejected
from qpi_jupyter.wire.bookings import BookingRule, BookingRuleIn, BookingRuleList, BookingRuleModel
from qpi_server.store import audit, bookings, people
from qpi_server.store.audit import AuditRow
from qpi_server.store.bookings import RuleRow

from .room import Room


class BookingRules:
    """Rules that bind bookings."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def rules(self, principal: Principal) -> BookingRuleList:
        """Every rule, and what they come to for ``principal`` on each QPU; managers are bound by none."""

        def query(connection: Connection) -> tuple[list[RuleRow], frozenset[str]]:
            return bookings.rules(connection), _groups(connection, principal, principal.name)

        rows, groups = await self._room.store.read(query)
        free = allows(principal, Permission.BOOKINGS_WRITE_ANY)
        scoped = [] if free else [_scoped(row) for row in rows]
        mine = {qpu: _wire(resolve(scoped, qpu, groups)) for qpu in sorted(self._room.qpus)}
        return BookingRuleList(rules=[_model(row) for row in rows], mine=mine)

    async def set_rule(self, principal: Principal, request: BookingRuleIn) -> BookingRuleModel:
        """Set the rule of a QPU and a group, in place of the one that they had."""
        if request.qpu is not None:
            self._room.qpu(request.qpu)
        _check(request.rule)
        row = RuleRow(
            id=f"rule-{secrets.token_hex(8)}",
            qpu=request.qpu,
            group=request.group,
            rule=msgspec.to_builtins(request.rule),
            changed_by=principal.name,
            changed_at=self._room.now(),
        )

        def unit(connection: Connection) -> RuleRow:
            if row.group is not None and people.unknown_groups(connection, [row.group]):
                raise NotFound(f"There is no group {row.group!r}.", code="unknown_group", field="group")
            before = bookings.put_rule(connection, row)
            kept = row if before is None else replace(row, id=before.id)
            self._note(connection, principal, "booking_rule.set", kept, before)
            return kept

        return _model(await self._room.store.write(unit))

    async def delete_rule(self, principal: Principal, rule_id: str) -> None:
        """Take a rule out.

        Raises
        ------
        NotFound
            there is none of that id.
        """

        def unit(connection: Connection) -> None:
            before = bookings.delete_rule(connection, rule_id)
            if before is None:
                raise NotFound(f"There is no booking rule {rule_id!r}.", code="unknown_rule")
            self._note(connection, principal, "booking_rule.deleted", before, before)

        await self._room.store.write(unit)

    def binding(
        self, connection: Connection, principal: Principal, owner: str, qpus: Collection[str]
    ) -> core.BookingRule:
        """The rule for a booking of ``owner`` on all of ``qpus``."""
        groups = _groups(connection, principal, owner)
        scoped = [_scoped(row) for row in bookings.rules(connection)]
        return strictest([resolve(scoped, qpu, groups) for qpu in qpus])

    def _note(
        self, connection: Connection, principal: Principal, action: str, row: RuleRow, before: RuleRow | None
    ) -> None:
        subject = f"booking_rule:{row.qpu or '*'}/{row.group or '*'}"
        data: dict[str, Any] = {"rule": row.rule, "before": None if before is None else before.rule}
        line = AuditRow(at=self._room.now(), who=principal.name, action=action, subject=subject, data=data)
        audit.add(connection, line)


def _groups(connection: Connection, principal: Principal, person: str) -> frozenset[str]:
    known = frozenset(people.groups_of(connection, [person]).get(person, ()))
    return known | principal.groups if person == principal.name else known


def _check(rule: BookingRule) -> None:
    for quiet in rule.quiet:
        zone(quiet.timezone)
    if rule.granularity_s is not None and rule.granularity_s != max(1, round(rule.granularity_s)):
        raise Rejected("granularity_s is in whole seconds.", code="bad_rule", field="granularity_s")
    if rule.shortest_s is not None and rule.longest_s is not None and rule.shortest_s > rule.longest_s:
        raise Rejected("shortest_s is longer than longest_s: nobody could book.", code="bad_rule", field="shortest_s")


def _scoped(row: RuleRow) -> ScopedRule:
    return ScopedRule(rule=msgspec.convert(row.rule, core.BookingRule), qpu=row.qpu, group=row.group)


def _wire(rule: core.BookingRule) -> BookingRule:
    return msgspec.convert(msgspec.to_builtins(rule), BookingRule)


def _model(row: RuleRow) -> BookingRuleModel:
    return BookingRuleModel(
        id=row.id,
        qpu=row.qpu,
        group=row.group,
        rule=msgspec.convert(row.rule, BookingRule),
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )
