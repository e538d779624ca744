"""What a lab out of an archive answers: every list of the surface, and everything about each thing in it."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec

from qpi_server.service import Lab, LabConfig
from qpi_server.store import USUAL, backend_of
from qpi_server.tools.restore import restore_lab
from tests.faults.lab import ADMIN, ANN, BOB, SIMULATOR, FrozenClock, ScriptedDriver
from tests.support.full_lab import MANAGER
from tests.support.web import serving

FOLDER = Path(__file__).parent
PEOPLE = (ADMIN, MANAGER, ANN, BOB)
MOST = "limit=500"
LISTS: Mapping[str, Sequence[str]] = {
    f"jobs?mine=true&{MOST}": (
        "jobs/{id}", "jobs/{id}/events", "jobs/{id}/provenance", "jobs/{id}/program", "jobs/{id}/program/text",
        "jobs/{id}/result", "jobs/{id}/dataset",
    ),
    f"jobs?owner=ann&tag=first&project=qed&{MOST}": (),
    "jobs?group=qed": (),
    "bookings?start=2029-12-01T00:00:00Z&end=2030-03-01T00:00:00Z": ("bookings/{id}", "bookings/{id}/history"),
    "bookings?status=deleted": (), "bookings?mine=true": (), "booking-rules": (), "feeds": (), "sessions": (),
    f"accounts?{MOST}": ("accounts/{name}", f"accounts/{{name}}/entries?{MOST}"),
    "statements?account=ann&month=2030-01": (), f"time-requests?{MOST}": ("time-requests/{id}",),
    "me": (), f"users?{MOST}": ("users/{name}",), "groups": (), "tokens": ("tokens/{id}",), "notices": (),
    "notices?all=true": (), f"audit?{MOST}": (), f"events?{MOST}": (),
    "qpus": ("qpus/{name}", "qpus/{name}/drivers", "qpus/{name}/channels"),
    "qpus/q1/readings?channel=mxc/temperature": (), "qpus/q1/drivers/d1/log": (), "drivers": (), "simulators": (),
}  # fmt: skip
"""The lists, and what is asked of each of their items."""
Answers = dict[str, Any]


class Known(msgspec.Struct, kw_only=True):
    """What was true of an archived lab."""

    at_s: float
    """When it was opened, after its clock's beginning."""
    tokens: dict[str, str]
    """People's, by name."""
    driver: str
    """The token of ``q1``'s driver ``d1``, which has a job."""
    answers: Answers


@contextlib.asynccontextmanager
async def opened(archive: Path, folder: Path, at_s: float) -> AsyncIterator[Lab]:
    """The lab of a backup, restored and opened as a server does it, ``at_s`` after its clock's beginning."""
    assert restore_lab(archive, backend_of(USUAL, folder), lambda _text: None) == 0
    clock = FrozenClock()
    clock.advance(at_s)
    lab = await Lab.open(LabConfig(lab_dir=folder), clock=clock)
    try:
        yield lab
    finally:
        await lab.close()


async def driver_with(lab: Lab, token: str) -> ScriptedDriver:
    """The driver of this token, not connected yet."""
    manifest = replace(SIMULATOR, meas_levels=(1, 2), formats=(*SIMULATOR.formats, "quantify-schedule"))
    return ScriptedDriver(lab, await lab.authenticator.authenticate(token), manifest=manifest)


async def answers_of(lab: Lab, tokens: Mapping[str, str]) -> Answers:
    """Every good answer to every person, by ``PERSON ADDRESS``."""
    answers: Answers = {}
    async with serving(lab) as url:
        for person, token in tokens.items():
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(
                base_url=f"{url}qpi/v1/", headers=headers, trust_env=False, timeout=60
            ) as client:
                for address, items in LISTS.items():
                    answer = answers[f"{person} {address}"] = await _answer(client, address)
                    for item in _items(answer) if items else ():
                        for each in items:
                            address = each.format_map(item)
                            answers[f"{person} {address}"] = await _answer(client, address)
    return {address: answer for address, answer in answers.items() if answer}


async def _answer(client: httpx.AsyncClient, address: str) -> Any:
    answer = await client.get(address)
    if not answer.is_success:
        return {}
    if answer.headers["content-type"].startswith("application/json"):
        return answer.json()
    return {"sha256": hashlib.sha256(answer.content).hexdigest()}


def _items(answer: Any) -> list[dict[str, Any]]:
    return next((value for value in answer.values() if isinstance(value, list)), [])


ELSEWHERE = ("reason.about_at", "reason.error_s")
"""What a newer lab says in another place: in a job's ``eta``."""


def missing(old: Any, new: Any, where: str = "") -> list[str]:
    """What of an old answer is not in the new one, or is another value; the new one may say more, and round."""
    if isinstance(old, dict) and isinstance(new, dict):
        lost = [f"{at} is gone" for key in old if key not in new and not (at := f"{where}.{key}").endswith(ELSEWHERE)]
        return lost + [text for key in old if key in new for text in missing(old[key], new[key], f"{where}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and old and isinstance(old[0], str):
        return [f"{where}: {value!r} is gone" for value in old if value not in new]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [text for n, pair in enumerate(zip(old, new, strict=True)) for text in missing(*pair, f"{where}[{n}]")]
    if isinstance(old, float) and isinstance(new, float) and math.isclose(old, new, abs_tol=1e-6):
        return []
    return [] if old == new else [f"{where}: {old!r:.200} is {new!r:.200}"]
