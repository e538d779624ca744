"""What an owner keeps in the lab's folder for other processes: the file that says how to reach it."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from qpi_jupyter.wire import WIRE_VERSION

from .forward import Upstream


class OwnerRecord(Struct, kw_only=True):
    """``owner.json``: how the owner is reached, by those who may read the file."""

    url: str
    secret: str
    pid: int
    host: str
    version: str
    wire: int
    ca_file: str | None = None
    own_ca: bool = False

    @classmethod
    def here(cls, *, url: str, secret: str, version: str, ca_file: str | None, own_ca: bool) -> OwnerRecord:
        """The record of this process."""
        return cls(
            url=url, secret=secret, pid=os.getpid(), host=socket.gethostname(), version=version, wire=WIRE_VERSION,
            ca_file=ca_file, own_ca=own_ca,
        )  # fmt: skip

    def context(self) -> ssl.SSLContext | None:
        """What trusts the certificate that the owner names here and no other; None for plain http."""
        if self.ca_file is None:
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        context.check_hostname = self.own_ca  # a person's certificate need not name the loopback address
        return context

    def upstream(self) -> Upstream:
        """The way to the owner."""
        return Upstream(self.url, self.secret, context=self.context())


class OwnerFile:
    """``owner.json`` in a data folder."""

    def __init__(self, lab_dir: Path) -> None:
        self.path = lab_dir / "owner.json"

    def read(self) -> OwnerRecord | None:
        """What the owner says; None where there is nothing, or nothing whole."""
        found = self._look()
        return found if isinstance(found, OwnerRecord) else None

    def problem(self) -> str | None:
        """Why it cannot be read."""
        found = self._look()
        return found if isinstance(found, str) else None

    def _look(self) -> OwnerRecord | str:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=OwnerRecord)
        except FileNotFoundError:
            return f"its {self.path.name} is missing"
        except OSError as error:
            return f"its {self.path.name} cannot be read ({error.strerror})"
        except msgspec.MsgspecError:
            return f"its {self.path.name} is damaged"

    def write(self, record: OwnerRecord) -> None:
        """Replace it in one step; only its user may read it."""
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
                stream.write(msgspec.json.encode(record))
            temporary.replace(self.path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise

    def remove(self) -> None:
        """The owner has gone."""
        with suppress(OSError):
            self.path.unlink()
