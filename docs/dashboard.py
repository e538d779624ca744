"""The Grafana dashboard ``deploy/grafana-dashboard.json``: a panel for each figure that the lab counts."""

from __future__ import annotations

import json
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from qpi_server.service.base import Metrics

Figure = Counter | Gauge | Histogram
Panel = dict[str, Any]
"""JSON."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, COLUMNS = 12, 8, 2
QUANTILES = (("median", 0.5), ("95 %", 0.95))
WHERE = 'instance=~"$instance"'


def dashboard() -> str:
    """The dashboard as Grafana imports it."""
    figures = [figure for figure in vars(Metrics()).values() if isinstance(figure, Figure)]
    panels = [_panel(n, figure) for n, figure in enumerate(figures)]
    made = {
        "uid": "qpi-lab", "title": "QPI lab", "tags": ["qpi"], "schemaVersion": 39, "version": 1, "editable": True,
        "time": {"from": "now-6h", "to": "now"}, "refresh": "30s", "timezone": "browser", "graphTooltip": 1,
        "templating": {"list": [_source(), _choice("instance", "Lab"), _choice("qpu", "QPU")]}, "panels": panels,
    }  # fmt: skip
    return json.dumps(made, indent=2) + "\n"


def _source() -> Panel:
    """Which Prometheus to ask: chosen on the page, so that the file names none that another Grafana lacks."""
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1}


def _choice(label: str, title: str) -> Panel:
    """One or several values of a label; all of them at first."""
    return {
        "name": label, "label": title, "type": "query", "datasource": SOURCE, "refresh": 2, "sort": 1,
        "query": {"query": f"label_values(qpi_places, {label})", "refId": label}, "multi": True, "includeAll": True,
        "allValue": ".*", "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def _panel(n: int, figure: Figure) -> Panel:
    [family] = figure.describe()
    place = {"w": WIDTH, "h": HEIGHT, "x": n % COLUMNS * WIDTH, "y": n // COLUMNS * HEIGHT}
    queries = _queries(figure, family.name)
    return {
        "id": n + 1, "type": "timeseries", "title": family.documentation, "description": family.name, "gridPos": place,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": _unit(figure, family.name), "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(queries)
        ],
    }  # fmt: skip


def _queries(figure: Figure, name: str) -> list[tuple[str, str]]:
    """Expressions in PromQL, each with what its lines are called."""
    labels = list(figure._labelnames)
    where = ", ".join([WHERE, 'qpu=~"$qpu"'] if "qpu" in labels else [WHERE])
    by = ", ".join(labels)
    legend = " ".join(f"{{{{{label}}}}}" for label in labels)
    if isinstance(figure, Histogram):
        buckets = f"sum by ({', '.join([*labels, 'le'])}) (rate({name}_bucket{{{where}}}[$__rate_interval]))"
        return [(f"histogram_quantile({q}, {buckets})", f"{legend} {word}".strip()) for word, q in QUANTILES]
    figures = (
        f"rate({name}_total{{{where}}}[$__rate_interval])" if isinstance(figure, Counter) else f"{name}{{{where}}}"
    )
    return [(f"sum by ({by}) ({figures})" if by else f"sum({figures})", legend or "all")]


def _unit(figure: Figure, name: str) -> str:
    if isinstance(figure, Histogram):
        return "s"
    if isinstance(figure, Counter):
        return "percentunit" if name.endswith("_seconds") else "ops"
    return "short"
