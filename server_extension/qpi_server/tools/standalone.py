"""``jupyter qpi``: the lab as a server of its own, without JupyterLab, kernels, files or terminals."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Any, ClassVar

from jupyter_server.serverapp import ServerApp, aliases, flags
from jupyter_server.utils import url_path_join
from tornado.routing import PathMatches, Rule, RuleRouter
from traitlets import Bool, default
from traitlets.config.loader import KVArgParseConfigLoader

from qpi_jupyter._version import __version__
from qpi_jupyter.wire.json_log import JsonLines
from qpi_server.app.extension import QPIServer
from qpi_server.host import hub
from qpi_server.settings.values import ALIASES, INVERTED, UNUSED, own_traits, spellings
from qpi_server.web import has_own_people
from qpi_server.web.events import EventHandler

COMMANDS = {
    "demo": "JupyterLab on the quick start, with two simulated QPUs; --nodes 5: a lab alone, with five QPUs",
    "backup": "write the running lab into one file",
    "restore": "make a lab of such a file",
    "invite": "make a link with which people make their own accounts",
    "replay": "try a policy on past or invented jobs",
    "evaluate": "compare circuits whole and in parts, on simulators and with troubles made",
    "events": "write what happens in a lab as JSON lines",
    "doctor": "say what is wrong with the lab, and what to do",
    "nats-config": "write the configuration of a NATS broker for the lab's drivers",
}


def _kebab(name: str) -> str:
    return name.replace("_", "-")


_TRAITS = own_traits(QPIServer)
_SPELLINGS = spellings(_TRAITS)
_SHORT = {trait: name for name, trait in _SPELLINGS.items() if name not in INVERTED}
"""The name that the help shows: QPI's, where it has one."""
_ALIASES = {
    _kebab(name): f"QPIServer.{trait}" for trait, name in _SHORT.items() if not isinstance(_TRAITS[trait], Bool)
}
_SWITCHES = {
    _kebab(name): ({"QPIServer": {name: True}}, _TRAITS[trait].help)
    for name, trait in _SPELLINGS.items()
    if isinstance(_TRAITS[trait], Bool)
}
_UNLISTED = {_kebab(name): f"QPIServer.{name}" for name in [*_SPELLINGS, *UNUSED] if name not in ALIASES}
"""Every other name, so that it is understood, or refused with a reason."""


JUPYTERS = (r"/(robots\.txt)", r"/(favicon\.ico)", r"/(robots\.txt|favicon\.ico)", r"/static/(.*)", r".*/", r"/?")
"""Jupyter's own addresses that stay: what its sign-in page needs, and the ways to an address's other spelling."""
EVERYTHING_ELSE = r"(.*)"
"""Answered with 404."""


def _is_kept(rule: Rule, patterns: set[str]) -> bool:
    """Whether a rule leads to the lab, to one of ``patterns`` or on to further rules."""
    if isinstance(rule.target, RuleRouter):
        return True
    if getattr(rule.target, "__module__", "").partition(".")[0] == "qpi_server":
        return rule.target is not EventHandler  # Jupyter's event bus, on which nobody here listens
    return isinstance(rule.matcher, PathMatches) and rule.matcher.regex.pattern in patterns


class _StrictLoader(KVArgParseConfigLoader):
    """The command line, on which a mistyped name is an error and not a remark in the log."""

    def _handle_unrecognized_alias(self, arg: str) -> None:
        print(f"There is no flag --{arg.lstrip('-')}: see jupyter qpi --help, or --help-all.", file=sys.stderr)
        raise SystemExit(2)


class LabServerApp(ServerApp):
    """A Jupyter server that serves the lab and nothing else."""

    name = "jupyter-qpi"
    version = __version__
    description = """The quantum lab as a server of its own.

    It has the same addresses as inside JupyterLab, and no notebooks, kernels, files or terminals."""
    examples = """
    jupyter qpi --demo                    # with two simulated QPUs
    jupyter qpi --https --port 8899       # with a certificate of its own
    jupyter qpi --show-config             # every setting, its value and where it came from
    """ + "".join(f"\n    jupyter qpi {command:<25} # {what}; --help says more" for command, what in COMMANDS.items())
    # traitlets takes a value in the place of a trait
    classes: ClassVar = [*ServerApp.classes, QPIServer]  # type: ignore[misc]
    aliases: ClassVar = {**_ALIASES, **aliases}  # type: ignore[misc]
    flags: ClassVar = {**_SWITCHES, **flags}  # type: ignore[misc]
    _log_json = False
    default_services = ("api", "auth")  # type: ignore[assignment]

    @default("jpserver_extensions")
    def _default_extensions(self) -> dict[str, bool]:
        return {"qpi_server": True}

    @default("default_url")
    def _default_default_url(self) -> str:
        return "/qpi/"

    @default("open_browser")
    def _default_open_browser(self) -> bool:
        return False

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """As a Jupyter server, with the extensions named here and no others; as a service where a Hub says so."""
        if hub.is_service():
            try:
                self.update_config(hub.service_config())
            except ValueError as error:
                print(error, file=sys.stderr)
                raise SystemExit(2) from error
        super().initialize(*args, **{**kwargs, "find_extensions": False})
        self._keep_own_routes()

    def _keep_own_routes(self) -> None:
        """Take away every address that is neither the lab's nor needed to sign in: Jupyter's contents manager alone
        would serve the folder that this was started in."""
        signing = [url_path_join(self.base_url, handler[0]) for handler in self.identity_provider.get_handlers()]
        kept = {*signing, *(url_path_join(self.base_url, pattern) for pattern in JUPYTERS), EVERYTHING_ELSE}
        kept = {pattern if pattern.endswith("$") else f"{pattern}$" for pattern in kept}
        pending: list[Any] = [self.web_app.default_router]
        while pending:
            router = pending.pop()
            router.rules[:] = [rule for rule in router.rules if _is_kept(rule, kept)]
            pending += [rule.target for rule in router.rules if isinstance(rule.target, RuleRouter)]

    def settled(self, lab: QPIServer) -> None:
        """The lab's settings are known: show them and end, if that was asked for; else listen where they say.

        Where neither a Hub nor a provider says who people are, the lab has accounts of its own, unless its settings
        say otherwise.
        """
        others = lab.config_of_lab().oauth2_providers or has_own_people(self.identity_provider_class)
        if "local_accounts" not in lab.stated and not others:
            lab.set_trait("local_accounts", True)
        if self.show_config or self.show_config_json:
            from qpi_server.settings.shown import as_json, as_table, describe

            settings = describe(lab, lab.stated)
            print(as_json(settings) if self.show_config_json else as_table(settings))
            raise SystemExit(0)
        self._log_json = lab.log_json
        told = self.cli_config.get("ServerApp", {})
        if lab.ip_addr and "ip" not in told:
            self.ip = lab.ip_addr
        if lab.server_port is not None and "port" not in told:
            self.port = lab.server_port

    def tell_set_up(self, link: str) -> None:
        """Print where the first administrator's account is made: beside the log, which keeps no secrets."""
        what = "This lab has no accounts yet. Within an hour, create its first administrator on this machine:"
        if self._log_json:
            facts = {"facts": {"set_up_link": link}}
            record = self.log.makeRecord(self.log.name, logging.INFO, __file__, 0, what, (), None, extra=facts)
            print(JsonLines().format(record), flush=True)
        else:
            print(f"\n{what}\n\n    {link}\n", flush=True)

    def init_signal(self) -> None:
        """As a Jupyter server, but an interrupt ends it properly without a terminal to ask at, too."""
        super().init_signal()
        if not (sys.stdin and sys.stdin.isatty()):
            signal.signal(signal.SIGINT, self._signal_stop)

    def _create_loader(self, argv: Any, aliases: Any, flags: Any, classes: Any) -> _StrictLoader:
        return _StrictLoader(argv, {**_UNLISTED, **aliases}, flags, classes=classes, log=self.log)


def main(argv: list[str] | None = None) -> None:
    """Serve, or carry out one of `COMMANDS`."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in COMMANDS:
        from .commands import run

        raise SystemExit(run(arguments[0], arguments[1:]))
    LabServerApp.launch_instance(arguments)


if __name__ == "__main__":
    main()
