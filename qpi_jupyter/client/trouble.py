"""Answers that are not a lab's, and no answer at all, in words for the person at the keyboard."""

from __future__ import annotations

import httpx
import msgspec

from qpi_jupyter._version import __version__
from qpi_jupyter.core import Forbidden, NotFound, QpiError, Rejected, TooLarge, Unauthorized, Unavailable
from qpi_jupyter.wire.reach import unreachable
from qpi_jupyter.wire.rest import ErrorBody

_BY_STATUS: dict[int, type[QpiError]] = {
    400: Rejected, 401: Unauthorized, 403: Forbidden, 404: NotFound, 413: TooLarge, 424: Unavailable, 502: Unavailable,
    503: Unavailable, 504: Unavailable,
}  # fmt: skip
_HINTS = {
    401: "The token is missing, wrong or expired.",
    403: "The token is missing, wrong or expired, or it does not allow this.",
    404: "Is the qpi_server extension enabled there? (jupyter server extension list)",
    407: "A proxy on the way asks for a password: set it in HTTPS_PROXY, or list the lab's host in NO_PROXY.",
    413: "A proxy in front of the lab limits the size of requests: ask its administrator to raise the limit.",
    502: "A proxy answers, but the lab behind it does not: is it running?",
    503: "The server is there, but not ready.",
    504: "A proxy answers, but the lab behind it takes too long.",
}
_HUB = "The Jupyter server there is not running: start it in JupyterHub, then try again."


def silence(url: str, error: httpx.TransportError, ca_file: object, besides: str = "") -> QpiError:
    """Why no answer came; `Unavailable` where trying again may help."""
    if isinstance(error, httpx.ProxyError):
        return Unavailable(
            f"The lab at {url} cannot be reached: the proxy in HTTPS_PROXY or HTTP_PROXY refuses. To go "
            f"without it, list the lab's host in NO_PROXY.{besides}",
            code="no_answer",
            url=url,
        )
    return unreachable(url, error, ca_file, besides)


def error_of(response: httpx.Response) -> QpiError:
    """The error that an answer carries; one of a proxy or of Jupyter itself is told by its status."""
    try:
        body = msgspec.json.decode(response.content, type=ErrorBody)
    except msgspec.MsgspecError:
        return _foreign(response)
    return QpiError.from_dict(msgspec.to_builtins(body.error))


def _foreign(response: httpx.Response) -> QpiError:
    status, url = response.status_code, str(response.request.url).partition("?")[0]
    if response.is_redirect:
        target = str(response.next_request.url if response.next_request else "").partition("?")[0]
        hint = (
            "Write https:// instead of http://."
            if target.startswith("https:") and url.startswith("http:")
            else _HINTS[401]
        )
        return Unavailable(f"{url} leads on to {target}. {hint}", code="not_a_lab", status=status)
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else QpiError)
    hint = _HUB if status in (424, 503) and "x-jupyterhub-version" in response.headers else _HINTS.get(status, "")
    return kind(f"{url} answered {status} {response.reason_phrase}. {hint}".rstrip(), status=status)


def unreadable(response: httpx.Response, url: str) -> Unavailable:
    """An answer that is none of a lab's, or of a lab of another version."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind != "application/json":
        what = "a web page" if kind == "text/html" else kind or "something else"
        return Unavailable(f"{url} is not a qpi lab (it answered with {what}).", code="not_a_lab")
    return Unavailable(
        f"{url} answered in a form that qpi-jupyter {__version__} does not read: it is not a qpi lab, or its version "
        "differs too much from this one.",
        code="not_a_lab",
    )
