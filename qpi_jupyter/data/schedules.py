"""Schedules of quantify-scheduler and qblox-scheduler as they travel: the libraries' own JSON (``schedule.to_json()``).

Nothing here imports them. What a schedule may have in it, and how it is run, is the executors' own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from qpi_jupyter.core import ProgramError, ProgramFormat

MAX_SCHEDULE_BYTES = 4 << 20
"""One schedule's JSON."""


class ScheduleFormat(ProgramFormat):
    """Schedules of one library, which is called as its package is."""

    @property
    def library(self) -> str:
        """The package that reads them."""
        return f"{self.name.removesuffix('-schedule')}_scheduler"

    def recognises(self, thing: object) -> bool:
        """A schedule of the library, before it is compiled; of qblox-scheduler both kinds."""
        return any(isinstance(thing, kind) for kind in self._kinds())

    def encode(self, things: Sequence[object]) -> list[bytes]:
        """Schedules as JSON; texts and bytes as they are."""
        return super().encode([self._text(thing) if self.recognises(thing) else thing for thing in things])

    def example(self) -> bytes:
        """A measurement of q0."""
        module = f"{self.library}.operations.gate_library"
        schedule = "TimeableSchedule" if self is QBLOX_SCHEDULE else "Schedule"
        own: dict[str, Any] = {"variables": {}, "scope_stack": []} if self is QBLOX_SCHEDULE else {}
        measure = {"operation_type": "measure", "device_elements": ["q0"], "device_overrides": {}}
        empty: Any = {} if self is QBLOX_SCHEDULE else []
        operation = {"name": "Measure q0", "gate_info": measure, "pulse_info": empty, "acquisition_info": empty}
        return json.dumps(
            _object(
                f"{self.library}.schedules.schedule.{schedule}",
                name="example", repetitions=1, resource_dict={}, **own,
                operation_dict={"0": _object(f"{module}.Measure", logic_info={}, **operation)},
                schedulables=[["first", self._schedulable("first", "0")]],
            )
        ).encode()  # fmt: skip

    def _schedulable(self, name: str, operation: str) -> dict[str, Any]:
        module = f"{self.library}.schedules.schedule"
        at = _object(f"{module}.TimingConstraint", ref_schedulable=None, ref_pt=None, ref_pt_new=None, rel_time=0)
        facts = {"name": name, "label": name, "operation_id": operation, "timing_constraints": [at]}
        return _object(f"{module}.Schedulable", **facts)

    def _kinds(self) -> list[type]:
        modules = [sys.modules.get(f"{self.library}.{name}") for name in ("schedule", "schedules.schedule")]
        kinds = ("Schedule", "TimeableSchedule")
        return [getattr(module, kind) for module in modules for kind in kinds if hasattr(module, kind)]

    def _text(self, schedule: Any) -> str:
        if hasattr(schedule, "to_json"):
            return str(schedule.to_json())
        try:
            parts = schedule._unrolled_segments()  # noqa: SLF001 - the library has no other way
            (part,) = parts
            return str(part.to_json())
        except (AttributeError, ValueError):
            raise ProgramError(
                f"The schedule {schedule.name!r} has parts that are run one after the other: submit each of them.",
                code="bad_program",
            ) from None


def _object(kind: str, **data: Any) -> dict[str, Any]:
    return {"deserialization_type": kind, "data": data}


QUANTIFY_SCHEDULE, QBLOX_SCHEDULE = (
    ScheduleFormat(
        name=f"{library}-schedule", noun="schedule", language="application/json", suffix=".json",
        max_source_bytes=MAX_SCHEDULE_BYTES, max_sources=1000,
    )
    for library in ("quantify", "qblox")
)  # fmt: skip
