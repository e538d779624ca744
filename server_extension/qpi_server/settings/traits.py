"""The settings of a lab as traits: a flag, a variable, a key in files and a line in the reference follow from each.

What a lab's service is told is declared in `config`; a trait here is of the process around it.
"""

from __future__ import annotations

import os
from dataclasses import Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from traitlets import Bool, Float, HasTraits, Instance, Integer, List, TraitType, Unicode, default

from qpi_jupyter.core import Policy, Quotas

from .config import LabConfig
from .values import default_lab_dir

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_KINDS: dict[Any, type[TraitType[Any, Any]]] = {bool: Bool, int: Integer, float: Float, str: Unicode}


def traits_of(kind: type[DataclassInstance]) -> dict[str, TraitType[Any, Any]]:
    """A trait for each field of ``kind`` that is a `setting`."""
    hints = get_type_hints(kind)
    return {field.name: _trait_of(hints[field.name], field) for field in fields(kind) if "means" in field.metadata}


def _trait_of(hint: Any, field: Field[Any]) -> TraitType[Any, Any]:
    facts = dict(field.metadata)
    means, bounds = facts.pop("means"), {name: facts.pop(name) for name in ("min", "max") if name in facts}
    if get_origin(hint) is tuple:
        one = get_args(hint)[0]
        made: TraitType[Any, Any] = List(_KINDS[one]() if one in _KINDS else Instance(one), help=means)
    else:
        plain, *none = get_args(hint) or (hint,)
        made = _KINDS[plain](field.default, allow_none=bool(none), help=means, **bounds)
    return made.tag(config=True, **facts)


class LabTraits(HasTraits):
    """Durations end in ``_s`` and ``_days``, sizes in ``_bytes``: QPI's names leave that out."""

    settings_file = Unicode(
        help="A YAML, JSON or TOML file of settings. Default: qpi.config.yml in the working folder, else in the lab's."
    )
    lab_dir = Unicode(help="The lab's data folder, on a local disk. Default: QPI_LAB_DIR, else the user's data folder.")
    demo = Bool(False, help="Add two simulated QPUs: sim-a (Qiskit Aer) and sim-b (a line of 5 qubits).")
    log_json = Bool(False, help="Write the log as JSON, a line an event, with the ids of requests and jobs.")
    embedded_drivers = Bool(True, help="Start the simulators that are defined in the lab.")
    load_magics = Bool(
        True,
        help="Every Python kernel that this server starts has the magics without %load_ext, where the kernel's "
        "environment has qpi-jupyter.",
    )
    upstream_url = Unicode(help="Forward everything to the lab at this address. Default: QPI_UPSTREAM_URL.")
    upstream_token = Unicode(help="The token for upstream_url. Default: QPI_UPSTREAM_TOKEN, else the Hub's.")
    upstream_ca_file = Unicode(help="The CA certificate to verify upstream_url with. Default: the system's.")
    insecure = Bool(False, help="Send upstream_token over plain http to another machine.")
    https = Bool(False, help="Serve https with a certificate from the lab's own authority.")
    public_url = Unicode(
        help="The lab's address for people and drivers, if a proxy stands before the server. Default: the server's own."
    )
    tls_dir = Unicode(help="The folder of the certificate authority's files. Default: tls in the data folder.")
    tls_names = List(
        Unicode(), help="Further host names and addresses for the certificate, besides this machine's own."
    )
    tls_ca_cert_file = Unicode(help="The authority's certificate. Default: ca.pem in tls_dir.")
    tls_ca_key_file = Unicode(help="The authority's key. Default: ca.key in tls_dir.")
    tls_cert_file = Unicode(help="The server's certificate. Default: server.pem in tls_dir.")
    tls_key_file = Unicode(help="The server's key. Default: server.key in tls_dir.")
    ip_addr = Unicode(
        help="The address of `jupyter qpi`; its certificate includes it. Default: Jupyter's own setting, localhost."
    )
    server_port = Integer(
        None,
        allow_none=True,
        min=0,
        max=65_535,
        help="The port of `jupyter qpi`. Default: Jupyter's own setting, 8888.",
    )
    for _trait in [value for value in vars().values() if isinstance(value, TraitType)]:
        _trait.tag(config=True)
    del _trait
    for _kind in (LabConfig, Policy, Quotas):
        vars().update(traits_of(_kind))
    del _kind

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
