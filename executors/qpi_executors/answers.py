"""What a process that imports guests answers, to one question or to one after the other: nothing that they print gets
into it."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, TextIO

from qpi_jupyter.core import unpack

_LENGTH = 8


def own_output() -> TextIO:
    """This process's standard output, for its answer alone: what is printed from here on, from Python or from below
    it, goes to standard error."""
    return os.fdopen(_own_output(), "w", encoding="utf-8")


def answer_once(answer: Callable[[Sequence[bytes]], Any], *, cpu_s: int, memory_bytes: int) -> None:
    """Answer one packed question as JSON, within so much time and memory. Any: JSON."""
    for limit, most in ((resource.RLIMIT_CPU, cpu_s), (resource.RLIMIT_AS, memory_bytes)):
        resource.setrlimit(limit, (most, most))
    question = unpack(sys.stdin.buffer.read())
    with own_output() as output:
        json.dump(answer(question), output)


def answer_all(answer: Callable[[bytes], bytes]) -> None:
    """Answer one question after the other, until standard input ends.

    Each question and each answer come after their length, as 8 bytes, big-endian: `qpi_server.service.base.Worker` is
    who asks.
    """
    with os.fdopen(_own_output(), "wb") as answers:
        while (question := _read(sys.stdin.buffer)) is not None:
            said = answer(question)
            answers.write(len(said).to_bytes(_LENGTH, "big") + said)
            answers.flush()


def _own_output() -> int:
    sys.stdout.flush()
    answer = os.dup(1)
    os.dup2(2, 1)
    return answer


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(_LENGTH)
    return stream.read(int.from_bytes(head, "big")) if len(head) == _LENGTH else None
