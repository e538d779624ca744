"""Pubs of IBM's primitives as programs of the lab."""

from __future__ import annotations

import json
from typing import Any

from qiskit_ibm_runtime import RuntimeEncoder

from qpi_jupyter.core import Program, RunOptions


def pubs_program(
    primitive: str, *pubs: Any, backend: str = "fake_manila@ideal", shots: int | None = None, **options: Any
) -> Program:
    """What ``SamplerV2`` or ``EstimatorV2`` sends of pubs and options, with the seed 5."""
    params: dict[str, Any] = {"pubs": pubs, "options": {"simulator": {"seed_simulator": 5}, **options}, "version": 2}
    if shots is not None:
        params["shots"] = shots
    source = json.dumps({"backend": backend, "params": params}, cls=RuntimeEncoder).encode()
    return Program(format=f"runtime-{primitive}", sources=(source,), options=RunOptions(shots=2000))
