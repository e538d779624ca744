"""Which spelling of an address leads to a person."""

from __future__ import annotations

import string

from hypothesis import assume, given
from hypothesis import strategies as st

from qpi_jupyter.core.emails import joining_address

PLAIN = "ann.b+lab@sub.example.org"


@given(st.lists(st.booleans(), min_size=len(PLAIN), max_size=len(PLAIN)))
def test_case_is_all_that_is_ignored(upper: list[bool]) -> None:
    spelt = "".join(c.upper() if up else c for c, up in zip(PLAIN, upper, strict=True))
    assert joining_address(f" {spelt}") == PLAIN


@given(st.integers(0, len(PLAIN) - 1), st.characters())
def test_no_other_letter_leads_to_the_same_person(at: int, other: str) -> None:
    assume(other.isascii() is False or other.lower() != PLAIN[at])
    assert joining_address(PLAIN[:at] + other + PLAIN[at + 1 :]) != PLAIN


@given(st.text(max_size=300))
def test_what_leads_anywhere_is_plain_and_its_own_spelling(text: str) -> None:
    found = joining_address(text)
    if found is not None:
        assert found.isascii()
        assert not set(found) & set(string.whitespace + string.ascii_uppercase)
        assert joining_address(found) == found
