"""What is not a driver's WebSocket is refused at its address in words, whoever asks and however."""

from __future__ import annotations

import itertools

import httpx
import pytest

from tests.support.web import JUPYTER_TOKEN, EmptyLab, talk

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}
KEY = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
SIGNED = {
    "": 401, f"token {JUPYTER_TOKEN}": 401, "Bearer qpi_unknown": 401, "Bearer qpi_user": 403, "Bearer qpi_driver": 426,
}  # fmt: skip
PARTS = [{}, UPGRADE, KEY, {**UPGRADE, "Sec-WebSocket-Version": "13"}, {**UPGRADE, **KEY, "Sec-WebSocket-Version": "8"}]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_request_that_is_no_link_breaks_anything(method: str) -> None:
    async def dialogue(client: httpx.AsyncClient) -> None:
        for (said, status), part in itertools.product(SIGNED.items(), PARTS):
            headers = {**part, **({"Authorization": said} if said else {})}
            answer = await client.request(method, "qpi/v1/link", headers=headers)
            expected = status if method == "GET" else 405
            assert answer.status_code == expected, (said, part, answer.text)
            if method == "GET":
                assert answer.json()["error"]["message"]
            if answer.status_code == 426:
                assert answer.headers["Upgrade"] == "websocket"

    talk(EmptyLab(), dialogue)
