"""From the things that notebooks hold (NumPy, pandas, xarray) to the plain ones that travel."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from qpi_jupyter.core import Rejected


def to_python(value: Any) -> Any:
    """A number, text, time or list like ``value``, of Python's own types; anything else as it is.

    A NumPy scalar, a 0-d array and an xarray scalar become their number, text, `datetime` or `timedelta`; arrays and
    series become lists; pandas' times become the standard library's. None of these libraries is imported for it.

    Raises
    ------
    Rejected
        it is pandas' or NumPy's "not a time".
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (datetime, timedelta, date)) or hasattr(value, "to_datetime64"):
        return _time(value)
    if hasattr(value, "dtype") and hasattr(value, "ndim"):
        return _numpy(value)
    if hasattr(value, "tolist"):  # pandas' Index and Series, array.array
        return [to_python(item) for item in value.tolist()]
    if hasattr(value, "__float__") and not isinstance(value, (int, float)):  # Decimal, Fraction
        return float(value)
    return value


def _time(value: Any) -> Any:
    if value != value:  # NaT
        raise Rejected("This time is missing (NaT): give a time.", code="bad_time")
    for name in ("to_pydatetime", "to_pytimedelta"):
        if hasattr(value, name):
            return getattr(value, name)()
    return value


def _numpy(value: Any) -> Any:
    if not hasattr(value, "tolist"):  # an xarray DataArray
        value = value.values
    kind = value.dtype.kind
    if kind in "mM":
        # NumPy and xarray count in nanoseconds and more; the standard library knows microseconds.
        value = value.astype(f"{kind}8[us]")
    found = value.tolist()
    if kind in "mM" and found is None:
        raise Rejected("This time is missing (NaT): give a time.", code="bad_time")
    return [to_python(item) for item in found] if isinstance(found, list) else found


def _hook(value: Any) -> Any:
    found = to_python(value)
    if found is value or type(found) is type(value):
        raise TypeError(f"{type(value).__name__} cannot be sent to a lab: use numbers, texts, times and lists of them.")
    return found


_encode = msgspec.json.Encoder(enc_hook=_hook).encode


def encode(value: Any) -> bytes:
    """The JSON of a request; whatever `to_python` knows may be inside.

    Raises
    ------
    Rejected
        a text in it is none that can be written: half of a surrogate pair.
    """
    try:
        return _encode(value)
    except UnicodeEncodeError as error:
        found = error.object[error.start]
        raise Rejected(
            f"A text has the character {found!r}, half of a pair, which cannot be sent: take it out.",
            code="bad_request",
        ) from None
