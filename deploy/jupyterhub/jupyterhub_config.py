"""One lab for everybody on one host: JupyterHub, its proxy and the lab, each a systemd unit of its own (`systemd/`).

What is in capital letters below is yours to set; docs/how-to/jupyterhub.md goes through it step by step.
"""

import os
import sys
from urllib.parse import urlsplit

c = get_config()  # noqa: F821

PUBLIC = "http://127.0.0.1:8000/"
"""Where the Hub's proxy listens, with the Hub's path. A reverse proxy with TLS stands before it (see the how-to)."""
LAB = "http://127.0.0.1:8899"
"""Where the lab listens: JUPYTERHUB_SERVICE_URL in lab.env."""
MANAGERS = ["dana"]
"""They manage the lab: bookings, rules, QPU time, people."""
ADMINS = ["root-of-the-lab"]
"""They also add QPUs and drivers and give out roles."""

# --- the Hub --------------------------------------------------------------------------------------------------------
c.JupyterHub.bind_url = PUBLIC
# The proxy runs by itself, so that a restart of the Hub interrupts nobody. Both read CONFIGPROXY_AUTH_TOKEN.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"
# How soon a proxy that was started anew is told its routes again; the Hub's own default is five minutes.
c.JupyterHub.last_activity_interval = 15
# People's servers outlive a restart of the Hub, too (with KillMode=process in its unit).
c.JupyterHub.cleanup_servers = False
# c.JupyterHub.authenticator_class = "pam"      # the machine's own accounts, the default
c.Authenticator.allow_all = True  # or allowed_users = {...}

# --- people's own servers: JupyterLab, which forwards everything about the lab to the one lab -----------------------
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.default_url = "/lab"
c.Spawner.environment = {
    # Straight to the lab, past the proxy.
    "QPI_UPSTREAM_URL": f"{LAB}{urlsplit(PUBLIC).path}services/qpi/",
}

# --- the lab: a service that systemd starts, known by its token -----------------------------------------------------
c.JupyterHub.services = [
    {
        "name": "qpi",
        "url": LAB,  # the proxy passes on .../services/qpi/, to drivers for one
        "api_token": os.environ["QPI_HUB_TOKEN"],  # the lab's JUPYTERHUB_API_TOKEN
        "oauth_no_confirm": True,
        "display": False,
        # The Hub may start the lab itself; then it ends with the Hub. Leave api_token out and add:
        # "command": [sys.executable, "-m", "qpi_server.tools.standalone"], "environment": {"QPI_LAB_DIR": "/srv/qpi"},
    },
    {
        "name": "idle-culler",  # optional: ends servers that nobody uses; never one whose jobs wait
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
    },
]

# --- who may do what ------------------------------------------------------------------------------------------------
USE_THE_LAB = "access:services!service=qpi"
MANAGE, ADMINISTER = "custom:qpi:manage", "custom:qpi:admin"
c.JupyterHub.custom_scopes = {
    MANAGE: {"description": "Manage the lab: bookings, rules, QPU time, people"},
    ADMINISTER: {"description": "Administer the lab: QPUs, drivers, roles"},
}
c.JupyterHub.load_roles = [
    {"name": "user", "scopes": ["self", USE_THE_LAB]},
    # A person's server has of these only what that person has.
    {
        "name": "server",
        "scopes": ["users:activity!user", "access:servers!server", USE_THE_LAB, MANAGE, ADMINISTER],
    },
    {"name": "lab-managers", "scopes": [MANAGE], "users": MANAGERS},
    {"name": "lab-admins", "scopes": [ADMINISTER], "users": ADMINS},
    # So that the lab hears of it when somebody leaves the Hub, and ends their API tokens.
    {"name": "lab", "scopes": ["list:users"], "services": ["qpi"]},
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    },
]
