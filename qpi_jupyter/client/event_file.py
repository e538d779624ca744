"""``jupyter qpi events``: what happens in a lab, as JSON lines; in a file, each event once, whatever is killed."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

import msgspec

from qpi_jupyter.core import Conflict, QpiError, Rejected
from qpi_jupyter.wire.disk import sync_folder, whole
from qpi_jupyter.wire.jobs import FamilyJob
from qpi_jupyter.wire.rest import Answer

from .connecting import connect
from .http import Http
from .lab import Lab

WAIT_S = 50.0
"""How long one question for what comes next stays open; the lab answers earlier as soon as there is something."""
_PAGE = 500
_BEGINNINGS = (b'{"kind":', b'{"seq":')
"""Of a file's first event: what begins otherwise and has no whole line is somebody else's."""
_BLOCK = 1 << 16
_PATIENCE_S = 365 * 86_400.0
"""How long a follower waits for a lab that does not answer."""


class _Told(msgspec.Struct):
    """Of what an event says, what tells which jobs hang together."""

    family: str | None = None


class _Event(msgspec.Struct):
    """Of an event, what tells which job it is about."""

    seq: int
    job_id: str | None = None
    data: _Told = msgspec.field(default_factory=_Told)


class _Page(Answer):
    """Events as the lab wrote them, with all that a newer lab may say in them."""

    events: list[msgspec.Raw]
    cursor: int


class Sink(Protocol):
    """Where events go."""

    def write(self, lines: Sequence[bytes], cursor: int) -> None:
        """Keep these events; they are all that were wanted up to the cursor."""


class Printed:
    """Events on the standard output."""

    def write(self, lines: Sequence[bytes], cursor: int) -> None:
        sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
        sys.stdout.buffer.flush()


class EventFile:
    """A file of events, one JSON object a line, with its cursor beside it: ``NAME.cursor``.

    The lines are on the disk before the cursor says so, and the last whole line is itself a cursor: whoever is killed
    anywhere between goes on with neither a gap nor a double. A line that was cut off is taken away.

    Raises
    ------
    Conflict
        another process writes it.
    Rejected
        it does not hold events.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._beside = path, path.with_name(f"{path.name}.cursor")
        self._file: IO[bytes] = path.open("a+b")
        try:
            self._lock()
            last, rest = self._last_line()
            found = _seq_of(last, path)
            if rest and found is None and not rest.startswith(_BEGINNINGS):
                raise _not_events(path)
            self.cursor = max((seq for seq in (found, self._kept()) if seq is not None), default=None)
            if rest:
                self._file.truncate(self._file.seek(0, os.SEEK_END) - len(rest))
        except BaseException:
            self._file.close()
            raise
        sync_folder(path.parent)

    def write(self, lines: Sequence[bytes], cursor: int) -> None:
        if lines:
            self._file.write(b"".join(line + b"\n" for line in lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        if cursor != self.cursor:
            self._keep(cursor)
            self.cursor = cursor

    def close(self) -> None:
        """Let others write it."""
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(f"Another process writes {self.path}: end it, or choose another file.") from error

    def _last_line(self) -> tuple[bytes, bytes]:
        """The last whole line, and what comes after it, which was cut off."""
        end = self._file.seek(0, os.SEEK_END)
        tail = b""
        while end and tail.count(b"\n") < 2:
            begin = max(0, end - _BLOCK)
            self._file.seek(begin)
            tail = self._file.read(end - begin) + tail
            end = begin
        whole, newline, rest = tail.rpartition(b"\n")
        return whole.rpartition(b"\n")[2] if newline else b"", rest

    def _kept(self) -> int | None:
        try:
            return msgspec.json.decode(self._beside.read_bytes(), type=dict[str, int])["after"]
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, KeyError) as error:
            raise Rejected(
                f"{self._beside} is damaged: delete it to go on after the last line of {self.path}."
            ) from error

    def _keep(self, cursor: int) -> None:
        with whole(self._beside, self._beside.with_name(f"{self._beside.name}.new")) as file:
            file.write(msgspec.json.encode({"after": cursor}) + b"\n")


def _seq_of(line: bytes, path: Path) -> int | None:
    if not line:
        return None
    try:
        return msgspec.json.decode(line, type=_Event).seq
    except msgspec.MsgspecError as error:
        raise _not_events(path) from error


def _not_events(path: Path) -> Rejected:
    return Rejected(f"{path} does not hold events of a lab: choose another file.")


def pages(http: Http, after: int, *, follow: bool) -> Iterator[_Page]:
    """What came after a cursor and, with ``follow``, whatever comes: through restarts of the lab, for ever.

    Raises
    ------
    Conflict
        the lab has not come that far: it is another one than that of the cursor.
    QpiError
        the lab refuses.
    """
    newest = http.portal.run(http.call("GET", "v1/events", _Page, params={"newest": "true"})).cursor
    if newest < after:
        raise Conflict(
            f"The newest event of the lab at {http.url} is {newest}, before {after}: this is not the lab of that "
            "cursor. Choose another file."
        )
    while follow or after < newest:
        wait_s = WAIT_S if follow else 0.0
        params = {"after": str(after), "limit": str(_PAGE), "wait_s": f"{wait_s:g}"}
        page = http.portal.run(
            http.call("GET", "v1/events", _Page, params=params, wait_s=wait_s, retry_s=_PATIENCE_S if follow else None)
        )
        yield page
        if page.cursor == after and not follow:
            return
        after = page.cursor


def record(lab: Lab, sink: Sink, after: int, *, follow: bool, jobs: Sequence[str] = ()) -> None:
    """Write into ``sink`` what happens after a cursor: everything, or what is about some jobs and their families.

    Raises
    ------
    QpiError
        as `pages`; `NotFound`, if one of the jobs is not there.
    """
    kin = _Kin([member for job_id in jobs for member in lab.job(job_id).family()])
    for page in pages(lab.http, after, follow=follow):
        sink.write([bytes(raw) for raw in page.events if not jobs or raw in kin], page.cursor)


class _Kin:
    """Tells which events are about some jobs, or about those that come to hang together with them."""

    def __init__(self, jobs: Iterable[FamilyJob]) -> None:
        self._ids: set[str | None] = {job.id for job in jobs}
        self._families: set[str | None] = set()

    def __contains__(self, raw: msgspec.Raw) -> bool:
        event = msgspec.json.decode(raw, type=_Event)
        family = event.data.family
        if event.job_id not in self._ids and (family is None or family not in self._families):
            return False
        self._ids |= {event.job_id} - {None}
        self._families |= {family} - {None}
        return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Print or keep a lab's events; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _carry_out(options)
    except QpiError as error:
        print(error.message, file=sys.stderr)
    except BrokenPipeError:  # who reads has gone
        sys.stdout = None  # as Python itself has it without one: nothing is flushed at exit
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(error, file=sys.stderr)
    return 1


def _carry_out(options: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        sink: Sink = Printed()
        after: int = options.after
        if options.out is not None:
            sink = stack.enter_context(contextlib.closing(EventFile(options.out.absolute())))
            after = after if sink.cursor is None else sink.cursor
        lab = stack.enter_context(connect(options.url))
        record(lab, sink, after, follow=options.follow, jobs=options.job)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jupyter qpi events", description="Write what happens in a lab as JSON lines, as far as you may see it."
    )
    parser.add_argument("--follow", action="store_true", help="go on with what happens from now on, until interrupted")
    parser.add_argument(
        "--after", metavar="SEQ", type=_cursor, default=0,
        help="begin after this event (default: 0, with the first that the lab has); a FILE that has events goes on",
    )  # fmt: skip
    parser.add_argument(
        "--job", metavar="ID", action="append", default=[],
        help="only what is about this job and its family; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="FILE", type=Path,
        help="append to this file, synced to the disk, and keep the cursor in FILE.cursor (default: print)",
    )  # fmt: skip
    parser.add_argument("--url", help="the lab's address, or the name of a lab that is kept (default: as connect())")
    return parser


def _cursor(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of an event")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
