"""The labs that a person has connected to, with what they are signed in with: outside of notebooks, for them alone.

``labs.json`` (mode 0600) in a folder of Jupyter's data directory; kernels and the person's own Jupyter server share it.
"""

from __future__ import annotations

import fcntl
import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from qpi_jupyter.core import NotFound, QpiError, Rejected, Unavailable

from .authority import fetch, fingerprint, read_fingerprint, same
from .reach import NOTEBOOK

UNTRUSTED = "untrusted_certificate"

T = TypeVar("T")


class KeptLab(Struct, kw_only=True, frozen=True):
    """One lab. ``ca_file`` is the authority that the person has confirmed."""

    name: str
    url: str
    token: str
    person: str = ""
    ca_file: str | None = None
    expires_at: datetime | None = None

    @property
    def pinned(self) -> str | None:
        """The fingerprint of the authority that was confirmed."""
        return fingerprint(read_ca(self.ca_file)) if self.ca_file is not None else None


class _File(Struct, kw_only=True):
    labs: list[KeptLab] = []
    current: str | None = None
    """The one that the person's own Jupyter server forwards to; None: its own."""


class KeptLabs:
    """Reads and changes the file, whoever else does."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is None:
            from jupyter_core.paths import jupyter_data_dir

            folder = Path(jupyter_data_dir()) / "qpi-labs"
        self._folder, self._path = folder, folder / "labs.json"

    def all(self) -> list[KeptLab]:
        """Every lab, by name."""
        return sorted(self._read().labs, key=lambda lab: lab.name)

    def current(self) -> KeptLab | None:
        """The lab that the person's own Jupyter server forwards to."""
        found = self._read()
        return next((lab for lab in found.labs if lab.name == found.current), None)

    def find(self, *names: str) -> KeptLab | None:
        """The lab of one of these names or addresses; else the only one on a host of that name."""
        wanted, labs = {name.strip().rstrip("/") for name in names}, self.all()
        for lab in labs:
            if lab.name in wanted or lab.url in wanted:
                return lab
        on_host = [lab for lab in labs if urlsplit(lab.url).hostname in wanted]
        return on_host[0] if len(on_host) == 1 else None

    def keep(self, url: str, token: str, *, name: str | None = None, person: str, ca_file: str | None,
             expires_at: datetime | None) -> KeptLab:  # fmt: skip
        """Remember a lab, instead of what was known of the same address; without a ``name`` it gets one."""
        url = url.rstrip("/")

        def change(file: _File) -> KeptLab:
            before = next((lab for lab in file.labs if lab.url == url), None)
            others = [lab for lab in file.labs if lab.url != url and lab.name != name]
            chosen = name or (before.name if before else _free({lab.name for lab in others}, url))
            lab = KeptLab(name=chosen, url=url, token=token, person=person, ca_file=ca_file, expires_at=expires_at)
            if before is not None and file.current == before.name:
                file.current = chosen
            file.labs = [*others, lab]
            return lab

        return self._change(change)

    def choose(self, name: str | None) -> None:
        """Let the person's Jupyter server forward to that lab from now on; None: to its own.

        Raises
        ------
        NotFound
            there is none of that name.
        """

        def change(file: _File) -> None:
            if name is not None and name not in {lab.name for lab in file.labs}:
                raise NotFound(f"You are not connected to a lab called {name!r}.", code="unknown_lab")
            file.current = name

        self._change(change)

    def forget(self, name: str) -> None:
        """Take a lab out."""

        def change(file: _File) -> None:
            file.labs = [lab for lab in file.labs if lab.name != name]
            file.current = None if file.current == name else file.current

        self._change(change)

    async def trust(
        self, addresses: Sequence[str], problem: QpiError, known: KeptLab | None, stated: str | None
    ) -> str:
        """The file of a lab's own authority, because the person has ``stated`` its fingerprint.

        Parameters
        ----------
        addresses
            where the lab may be.
        problem
            why it is not trusted as it is.

        Raises
        ------
        Rejected
            the person has to confirm it first: ``fingerprint`` is what the lab shows now, ``before`` what was kept.
        """
        certificate = await _offered(addresses, problem)
        found, before = fingerprint(certificate), known.pinned if known is not None else None
        if found == before:
            raise problem  # expired, or for another name: to confirm it once more would not help
        if stated is None:
            raise Rejected(_unconfirmed(addresses[0], found, before), code=UNTRUSTED, fingerprint=found, before=before)
        if not same(read_fingerprint(stated, "fingerprint"), found):
            raise Rejected(
                f"The authority of {addresses[0]} has the fingerprint {found}, not the one that you gave: somebody may "
                "sit in between. Nothing was sent.",
                code="other_fingerprint",
            )
        return self.keep_ca(certificate)

    def keep_ca(self, certificate: bytes) -> str:
        """Write a confirmed authority (DER) down; the file's path."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{fingerprint(certificate)}.pem"
        _write(path, ssl.DER_cert_to_PEM_cert(certificate).encode())
        return str(path)

    def _read(self) -> _File:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return _File()
        except (OSError, msgspec.MsgspecError) as error:
            raise Unavailable(
                f"{self._path}, which keeps your connections to labs, cannot be read: correct or delete it.",
                code="bad_connections",
            ) from error

    def _change(self, change: Callable[[_File], T]) -> T:
        with self._alone():
            file = self._read()
            found = change(file)
            _write(self._path, msgspec.json.encode(file))
            return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(self._folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


async def _offered(addresses: Sequence[str], problem: QpiError) -> bytes:
    for address in addresses:
        try:
            return await fetch(address, remedy=NOTEBOOK)
        except (Unavailable, Rejected):
            continue
    raise problem


def _unconfirmed(url: str, found: str, before: str | None) -> str:
    where = "Compare it with the lab's home page on its own machine, or ask its administrator."
    if before is not None:
        return (
            f"The certificate authority of {url} has CHANGED. Before:\n{before}\nNow:\n{found}\n"
            f"Unless the lab's administrator says why, somebody may sit in between. {where}"
        )
    return f"{url} has its own certificate authority, with the SHA-256 fingerprint\n{found}\n{where}"


def read_ca(path: str) -> bytes:
    """A kept authority (DER); empty where its file is gone or damaged, which is like no authority at all."""
    try:
        return ssl.PEM_cert_to_DER_cert(Path(path).read_text().strip() + "\n")
    except (OSError, ValueError):
        return b""


def _free(taken: set[str], url: str) -> str:
    """A name that is still free: the lab's host, with its port where the address has one."""
    host = urlsplit(url).netloc or url
    names = iter([host, *(f"{host}-{n}" for n in range(2, len(taken) + 3))])
    return next(name for name in names if name not in taken)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(content)
    temporary.replace(path)
