"""Program formats: each has a name and limits of its own, and says what can be told of a program without reading it."""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from . import bounds, openqasm
from .errors import ProgramError, TooLarge

MAX_PROGRAM_BYTES = 16 << 20
"""All the sources of one job (bytes), as they were sent, whatever their format."""
MAX_SOURCE_BYTES = 1 << 20
"""One circuit's OpenQASM text (bytes)."""
MAX_EXPANDED_BYTES = 128 << 20
"""All the QPY files of one job without their compression (bytes)."""
PLAIN_QPY_BYTES = 64 << 10
"""Our own client compresses larger QPY files."""
MAX_CIRCUITS = 10_240
"""Circuits of one job, after QPY files and parameter rows are spread out."""
MIN_QPY_VERSION = 13
"""Older QPY may execute code while it loads (CVE-2025-2000)."""
GZIP_MAGIC = b"\x1f\x8b"
OPENQASM_MIME = "text/x-openqasm"
_QPY_MAGIC = b"QISKIT"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SUFFIX = re.compile(r"\.[A-Za-z0-9.]{1,16}")


@dataclass(frozen=True, kw_only=True)
class ProgramFormat:
    """One way to write a program. The fields travel in manifests; the methods are for whoever has the format's package.

    A format of one's own is an instance, registered as an entry point of the group ``qpi.formats`` under its name. Its
    module is imported by notebooks and drivers: what is heavy is imported inside of the methods. How programs are read
    to be run is the executors' own.

    Parameters
    ----------
    noun
        what one program of it is called.
    text
        whether sources are UTF-8 text, which is shown as it was sent; of others `to_text` makes what is shown.
    language
        the MIME type of that text, for colours.
    suffix
        how the name of a file ends.
    many
        whether one source may hold several programs: then only who reads it can count them.
    max_source_bytes, max_sources
        of one job; all its sources together have `MAX_PROGRAM_BYTES` at most.

    Raises
    ------
    ValueError
        a field that no format can have; the message names it.
    """

    name: str
    noun: str = "program"
    text: bool = True
    language: str = ""
    suffix: str = ".txt"
    many: bool = False
    max_source_bytes: int = MAX_PROGRAM_BYTES
    max_sources: int = MAX_CIRCUITS
    advice: ClassVar[str] = "Make it smaller"
    """What to do about a source that is too large."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"the name of a format has small letters, digits and . _ -, unlike {self.name[:64]!r}")
        if not _SUFFIX.fullmatch(self.suffix):
            raise ValueError(f"the suffix of a format is like .txt, unlike {self.suffix[:64]!r}")
        for field in ("noun", "language"):
            bounds.text(field, getattr(self, field))
        bounds.whole("max_source_bytes", self.max_source_bytes, 1, MAX_PROGRAM_BYTES)
        bounds.whole("max_sources", self.max_sources, 1, MAX_CIRCUITS)

    def facts(self) -> ProgramFormat:
        """The fields alone, as they travel."""
        return ProgramFormat(**{field.name: getattr(self, field.name) for field in fields(ProgramFormat)})

    def check(self, source: bytes, index: int) -> None:
        """Refuse source ``index`` for what can be told without reading it; here: its size, nothing in it, no text.

        Raises
        ------
        ProgramError, TooLarge
            what is wrong with it.
        """
        which = f"{self.noun.capitalize()} {index}"
        if len(source) > self.max_source_bytes:
            raise TooLarge(
                f"{which} has {len(source):,} bytes; one {self.name} source may have {self.max_source_bytes:,}. "
                f"{self.advice}.",
                code="program_too_large", circuit=index, bytes=len(source), limit=self.max_source_bytes,
            )  # fmt: skip
        if not source.strip():
            raise ProgramError(f"{which} is empty.", code="empty_program", circuit=index)
        if self.text:
            try:
                source.decode()
            except UnicodeDecodeError as error:
                line = source.count(b"\n", 0, error.start) + 1
                raise ProgramError(
                    f"{which} is not UTF-8 text (line {line}).", code="bad_program", circuit=index, line=line
                ) from None

    def recognises(self, thing: object) -> bool:
        """Whether a Python object is a program of this format, however large; what needs an import is none."""
        return False

    def encode(self, things: Sequence[object]) -> list[bytes]:
        """The sources that say these objects; here: texts and bytes as they are.

        Raises
        ------
        TypeError
            one of them is something else.
        ProgramError, TooLarge
            the format cannot say it.
        """
        sources = [thing.encode() if isinstance(thing, str) else thing for thing in things]
        if wrong := [source for source in sources if not isinstance(source, bytes | bytearray)]:
            raise TypeError(f"{type(wrong[0]).__name__} is no {self.name} {self.noun}: send text or bytes.")
        return [bytes(source) for source in sources if isinstance(source, bytes | bytearray)]

    def read(self, source: bytes) -> Sequence[object]:
        """The programs of a source, for `to_text`; their ``name``, if they have one, is shown.

        Raises
        ------
        ProgramError
            it cannot be read.
        """
        return [source]

    def to_text(self, program: object) -> str:
        """What people read of one of `read`'s programs; whatever is raised becomes the reason why there is none."""
        raise NotImplementedError(f"{self.name} has no text form")

    def example(self) -> bytes:
        """The smallest source that runs, for tests and to warm up with; empty: there is none."""
        return b""


class OpenQasm(ProgramFormat):
    """A text a circuit."""

    advice = "Write repeated parts as loops or gate definitions, or submit a QuantumCircuit, which travels compressed"

    def example(self) -> bytes:
        """One qubit, turned and measured."""
        if self.name == "openqasm2":
            return b'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; x q[0]; measure q[0]->c[0];'
        return b'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c; x q[0]; c = measure q;'


@dataclass(frozen=True, kw_only=True)
class QpyFile(ProgramFormat):
    """What can be told of Qiskit's files without Qiskit."""

    name: str = "qpy"
    noun: str = "circuit"
    text: bool = False
    language: str = OPENQASM_MIME
    suffix: str = ".qpy"
    many: bool = True

    def check(self, source: bytes, index: int) -> None:
        """As `ProgramFormat.check`, and it is a QPY file that is safe to read."""
        super().check(source, index)
        head = source[: len(_QPY_MAGIC) + 1]
        if source.startswith(GZIP_MAGIC):
            with contextlib.suppress(zlib.error):
                head = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(source, len(_QPY_MAGIC) + 1)
        if not head.startswith(_QPY_MAGIC) or len(head) <= len(_QPY_MAGIC):
            raise ProgramError(f"Circuit {index} is not a QPY file.", code="not_qpy", circuit=index)
        if head[-1] < MIN_QPY_VERSION:
            raise ProgramError(
                f"Circuit {index} is QPY version {head[-1]}; the lab takes version {MIN_QPY_VERSION} or newer "
                "(Qiskit 1.3 and later write it): older files may run code while they load.",
                code="qpy_too_old",
                circuit=index,
                version=head[-1],
            )


OPENQASM2, OPENQASM3 = (
    OpenQasm(name=name, noun="circuit", language=OPENQASM_MIME, suffix=".qasm", max_source_bytes=MAX_SOURCE_BYTES)
    for name in ("openqasm2", "openqasm3")
)
QPY = QpyFile()
BUILT_IN = {form.name: form for form in (OPENQASM2, OPENQASM3, QPY)}
"""What every lab knows, whatever its drivers say."""


def text_format(text: str) -> ProgramFormat:
    """The format that a circuit's text says it is in; OpenQASM 3 where it does not say.

    Raises
    ------
    ProgramError
        another version of OpenQASM.
    """
    found = openqasm.version(openqasm.clean(text))
    if found is None or found[1] == "3":
        return OPENQASM3
    if found[1] == "2":
        return OPENQASM2
    line, column = openqasm.position(found.string, found.start(1))
    raise ProgramError(
        f"OpenQASM {found[1]} is not known: the lab reads versions 2 and 3 (line {line}, column {column}).",
        code="unknown_format",
        line=line,
        column=column,
    )


def unknown_format(name: str) -> ProgramFormat:
    """A format of which only the name is known."""
    return ProgramFormat(name=name if _NAME.fullmatch(name) else "unknown", text=False, many=True, suffix=".bin")
