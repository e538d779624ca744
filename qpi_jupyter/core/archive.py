"""The zip of a result, looked at before anything in it is read: what is in it, and that nothing in it can swell."""

from __future__ import annotations

import re
import struct
import zipfile
from typing import IO

from .errors import Rejected
from .formats import MAX_CIRCUITS

INDEX = "index.json"
PRIMITIVE_RESULT = "primitive_result.json"
"""A primitive's result once more, as IBM's client decodes it: only that of a job which came as pubs has it."""
MAX_INDEX_BYTES = 4 << 20
_MAX_DIRECTORY_BYTES = 4 << 20
_MEMBER = re.compile(r"(0|[1-9][0-9]{0,5})\.nc")
_ENCRYPTED = 0x1


def check_archive(file: IO[bytes]) -> None:
    """Refuse a zip that is not one of a result's; only its directory is read. The file is left at its beginning.

    Raises
    ------
    Rejected
        it is no zip, it is packed or encrypted, it has other members than ``index.json``, ``primitive_result.json``
        and ``N.nc``, or one of them twice, or they claim more bytes than the file has.
    """
    size = file.seek(0, 2)
    file.seek(0)
    try:
        with zipfile.ZipFile(_Frugal(file)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError, struct.error) as error:
        raise _refusal(f"it is not a zip ({error})") from error
    _check_members(members, size)
    file.seek(0)


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = {member.filename for member in members}
    if INDEX not in names:
        raise _refusal(f"it has no {INDEX}")
    if len(names) != len(members) or len(members) > MAX_CIRCUITS + 2:
        raise _refusal("a member is in it twice, or it has too many")
    for member in members:
        if member.filename not in (INDEX, PRIMITIVE_RESULT) and not _MEMBER.fullmatch(member.filename):
            raise _refusal(f"{member.filename[:100]!r} does not belong in it")
        packed = member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size
        if packed or member.flag_bits & _ENCRYPTED:
            raise _refusal(f"{member.filename} is packed or encrypted")
        if member.filename == INDEX and member.file_size > MAX_INDEX_BYTES:
            raise _refusal(f"its {INDEX} is larger than {MAX_INDEX_BYTES:,} bytes")
    if sum(member.file_size for member in members) > size:
        raise _refusal("its members claim more bytes than it has")


def _refusal(what: str) -> Rejected:
    return Rejected(f"The data is not a zip of a result: {what}.", code="bad_result")


class _Frugal:
    """A file that is read in small pieces only, whatever size a directory claims."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        found = self._file.read(min(count, _MAX_DIRECTORY_BYTES + 1) if count >= 0 else _MAX_DIRECTORY_BYTES + 1)
        if len(found) > _MAX_DIRECTORY_BYTES:
            raise ValueError(f"its directory is larger than {_MAX_DIRECTORY_BYTES:,} bytes")
        return found
