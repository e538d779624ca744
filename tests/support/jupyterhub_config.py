"""The deployed configuration, with sign-in by name alone and local processes; `HUB_OF_THE_TEST` says the rest."""

import json
import os

c = get_config()  # noqa: F821
said = json.loads(os.environ["HUB_OF_THE_TEST"])

load_subconfig(said["deployed"])  # noqa: F821
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{said['port']}"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.SimpleLocalProcessSpawner.home_dir_template = f"{said['homes']}/{{username}}"
c.Spawner.args = ["--allow-root", "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
c.Spawner.http_timeout = c.Spawner.start_timeout = 120
c.Spawner.environment.update(said["environment"])
c.JupyterHub.load_groups = {name: {"users": people} for name, people in (said["groups"] | said["roles"]).items()}
for role in c.JupyterHub.load_roles:
    if role["name"] in said["roles"]:
        role["users"], role["groups"] = [], [role["name"]]
c.JupyterHub.services.append({"name": "operator", "api_token": said["operator"]})
c.JupyterHub.load_roles.append(
    {
        "name": "operator",
        "services": ["operator"],
        "scopes": ["admin:users", "admin:servers", "admin:groups", "tokens", "access:servers", "access:services"],
    }
)
