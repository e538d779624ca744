"""Range requests, as RFC 9110 reads them."""

from __future__ import annotations

import pytest

from qpi_server.web.answers import parse_range


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=5-99", (5, 10)),
        ("bytes = 2 - 5", (2, 6)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,4-5", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_a_range_is_a_part_of_the_file_or_nothing(header: str | None, span: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_outside_of_the_file_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        parse_range(header, 10)


def test_an_empty_file_has_no_parts() -> None:
    assert parse_range(None, 0) is None
    with pytest.raises(ValueError, match="bytes"):
        parse_range("bytes=0-", 0)
