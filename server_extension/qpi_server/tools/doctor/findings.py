"""What `jupyter qpi doctor` says: one finding a check, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Struct

from qpi_jupyter.core import counted

Status = Literal["ok", "skipped", "warning", "problem"]
_WORST: tuple[Status, ...] = ("problem", "warning", "ok")


class Finding(Struct, kw_only=True, frozen=True):
    """What a check found. ``remedy`` says what to do; there is none where all is well."""

    check: str
    status: Status
    found: str
    remedy: str = ""


Findings = Iterator[Finding]


class Report(Struct, kw_only=True, frozen=True):
    """Everything that was found; ``status`` is the worst of it."""

    status: Status
    version: str
    findings: list[Finding]

    @classmethod
    def of(cls, version: str, findings: list[Finding]) -> Report:
        """The report of these findings."""
        there = {finding.status for finding in findings}
        return cls(status=next((one for one in _WORST if one in there), "ok"), version=version, findings=findings)


@dataclass(frozen=True, slots=True)
class Check:
    """The findings of one check, which bear its name."""

    name: str

    def ok(self, found: str) -> Finding:
        """All is well."""
        return Finding(check=self.name, status="ok", found=found)

    def skipped(self, found: str, remedy: str = "") -> Finding:
        """It was not looked at."""
        return Finding(check=self.name, status="skipped", found=found, remedy=remedy)

    def warning(self, found: str, remedy: str) -> Finding:
        """It works, and somebody should look after it."""
        return Finding(check=self.name, status="warning", found=found, remedy=remedy)

    def problem(self, found: str, remedy: str) -> Finding:
        """It does not work."""
        return Finding(check=self.name, status="problem", found=found, remedy=remedy)


def as_text(report: Report) -> str:
    """A line each, and below it what to do."""
    width = max((len(one.check) for one in report.findings), default=0)
    lines: list[str] = []
    for one in report.findings:
        lines.append(f"{one.status:<8} {one.check:<{width}}  {one.found}")
        if one.remedy:
            lines.append(f"{'':<8} {'':<{width}}  -> {one.remedy}")
    counts = [counted(sum(one.status == word for one in report.findings), word) for word in ("problem", "warning")]
    lines.append(", ".join(counts))
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """The same for programs."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
