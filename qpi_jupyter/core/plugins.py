"""Members of the lab's open lists (executors, program formats, ...), found by entry point: one name, one member."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any, Generic, TypeVar

from .errors import Faulted, QpiError, Rejected

T = TypeVar("T")
OURS = "qpi-jupyter"
"""The package whose members keep their names, whoever else claims them."""
_PASSING = {
    errno.EAGAIN, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC,
    errno.ESTALE, errno.ETIMEDOUT,
}  # fmt: skip
_OUT_OF = (
    "Cannot allocate memory", "Resource temporarily unavailable", "Too many open files", "failed to map segment",
)  # fmt: skip
"""How the dynamic linker says it: an import tells what the system said only in its text."""


def passing(error: BaseException) -> bool:
    """Whether an unforeseen error may be gone the next time: the machine was out of something, or a peer was away."""
    if isinstance(error, ImportError):
        return any(said in str(error) for said in _OUT_OF)
    out_of = isinstance(error, OSError) and error.errno in _PASSING
    return out_of or isinstance(error, MemoryError | ConnectionError | TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What one package registers. ``problem``: why nothing is done with it; empty before it is loaded."""

    name: str
    point: EntryPoint
    package: str
    problem: str = ""


class Plugins(Generic[T]):
    """The members of one group of entry points. One that is broken, or two of one name, are told of by name and disturb
    no other.

    Parameters
    ----------
    word
        what a member is called.
    fits, wanted
        whether something is one, and what it has to be.
    remedy
        how to get one that is not there.
    """

    def __init__(
        self, group: str, word: str, fits: Callable[[Any], bool], wanted: str, *,
        remedy: str = "install its package",
    ) -> None:  # fmt: skip
        self._group, self._word, self._fits, self._wanted, self._remedy = group, word, fits, wanted, remedy
        self._field = word.replace(" ", "_")

    def members(self) -> list[Member]:
        """Everything that is registered, by name, without importing any of it."""
        importlib.invalidate_caches()  # a package may have been installed since the process started
        points = {(point.name, point.value): point for point in entry_points(group=self._group)}
        found = [Member(name=point.name, point=point, package=_package(point)) for _, point in sorted(points.items())]
        return [replace(one, problem=self._clash(one, found)) for one in found]

    def names(self) -> list[str]:
        """The registered names, those of broken members included."""
        return sorted({member.name for member in self.members()})

    def has_own(self, name: str) -> bool:
        """Whether the project itself has one of that name."""
        return _own(self._group, name) is not None

    def load(self, name: str) -> T:
        """The member of that name.

        Raises
        ------
        Rejected
            there is none, two packages claim the name, or it cannot be imported.
        Faulted
            it could not be imported now: the machine was out of something.
        """
        if (own := _own(self._group, name)) is not None:  # to look through all packages takes a hundred times as long
            return self.imported(own)
        found = [member for member in self.members() if member.name == name]
        chosen = next((member for member in found if not member.problem), None)
        if chosen is not None:
            return self.imported(chosen.point)
        if found:
            raise self._refusal(found[0].problem, "broken")
        raise self._refusal(
            f"There is no {self._word} {name!r}. Installed: {', '.join(self.names()) or 'none'}. To get it: "
            f"{self._remedy}.",
            "unknown", known=self.names(),
        )  # fmt: skip

    def checked(self) -> list[Member]:
        """All of them, with what is wrong with each. Imports them."""
        return [replace(member, problem=member.problem or self._problem(member)) for member in self.members()]

    def imported(self, point: EntryPoint) -> T:
        """What an entry point stands for; raises as `load`."""
        try:
            # Whatever a guest's import raises (SystemExit of a licence check, too) must take nobody down.
            loaded: T = point.load()
        except (Exception, SystemExit) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
            message = f"The {self._word} {point.name!r} ({point.value}) cannot be loaded: {said}."
            if passing(error):
                raise Faulted(message, code=f"broken_{self._field}", field=self._field) from error
            raise self._refusal(f"{message}{remedy(point)}", "broken") from error
        if not self._fits(loaded):
            message = f"The {self._word} {point.name!r} ({point.value}) is not {self._wanted}."
            raise self._refusal(f"{message}{remedy(point)}", "broken")
        return loaded

    def _problem(self, member: Member) -> str:
        try:
            self.imported(member.point)
        except QpiError as error:
            return error.message
        return ""

    def _clash(self, member: Member, found: list[Member]) -> str:
        others = [one for one in found if one.name == member.name and one is not member]
        if not others or (member.package == OURS and all(one.package != OURS for one in others)):
            return ""
        listed = ", ".join(f"{one.package} ({one.point.value})" for one in (member, *others))
        return f"Several packages register the {self._word} {member.name!r}: {listed}. Uninstall or rename all but one."

    def _refusal(self, message: str, why: str, **data: object) -> Rejected:
        return Rejected(message, code=f"{why}_{self._field}", field=self._field, **data)


def _own(group: str, name: str) -> EntryPoint | None:
    """The project's own member of that name."""
    try:
        return next(iter(distribution(OURS).entry_points.select(group=group, name=name)), None)
    except PackageNotFoundError:
        return None


def _package(point: EntryPoint) -> str:
    return "" if point.dist is None else point.dist.name


def remedy(point: EntryPoint) -> str:
    """What to do about a member that cannot be used, after a space: install the extra behind its entry point, or see
    to its package."""
    if point.extras:
        return f" Install it with: pip install '{_package(point)}[{','.join(point.extras)}]'."
    return f" Update or uninstall its package, {_package(point)}." if _package(point) else ""
