"""Calendar files in, as others' programs write them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from qpi_jupyter.core.errors import Rejected
from qpi_server.calendars.events import IcsEvent
from qpi_server.calendars.reading import read
from qpi_server.service.bookings import expand

NOW = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def file(*events: str, head: str = "") -> str:
    blocks = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{head}{blocks}END:VCALENDAR\r\n"


def test_events_are_read_in_their_time_zones() -> None:
    utc, berlin, windows, lasting = read(file(
        "UID:1\r\nSUMMARY:One\\, two\r\nDTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z",
        "UID:2\r\nDTSTART;TZID=Europe/Berlin:20300701T090000\r\nDTEND;TZID=Europe/Berlin:20300701T100000\r\n"
        "RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=MO,WE",
        'UID:3\r\nDTSTART;TZID="W. Europe Standard Time":20300701T090000\r\n'
        'DTEND;TZID="W. Europe Standard Time":20300701T100000',
        "UID:4\r\nDTSTART:20300101T090000Z\r\nDURATION:PT90M",
    ))  # fmt: skip
    assert (utc.title, utc.start_at, utc.end_at, utc.rrule) == ("One, two", NOW, NOW + HOUR, None)
    assert (berlin.start_at, berlin.timezone) == (datetime(2030, 7, 1, 7, tzinfo=UTC), "Europe/Berlin")
    assert berlin.rrule == "FREQ=WEEKLY;COUNT=3;BYDAY=MO,WE"
    assert (windows.start_at, windows.timezone) == (datetime(2030, 7, 1, 7, tzinfo=UTC), "Europe/Berlin")
    assert lasting.end_at == NOW + 1.5 * HOUR


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("UID:1\r\nDTSTART;VALUE=DATE:20300101", "event_whole_day"),
        ("UID:1\r\nDTSTART:20300101T090000\r\nDTEND:20300101T100000", "bad_timezone"),
        ("UID:1\r\nDTSTART;TZID=Nowhere:20300101T090000\r\nDTEND;TZID=Nowhere:20300101T100000", "bad_timezone"),
        ("UID:1\r\nDTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z\r\nSTATUS:CANCELLED", "event_cancelled"),
        ("UID:1\r\nDTSTART:20300101T090000Z\r\nDURATION:PT1H\r\nEXRULE:FREQ=DAILY", "event_exceptions"),
        ("UID:1\r\nDTSTART:20300101T090000Z", "bad_event"),
        ("UID:1\r\nDTSTART:20300101T090000Z\r\nDURATION:soon", "bad_event"),
        ("UID:1\r\nDTSTART:20300132T090000Z\r\nDURATION:PT1H", "bad_event"),
        ("UID:1\r\nDTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z\r\nEXDATE:never", "bad_event"),
        ("UID:1\r\nSUMMARY:no start", "bad_event"),
        ("UID:1\r\nDTSTART:20300101T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\nRRULE:FREQ=WEEKLY", "bad_rrule"),
        ("UID:1\r\nDTSTART:yesterday\r\nDTEND:today", "bad_event"),
    ],
)
def test_an_event_that_is_no_booking_says_why(event: str, code: str) -> None:
    good = "UID:2\r\nDTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z"
    bad, fine = read(file(event, good))
    assert bad.refusal is not None
    assert bad.refusal.code == code
    with pytest.raises(Rejected):
        bad.request("q1")
    assert fine.request("q1").start_at == NOW


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "BEGIN:VCALENDAR", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "END:VEVENT", "\x00",
        file(*["UID:1"] * 501),
        file("UID:1\r\nDTSTART;TZID=Europe:20300101T090000\r\nDTEND;TZID=Europe:20300101T100000"),
        "BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\n" * 1900,
        "BEGIN:VEVENT\r\n" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_calendar_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(text)
    assert caught.value.code == "bad_calendar"


ZONE = (
    "BEGIN:VTIME\r\n ZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\n"
    "TZOFFSETTO:+0200\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


@pytest.mark.parametrize(
    "text",
    [
        file("UID:1\r\nDTSTART;TZID=Mine:20300101T090000\r\nDTEND;TZID=Mine:20300101T100000", head=ZONE),
        file("UID:1\r\nSUMMARY:" + "x\r\n " * 250_000),
        file("UID:1\r\nDTSTART;" + "A=" * 500_000 + ":20300101T090000Z"),
        file('UID:1\r\nDTSTART;X="' + '";"' * 300_000 + ":20300101T090000Z"),
        file("UID:1\r\nDTSTART:20300101T090000Z\r\nRRULE:FREQ=DAILY;BYDAY=" + "MO," * 300_000 + "MO"),
        file("UID:1\r\nSUMMARY:" + "\\" * 1_000_000),
    ],
)
def test_a_bomb_does_not_go_off(text: str) -> None:
    began = time.process_time()
    try:
        events = read(text)
    except Rejected:
        events = []
    assert time.process_time() - began < 5.0
    assert all(event.refusal is not None for event in events)


def starts(series: IcsEvent) -> list[str]:
    """When the repetitions of a series begin, on its wall."""
    assert series.refusal is None, series.refusal
    assert series.start_at is not None
    assert series.end_at is not None
    assert series.rrule is not None
    until = NOW + 400 * 24 * HOUR
    found = expand(
        series.rrule, series.start_at, series.end_at, series.timezone, until=until, without=series.without
    )  # fmt: skip
    return [f"{at.astimezone(ZoneInfo(series.timezone)):%m-%d %H:%M}" for at, _ in found.intervals]


BERLIN = "TZID=Europe/Berlin"
SERIES = f"UID:s\r\nDTSTART;{BERLIN}:20300328T090000\r\nDTEND;{BERLIN}:20300328T100000\r\nRRULE:FREQ=DAILY;COUNT=6"


@pytest.mark.parametrize(
    "exceptions",
    [
        f"EXDATE;{BERLIN}:20300329T090000,20300401T090000",
        f"EXDATE;{BERLIN}:20300329T090000\r\nEXDATE:20300401T070000Z",
        "EXDATE;VALUE=DATE:20300329\r\nEXDATE;VALUE=DATE:20300401",
        'EXDATE;TZID="W. Europe Standard Time":20300329T090000,20300401T090000,20300501T090000',
    ],
)
def test_exceptions_of_a_series_are_left_out_over_daylight_saving(exceptions: str) -> None:
    [series] = read(file(f"{SERIES}\r\n{exceptions}"))
    assert starts(series) == ["03-28 09:00", "03-30 09:00", "03-31 09:00", "04-02 09:00"]


def test_what_was_moved_in_a_series_is_booked_where_it_is_now() -> None:
    moved = (
        f"UID:s\r\nRECURRENCE-ID;{BERLIN}:20300330T090000\r\nSUMMARY:later\r\nDTSTART;{BERLIN}:20300330T140000\r\n"
        "DURATION:PT2H"
    )
    gone = "UID:s\r\nRECURRENCE-ID:20300331T070000Z\r\nDTSTART:20300331T070000Z\r\nDURATION:PT1H\r\nSTATUS:CANCELLED"
    series, single = read(file(SERIES, moved, gone))
    assert starts(series) == ["03-28 09:00", "03-29 09:00", "04-01 09:00", "04-02 09:00"]
    assert (single.title, single.rrule, single.refusal) == ("later", None, None)
    assert single.start_at == datetime(2030, 3, 30, 13, tzinfo=UTC)
    assert single.end_at == datetime(2030, 3, 30, 15, tzinfo=UTC)
    later = moved.replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;")
    assert [event.refusal.code for event in read(file(SERIES, later)) if event.refusal] == ["event_exceptions"]


def test_additional_dates_are_bookings_of_their_own() -> None:
    found = read(file(f"{SERIES}\r\nRDATE:20300501T070000Z,20300502T070000Z\r\nEXDATE:20300502T070000Z\r\n"
                      "RDATE;VALUE=PERIOD:20300601T070000Z/PT3H"))  # fmt: skip
    assert [(e.start_at, e.end_at) for e in found[1:]] == [
        (datetime(2030, 5, 1, 7, tzinfo=UTC), datetime(2030, 5, 1, 8, tzinfo=UTC)),
        (datetime(2030, 6, 1, 7, tzinfo=UTC), datetime(2030, 6, 1, 10, tzinfo=UTC)),
    ]


def one(zone: str, *, head: str = "", rule: str = "") -> IcsEvent:
    times = f'DTSTART;TZID="{zone}":20300701T090000\r\nDTEND;TZID="{zone}":20300701T100000'
    [event] = read(file(f"UID:1\r\n{times}{rule}", head=head))
    return event


def test_every_time_zone_of_windows_is_known() -> None:
    for name, iana in WINDOWS_TO_OLSON.items():
        expected = datetime(2030, 7, 1, 9, tzinfo=ZoneInfo(iana)).astimezone(UTC)
        assert one(name).start_at == expected, name


@pytest.mark.parametrize(
    ("shown", "hours"),
    [
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", 7),
        ("(UTC-05:00) New York", 13),
        ("(UTC) Dublin, Edinburgh, Lisbon, London", 8),
        ("/freeassociation.sourceforge.net/Europe/Berlin", 7),
        ("/mozilla.org/20050126_1/Europe/Berlin", 7),
        ("/citadel.org/20190914_1/America/Argentina/Buenos_Aires", 12),
    ],
)
def test_names_that_programs_show_or_prefix_are_known(shown: str, hours: int) -> None:
    assert one(shown, rule="\r\nRRULE:FREQ=WEEKLY;COUNT=2").start_at == datetime(2030, 7, 1, hours, tzinfo=UTC)


OUTLOOK = (
    "BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\n"
    "TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n"
    "BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
    "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)


def test_a_zone_of_the_files_own_is_read_and_its_series_keep_to_its_clock() -> None:
    event = one("Customized Time Zone", head=OUTLOOK, rule="\r\nRRULE:FREQ=MONTHLY;COUNT=6")
    assert event.start_at == datetime(2030, 7, 1, 7, tzinfo=UTC)
    assert {clock for _, clock in (at.split() for at in starts(event))} == {"09:00"}
    assert datetime(2030, 12, 1, tzinfo=ZoneInfo(event.timezone)).utcoffset() == HOUR
    odd = OUTLOOK.replace("TZOFFSETTO:+0200", "TZOFFSETTO:+0217").replace("TZOFFSETFROM:+0200", "TZOFFSETFROM:+0217")
    assert one("Customized Time Zone", head=odd).start_at == datetime(2030, 7, 1, 6, 43, tzinfo=UTC)
    refusal = one("Customized Time Zone", head=odd, rule="\r\nRRULE:FREQ=MONTHLY;COUNT=6").refusal
    assert refusal is not None
    assert (refusal.code, "Customized Time Zone" in refusal.message) == ("bad_timezone", True)


ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "Europe/Dublin", "America/Sao_Paulo"]
WALLS = st.datetimes(datetime(2021, 1, 1), datetime(2034, 1, 1)).map(lambda at: at.replace(microsecond=0))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(ZONES), WALLS)
def test_a_zone_that_another_program_wrote_shows_the_same_time(name: str, wall: datetime) -> None:
    written = Timezone.from_tzid(name, first_date=datetime(2018, 1, 1).date()).to_ical().decode()
    head = written.replace(f"TZID:{name}", "TZID:Mine")
    [event] = read(file(f"UID:1\r\nDTSTART;TZID=Mine:{wall:%Y%m%dT%H%M%S}\r\nDURATION:PT1H", head=head))
    times = {wall.replace(tzinfo=ZoneInfo(name), fold=fold).astimezone(UTC) for fold in (0, 1)}
    assert event.start_at in times


def test_a_file_is_read_however_its_lines_end_and_whatever_else_is_in_it() -> None:
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDURATION:PT5M\r\nREPEAT:2\r\nEND:VALARM"
    times = "DTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z"
    text = file(f"UID:1\r\nSUMMARY:a lo\r\n ng ti\r\n\ttle\r\n{times}\r\n{alarm}")
    for written in (text, text.replace("\r\n", "\n"), text.replace("\r\n", "\r"), "\ufeff" + text):
        [event] = read(written)
        assert (event.title, event.start_at, event.end_at) == ("a long title", NOW, NOW + HOUR)


def test_floating_times_are_those_of_the_calendar_if_it_has_a_zone() -> None:
    event = "UID:1\r\nDTSTART:20300101T090000\r\nDTEND:20300101T100000"
    [found] = read(file(event, head="X-WR-TIMEZONE:America/New_York\r\n"))
    assert (found.start_at, found.timezone) == (datetime(2030, 1, 1, 14, tzinfo=UTC), "America/New_York")


def test_a_file_that_cancels_books_nothing() -> None:
    [found] = read(file("UID:1\r\nDTSTART:20300101T090000Z\r\nDURATION:PT1H", head="METHOD:CANCEL\r\n"))
    assert found.refusal is not None
    assert found.refusal.code == "event_cancelled"


INTERNALS = ("object", "NoneType", "invalid literal", "Expected", "vDDD", "Error", "Traceback", "datetime")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("DTSTART;TZID=Middle Earth/Shire:20300101T090000\r\nDURATION:PT1H", ["'Middle Earth/Shire'", "Europe/Berlin"]),
        ("DTSTART:2030-01-01 09:00\r\nDURATION:PT1H", ["DTSTART", "2030-01-01 09:00", "20300131T090000Z"]),
        ("DTSTART:20300230T090000Z\r\nDURATION:PT1H", ["DTSTART", "20300230T090000Z"]),
        ("DTSTART:20300101T090000Z\r\nDTEND:later", ["DTEND", "'later'"]),
        ("DTSTART:20300101T090000\r\nDURATION:PT1H", ["no time zone", "TZID"]),
        ("DTSTART;VALUE=DATE:20300101", ["whole day", "end time"]),
        ("DTSTART:20300101T090000Z", ["no end", "DURATION"]),
    ],
)
def test_a_refusal_says_what_was_wrong_in_plain_words(event: str, words: list[str]) -> None:
    [found] = read(file(f"UID:the-one\r\nSUMMARY:Rabi\r\n{event}"))
    assert (found.uid, found.title) == ("the-one", "Rabi")
    assert found.refusal is not None
    said = found.refusal.message
    assert not [word for word in words if word not in said], said
    assert not [word for word in INTERNALS if word in said], said


LINES = ["DTSTART", "DTEND", "DURATION", "EXDATE", "RDATE", "RECURRENCE-ID", "RRULE", "UID", "STATUS", "X"]
PARAMETERS = ["", ";TZID=Europe/Berlin", ";TZID=Mine", ";VALUE=DATE", ";VALUE=PERIOD", ";RANGE=THISANDFUTURE"]
VALUES = [
    "20300101T090000Z", "20300101T090000", "20300101", "99991231T235959Z", "99991231T235959", "00010101T000000", "PT1H",
    "-P9999999D", "20300101T090000Z/PT1H", "FREQ=DAILY", "", "x", "20300101T090000Z,20300102T090000Z",
]  # fmt: skip
WRITTEN = st.builds("{}{}:{}".format, *map(st.sampled_from, (LINES, PARAMETERS, VALUES)))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(WRITTEN, max_size=6).map("\r\n".join), max_size=3))
def test_whatever_a_file_says_each_event_is_a_request_or_a_refusal_in_words(events: list[str]) -> None:
    try:
        found = read(file(*events, head=OUTLOOK.replace("Customized Time Zone", "Mine")))
    except Rejected:
        return
    for event in found:
        said = ""
        try:
            assert event.request("q1").start_at.tzinfo is not None
        except Rejected as refused:  # the file's own, or a time beyond the calendar
            said = refused.message
        assert not [word for word in INTERNALS if word in said], said
