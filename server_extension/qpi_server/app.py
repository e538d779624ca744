"""The lab as a Jupyter server extension: its settings, and what lives as long as the server."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import Bool, Float, Integer, List, Unicode, default

from qpi_jupyter._version import __version__

from .forward import Upstream
from .owner import OwnerRecord, Ownership
from .tls import Authority, TlsFiles

if TYPE_CHECKING:
    from .embedded import EmbeddedDrivers
    from .service import Lab, LabConfig

KERNEL_VARIABLES = ("QPI_LAB_URL", "QPI_LAB_TOKEN", "QPI_LAB_CA_FILE")
RENEW_EVERY_S = 86_400.0


def default_lab_dir() -> Path:
    """The data folder that the environment names, else the platform's."""
    if stated := os.environ.get("QPI_LAB_DIR"):
        return Path(stated).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "qpi-lab"


class QPIServer(ExtensionApp):
    """The lab: its queue, its drivers' links and its REST surface."""

    name = "qpi_server"
    app_name = "QPI lab"
    description = "A quantum lab inside Jupyter."
    extension_url = "/qpi/health"
    load_other_extensions = True

    lab_dir = Unicode(help="The lab's data folder, on a local disk. Default: QPI_LAB_DIR, else the user's data folder.")
    demo = Bool(False, help="Bring two simulated QPUs along: sim-a (Qiskit Aer) and sim-b (a line of 5 qubits).")
    embedded_drivers = Bool(True, help="Start the simulators that the lab's database defines.")
    upstream_url = Unicode(help="Forward to the lab at this address, and have none here. Default: QPI_UPSTREAM_URL.")
    upstream_token = Unicode(help="The token for upstream_url. Default: QPI_UPSTREAM_TOKEN, else the Hub's.")
    upstream_ca_file = Unicode(help="The certificate that upstream_url is trusted by. Default: the system's.")
    insecure = Bool(False, help="Send upstream_token over plain http to another machine.")
    https = Bool(False, help="Serve https with a certificate from the lab's own authority.")
    tls_dir = Unicode(help="Where the authority's files are. Default: tls in the data folder.")
    tls_names = List(
        Unicode(), help="Host names and addresses that the certificate is for, besides this machine's own."
    )
    lease_s = Float(20.0, help="How long a silent driver keeps its jobs (seconds).")
    heartbeat_s = Float(2.0, help="How often drivers report (seconds).")
    reask_s = Float(15.0, help="How often an idle driver asks again, as a safety net (seconds).")
    check_budget_s = Float(0.5, help="How long a submit waits for its program to be checked (seconds).")
    job_timeout_s = Float(600.0, help="How long an attempt may run, where its driver says nothing else (seconds).")
    max_shots = Integer(1_000_000, help="Shots of one circuit, at most.")
    result_limit_bytes = Integer(16 << 30, help="Size of one result, at most (bytes).")
    idle_threshold_s = Float(
        5.0, help="How long the holder of a booking counts as active after their last act (seconds)."
    )
    backfill_max_s = Float(30.0, help="The longest job that may run in an idle holder's booking (seconds).")
    fair_share = Bool(False, help="Among equal priorities, let those go first who used the QPU less lately.")
    local_accounts = Bool(False, help="Let people sign in with a password that this lab keeps (POST qpi/v1/sign-in).")
    for _trait in (
        lab_dir, demo, embedded_drivers, upstream_url, upstream_token, upstream_ca_file, insecure, https, tls_dir,
        tls_names, lease_s, heartbeat_s, reask_s, check_budget_s, job_timeout_s, max_shots, result_limit_bytes,
        idle_threshold_s, backfill_max_s, fair_share, local_accounts,
    ):  # fmt: skip
        _trait.tag(config=True)
    del _trait

    @default("lab_dir")
    def _default_lab_dir(self) -> str:
        return str(default_lab_dir())

    @default("upstream_url")
    def _default_upstream_url(self) -> str:
        return os.environ.get("QPI_UPSTREAM_URL", "")

    @default("upstream_token")
    def _default_upstream_token(self) -> str:
        return os.environ.get("QPI_UPSTREAM_TOKEN") or os.environ.get("JUPYTERHUB_API_TOKEN", "")

    @default("tls_dir")
    def _default_tls_dir(self) -> str:
        return str(Path(self.lab_dir) / "tls")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.secret = "qpi_local_" + secrets.token_urlsafe(32)
        self.ownership: Ownership | None = None
        self._authority: Authority | None = None
        self._drivers: EmbeddedDrivers | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None
        self._environment: dict[str, str | None] = {}
        self._context: Any = None

    # --- what Jupyter calls ------------------------------------------------------------------------------------------

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        super()._link_jupyter_server_extension(serverapp)
        if self.https:
            self._authority = Authority(TlsFiles.under(Path(self.tls_dir)), self.tls_names)
            self._authority.ensure()
            serverapp.certfile = str(self._authority.files.cert)
            serverapp.keyfile = str(self._authority.files.key)

    def initialize_settings(self) -> None:
        """Let the handlers find this."""
        self.settings["qpi"] = self

    def initialize_handlers(self) -> None:
        """Every address."""
        from .web.surface import handlers

        self.handlers.extend(handlers())

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        _share_log(self.log)
        self._serve_renewable(serverapp)
        self.ownership = Ownership(
            lab_dir=None if self.upstream_url else Path(self.lab_dir),
            upstream=self._upstream(),
            record=self._record(),
            open_lab=self._open_lab,
            started=self._own,
            stopping=self._disown,
        )
        self._tell_kernels()
        await self.ownership.start()
        if "events" in serverapp.default_services:
            from .web.events import EventRelay

            relay = EventRelay(serverapp.event_logger, self.ownership)
            self._tasks.append(asyncio.create_task(relay.run(), name="relay the lab's events"))

    async def stop_extension(self) -> None:
        """Let go of everything, the lab last; whoever asks a second time waits for the same end.

        Jupyter asks once a signal, and stops its loop as soon as any of these calls returns.
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name="end the lab")
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self.ownership is not None:
            await self.ownership.stop()
        for name, value in self._environment.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
        self._environment.clear()

    # --- what the routes ask (`web.table.Site`) ----------------------------------------------------------------------

    def owner(self) -> dict[str, Any]:
        """The process that owns the queue."""
        record = self.ownership.owner if self.ownership is not None else None
        return {"pid": record.pid, "host": record.host, "url": record.url} if record is not None else {}

    def address(self) -> str:
        """Where this server is reached from this machine, with its base path."""
        app = self.serverapp
        assert app is not None
        scheme = "https" if app.certfile else "http"
        host = app.ip if app.ip not in ("", "0.0.0.0", "::", "localhost", "*") else "127.0.0.1"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{app.port}{app.base_url}"

    def ca_pem(self) -> bytes | None:
        """The certificate of the lab's own authority."""
        return self._authority.ca_pem if self._authority is not None else None

    def ca_fingerprint(self) -> str | None:
        """Its SHA-256, which drivers pin."""
        return self._authority.fingerprint if self._authority is not None else None

    async def released(self) -> None:
        """Wait until this server no longer owns the queue."""
        assert self.ownership is not None
        await self.ownership.released()

    # --- the life of a lab here --------------------------------------------------------------------------------------

    async def _open_lab(self) -> Lab:
        from .service import Lab

        lab = await Lab.open(self._config())
        if self.demo:  # before anybody is answered: who asks first already finds the QPUs
            from .embedded import demo_drivers

            for driver in demo_drivers():
                await lab.embedded.define(driver)
        return lab

    async def _own(self, lab: Lab) -> None:
        if self.embedded_drivers:
            from .embedded import EmbeddedDrivers

            self._drivers = EmbeddedDrivers(
                lab, lab_dir=Path(self.lab_dir), address=self.address(), trust=self._trust()
            )
            await self._drivers.start()

    async def _disown(self, _lab: Lab) -> None:
        if self._drivers is not None:
            await self._drivers.stop()
            self._drivers = None

    def _config(self) -> LabConfig:
        from qpi_jupyter.core.planner import Policy

        from .service import LabConfig

        return LabConfig(
            lab_dir=Path(self.lab_dir), lease_s=self.lease_s, heartbeat_s=self.heartbeat_s, reask_s=self.reask_s,
            check_budget_s=self.check_budget_s, job_timeout_s=self.job_timeout_s, max_shots=self.max_shots,
            result_limit_bytes=self.result_limit_bytes, version=__version__,
            local_accounts=self.local_accounts,
            policy=Policy(
                idle_threshold_s=self.idle_threshold_s, backfill_max_s=self.backfill_max_s, fair_share=self.fair_share
            ),
        )  # fmt: skip

    def _record(self) -> OwnerRecord:
        ca_file = self._ca_file()
        return OwnerRecord.here(
            url=self.address(), secret=self.secret, version=__version__, ca_file=ca_file,
            own_ca=self._authority is not None,
        )  # fmt: skip

    def _ca_file(self) -> str | None:
        """What a process on this machine trusts this server by."""
        assert self.serverapp is not None
        if self._authority is not None:
            return str(self._authority.files.ca_cert)
        return self.serverapp.certfile or None

    def _trust(self) -> tuple[str, ...]:
        if self._authority is not None:
            return ("--ca-fingerprint", self._authority.fingerprint)
        ca_file = self._ca_file()
        return ("--ca-file", ca_file) if ca_file is not None else ()

    def _upstream(self) -> Upstream | None:
        if not self.upstream_url:
            return None
        parts = urlsplit(self.upstream_url)
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme == "http" and not loopback and not self.insecure:
            raise ValueError(
                f"{self.upstream_url} is plain http to another machine: anybody on the way could read the token. Use "
                "https, or set QPIServer.insecure."
            )
        context = None
        if parts.scheme == "https":
            import ssl

            context = ssl.create_default_context(cafile=self.upstream_ca_file or None)
        return Upstream(self.upstream_url, self.upstream_token, context=context)

    def _tell_kernels(self) -> None:
        """Put the way to this server into the environment of the kernels that it starts."""
        told = {"QPI_LAB_URL": self.address(), "QPI_LAB_TOKEN": self.secret, "QPI_LAB_CA_FILE": self._ca_file()}
        for name in KERNEL_VARIABLES:
            self._environment[name] = os.environ.pop(name, None)
            if (value := told[name]) is not None:
                os.environ[name] = value

    # --- https ------------------------------------------------------------------------------------------------------

    def _serve_renewable(self, serverapp: ServerApp) -> None:
        """Serve from one live context, so that a renewed certificate needs no restart."""
        if self._authority is None:
            return
        self.log.info("The lab's own authority has the fingerprint %s", self._authority.fingerprint)
        with suppress(AttributeError):  # a server inside a test has no HTTP server of Jupyter's
            self._context = self._authority.context()
            serverapp.http_server.ssl_options = self._context
        self._tasks.append(asyncio.create_task(self._renew_daily(), name="renew the certificate"))

    async def _renew_daily(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            await self.renew()

    async def renew(self) -> bool:
        """Renew the certificate if it ends soon, while serving; whether it did."""
        assert self._authority is not None
        changed = await asyncio.to_thread(self._authority.ensure)
        if changed:
            self._authority.reload(self._context)
            self.log.info("The server's certificate has been renewed")
        return changed


def _share_log(log: logging.Logger) -> None:
    """Let our modules' messages appear where Jupyter's do."""
    ours = logging.getLogger("qpi_server")
    if ours.level == logging.NOTSET:
        ours.setLevel(log.getEffectiveLevel())
    for handler in log.handlers:
        if handler not in ours.handlers:
            ours.addHandler(handler)


main = QPIServer.launch_instance
