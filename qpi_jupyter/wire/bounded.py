"""An HTTP client for servers that nobody trusts yet: no answer of theirs is large, packed or endless."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

MAX_ANSWER_BYTES = 1 << 20
ANSWER_S = 30.0


class BoundedClient(httpx.AsyncClient):
    """Reads whole answers; what is too long is a `httpx.TransportError`, like an answer that breaks off."""

    async def send(self, request: httpx.Request, **more: Any) -> httpx.Response:
        """Send it, and take the answer as far as it is bearable (Any: httpx's own settings)."""
        request.headers["Accept-Encoding"] = "identity"
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._whole(request, {**more, "stream": True})
        except TimeoutError as error:
            raise httpx.ReadTimeout("The answer has no end.", request=request) from error

    async def _whole(self, request: httpx.Request, settings: dict[str, Any]) -> httpx.Response:
        answer, body = await super().send(request, **settings), bytearray()
        try:
            if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise httpx.RemoteProtocolError("The answer is packed, unasked.", request=request)
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise httpx.RemoteProtocolError("The answer is too long.", request=request)
        finally:
            await answer.aclose()
        headers = [(name, value) for name, value in answer.headers.multi_items() if name != "transfer-encoding"]
        return httpx.Response(answer.status_code, headers=headers, content=bytes(body), request=request)
