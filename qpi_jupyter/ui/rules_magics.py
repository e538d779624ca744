"""The magics about the lab's rules: bookings, QPU time, notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from .arguments import LabMagics, identifier, mistakes_are_usage_errors, nothing, parsed, unquoted

if TYPE_CHECKING:
    from qpi_jupyter.client import BookingHandle, BookingTable
    from qpi_jupyter.client.accounts import Balance
    from qpi_jupyter.client.people import NoticeTable

    from .calendar import CalendarWidget


@magics_class
class RulesMagics(LabMagics):
    """``%qpi_book`` and its sisters; each describes itself with a question mark."""

    @magic_arguments()
    @argument("qpu", metavar="QPU", help="the QPU (%%qpi_qpus lists them)")
    @argument(
        "start",
        nargs="*",
        metavar="START",
        help="14:00, tomorrow 9:00, friday 9:00, 2026-05-04 14:00, now, +30min; else the next free time",
    )
    @argument("--for", dest="duration", metavar="LENGTH", help="how long: 90min, 2h, 1h30m (default 1h)")
    @argument("--until", metavar="END", help="when it ends, instead of --for")
    @argument(
        "--mode",
        choices=("priority", "exclusive", "maintenance"),
        default="priority",
        help="priority (default): others may use what you leave idle; exclusive: nobody else; maintenance: managers",
    )
    @argument("--title", help="what it is for")
    @argument("--invite", metavar="NAME", action="append", default=[], help="may use it, too; may be repeated")
    @argument("--repeat", metavar="RRULE", help="an RFC 5545 rule, for example FREQ=WEEKLY;COUNT=10")
    @argument("--timezone", metavar="ZONE", help="by which clock (Europe/Stockholm); else this kernel's")
    @argument("--to", metavar="NAME", help="the variable that receives the booking")
    @line_magic
    def qpi_book(self, line: str) -> BookingHandle | BookingTable:
        """Book a QPU: ``%qpi_book q1 tomorrow 9:00 --for 2h``. Without a time, the next free one."""
        args = parsed(self.qpi_book, line)
        to = identifier("--to", args.to)
        start = " ".join(unquoted(word) or "" for word in args.start) or None
        with mistakes_are_usage_errors():
            booking = self._lab().book(
                unquoted(args.qpu) or "", start, unquoted(args.until), duration=unquoted(args.duration),
                mode=args.mode, title=unquoted(args.title) or "",
                invite=[unquoted(name) or "" for name in args.invite], repeat=unquoted(args.repeat),
                timezone=unquoted(args.timezone),
            )  # fmt: skip
        if to:
            self.shell.user_ns[to] = booking
        return booking

    @magic_arguments()
    @argument("qpu", nargs="?", metavar="QPU", help="only this one")
    @argument("--all", action="store_true", help="other people's bookings, too")
    @argument("--from", dest="start", metavar="TIME", help="also past ones since then, for example monday")
    @argument("--until", metavar="TIME", help="only what begins before then")
    @line_magic
    def qpi_bookings(self, line: str) -> BookingTable:
        """Your bookings that are not over, as a table; its items can be moved, released and deleted."""
        args = parsed(self.qpi_bookings, line)
        with mistakes_are_usage_errors():
            return self._lab().bookings(
                unquoted(args.qpu), mine=not args.all, start=unquoted(args.start), end=unquoted(args.until)
            )

    @line_magic
    def qpi_calendar(self, line: str) -> CalendarWidget:
        """The week of a QPU, to look at and to book in: ``%qpi_calendar q1``."""
        if len(words := line.split()) > 1:
            raise UsageError("%qpi_calendar takes one QPU; %qpi_qpus lists them.")
        with mistakes_are_usage_errors():
            widget: CalendarWidget = self._lab().calendar(unquoted(words[0]) if words else None)
        return widget

    @magic_arguments()
    @argument("--group", metavar="NAME", help="the QPU time of a group of yours")
    @line_magic
    def qpi_balance(self, line: str) -> Balance:
        """Your QPU time: what is available, reserved and used."""
        args = parsed(self.qpi_balance, line)
        with mistakes_are_usage_errors():
            return self._lab().balance(unquoted(args.group))

    @line_magic
    def qpi_notices(self, line: str) -> NoticeTable:
        """What the lab has to say to you; ``%qpi_notices dismiss`` puts it all away."""
        word = line.strip()
        if word != "dismiss":
            nothing("%qpi_notices", line)
        with mistakes_are_usage_errors():
            notices = self._lab().notices()
            if word:
                notices.dismiss()
                return self._lab().notices()
            return notices
