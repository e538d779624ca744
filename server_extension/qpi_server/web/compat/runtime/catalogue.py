"""IBM's fake backends, read from the files of the installed ``qiskit-ibm-runtime`` without importing it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from qpi_jupyter.core.fakes import ALIASES, MAX_SHOTS, MOCK, NOISY, STATEVECTOR, STATEVECTOR_QUBITS, WAYS

_CONF = "conf_"
CONTROL_FLOW = ("if_else", "while_loop", "for_loop", "switch_case")
_MOCKED = re.compile(r"^[^_]+")
"""What stands there in the name of the backend that is not run."""
Facts = dict[str, Any]
"""A document of IBM's; Any: JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    configuration: Path
    properties: Path | None


@cache
def _files() -> dict[str, _Files]:
    spec = importlib.util.find_spec("qiskit_ibm_runtime")
    if spec is None or not spec.submodule_search_locations:
        return {}
    found = {}
    for path in sorted((Path(spec.submodule_search_locations[0]) / "fake_provider" / "backends").glob("*/conf_*.json")):
        properties = next(path.parent.glob("props_*.json"), None)
        found[f"fake_{path.stem.removeprefix(_CONF)}"] = _Files(configuration=path, properties=properties)
    return found


def known(name: str) -> bool:
    """Whether there is such a fake backend: ``fake_manila@aer``."""
    base, _, how = name.partition("@")
    return (how in WAYS and base in _files()) or (name == STATEVECTOR and bool(_files()))


def named(name: str) -> str:
    """The name as it is listed: ``fake_manila@custatevec`` is ``fake_manila@gpu``."""
    base, at, how = name.partition("@")
    return f"{base}{at}{ALIASES.get(how, how)}"


def way(name: str) -> str:
    """How a backend runs; those whose names don't say: on Aer."""
    how = name.partition("@")[2]
    return how if how in WAYS else NOISY


@cache
def devices() -> list[tuple[str, Facts]]:
    """Names without the ``@`` and configurations of all of them: tens of milliseconds the first time."""
    read = {base: msgspec.json.decode(files.configuration.read_bytes()) for base, files in _files().items()}
    return [
        (base, {"n_qubits": facts["n_qubits"], "processor_type": _processor(facts.get("processor_type"))})
        for base, facts in read.items()
    ]


def _processor(facts: Facts | None) -> Facts | None:
    """As IBM's service lists it: all texts, while the files have numbers, too."""
    return None if facts is None else {name: str(value) for name, value in facts.items()}


def mocks(names: Iterable[str]) -> dict[str, str]:
    """What IBM's client calls the dry run of each backend; none where a backend has that name, or two would."""
    real: dict[str, list[str]] = {}
    for name in names:
        real.setdefault(_MOCKED.sub(MOCK, name), []).append(name)
    taken = {name for several in real.values() for name in several}
    return {mock: several[0] for mock, several in real.items() if len(several) == 1 and mock not in taken}


def configuration(name: str, called: str) -> bytes:
    """The configuration of a known one, as JSON, under another name."""
    base, _, how = name.partition("@")
    # "simulator" stays false: IBM's client would leave out its checks and sessions.
    return _changed(
        _files()[base].configuration, backend_name=called, simulator=False, local=False,
        description=f"IBM's fake backend {base}, simulated {WAYS[how].told}",
    )  # fmt: skip


def statevector(called: str) -> Facts:
    """The configuration of the state vector simulator. As a ``simulator``, IBM's client leaves out its checks and
    sessions."""
    return {
        "backend_name": called, "backend_version": "1", "n_qubits": STATEVECTOR_QUBITS, "coupling_map": None,
        "basis_gates": [
            "ccx", "cp", "cswap", "cx", "cy", "cz", "ecr", "h", "id", "p", "rx", "rxx", "ry", "ryy", "rz", "rzx", "rzz",
            "s", "sdg", "swap", "sx", "sxdg", "t", "tdg", "u", "x", "y", "z",
        ],
        "supported_instructions": ["measure", "reset", "delay", *CONTROL_FLOW],
        "gates": [], "local": False, "simulator": True, "conditional": True, "open_pulse": False, "memory": True,
        "max_shots": MAX_SHOTS, "online_date": "2026-01-01T00:00:00.000000Z", "description": "Ideal state vector",
    }  # fmt: skip


def properties(name: str, called: str) -> bytes:
    """The calibration of a known one, as JSON, under another name; empty where it has none."""
    path = _files()[name.partition("@")[0]].properties
    if path is None:
        return b"{}"
    return _changed(path, backend_name=called)


def _changed(path: Path, **changes: Any) -> bytes:
    """A file's JSON with other values of some of its names; the rest, up to a megabyte, is not read."""
    facts = msgspec.json.decode(path.read_bytes(), type=dict[str, Raw])
    return msgspec.json.encode(facts | {name: Raw(msgspec.json.encode(value)) for name, value in changes.items()})
