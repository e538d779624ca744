"""Whose a booking is: who booked it, and everybody invited, by their whole names."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from qpi_jupyter.core.bookings import Booking, BookingMode
from qpi_server.store import bookings
from qpi_server.store.bookings import BookingFilter, BookingRow
from tests.contract.test_view import NOW, with_store

INVITED = ("ann", 'a"b', "Größe", "a,b", "ann-marie", "ANN")


@pytest.mark.usefixtures("each_store")
def test_a_person_has_what_they_booked_and_what_they_are_invited_to(tmp_path: Path) -> None:
    def book(connection: Connection) -> None:
        for number, guest in enumerate(INVITED):
            start_at = NOW + timedelta(hours=number)
            booking = Booking(
                id=guest, mode=BookingMode.PRIORITY, qpu="q1", booked_by="bob", invited=frozenset({guest, "eve"}),
                start_at=start_at, end_at=start_at + timedelta(hours=1),
            )  # fmt: skip
            bookings.add(connection, [BookingRow(booking=booking, created_at=NOW, changed_at=NOW)])

    def look(connection: Connection) -> dict[str, list[str]]:
        people = (*INVITED, "an", "bob", "eve", "%")
        return {one: [row.booking.id for row in page(connection, one)] for one in people}

    found = with_store(tmp_path, book, look=look)
    assert found == {**{one: [one] for one in INVITED}, "an": [], "%": [], "bob": [*INVITED], "eve": [*INVITED]}


def page(connection: Connection, person: str) -> list[BookingRow]:
    return bookings.page(connection, BookingFilter(person=person), limit=100)
