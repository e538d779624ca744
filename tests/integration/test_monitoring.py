"""docs/how-to/monitor.md: what it says to type, typed."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import yaml

from tests.support.servers import ROOT, TOKEN, lab_server, python_env

PAGE = (ROOT / "docs" / "how-to" / "monitor.md").read_text()


def test_prometheus_gets_a_token_that_reads_figures_and_no_more(tmp_path: Path) -> None:
    commands, _ = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    with lab_server(tmp_path, "--log-json", "--QPIServer.local_accounts=True") as server:
        env = python_env(LAB=server.url.rstrip("/"), ADMIN=TOKEN)
        done = subprocess.run(["bash", "-euc", commands], env=env, capture_output=True, text=True, check=True)
        token = json.loads(done.stdout[done.stdout.rindex('{"id"') :])["token"]
        prometheus = server.client(token)
        [scrape] = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])["scrape_configs"]
        figures = prometheus.get(scrape["metrics_path"].lstrip("/"))
        assert figures.text.startswith("# HELP"), figures.text
        for name in set(re.findall(r"qpi_[a-z_]+", PAGE)):
            assert f"# TYPE {re.sub('_(bucket|total)$', '', name)}" in figures.text, name
        assert prometheus.get("qpi/v1/jobs").status_code == 403
        assert prometheus.get("qpi/v1/users").status_code == 403
