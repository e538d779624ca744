"""What a log line says of a secret: that there was one."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.wire.redact import Redact, redact

SECRET = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=22, max_size=64)
PLACES = (
    "a job of qpi_{} was refused", "qpi_session_{}", "200 GET /qpi/v1/feeds/{}/calendar.ics (ann@1.2.3.4) 1.00ms",
    "404 GET /x (@) 1ms referer=http://lab/qpi/v1/feeds/{}/calendar.ics", "passing on GET /feeds/{}/calendar.ics?x=1",
    "404 GET /x?next=%2Fqpi%2Fv1%2Ffeeds%2F{}%2Fcalendar.ics (@) 1ms", "403 GET /x?a=1&access_token={}&b=2 (@) 1ms",
    "302 GET /login?next=%2Fx%3Ftoken%3D{} (@) 1ms", "Authorization: Bearer {}", "{{'X-API-Token': '{}'}}",
    "200 GET /oauth2-redirect?code={} (@) 1ms", "authorization: apikey {}",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@given(secret=SECRET)
def test_a_secret_goes_wherever_it_stands(place: str, secret: str) -> None:
    told = redact(place.format(secret))
    assert secret not in told
    assert redact(told) == told


@pytest.mark.parametrize(
    "text",
    [
        "qpi_server.service.lab", "200 GET /qpi/v1/jobs?limit=10&after=120 (ann@1.2.3.4) 1.00ms", "a feed/ends",
        "http://127.0.0.1:8888/lab?token=0123456789abcdef0123456789abcdef", "the job qpi_jupyter.connect() made",
    ],
)  # fmt: skip
def test_the_rest_stays(text: str) -> None:
    assert redact(text) == text


def test_a_traceback_is_no_exception(caplog: pytest.LogCaptureFixture) -> None:
    secret = "qpi_" + "a1" * 20
    caplog.handler.addFilter(Redact())
    try:
        raise ValueError(secret)
    except ValueError:
        logging.getLogger("x").exception("failed for %s", secret)
    assert "failed for qpi_[secret]" in caplog.text
    assert secret not in caplog.text
