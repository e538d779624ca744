"""``jupyter qpi``: the lab as a server of its own, without JupyterLab, kernels, files or terminals."""

from __future__ import annotations

import signal
import sys
from typing import Any, ClassVar

from jupyter_server.serverapp import ServerApp, flags
from traitlets import default

from qpi_jupyter._version import __version__

from .app import QPIServer


class LabServerApp(ServerApp):
    """A Jupyter server that serves the lab and nothing else."""

    name = "jupyter-qpi"
    version = __version__
    description = """The quantum lab as a server of its own.

    It has the same addresses as inside JupyterLab, and no notebooks, kernels, files or terminals."""
    examples = """
    jupyter qpi --demo                    # with two simulated QPUs
    jupyter qpi --https --port 8899       # with a certificate of its own
    """
    classes: ClassVar = [*ServerApp.classes, QPIServer]
    flags: ClassVar = {
        **flags,
        "demo": ({"QPIServer": {"demo": True}}, "Bring two simulated QPUs along."),
        "https": ({"QPIServer": {"https": True}}, "Serve https with a certificate from the lab's own authority."),
    }
    default_services = ("api", "auth")

    @default("jpserver_extensions")
    def _default_extensions(self) -> dict[str, bool]:
        return {"qpi_server": True}

    @default("default_url")
    def _default_default_url(self) -> str:
        return "/qpi/health"

    @default("open_browser")
    def _default_open_browser(self) -> bool:
        return False

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """As a Jupyter server, with the extensions named here and no others."""
        super().initialize(*args, **{**kwargs, "find_extensions": False})

    def init_signal(self) -> None:
        """As a Jupyter server, but an interrupt ends it properly without a terminal to ask at, too."""
        super().init_signal()
        if not (sys.stdin and sys.stdin.isatty()):
            signal.signal(signal.SIGINT, self._signal_stop)


main = LabServerApp.launch_instance

if __name__ == "__main__":
    main()
