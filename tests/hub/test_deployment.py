"""The files in `deploy` and what the how-to says of them, as far as no cluster and no systemd is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from traitlets.config import Config

from qpi_server.host import hub
from tests.support.hub import DEPLOY
from tests.support.servers import ROOT

KUBERNETES = ROOT / "deploy/kubernetes"
HOW_TO = ROOT / "docs/how-to/jupyterhub.md"


def loaded(name: str) -> Any:
    return yaml.safe_load((KUBERNETES / name).read_text())


def unknown(values: Any, keys: Any, path: str = "") -> list[str]:
    """The keys of ``values`` that are not in the table."""
    if not isinstance(keys, dict) or not isinstance(values, dict):
        return []
    found = []
    for name, value in values.items():
        if name in keys or "*" in keys:
            found += unknown(value, keys.get(name, keys.get("*")), f"{path}{name}.")
        else:
            found.append(path + name)
    return found


def test_the_values_have_keys_of_the_chart_alone() -> None:
    table, values = loaded("chart.yaml"), loaded("values.yaml")
    assert unknown(values, table["keys"]) == []
    assert f"--version {table['version']}" in (KUBERNETES / "values.yaml").read_text()
    values["hub"]["loadRoles"]["lab"]["scope"] = values["singleuser"]["extraEnvs"] = []
    assert unknown(values, table["keys"]) == ["hub.loadRoles.lab.scope", "singleuser.extraEnvs"]


def test_one_host_and_a_cluster_give_the_same_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPI_HUB_TOKEN", "t")
    c = Config()
    exec((DEPLOY / "jupyterhub_config.py").read_text(), {"get_config": lambda: c})
    here = {role["name"]: sorted(role["scopes"]) for role in c.JupyterHub.load_roles}
    there = {name: sorted(role["scopes"]) for name, role in loaded("values.yaml")["hub"]["loadRoles"].items()}
    del here["idle-culler"]  # the chart has its own
    assert here == there
    assert set(c.JupyterHub.custom_scopes) == set(loaded("values.yaml")["hub"]["config"]["JupyterHub"]["custom_scopes"])


def test_the_deployment_is_the_service_that_the_units_are() -> None:
    parts = {part["kind"]: part for part in yaml.safe_load_all((KUBERNETES / "lab.yaml").read_text())}
    [container] = parts["Deployment"]["spec"]["template"]["spec"]["containers"]
    there = {one["name"]: one.get("value") for one in container["env"]}
    here = dict(line.split("=", 1) for line in (DEPLOY / "lab.env").read_text().splitlines() if line[0] != "#")
    assert there.keys() == here.keys()
    same = ("JUPYTERHUB_SERVICE_NAME", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_BASE_URL", "JUPYTERHUB_CLIENT_ID")
    assert {name: there[name] for name in same} == {name: here[name] for name in same}
    values = loaded("values.yaml")
    [port] = parts["Service"]["spec"]["ports"]
    upstream = values["singleuser"]["extraEnv"]["QPI_UPSTREAM_URL"]
    assert upstream == f"{values['hub']['services']['qpi']['url']}{there['JUPYTERHUB_SERVICE_PREFIX']}"
    assert upstream.startswith(f"http://{parts['Service']['metadata']['name']}:{port['port']}/")


@pytest.mark.parametrize("left_out", ["JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_URL"])
def test_a_service_that_lacks_something_says_what(left_out: str) -> None:
    said = dict(line.split("=", 1) for line in (DEPLOY / "lab.env").read_text().splitlines() if line[0] != "#")
    said["JUPYTERHUB_API_TOKEN"] = "t"
    assert hub.service_config(said).ServerApp.port == 8899
    assert hub.is_service(said)
    assert not hub.is_own("root", {**said, "JUPYTERHUB_USER": "root"}), "the Hub tells its services the machine's user"
    assert hub.is_own("ana", {"JUPYTERHUB_USER": "ana"})
    with pytest.raises(ValueError, match="must be the address"):
        hub.service_config({**said, "JUPYTERHUB_SERVICE_URL": "unix:///run/lab"})
    del said[left_out]
    with pytest.raises(ValueError, match=f"needs {left_out} in its environment"):
        hub.service_config(said)


@pytest.mark.slow
def test_the_how_tos_commands_set_up_all_that_the_units_start(tmp_path: Path) -> None:
    """All but the download of the packages: the environment that runs this test has them."""
    place = {"/opt/qpi": f"{tmp_path}/opt", "/etc/qpi": f"{tmp_path}/etc", "/var/lib/qpi": f"{tmp_path}/var"}

    def of_here(text: str) -> str:
        for theirs, ours in place.items():
            text = text.replace(theirs, ours)
        return text

    install = "/opt/qpi/bin/pip install '.[lab,aer,hub]' jupyterhub-idle-culler\n"
    script = "".join(re.findall(r"```bash\n(.*?)```", HOW_TO.read_text(), re.DOTALL))
    assert install in script
    packages = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    quick = f'echo "{packages}" > /opt/qpi/lib/{version}/site-packages/lab.pth\n'
    quick += "/opt/qpi/bin/pip install -q --no-deps .\n"
    script = of_here(script.replace("python3 -m venv", f"{sys.executable} -m venv").replace(install, quick))
    environment = {**os.environ, "QPI_SKIP_LABEXTENSION": "1"}
    done = subprocess.run(
        ["/bin/bash", "-eu", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    env = {}
    for name in ("hub", "lab"):
        assert (tmp_path / f"etc/{name}.env").stat().st_mode & 0o777 == 0o600
        lines = (tmp_path / f"etc/{name}.env").read_text().splitlines()
        env[name] = dict(line.split("=", 1) for line in lines if line[0] != "#")
    assert len(env["hub"]["CONFIGPROXY_AUTH_TOKEN"]) == 64
    assert env["lab"]["JUPYTERHUB_API_TOKEN"] == env["hub"]["QPI_HUB_TOKEN"] != env["hub"]["CONFIGPROXY_AUTH_TOKEN"]
    for unit in (DEPLOY / "systemd").iterdir():
        [command] = re.findall(r"^ExecStart=(\S+)(.*)$", of_here(unit.read_text()), re.MULTILINE)
        assert os.access(command[0], os.X_OK), command
        [where] = re.findall(r"^WorkingDirectory=(.*)$", of_here(unit.read_text()), re.MULTILINE) or [str(tmp_path)]
        assert Path(where).is_dir()
    assert subprocess.run([tmp_path / "opt/bin/jupyter-qpi", "--version"], check=True, timeout=100).returncode == 0
