"""What an embedded driver inherits."""

from __future__ import annotations

from qpi_server.host.embedded import environment


def test_a_driver_gets_its_token_and_none_of_the_servers_settings() -> None:
    inherited = {
        "PATH": "/bin",
        "QPI_LAB_TOKEN": "x",
        "QPI_LAB_DIR": "/lab",
        "JUPYTER_TOKEN": "y",
        "OMP_NUM_THREADS": "1",
    }
    seen = environment("qpi_token", inherited)
    assert seen["QPI_ACCESS_TOKEN"] == "qpi_token"
    assert seen["PATH"] == "/bin"
    assert seen["OMP_NUM_THREADS"] == "1"
    assert not {"QPI_LAB_TOKEN", "QPI_LAB_DIR", "JUPYTER_TOKEN"} & set(seen)
