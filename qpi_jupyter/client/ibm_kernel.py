"""IBM's own client with no arguments: in this process, ``QiskitRuntimeService()`` is a lab."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qpi_jupyter.core import Conflict, NotFound, QpiError

from .connecting import connect
from .ibm import addresses, client_class, environment
from .lab import Lab

if TYPE_CHECKING:
    from qiskit_ibm_runtime import QiskitRuntimeService

KEY = "QiskitRuntimeService() in a notebook"
"""What the key of a process is called in the list of one's API tokens."""
LASTS = "+7d"
"""How long it lasts; `enable` again makes a new one."""
_BUNDLE = "REQUESTS_CA_BUNDLE"
_HARMLESS = "QISKIT_IBM_RUNTIME_"
"""What IBM's client logs, and the like: no account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSwitch:
    """Whether IBM's client is pointed at a lab in this process: at which, and until when."""

    lab: str | None = None
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        if self.lab is None:
            return "Off: QiskitRuntimeService() is IBM's. %qpi_runtime on points it at the lab."
        end = "" if self.expires_at is None else f" until {self.expires_at.astimezone():%Y-%m-%d %H:%M %Z}"
        return f"On{end}: QiskitRuntimeService() is the lab at {self.lab}. %qpi_runtime off ends it."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What `enable` has set, and what it takes to undo that."""

    lab: Lab
    key: str
    switch: RuntimeSwitch
    environment: Mapping[str, str] = field(repr=False)
    before: str | None
    """The certificates that were trusted before; of all that is set, this alone may have been there."""


_given: _Given | None = None


def enable() -> RuntimeSwitch:
    """From now on ``QiskitRuntimeService()`` in this process, and in those it starts, is the lab that `connect` finds.

    It sets IBM's variables, with an API token of its own that may only submit and read jobs, ends after a week, and is
    listed and revoked like every other. Where it is on already, that ends first.

    Raises
    ------
    Conflict
        this process has an account of IBM's, or is pointed at another service: its keys would come to the lab.
    Unavailable
        IBM's client is not installed, or is too old; or there is no lab.
    """
    global _given
    service = client_class()
    with suppress(QpiError):  # the lab of before is away, or revokes nothing: its key ends by itself
        disable()
    _refuse_accounts(_saved(service))
    lab = connect()
    key = lab.tokens.create(KEY, scopes=["submit"], expires=LASTS)
    wanted, before = environment(lab, key.token), os.environ.get(_BUNDLE)
    if _BUNDLE in wanted:
        wanted[_BUNDLE] = _bundle(Path(wanted[_BUNDLE]), before)
    switch = RuntimeSwitch(lab=lab.url, expires_at=key.expires_at)
    _given = _Given(lab=lab, key=key.id, switch=switch, environment=wanted, before=before)
    os.environ.update(wanted)
    return switch


def disable() -> RuntimeSwitch:
    """End it, and revoke the token.

    Raises
    ------
    QpiError
        the lab did not revoke it; the variables are taken away all the same.
    """
    global _given
    given, _given = _given, None
    if given is not None:
        for name, value in given.environment.items():
            if os.environ.get(name) == value:  # whoever has changed it since keeps that
                del os.environ[name]
        if _BUNDLE in given.environment:
            Path(given.environment[_BUNDLE]).unlink(missing_ok=True)
            if given.before is not None:
                os.environ.setdefault(_BUNDLE, given.before)
        with suppress(NotFound):
            given.lab.tokens.revoke(given.key)
    return RuntimeSwitch()


def state() -> RuntimeSwitch:
    """Whether it is on; off where the token has been revoked meanwhile."""
    if _given is not None:
        try:
            alive = any(token.id == _given.key for token in _given.lab.tokens.list())
        except QpiError:
            return _given.switch  # the lab is away, and may come back
        if not alive:
            disable()
    return RuntimeSwitch() if _given is None else _given.switch


def _saved(service: type[QiskitRuntimeService]) -> Mapping[str, object]:
    try:
        accounts: Mapping[str, object] = service.saved_accounts()
    except Exception as error:  # the client's own, of many kinds: its file may hold anything
        raise Conflict(
            f"Not switched on: IBM's client cannot read its saved accounts ({type(error).__name__}: {error}). Mend or "
            "remove the file ~/.qiskit/qiskit-ibm.json, and try again.",
            code="ibm_account",
        ) from error
    return accounts


def _refuse_accounts(saved: Mapping[str, object]) -> None:
    found = [
        name
        for name in sorted(os.environ)
        if name in addresses("") or (name.startswith("QISKIT_IBM_") and not name.startswith(_HARMLESS))
    ]
    if not found and not saved:
        return
    what = f"{', '.join(found)} set here" if found else f"a saved IBM Quantum account ({', '.join(sorted(saved))})"
    raise Conflict(
        f"Not switched on: there is {what}, and its keys must not reach the lab. "
        "qpi_jupyter.runtime_service() gives you the lab beside it; or remove it "
        f"({'os.environ.pop(name)' if found else 'QiskitRuntimeService.delete_account(name=...)'}) and try again.",
        code="ibm_account",
    )


def _bundle(authority: Path, before: str | None) -> str:
    """A file of the authority's certificate and all that is trusted besides: other requests go on as they were."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    usual = Path(before or DEFAULT_CA_BUNDLE_PATH)
    trusted = usual.read_bytes() if usual.is_file() else b""
    with tempfile.NamedTemporaryFile(prefix="qpi-trusted-", suffix=".pem", delete=False) as file:
        file.write(authority.read_bytes() + b"\n" + trusted)
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name
