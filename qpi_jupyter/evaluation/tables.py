"""What came out of an evaluation, for a paper: CSV, NetCDF and figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .trials import Trial

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

UNITS = {"plan_s": "s", "run_s": "s", "busy_s": "s"}
LABELS = {
    "rmse": "RMS error of the\nexpectation values", "run_s": "From submit\nto result (s)", "plan_s": "Planning (s)",
    "success": "Completed",
}  # fmt: skip
_ALONG = ("scenario", "circuit", "shots", "seed")


class TrialFile:
    """Trials as CSV, a row each, written as they come: what was measured before a power cut is there."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, [field.name for field in fields(Trial)])
        self._writer.writeheader()

    def add(self, trial: Trial) -> None:
        self._writer.writerow({**asdict(trial), "qpus": " ".join(trial.qpus)})
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def dataset_of(trials: Sequence[Trial], **about: str) -> xr.Dataset:
    """The trials as a Dataset over ``scenario``, ``circuit``, ``shots`` and ``seed``; NaN or empty: not tried.

    Parameters
    ----------
    **about
        attributes: what they were made with.
    """
    import numpy as np
    import xarray as xr

    axes = {name: list(dict.fromkeys(getattr(trial, name) for trial in trials)) for name in _ALONG}
    shape = tuple(map(len, axes.values()))
    data: dict[str, Any] = {}
    for field in fields(Trial):
        if field.name in _ALONG:
            continue
        texts = field.name in ("outcome", "error", "plan_id", "kind", "qpus")
        values = np.full(shape, "" if texts else np.nan, dtype=object if texts else float)
        for trial in trials:
            at = tuple(axis.index(getattr(trial, name)) for name, axis in axes.items())
            value = getattr(trial, field.name)
            values[at] = " ".join(value) if isinstance(value, tuple) else value
        data[field.name] = (_ALONG, values.astype(str) if texts else values, _attributes(field.name))
    return xr.Dataset(data, coords=axes, attrs={"Conventions": "qpi-evaluation-1", **about})


def _attributes(name: str) -> dict[str, str]:
    return {"units": UNITS[name]} if name in UNITS else {}


def summary(trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """A row for each circuit in each scenario: how many completed, and the means over shots and seeds."""
    rows = []
    trials = list(trials)
    for scenario, circuit in dict.fromkeys((trial.scenario, trial.circuit) for trial in trials):
        own = [trial for trial in trials if (trial.scenario, trial.circuit) == (scenario, circuit)]
        done = [trial for trial in own if trial.outcome == "completed"]
        means = {
            name: sum(getattr(trial, name) for trial in done) / len(done) if done else None
            for name in ("overhead", "esp", "plan_s", "run_s", "moved", "rmse", "standard_error")
        }
        kinds = " ".join(sorted({trial.kind for trial in done}))
        rows.append({
            "scenario": scenario, "circuit": circuit, "trials": len(own), "completed": len(done), "kind": kinds, **means
        })  # fmt: skip
    return rows


def as_text(trials: Iterable[Trial]) -> str:
    """The summary as a table for a terminal."""
    rows = [{name: _shown(value) for name, value in row.items()} for row in summary(trials)]
    if not rows:
        return "No trials."
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    lines = [{name: name for name in widths}, *rows]
    return "\n".join("  ".join(line[name].ljust(width) for name, width in widths.items()).rstrip() for line in lines)


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def figure(trials: Sequence[Trial]) -> Figure:
    """Error, time and success by scenario, a colour for each circuit; bars are means, points the trials.

    The dotted line of a bar of errors is what shots alone would make of them: the mean of the standard errors.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    scenarios = list(dict.fromkeys(trial.scenario for trial in trials))
    circuits = list(dict.fromkeys(trial.circuit for trial in trials))
    drawn, axes = plt.subplots(3, 1, sharex=True, figsize=(1.6 + 1.3 * len(scenarios), 7), layout="constrained")
    width, places = 0.8 / len(circuits), np.arange(len(scenarios))
    for number, circuit in enumerate(circuits):
        at = places + (number - (len(circuits) - 1) / 2) * width
        for axis, name in zip(axes, ("rmse", "run_s", "success"), strict=True):
            found = [_values(trials, scenario, circuit, name) for scenario in scenarios]
            axis.bar(at, [np.mean(values) if values else np.nan for values in found], 0.9 * width, label=circuit)
            if name != "success":
                for x, values in zip(at, found, strict=True):
                    axis.plot([x] * len(values), values, "k.", markersize=3)
        for x, scenario in zip(at, scenarios, strict=True):
            if claimed := _values(trials, scenario, circuit, "standard_error"):
                axes[0].hlines(np.mean(claimed), x - width / 2, x + width / 2, colors="k", linestyles="dotted")
    for axis, name in zip(axes, ("rmse", "run_s", "success"), strict=True):
        axis.set_ylabel(LABELS[name])
    axes[2].set_ylim(0, 1.05)
    axes[2].set_xticks(places, scenarios, rotation=20, ha="right")
    axes[0].legend(title="Circuit", fontsize="small")
    return drawn


def _values(trials: Iterable[Trial], scenario: str, circuit: str, name: str) -> list[float]:
    own = [trial for trial in trials if (trial.scenario, trial.circuit) == (scenario, circuit)]
    if name == "success":
        return [float(trial.outcome == "completed") for trial in own]
    return [getattr(trial, name) for trial in own if trial.outcome == "completed"]


def write(trials: Sequence[Trial], folder: Path, **about: str) -> list[Path]:
    """``trials.nc``, ``summary.json`` and ``figure.pdf`` and ``.png`` in a folder; `TrialFile` writes the CSV."""
    import matplotlib.pyplot as plt

    written = [folder / name for name in ("trials.nc", "summary.json", "figure.pdf", "figure.png")]
    dataset_of(trials, **about).to_netcdf(written[0], engine="h5netcdf")
    written[1].write_text(json.dumps(summary(trials), indent=2) + "\n", encoding="utf-8")
    drawn = figure(trials)
    for path in written[2:]:
        drawn.savefig(path, dpi=200, metadata={"CreationDate": None} if path.suffix == ".pdf" else None)
    plt.close(drawn)
    return written
