"""The Grafana dashboard asks for figures that a lab has, by labels that they have."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from qpi_jupyter.core import QpiError
from tests.faults.lab import ANN, bell, small_lab

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy" / "grafana-dashboard.json").read_text())
PROMETHEUS = {"instance", "le"}
"""Labels that Prometheus adds, or that only buckets have."""


def figures(folder: Path) -> dict[str, set[str]]:
    """The labels of every sample of a lab that has run a job and refused one."""

    async def story() -> str:
        async with small_lab(folder) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            await driver.run()
            try:
                await lab.jobs.submit(ANN, bell(qpu="nowhere"))
            except QpiError:
                return generate_latest(lab.metrics).decode()
            raise AssertionError("it was taken")

    families = text_string_to_metric_families(asyncio.run(story()))
    return {sample.name: {*sample.labels} for family in families for sample in family.samples}


def test_every_panel_asks_for_what_a_lab_counts(tmp_path: Path) -> None:
    there, asked = figures(tmp_path), set()
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            [(name, where)] = re.findall(r"(qpi_\w+)\{(.*?)\}", target["expr"])
            labels = {*re.findall(r"(\w+)=~", where), *re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])}
            labels |= {label for by in re.findall(r"by \((.*?)\)", target["expr"]) for label in by.split(", ")}
            assert labels - PROMETHEUS <= there[name], (name, labels)
            asked.add(name)
    counted = {name for name in there if not name.endswith(("_created", "_sum", "_count"))}
    assert counted == asked


def test_it_names_no_source_that_another_grafana_lacks() -> None:
    sources = {json.dumps(panel["datasource"]) for panel in DASHBOARD["panels"]}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "instance", "qpu"]
    assert "__inputs" not in DASHBOARD
