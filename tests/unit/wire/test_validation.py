"""What is wrong with a request is said in plain words, for every field of every request, whatever was sent."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct, inspect

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire.bookings import BookingIn
from qpi_jupyter.wire.people import UserChange, UserIn
from qpi_jupyter.wire.rest import decode
from qpi_jupyter.wire.validation import PATTERNS, refused
from tests.support.plain_text import assert_plain
from tests.support.walk import changed, fields_in
from tests.unit.server.test_time_border import EVERY, SENT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
UNBOUNDED = {"sources", "data", "circuits", "parameter_values", "extra", "options"}
"""What the limits of programs and of bodies bound, not a field's own."""
NATIVE = [kind for kind in EVERY if ".compat." not in kind.__module__]


@settings(max_examples=300, derandomize=True)
@given(st.sampled_from(SENT), st.data())
def test_whatever_is_sent_is_taken_or_refused_in_plain_words(kind: type[Struct], data: st.DataObject) -> None:
    paths = list(fields_in(kind))
    sent: Any = {}
    for path in data.draw(st.lists(st.sampled_from(paths), max_size=3)) if paths else []:
        sent = changed(sent, path, data.draw(JSON))
    if data.draw(st.booleans()):
        sent = data.draw(JSON)
    try:
        decode(msgspec.json.encode(sent), kind)
    except Rejected as refusal:
        assert_plain(refusal.message.replace(repr(sent), ""), kind)
        assert "cannot be read" not in refusal.message, refusal.message  # noqa: PT017


def constraints(info: Any, where: str) -> list[tuple[str, Any]]:
    """The types of a field, those in lists too, each with where it is."""
    while isinstance(info, inspect.Metadata | inspect.UnionType):
        if isinstance(info, inspect.Metadata):
            info = info.type
        else:
            info = next(one for one in info.types if not isinstance(one, inspect.NoneType))
    inner = constraints(info.item_type, f"{where}[]") if isinstance(info, inspect.ListType) else []
    return [(where, info), *inner]


def test_every_text_number_and_list_of_a_request_has_a_bound() -> None:
    found = []
    for kind in NATIVE:
        for field in msgspec.inspect.type_info(kind).fields:  # type: ignore[attr-defined]
            if field.encode_name in UNBOUNDED:
                continue
            for where, info in constraints(field.type, f"{kind.__name__}.{field.encode_name}"):
                if isinstance(info, inspect.StrType):
                    open_ended = info.max_length is None and info.pattern is None
                elif isinstance(info, inspect.IntType | inspect.FloatType):
                    open_ended = info.le is None and info.lt is None
                else:
                    open_ended = isinstance(info, inspect.ListType) and info.max_length is None
                found += [where] if open_ended else []
    assert found == []


def test_every_pattern_of_a_request_has_words() -> None:
    patterns = {
        info.pattern
        for kind in NATIVE
        for field in msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]
        for _, info in constraints(field.type, "")
        if isinstance(info, inspect.StrType) and info.pattern is not None
    }
    assert len(patterns) > 3
    assert patterns <= set(PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_told_in_its_words(pattern: str) -> None:
    kind = Annotated[str, Meta(pattern=pattern)]
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert("\x00\n!", kind)
    assert refused(caught.value, kind, code="x", whole="It").message == f"It must be {PATTERNS[pattern]}."


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"start_att": 1}, "start_att is not known here; did you mean start_at?"),
        ({"start_at": "2030-01-01T00:00:00Z"}, "end_at is missing."),
        ({"mode": "exclusiv"}, "mode must be one of exclusive, maintenance, priority, not 'exclusiv'."),
        ({"title": "x" * 201}, "title must have at most 200 characters."),
        ({"qpus": ["a", 1]}, "qpus[1] must be text."),
        ([], "The body must be an object."),
    ],
)
def test_examples(sent: Any, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode(msgspec.json.encode(sent), BookingIn)
    assert caught.value.message == said


@pytest.mark.parametrize(
    "email", ["ann", "ann@", "@lab", "ann @lab.example", "ann@lab@example", "ann\u2028@lab.example"]
)
def test_no_person_gets_an_address_that_leads_nowhere(email: str) -> None:
    for kind, more in ((UserIn, {"name": "ann"}), (UserChange, {})):
        with pytest.raises(Rejected, match=r"email must be an e-mail address, such as ann@example\.org"):
            decode(msgspec.json.encode({"email": email, **more}), kind)


@pytest.mark.parametrize("email", ["", "ann@example.org", "Ann.O'Neil+lab@example.org", "jürgen@münchen.example"])
def test_addresses_of_people_pass(email: str) -> None:
    assert decode(msgspec.json.encode({"name": "ann", "email": email}), UserIn).email == email
