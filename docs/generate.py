"""Writes the reference pages that the code already says: ``python docs/generate.py`` (``--check`` only compares)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traitlets import TraitType

from qpi_jupyter.core.access import PERMISSIONS, SCOPES, Permission
from qpi_jupyter.core.jobs import JobState
from qpi_jupyter.core.lifecycle import TRANSITIONS, EventKind, Rule
from qpi_server.app import QPIServer
from qpi_server.settings import ALIASES, INVERTED, UNUSED, allowed, own_traits

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by `make generate` from qpi_jupyter/core: change that, not this. -->"


def job_states() -> str:
    """The lifecycle as a table and as a diagram."""
    rows = [
        [f"**{state}**", *(_cell(TRANSITIONS[state][event]) for event in EventKind)]
        for state in JobState
    ]  # fmt: skip
    legend = "`=` the job stays as it is; `.` acknowledged, nothing changes; `!` cannot happen, a bug in the lab."
    diagram = ["```mermaid", "stateDiagram-v2", "  [*] --> queued", *_arrows(), *_ends(), "```"]
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

PAGES = {"job-states.md": job_states, "permissions.md": permissions, "configuration.md": configuration}


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` name the stale ones; returns the exit status."""
    fresh = {REFERENCE / name: page() for name, page in PAGES.items()}
    stale = [path for path, text in fresh.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"docs/reference/{path.name} is stale: make generate", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(fresh[path])
    return 0


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
