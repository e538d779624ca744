"""Writes reference pages and the dashboard from the code: ``python docs/generate.py`` (``--check`` only compares)."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from itertools import chain
from math import pi
from pathlib import Path
from typing import Any

import msgspec
from dashboard import dashboard
from msgspec.inspect import StructType, Type, type_info
from qiskit_ibm_runtime import options_models
from qiskit_ibm_runtime.options import EstimatorOptions, SamplerOptions
from traitlets import TraitType

from qpi_executors.primitives.ibm_options import RUNTIME_OPTIONS, fate
from qpi_jupyter.client import BookingHandle, JobHandle, Lab, Session
from qpi_jupyter.client.accounts import TimeRequest
from qpi_jupyter.client.backend import QpiBackend
from qpi_jupyter.client.feeds import Feeds
from qpi_jupyter.client.people import Notice, Tokens
from qpi_jupyter.client.qpus import Qpu
from qpi_jupyter.core import counted
from qpi_jupyter.core.access import PERMISSIONS, SCOPES, Permission
from qpi_jupyter.core.jobs import JobState
from qpi_jupyter.core.lifecycle import TRANSITIONS, EventKind, Rule
from qpi_jupyter.core.services import SERVICES, Expansion, Service
from qpi_jupyter.data.accessor import DatasetAccessor
from qpi_jupyter.data.comparison import Comparison
from qpi_jupyter.data.fits import Fit
from qpi_jupyter.wire.events import KINDS, LabEvent
from qpi_jupyter.wire.typescript import expression, may_miss
from qpi_server.app.extension import QPIServer
from qpi_server.settings.values import ALIASES, INVERTED, UNUSED, allowed, own_traits
from qpi_server.web.compat.qpi import api as qpi
from qpi_server.web.compat.qpi.border import EVERY, IGNORED, key_of

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.openqasm3_programs import FOLDER, Example, examples
from tests.support.events import EXAMPLES

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
PACKAGES = ["qpi_jupyter", "server_extension/qpi_server", "executors/qpi_executors", "executors/qpi_agent"]
NOTE = "<!-- Written by `make generate` from qpi_jupyter/core: change that, not this. -->"


def job_states() -> str:
    """The lifecycle as a table and as a diagram."""
    rows = [
        [f"**{state}**", *(_cell(TRANSITIONS[state][event]) for event in EventKind)]
        for state in JobState
    ]  # fmt: skip
    legend = "`=` the job stays as it is; `.` acknowledged, nothing changes; `!` cannot happen, a bug in the lab."
    diagram = ["```mermaid", "stateDiagram-v2", "  [*] --> queued", "  [*] --> blocked", *_arrows(), *_ends(), "```"]
    return "\n".join([
        NOTE, "", "# Job states", "", "What each event does to a job in each state. " + legend, "",
        *_table(["", *EventKind], rows), "",
        "An event that names another attempt than the job's present one changes nothing, whatever the table says.", "",
        *diagram, "",
    ])  # fmt: skip


def permissions() -> str:
    """Roles and what they may ask for, and how far the scopes of a token reach."""
    intro = "What each role may ask for. `:any` is about other people's things; without it one's own are meant."
    scopes = (
        "A token with scopes may ask for what one of them has *and* its owner's roles have; a token without scopes, "
        "for all that its owner may. Somebody who is no manager cannot give a token the scope `manage`, and nobody "
        "but the registration of a driver gives `drive`."
    )
    return "\n".join([
        NOTE, "", "# Permissions", "", intro, "", *_grants(PERMISSIONS), "", "## Scopes of API tokens", "", scopes, "",
        *_grants(SCOPES), "",
    ])  # fmt: skip


def configuration() -> str:
    """Every setting of a lab, and every name of QPI's that is none."""
    traits = own_traits(QPIServer)
    rows = [
        [f"`{name}`", _default(trait), allowed(name, trait, brief=True), " ".join(trait.help.split())]
        for name, trait in sorted(traits.items())
    ]
    theirs = [[f"`{alias}`", f"`{name}`"] for alias, name in ALIASES.items()]
    theirs += [[f"`{switch}`", f"the opposite of `{name}`"] for switch, name in INVERTED.items() if name in traits]
    unused = [[f"`{name}`", why] for name, why in UNUSED.items() if name not in traits]
    return "\n".join([
        NOTE.replace("qpi_jupyter/core", "the traits of QPIServer"), "", *SETTINGS.splitlines(), "",
        "## Settings", "", *_table(["Setting", "Default", "Allowed", "Means"], rows), "",
        "## QPI's other names", "", *_table(["QPI", "here"], theirs), "",
        "These have no effect; the log says so once at the start.", "", *_table(["QPI", "Because"], unused), "",
    ])  # fmt: skip


def qpi_fields() -> str:
    """What QPI's clients send and the lab does not act on."""
    routes = [key_of(route) for route in qpi.routes]
    everything = "whatever is sent"
    rows = [
        [f"`{route}`", everything if name == EVERY else f"`{name}`", why]
        for route in routes
        for name, why in IGNORED.get(route, {}).items()
    ]
    intro = (
        "Addresses under `qpi/api/`. These fields are accepted and nothing comes of them, for the reason given. Every "
        "other field and query parameter is carried out, or the whole request is refused with 400 `unknown_field` and "
        "the names of all that nobody acts on."
    )
    return "\n".join([
        NOTE.replace("qpi_jupyter/core", "qpi_server/web/compat/qpi/border.py"), "",
        "# Fields of QPI's clients that mean nothing here", "", intro, "",
        *_table(["Route", "Field", "Because"], rows), "",
    ])  # fmt: skip


def events() -> str:
    """Every kind of event: what it says, who sees it, its fields, and one of it."""
    kinds = [[f"[`{name}`](#{name.replace('.', '')})", _says(kind)] for name, kind in KINDS.items()]
    return "\n".join([
        NOTE.replace("qpi_jupyter/core", "qpi_jupyter/wire/events.py"), "", *EVENTS.splitlines(), "",
        *_table(["Kind", "Says"], kinds),
        *(line for event in EXAMPLES for line in _event(event)), "",
    ])  # fmt: skip


def api() -> str:
    """Every call of the client, with its keywords and what it does."""
    return "\n".join([
        NOTE.replace("qpi_jupyter/core", "the docstrings of qpi_jupyter/client"), "", *API.splitlines(),
        *(line for name, kind in CALLS.items() for line in _calls(name, kind)), "",
    ])  # fmt: skip


def _calls(name: str, kind: type) -> Iterator[str]:
    """The section of one class."""
    members = {member: getattr(kind, member) for member in vars(kind) if not member.startswith("_")}
    rows = [
        [
            f"`{name}.{member}{_keywords(found)}`",
            _first(found),
            "yes" if hasattr(found, "aio") or hasattr(found, "of") else "",
        ]
        for member, found in members.items()
        if inspect.getdoc(found) and (inspect.isroutine(found) or isinstance(found, property))
    ]
    yield from ["", f"## `{kind.__name__}`", "", _first(kind), "", *_table(["Call", "Does", "`.aio`"], rows)]


def _keywords(found: Any) -> str:
    if not inspect.isroutine(found):
        return ""
    shown = [str(p).partition(":")[0].partition("=")[0].strip() for p in inspect.signature(found).parameters.values()]
    return f"({', '.join(word for word in shown if word not in ('self', 'cls'))})"


def _first(found: Any) -> str:
    paragraph = (inspect.getdoc(found) or "").partition("\n\n")[0]
    return " ".join(paragraph.split()).replace("``", "`").replace("|", "\\|")


def modules() -> str:
    """Every package and module, with the first sentence of what it says of itself; and which may import which."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [
        [
            f"`{contract['containers'][0]}`",
            " over ".join(f"`{layer}`".replace(" | ", "`, `") for layer in contract["layers"]),
        ]
        for contract in contracts
        if "containers" in contract
    ]
    folders = [init.parent for top in PACKAGES for init in sorted((ROOT / top).rglob("__init__.py"))]
    return "\n".join([
        NOTE.replace("qpi_jupyter/core", "the docstrings of the modules"), "", *MODULES.splitlines(), "",
        *_table(["Package", "Its parts"], layers),
        *(line for folder in folders if "migrations" not in folder.parts for line in _package(folder)), "",
    ])  # fmt: skip


def _package(folder: Path) -> Iterator[str]:
    """The section of one package."""
    yield from ["", f"## {folder.relative_to(ROOT)}", "", _docstring(folder / "__init__.py")]
    files = [file for file in sorted(folder.glob("*.py")) if not file.stem.startswith("_")]
    if files:
        yield from ["", *_table(["Module", "Holds"], [[f"`{file.stem}`", _docstring(file)] for file in files])]


def _docstring(file: Path) -> str:
    """The first paragraph of a module's docstring, in one line that fits into a table."""
    says = inspect.cleandoc(ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n\n")[0]
    return " ".join(says.split()).replace("``", "`").replace("|", "\\|")


def _event(event: LabEvent) -> list[str]:
    """The section of one kind."""
    data = type_info(type(event.data))
    assert isinstance(data, StructType)
    rows = [[f"`{field.encode_name}`", _type(field.type), "" if may_miss(field) else "yes"] for field in data.fields]
    example = msgspec.json.format(msgspec.json.encode(event), indent=2).decode()
    return [
        "", f"## {event.kind}", "", _says(type(event)), "", _says(type(event.data)), "",
        *_table(["In `data`", "Type", "Always there"], rows), "", "```json", example, "```",
    ]  # fmt: skip


def _type(kind: Type) -> str:
    text = expression(kind).replace("readonly ", "").replace(" | ", " or ").replace("'", "`")
    return f"list of {text.removesuffix('[]').strip('()')}" if text.endswith("[]") else text


def _says(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split()).replace("``", "`")


EVENTS = """\
# Events

What happens in a lab is told as events, each written in the transaction that did it. `GET qpi/v1/events?after=cursor`
gives them in order, as far as one may see them; `wait_s` waits for the next, and `newest=true` gives the cursor of now.
With `Accept: text/event-stream` it pushes them as they happen ([how](../how-to/follow-events.md)).
`GET qpi/v1/jobs/{id}/events` has those of one job, `GET qpi/v1/bookings/{id}/history` those of one booking. A person's
own Jupyter server passes them on to its event bus, under the schema `https://schema.qpi-jupyter.org/lab/v1`.

Every event has `seq`, its place in the stream; `prev`, the place of the reader's event before it, so that a gap
shows; `at`; `kind`; `job_id` and `qpu`, or null; and `data`, which depends on the kind. Managers see what anybody
sees. In `data`, what is not there is left out, and later versions may say more. A reader passes over a kind that it
does not know, and over an event whose `data` is not as described here: its row in the database is damaged."""


CALLS = {
    "lab": Lab,
    "job": JobHandle,
    "ds.qpi": DatasetAccessor,
    "fit": Fit,
    "comparison": Comparison,
    "qpu": Qpu,
    "booking": BookingHandle,
    "lab.feeds": Feeds,
    "session": Session,
    "request": TimeRequest,
    "notice": Notice,
    "lab.tokens": Tokens,
    "backend": QpiBackend,
}
API = """\
# Calls of the Python client

`lab = qpi_jupyter.connect()`. What has a *yes* under `.aio` blocks when it is called, and can be awaited from any event
loop: `await lab.book.aio(...)`. Shift-Tab shows every keyword with its meaning. `qpi_jupyter.job(id)` gives a job
without a `lab`, and `qpi_jupyter.compare(a, b)` puts results side by side."""


MODULES = """\
# Packages and modules

Where a thing is: look for its word on this page. What others may import of a package is in its `__init__`; what a
package may import stands behind it in this table, and `make check` holds it to that."""


SETTINGS = """\
# Settings of a lab

Each setting can be given in four places. The first that has it wins:

1. on the command line: `jupyter qpi --job-timeout 5m`, or in any Jupyter server `--QPIServer.job_timeout_s=5m`;
2. in the environment: `QPI_JOB_TIMEOUT=5m`;
3. in a file: `jobTimeout: 5m` in the YAML or JSON file that `--config-file` or `QPI_CONFIG_FILE` names, else in
   `qpi.config.yml` (`.yaml`, `.json`) of the working folder, else of the lab's folder; then
   `c.QPIServer.job_timeout_s = 300` in Jupyter's own `jupyter_qpi_server_config.py` or `.json`;
4. its default.

`job_timeout_s` may be written `job-timeout-s` and `jobTimeoutS`, and everywhere without its unit: `job_timeout`,
`--job-timeout`, `QPI_JOB_TIMEOUT`, `jobTimeout`. That makes the names those of QPI, whose files and variables work
as they are. A duration is a number of seconds, or as QPI writes it: `5s`, `2m30s`, `720h`.

`jupyter qpi --show-config` (`--show-config-json` for programs) lists every setting, its value and where it came from;
secrets are masked. An unknown key, a variable whose name is nearly right, and a value that cannot be used end the
start with a sentence that names it, its source and what is allowed, and with exit status 2."""


def openqasm() -> str:
    """The page by hand, and below its last heading the programs of the tests."""
    by_hand, heading, rest = (REFERENCE / "openqasm.md").read_text().partition("\n## Programs\n")
    intro = rest.strip().partition("\n\n")[0]
    head = ["Shows", "Outcome", "After"]
    return "\n".join([
        by_hand + heading, intro, "", *_table(head, [_example(one) for one in examples()]), "",
        "## Mistakes, and what they are told", "",
        *_table(head, [_example(one) for one in examples(FOLDER / "mistakes")]), "",
    ])  # fmt: skip


def services() -> str:
    """The vocabulary of services, each with the gates that it stands for."""
    note = NOTE.replace("core:", "core/services.py:")
    intro = (
        "Words that circuits in OpenQASM 2 and OpenQASM 3 may use as if they were gates, on every QPU: they are "
        "written out as the gates below before the program runs. `cz` and the others need no include. A gate of the "
        "same name that the program defines is the program's own. What measures has classical bits of its own in the "
        "result, in a register of its name, and ancillas of its own: qubits of the QPU beyond those that the program "
        "declares. All services of a program share their ancillas, which are reset between two uses."
    )
    where = (
        "Corrections that depend on a measurement are branches. A QPU without branches gets gates that the measured "
        "qubit controls instead, which do the same. A QPU that cannot measure before the end of a circuit refuses a "
        "program that has to, and names the service and its line. In OpenQASM 3, services of gates alone take "
        "modifiers (`ctrl @ qft c, q;`), and stand in the bodies of gates. With a fixed number of qubits, registers "
        "are gone through qubit by qubit (`teleport a, b;`); otherwise their qubits are one list (`qft q;`)."
    )
    return "\n".join([note, "", "# Services", "", intro, "", where, "", *chain.from_iterable(map(_service, SERVICES))])


def _service(service: Service) -> list[str]:
    facts = {
        "Qubits": f"{service.takes}: {service.operands}" if service.operands else service.takes,
        "Angles": ", ".join(f"`{name}`" for name in service.angles),
        "Needs": ", ".join(_needs(service.usual)),
    }
    if service.num_optional:
        facts["Angles"] += f" (0 where `{service.angles[-1]}` is left out)"
    offered = (
        "" if service.word == service.name else f" QPUs offer it as `{service.name}`, which is understood as well."
    )
    return [
        f"## `{service.word}`", "", service.summary + offered, "",
        *(f"* {name}: {fact}" for name, fact in facts.items() if fact),
        f"* Source: {service.source}", "", "```text", *_steps(service.usual), "```", "",
    ]  # fmt: skip


def _needs(expansion: Expansion) -> Iterator[str]:
    if expansion.num_ancillas:
        yield counted(expansion.num_ancillas, "ancilla")
    if expansion.num_bits:
        yield counted(expansion.num_bits, "classical bit")
    if expansion.feed_forward:
        yield "feed-forward"


def _steps(expansion: Expansion) -> Iterator[str]:
    """The gates as OpenQASM 3 has them, on a, b, ...; ancillas and bits by their number."""
    names = [*"abcd"[: expansion.num_qubits], *(f"ancilla[{k}]" for k in range(expansion.num_ancillas))]
    for step in expansion.steps:
        on = ", ".join(names[k] for k in step.qubits)
        angles = ", ".join(angle if isinstance(angle, str) else f"pi/{pi / angle:g}" for angle in step.angles)
        call = f"{step.gate}{f'({angles})' if angles else ''} {on};"
        if step.bit is not None:
            call = f"bit[{step.bit}] = {call}"
        yield call if step.when is None else f"if (bit[{step.when}]) {{ {call} }}"


def ibm_options() -> str:
    """Every option of IBM's client, as its classes have it, and what becomes of it."""
    columns = {
        "SamplerV2": (SamplerOptions, False), "EstimatorV2": (EstimatorOptions, False),
        "Sampler": (options_models.SamplerOptions, True), "Estimator": (options_models.EstimatorOptions, True),
        "Executor": (options_models.ExecutorOptions, True),
    }  # fmt: skip
    known = {head: set(_option_names(options())) for head, (options, _) in columns.items()}
    rows = [
        [
            f"`{name}`",
            *(
                _fate(name, program, head == "Executor") if name in known[head] else ""
                for head, (_, program) in columns.items()
            ),
        ]
        for name in sorted(set().union(*known.values()))
    ]
    return "\n".join([
        "<!-- Written by `make generate` from the classes of qiskit-ibm-runtime and the fates of their options. -->",
        "", "# Options of IBM's client", "",
        "`SamplerV2` and `EstimatorV2` leave their options to the lab. `Sampler` of `executor_sampler`, `Estimator` of",
        "`executor_estimator` and `Executor` build what they can into the quantum program that they send: what is",
        "*by the client* happens. Each option that you set and that is *not applied* is named by `job.logs()`, in the",
        "job's tab, and for `SamplerV2` and `EstimatorV2` in `result.metadata[\"not_applied\"]`.",
        "`execution.init_qubits=False` is not applied, and named. `execution.meas_type` other than `classified` is",
        "refused where a QPU returns no IQ points. `dynamical_decoupling` is named, with the reason, where a backend",
        "has no times of its gates; see [how it is done](../how-to/ibm-notebook.md#twirling-and-dynamical-decoupling).",
        "", *_table(["Option", *columns], rows), "",
    ])  # fmt: skip


def _fate(name: str, program: bool, executor: bool) -> str:
    if executor and name.startswith("simulator."):
        return "not sent"
    return (RUNTIME_OPTIONS.get(name) or fate(name, program=program)).value


def _option_names(options: Any, prefix: str = "") -> Iterator[str]:
    """The paths of all options of one of the client's classes, dataclasses or models, groups written out."""
    for name in _fields(options):
        value = getattr(options, name)
        yield from _option_names(value, f"{prefix}{name}.") if _fields(value) else [f"{prefix}{name}"]


def _fields(thing: Any) -> list[str]:
    found = getattr(type(thing), "model_fields", None) or getattr(type(thing), "__dataclass_fields__", {})
    return [name for name in found if not name.startswith("_")]


PAGES = {
    "api.md": api,
    "ibm-options.md": ibm_options,
    "job-states.md": job_states,
    "permissions.md": permissions,
    "configuration.md": configuration,
    "events.md": events,
    "modules.md": modules,
    "openqasm.md": openqasm,
    "qpi-fields.md": qpi_fields,
    "services.md": services,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` name the stale ones; returns the exit status."""
    fresh = {REFERENCE / name: page() for name, page in PAGES.items()} | {DASHBOARD: dashboard()}
    stale = [path for path, text in fresh.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: make generate", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(fresh[path])
    return 0


def _example(example: Example) -> list[str]:
    outcome = "runs" if example.refused_at is None else f"refused: {example.message}"
    return [example.shows, outcome, example.after or ""]


def _grants(columns: Mapping[Any, frozenset[Permission]]) -> list[str]:
    """A line for each permission, a column for each role or scope."""
    rows = [
        [f"`{permission}`", *("yes" if permission in granted else "" for granted in columns.values())]
        for permission in Permission
    ]
    return _table(["", *columns], rows)


def _default(trait: TraitType[Any, Any]) -> str:
    value = trait.default()
    return "" if value in (None, "", []) else f"`{json.dumps(value)}`"


def _cell(rule: JobState | Rule) -> str:
    return rule.value if isinstance(rule, JobState) else f"`{rule.value}`"


def _arrows() -> list[str]:
    """One arrow for each pair of states, with all the events that lead along it."""
    labels: dict[tuple[JobState, JobState], list[str]] = {}
    for state, row in TRANSITIONS.items():
        for event, target in row.items():
            if isinstance(target, JobState):
                labels.setdefault((state, target), []).append(event)
    return [f"  {source} --> {target}: {', '.join(events)}" for (source, target), events in labels.items()]


def _ends() -> list[str]:
    return [f"  {state} --> [*]" for state in JobState if state.final]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [_line(head), _line(["---"] * len(head)), *(_line(row) for row in rows)]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
