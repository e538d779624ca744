"""E-mail addresses, as far as they tell people apart."""

from __future__ import annotations

import re

MAX_CHARS = 200
_PLAIN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def joining_address(email: str) -> str | None:
    """The one spelling of an address that may lead to a person; None for what may not.

    Only plain ASCII leads anywhere, and only its case is ignored: other alphabets have letters that look like these,
    or become them in lower case (the Kelvin sign, the dotless i).
    """
    email = email.strip(" ")
    if len(email) > MAX_CHARS or _PLAIN.fullmatch(email) is None:
        return None
    return email.lower()
