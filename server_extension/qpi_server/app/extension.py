"""The lab as a Jupyter server extension: its settings, and what lives as long as the server."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import TraitType
from traitlets.config import Config

from qpi_jupyter._version import __version__
from qpi_jupyter.core import Policy, QpiError, Quotas
from qpi_jupyter.wire.addresses import is_base
from qpi_jupyter.wire.bench import ConfigInForce, ConfigSetting
from qpi_jupyter.wire.redact import redact_log
from qpi_jupyter.wire.tasks import ended
from qpi_server.host.exposure import warn_of_exposure
from qpi_server.host.forward import Upstream
from qpi_server.settings.config import LabConfig
from qpi_server.settings.shown import describe
from qpi_server.settings.traits import LabTraits, traits_of
from qpi_server.settings.values import Setting, SettingsError, own_traits, place_of, resolve

if TYPE_CHECKING:  # Jupyter loads this module wherever it lists its extensions: what needs the database comes later
    from _typeshed import DataclassInstance

    from qpi_jupyter.wire.bus import BusKind
    from qpi_jupyter.wire.kept_labs import KeptLabs
    from qpi_server.host.connections import LabSwitch
    from qpi_server.host.embedded import EmbeddedDrivers
    from qpi_server.host.owner import Ownership
    from qpi_server.host.owner_files import OwnerRecord
    from qpi_server.host.tls import Authority, TlsFiles
    from qpi_server.service import Lab
    from qpi_server.store import Backend

KERNEL_VARIABLES = ("QPI_LAB_URL", "QPI_LAB_TOKEN", "QPI_LAB_CA_FILE", "QPI_LOAD_MAGICS")
RENEW_EVERY_S = 86_400.0
SWITCH_S = 0.0005
"""How long a thread of the server may keep the interpreter while another one wants it."""
ANYWHERE = ("", "0.0.0.0", "::", "*", "localhost")
"""Addresses to listen at that nobody can be reached by."""


class QPIServer(LabTraits, ExtensionApp):
    """The lab: its queue, its drivers' links and its REST surface."""

    name = "qpi_server"
    app_name = "QPI lab"
    description = "A quantum lab inside Jupyter."
    extension_url = "/qpi/"
    load_other_extensions = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stated: dict[str, Setting] = {}
        """What somebody set, and where; everything else has its default."""
        self.secret = "qpi_local_" + secrets.token_urlsafe(32)
        self.ownership: Ownership | None = None
        self._authority: Authority | None = None
        self._drivers: EmbeddedDrivers | None = None
        self._hub: asyncio.Task[None] | None = None
        self._labs: LabSwitch | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None
        self._environment: dict[str, str | None] = {}
        self._context: Any = None

    # --- what Jupyter calls ------------------------------------------------------------------------------------------

    def _load_config(
        self, cfg: Config, section_names: list[str] | None = None, traits: dict[str, TraitType[Any, Any]] | None = None
    ) -> None:
        """Jupyter's own traits; ours are `settle`d once every source is known."""
        jupyters = Config(cfg)
        ours = own_traits(type(self))
        section = jupyters.pop("QPIServer", {})
        jupyters["QPIServer"] = Config({k: v for k, v in section.items() if k in self.traits() and k not in ours})
        super()._load_config(jupyters, section_names, traits)

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        super()._link_jupyter_server_extension(serverapp)
        try:
            self._settle(serverapp)
            if not self.upstream_url:
                self.backend()
                self.bus_kinds()
            self._check_address()
        except SettingsError as error:
            print(error, file=sys.stderr)
            raise SystemExit(2) from error
        if self.log_json:
            self._write_json(serverapp)
        if (settled := getattr(serverapp, "settled", None)) is not None:  # `jupyter qpi` itself
            settled(self)
        if self.https:
            from qpi_server.host.tls import Authority

            listens = [self.ip_addr] if self.ip_addr not in ANYWHERE else []
            self._authority = Authority(self.tls_files(), [*self.tls_names, *listens])
            self._authority.ensure()
            serverapp.certfile = str(self._authority.files.cert)
            serverapp.keyfile = str(self._authority.files.key)

    def _write_json(self, serverapp: ServerApp) -> None:
        from qpi_server.host.logs import write_json

        write_json(self.log, serverapp.log, logging.getLogger("qpi_server"), logging.getLogger("tornado"))

    def _settle(self, serverapp: ServerApp) -> None:
        """Give every trait of ours the value that counts."""
        flags = {**serverapp.cli_config.get("QPIServer", {}), **self.cli_config.get("QPIServer", {})}
        files = [*serverapp.loaded_config_files, *self.loaded_config_files]
        jupyter = {k: v for k, v in self.config.get("QPIServer", {}).items() if k not in flags}
        found = resolve(
            type(self), flags=flags, environ=os.environ, jupyter=jupyter, where=lambda key: place_of(key, files)
        )
        self.apply(found.settings)
        for note in found.notes:
            self.log.warning("%s", note)

    def apply(self, settings: Mapping[str, Setting]) -> None:
        """Take these values."""
        for name, setting in settings.items():
            setattr(self, name, setting.value)
        self.lab_dir = str(Path(self.lab_dir).expanduser().absolute())
        lab = self.config_of_lab()
        if lab.heartbeat_s >= lab.lease_s:
            raise SettingsError(
                f"heartbeat_s ({lab.heartbeat_s:g} s) must be shorter than lease_s ({lab.lease_s:g} s): a driver "
                "keeps its jobs by reporting in time."
            )
        if self.public_url and not is_base(self.public_url):
            raise SettingsError("public_url must be an http or https address, as in https://lab.example.org/qpi/")
        self.stated = dict(settings)

    def _check_address(self) -> None:
        """Refuse an address that this machine cannot listen at, before a server tries to."""
        if self.ip_addr in ANYWHERE:
            return
        try:
            family, kind, _, _, (host, *_) = socket.getaddrinfo(self.ip_addr, None, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as one:
                one.bind((host, 0))
        except (OSError, UnicodeError) as error:
            raise SettingsError(
                f"{self._source('ip_addr')}: cannot listen at {self.ip_addr!r} "
                f"({getattr(error, 'strerror', None) or error}). Give an address of this machine, or 0.0.0.0 for all "
                "of them."
            ) from error

    def backend(self) -> Backend:
        """The lab's database.

        Raises
        ------
        SettingsError
            ``db_url`` cannot be used.
        """
        from qpi_server.store import backend_of

        lab = self.config_of_lab()
        with self._blaming("db_url"):
            return backend_of(lab.db_url, lab.lab_dir)

    def bus_kinds(self) -> list[BusKind]:
        """What the lab's buses are hosted by.

        Raises
        ------
        SettingsError
            one of ``buses`` is not installed, or is broken.
        """
        from qpi_jupyter.wire.bus import kind_of

        with self._blaming("buses"):
            return [kind_of(address) for address in self.config_of_lab().buses]

    @contextmanager
    def _blaming(self, name: str) -> Iterator[None]:
        """What is wrong now is a setting, and where it was set."""
        try:
            yield
        except QpiError as error:
            raise SettingsError(f"{self._source(name)}: {error.message}") from error

    def _source(self, name: str) -> str:
        return self.stated[name].source if name in self.stated else "default"

    def tls_files(self) -> TlsFiles:
        """Where the files of the lab's own authority are."""
        from qpi_server.host.tls import TlsFiles

        usual = TlsFiles.under(Path(self.tls_dir))
        stated = {
            "ca_cert": self.tls_ca_cert_file, "ca_key": self.tls_ca_key_file, "cert": self.tls_cert_file,
            "key": self.tls_key_file,
        }  # fmt: skip
        return replace(usual, **{name: Path(path).expanduser() for name, path in stated.items() if path})

    def initialize_settings(self) -> None:
        """Let the handlers find this."""
        self.settings["qpi"] = self

    def initialize_handlers(self) -> None:
        """Every address."""
        from qpi_server.web import handlers

        self.handlers.extend(handlers())

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        from qpi_jupyter.wire.kept_labs import KeptLabs
        from qpi_server.host.awake import Awake
        from qpi_server.host.connections import LabSwitch
        from qpi_server.host.owner import Ownership
        from qpi_server.web import EventRelay
        from qpi_server.web.identity import local_owner

        _share_log(self.log)
        redact_log(self.log, serverapp.log, logging.getLogger("qpi_server"), logging.getLogger("tornado"))
        if self.log_json:
            self._write_json(serverapp)
        if "contents" in serverapp.default_services and not self.upstream_url:
            shown = serverapp.contents_manager
            warn_of_exposure(self.log, Path(self.lab_dir), serverapp.root_dir, allow_hidden=shown.allow_hidden)
        self._serve_renewable(serverapp)
        kept = KeptLabs() if "contents" in serverapp.default_services else None  # somebody's own Jupyter server
        upstream = self._upstream() or self._kept_upstream(kept)
        self.ownership = Ownership(
            backend=None if self.upstream_url else self.backend(),
            upstream=upstream,
            record=self._record(),
            open_lab=self._open_lab,
            started=self._own,
            stopping=self._disown,
        )
        if kept is not None:
            self._labs = LabSwitch(self.ownership, kept, self._upstream, self.address())
        self._tell_kernels()
        await self.ownership.start()
        if "kernels" in serverapp.default_services:
            awake = Awake(self.ownership, local_owner(), serverapp.web_app.settings["last_activity_times"])
            self._tasks.append(asyncio.create_task(awake.run(), name="tell of jobs that wait"))
        if "events" in serverapp.default_services and serverapp.event_logger is not None:
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
        await ended(*self._tasks)
        self._tasks.clear()
        if self._labs is not None:
            await self._labs.close()
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
        host = app.ip if app.ip not in ANYWHERE else "127.0.0.1"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{app.port}{app.base_url}"

    def public_address(self, here: str = "") -> str:
        """Where people and drivers elsewhere reach it: as the setting says, or ``here``, or where it listens."""
        return f"{self.public_url.rstrip('/')}/" if self.public_url else here or self.address()

    def ca_pem(self) -> bytes | None:
        """The certificate of the lab's own authority."""
        return self._authority.ca_pem if self._authority is not None else None

    def ca_fingerprint(self) -> str | None:
        """Its SHA-256, which drivers pin."""
        return self._authority.fingerprint if self._authority is not None else None

    def settings_in_force(self) -> ConfigInForce:
        """Every setting, its value and where it came from, without secrets."""
        rows = describe(self, self.stated)
        help_of = {name: str(trait.help) for name, trait in own_traits(type(self)).items()}
        return ConfigInForce(settings=[ConfigSetting(name=n, **row, help=help_of[n]) for n, row in rows.items()])

    def labs(self) -> LabSwitch | None:
        """Connects this server to labs elsewhere; None where it is nobody's own."""
        return self._labs

    async def released(self) -> None:
        """Wait until this server no longer owns the queue."""
        assert self.ownership is not None
        await self.ownership.released()

    # --- the life of a lab here --------------------------------------------------------------------------------------

    async def _open_lab(self) -> Lab:
        from qpi_server.host.embedded import demo_drivers
        from qpi_server.host.logs import tell_events
        from qpi_server.service import Lab

        # The store's writer lets go of the interpreter at every statement; each time it would wait for up to 5 ms.
        sys.setswitchinterval(SWITCH_S)
        lab = await Lab.open(self.config_of_lab())
        if self.log_json:
            tell_events(lab.context.commits)
        if self.demo:  # before anybody is answered: who asks first already finds the QPUs
            for driver in demo_drivers():
                await lab.embedded.define(driver)
        return lab

    async def _own(self, lab: Lab) -> None:
        from qpi_server.host import hub
        from qpi_server.host.embedded import EmbeddedDrivers
        from qpi_server.web import set_up_link

        assert self.serverapp is not None
        hub_auth = getattr(self.serverapp.identity_provider, "hub_auth", None)
        if hub_auth is not None and hub.is_service():
            watch = hub.HubPeople(lab, hub_auth).run()
            self._hub = asyncio.create_task(watch, name="hear who leaves the Hub")
        if self.embedded_drivers:
            self._drivers = EmbeddedDrivers(
                lab, lab_dir=Path(self.lab_dir), address=self.address(), trust=self._trust()
            )
            await self._drivers.start()
        if (tell := getattr(self.serverapp, "tell_set_up", None)) is not None:  # `jupyter qpi` itself
            code = await lab.first_admin.offer()
            if code is not None:
                tell(set_up_link(self.address(), code))

    async def _disown(self, _lab: Lab) -> None:
        await ended(self._hub)
        self._hub = None
        if self._drivers is not None:
            await self._drivers.stop()
            self._drivers = None

    def config_of_lab(self) -> LabConfig:
        """What the lab's service is told."""
        policy, quotas = Policy(**self._values_for(Policy)), Quotas(**self._values_for(Quotas))
        values = self._values_for(LabConfig) | {"lab_dir": Path(self.lab_dir)}
        return LabConfig(**values, quotas=quotas, policy=policy, version=__version__)

    def _values_for(self, kind: type[DataclassInstance]) -> dict[str, Any]:
        """The settings that ``kind`` has a field for."""
        values = {name: getattr(self, name) for name in traits_of(kind)}
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}

    def _record(self) -> OwnerRecord:
        from qpi_server.host.owner_files import OwnerRecord

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
        return Upstream.to(
            self.upstream_url, self.upstream_token, ca_file=self.upstream_ca_file, insecure=self.insecure
        )  # fmt: skip

    def _kept_upstream(self, kept: KeptLabs | None) -> Upstream | None:
        """The lab elsewhere that the person has chosen."""
        from qpi_server.host.connections import way_to

        try:
            lab = kept.current() if kept is not None else None
            return way_to(lab) if lab is not None else None
        except (QpiError, OSError, ValueError) as error:
            self.log.error("The lab that you had chosen cannot be used (%s): this server shows its own.", error)
            return None

    def _tell_kernels(self) -> None:
        """Put into its kernels' environment the way to this server, and whether they load the magics."""
        told = {
            "QPI_LAB_URL": self.address(),
            "QPI_LAB_TOKEN": self.secret,
            "QPI_LAB_CA_FILE": self._ca_file(),
            "QPI_LOAD_MAGICS": "true" if self.load_magics else "false",
        }
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
