"""IBM's own client, ``qiskit-ibm-runtime``, pointed at a lab."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qpi_jupyter.core import Rejected, Unavailable

from .connecting import connect

if TYPE_CHECKING:
    from qiskit_ibm_runtime import QiskitRuntimeService

    from .lab import Lab

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/lab:lab::"
"""What a lab is called as an instance."""
LASTS = "+1d"
"""How long the token of a service lasts."""


def runtime_service(url: str | None = None, token: str | None = None) -> QiskitRuntimeService:
    """A ``QiskitRuntimeService`` of IBM's client whose backends are those of the lab, and whose jobs run in its queue.

    It signs in with an API token of the lab: ``token``, or a new one, which lasts for a day and is listed by
    ``lab.tokens``, or in a ``with`` until its end. No IBM account is read, used or changed, and no environment variable
    stays set.

    Parameters
    ----------
    url, token
        the lab, as of `connect`; the token is one of the lab's API tokens.

    Raises
    ------
    Rejected
        ``token`` is not an API token of a lab. It is sent nowhere: it may be a key of IBM's.
    Unavailable
        the package ``qiskit-ibm-runtime`` is not installed; or there is no lab.
    """
    service = client_class()
    if token is not None and not token.startswith("qpi_"):
        raise Rejected(
            "This is no API token of a lab (qpi_...): make one under My account or with lab.tokens.create. "
            "A key of IBM Cloud is not needed here, and was not sent.",
            code="not_a_lab_token", field="token",
        )  # fmt: skip
    lab = connect(url, token)
    made = None
    if token is None:
        made = lab.tokens.create("qiskit-ibm-runtime", scopes=["submit"], expires=LASTS)
        token = made.token

    class LabService(service):  # type: ignore[valid-type, misc]  # imported only now
        """IBM's service, which ends with a ``with``."""

        def __enter__(self) -> LabService:
            return self

        def __exit__(self, *error: object) -> None:
            if made is not None:
                lab.tokens.revoke(made.id)

    with _environment(addresses(lab.url)), _old_addresses():
        return LabService(channel="ibm_quantum_platform", token=token, url=_endpoint(lab), instance=CRN)


def addresses(url: str) -> dict[str, str]:
    """The environment that points IBM's client at the lab at ``url``, but for its token."""
    base = f"{url.rstrip('/')}/qpi"
    return {
        "IAM_URL": f"{base}/iam", "GLOBAL_SEARCH_URL": f"{base}/search", "GLOBAL_CATALOG_URL": f"{base}/catalog",
    }  # fmt: skip


def environment(lab: Lab, token: str) -> dict[str, str]:
    """The environment in which ``QiskitRuntimeService()`` without arguments is the lab, for whom the API token is."""
    trusted = {"REQUESTS_CA_BUNDLE": str(file)} if (file := authority(lab)) is not None else {}
    return {
        **addresses(lab.url), "QISKIT_IBM_TOKEN": token, "QISKIT_IBM_INSTANCE": CRN,
        "QISKIT_IBM_URL": _endpoint(lab), **trusted,
    }  # fmt: skip


def _endpoint(lab: Lab) -> str:
    """Where its jobs go; IBM's client shortens an address without the word ``experimental``."""
    return f"{lab.url}/qpi/experimental/v1"


def authority(lab: Lab) -> Path | None:
    """The file of certificates by which a lab is trusted, where the system's are not what it takes."""
    file = lab.http.ca_file or os.environ.get("SSL_CERT_FILE")
    return Path(file) if lab.url.startswith("https:") and file else None


def client_class() -> type[QiskitRuntimeService]:
    """IBM's own class.

    Raises
    ------
    Unavailable
        it is not installed, or cannot be pointed at a lab.
    """
    try:
        import qiskit_ibm_runtime
    except ImportError as error:
        raise Unavailable(
            "IBM's client is not installed: pip install 'qpi-jupyter[runtime]'.", code="no_client"
        ) from error
    service: type[QiskitRuntimeService] = qiskit_ibm_runtime.QiskitRuntimeService
    return service


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """These variables for a moment: with them, the next key of IBM's own would come to the lab."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _old_addresses() -> Iterator[None]:
    """Versions up to 0.48 know IBM's addresses by heart: while their service is made, they get those of the environment
    in their place, and nothing else of them is touched."""
    import qiskit_ibm_runtime

    if tuple(int(part) for part in qiskit_ibm_runtime.__version__.split(".")[:2]) >= (0, 49):
        yield
        return
    from unittest.mock import patch

    from qiskit_ibm_runtime.accounts import account
    from qiskit_ibm_runtime.api import auth

    iam, manager = os.environ["IAM_URL"], auth.IAMTokenManager
    with (
        patch.object(account, "get_iam_api_url", lambda url: iam),
        patch.object(account, "get_global_search_api_url", lambda url: os.environ["GLOBAL_SEARCH_URL"]),
        patch.object(account, "get_global_catalog_api_url", lambda url: os.environ["GLOBAL_CATALOG_URL"]),
        patch.object(auth, "IAMTokenManager", lambda key, **more: manager(key, **{**more, "url": iam})),
    ):
        yield
