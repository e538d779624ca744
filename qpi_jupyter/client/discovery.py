"""Where the lab is: the argument, the environment, this kernel's own Jupyter server, any live server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from qpi_jupyter.core.errors import Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One place to look, and why there; ``certain`` ones are not passed over when they fail."""

    url: str
    token: str
    why: str
    certain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """One place that has no address, for the message when no lab is found."""

    why: str


def addresses(
    url: str | None = None, token: str | None = None, *, env: Mapping[str, str] | None = None, insecure: bool = False
) -> Iterator[Address | Nothing]:
    """Every place to look, in order.

    Raises
    ------
    Rejected
        a token would travel over plain http to another machine.
    """
    env = os.environ if env is None else env
    if url:
        found = _stated(url, token or env.get("QPI_LAB_TOKEN") or env.get("JUPYTERHUB_API_TOKEN"), "given", insecure)
        yield found
        return
    if url := env.get("QPI_LAB_URL"):
        secret = token or env.get("QPI_LAB_TOKEN") or env.get("JUPYTERHUB_API_TOKEN")
        yield _stated(url, secret, "from QPI_LAB_URL", insecure)
        return
    yield Nothing(why="QPI_LAB_URL is not set")
    yield from _servers(env.get("JPY_PARENT_PID"), token)


def _stated(url: str, token: str | None, why: str, insecure: bool) -> Address:
    """An address that a person wrote: a browser's address of JupyterLab will do, token and all."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Rejected(f"{url!r} is not the address of a lab: write http://host:port/ or https://...", code="bad_url")
    token = token or parse_qs(parts.query).get("token", [""])[0]
    path = parts.path
    for page in ("/lab", "/tree", "/notebooks", "/doc"):
        if path == page or path.startswith(f"{page}/"):
            path = "/"
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if token and parts.scheme == "http" and not local and not insecure:
        raise Rejected(
            f"A token does not go to {parts.hostname} over plain http: use https, or connect(..., insecure=True).",
            code="insecure",
        )
    clean = urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))
    return Address(url=clean, token=token, why=why, certain=True)


def _servers(parent_pid: str | None, token: str | None) -> Iterator[Address | Nothing]:
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir())
    own = folder / f"jpserver-{parent_pid}.json" if parent_pid else None
    if own is None:
        yield Nothing(why="no Jupyter server started this process (JPY_PARENT_PID is not set)")
    else:
        yield _server(own, token, "this notebook's own Jupyter server") or Nothing(
            why=f"the Jupyter server that started this kernel (process {parent_pid}) has left no runtime file"
        )
    files = sorted(folder.glob("jpserver-*.json"), key=_age, reverse=True)
    others = [server for file in files if file != own and (server := _server(file, token, "a live Jupyter server"))]
    yield from others
    if not others:
        yield Nothing(why=f"no {'other ' if own else ''}live Jupyter server in {folder}")


def _server(file: Path, token: str | None, why: str) -> Address | None:
    """The server of a runtime file; None where its process is gone (such files stay behind)."""
    try:
        server = json.loads(file.read_text())
        os.kill(server["pid"], 0)
        return Address(url=str(server["url"]).rstrip("/"), token=token or server.get("token", ""), why=why)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
