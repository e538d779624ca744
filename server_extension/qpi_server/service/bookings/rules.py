"""The lab's booking rules: set by managers per QPU and group, and what they come to for one person."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import NotFound, Permission, Principal, Rejected, ScopedRule, allows, existing, zone
from qpi_jupyter.core import booking_rules as core
from qpi_jupyter.wire.bookings import BookingRule, BookingRuleIn, BookingRuleList, BookingRuleModel
from qpi_jupyter.wire.events import BookingRuleChanged, BookingRuleData, RuleAction
from qpi_server.service.base import Context, Tx
from qpi_server.store import RuleRow, bookings, people


class BookingRules:
    """Rules that bind bookings."""

    def __init__(self, context: Context) -> None:
        self._context, self._usual = context, context.config.quotas.booking_rule

    async def list(self, principal: Principal) -> BookingRuleList:
        """Every rule, and what they come to for ``principal`` on each QPU; managers are bound by none."""

        def query(connection: Connection) -> tuple[list[RuleRow], frozenset[str]]:
            return bookings.rules(connection), _groups(connection, principal, principal.name)

        rows, groups = await self._context.db.read(query)
        free = allows(principal, Permission.BOOKINGS_WRITE_ANY)
        scoped = [_scoped(row) for row in rows]
        mine = {
            qpu: _wire(core.FREE if free else core.resolve(scoped, qpu, groups, usual=self._usual))
            for qpu in self._context.qpus.names
        }
        return BookingRuleList(rules=[_model(row) for row in rows], mine=mine)

    async def set(self, principal: Principal, request: BookingRuleIn) -> BookingRuleModel:
        """Set the rule of a QPU and a group, in place of the one that they had."""
        if request.qpu is not None:
            self._context.qpus.get(request.qpu)
        _check(request.rule)
        row = RuleRow(
            id=f"rule-{secrets.token_hex(8)}",
            qpu=request.qpu,
            group=request.group,
            rule=msgspec.to_builtins(request.rule),
            changed_by=principal.name,
            changed_at=self._context.now(),
        )

        def unit(tx: Tx) -> RuleRow:
            if row.group is not None and people.unknown_groups(tx.connection, [row.group]):
                raise NotFound(f"There is no group {row.group!r}.", code="unknown_group", field="group")
            before = bookings.put_rule(tx.connection, row)
            kept = row if before is None else replace(row, id=before.id)
            _tell(tx, principal, "set", kept, before)
            return kept

        return _model(await self._context.db.write(unit, at=row.changed_at))

    async def delete(self, principal: Principal, rule_id: str) -> None:
        """Take a rule out.

        Raises
        ------
        NotFound
            there is none of that id.
        """

        def unit(tx: Tx) -> None:
            before = existing(
                bookings.delete_rule(tx.connection, rule_id),
                NotFound(f"There is no booking rule {rule_id!r}.", code="unknown_rule"),
            )
            _tell(tx, principal, "deleted", before, before)

        await self._context.db.write(unit)

    def binding(
        self, connection: Connection, principal: Principal, owner: str, qpus: Collection[str]
    ) -> core.BookingLimits:
        """The rule for a booking of ``owner`` on all of ``qpus``."""
        groups = _groups(connection, principal, owner)
        scoped = [_scoped(row) for row in bookings.rules(connection)]
        return core.strictest([core.resolve(scoped, qpu, groups, usual=self._usual) for qpu in qpus])


def _tell(tx: Tx, principal: Principal, action: RuleAction, row: RuleRow, before: RuleRow | None) -> None:
    tx.event(BookingRuleChanged(at=tx.at, qpu=row.qpu, data=BookingRuleData(id=row.id, action=action, group=row.group)))
    tx.audit(
        principal, f"booking_rule.{action}", f"booking_rule:{row.qpu or '*'}/{row.group or '*'}",
        rule=row.rule, before=None if before is None else before.rule,
    )  # fmt: skip


def _groups(connection: Connection, principal: Principal, person: str) -> frozenset[str]:
    known = frozenset(people.groups_of(connection, [person]).get(person, ()))
    return known | principal.groups if person == principal.name else known


def _check(rule: BookingRule) -> None:
    for quiet in rule.quiet:
        zone(quiet.timezone)
    if rule.granularity_s is not None and rule.granularity_s != max(1, round(rule.granularity_s)):
        raise Rejected("granularity_s is in whole seconds.", code="bad_rule", field="granularity_s")
    if rule.shortest_s is not None and rule.longest_s is not None and rule.shortest_s > rule.longest_s:
        raise Rejected("shortest_s must not be longer than longest_s.", code="bad_rule", field="shortest_s")


def _scoped(row: RuleRow) -> ScopedRule:
    return ScopedRule(rule=msgspec.convert(row.rule, core.BookingLimits), qpu=row.qpu, group=row.group)


def _wire(rule: core.BookingLimits) -> BookingRule:
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
