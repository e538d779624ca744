"""Quantum programs as pubs of a sampler, and with them what their samplexes drew."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qpi_jupyter.core import MAX_CIRCUITS, Program, ProgramError, QpiError, Rejected, TooLarge
from qpi_jupyter.data.quantum_programs import QUANTUM_PROGRAM, AskedProgram, Item, read_program

from .ibm_options import not_applied_of_program
from .pubs import MEAS_TYPES, Work, check_sampler, checked_seed, checked_time, primitive_work

_VALUES = "parameter_values"
"""What a samplex calls the values that it draws for the parameters of its circuit."""


def work_of(program: Program, *, max_shots: int) -> Work:
    """What a program asks for, whichever of IBM's it is; raises as `primitive_work`."""
    if program.format != QUANTUM_PROGRAM.name:
        return primitive_work(program, max_shots=max_shots)
    first, *others = (read_program(source) for source in program.sources)
    if any(replace(asked, items=first.items) != first for asked in others):
        raise ProgramError(
            "The quantum programs of one job must have all but their items in common.", code="bad_program"
        )
    items = [*first.items, *(item for asked in others for item in asked.items)]
    return _work(replace(first, items=items), program, max_shots)


def _work(asked: AskedProgram, program: Program, max_shots: int) -> Work:
    if asked.meas_level not in MEAS_TYPES:
        message = f"meas_level is {', '.join(MEAS_TYPES)} here, not {asked.meas_level[:50]!r}."
        raise Rejected(message, code="bad_option", field="meas_level")
    seed = checked_seed(asked.simulator.get("seed_simulator"), program.options.seed_simulator)
    shapes = [_shape(index, item) for index, item in enumerate(asked.items)]
    if (points := sum(map(math.prod, shapes))) > MAX_CIRCUITS:
        message = f"The items have {points:,} parameter sets in one job; the limit is {MAX_CIRCUITS:,}."
        raise TooLarge(message, code="too_many_circuits", limit=MAX_CIRCUITS)
    shots = program.options.shots if asked.shots is None else asked.shots
    drawn = np.random.default_rng(seed)
    pubs: list[Any] = []
    extras: list[dict[str, Any]] = []
    for index, (item, shape) in enumerate(zip(asked.items, shapes, strict=True)):
        try:
            found: dict[str, Any] = _sampled(item, shape, drawn) if item.values is None else {_VALUES: item.values}
            values = found.pop(_VALUES, np.zeros(0))
            values = np.broadcast_to(values, (*shape, item.circuit.num_parameters))
            pub = SamplerPub.coerce((item.circuit, values, shots))
        except (QpiError, KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # a samplex may be anything, and what reads it panics with a BaseException
            message = f"Item {index} of the quantum program is not valid: {error}"
            raise ProgramError(message[:1000], code="bad_program", circuit=index) from error
        if not np.isfinite(values).all():
            message = f"The parameter values of item {index} are not all finite numbers."
            raise ProgramError(message, code="bad_parameters", circuit=index)
        check_sampler(index, pub, max_shots)
        pubs.append(pub)
        extras.append(found)
    level, how = MEAS_TYPES[asked.meas_level]
    named = tuple(not_applied_of_program(asked.options, asked.simulator))
    return Work(
        sampler=True, backend=asked.backend, pubs=tuple(pubs), seed=seed, meas_level=level, meas_return=how,
        not_applied=named, max_execution_time=checked_time(asked.max_execution_time),
        schema_version=asked.schema_version, drawn=tuple(extras),
    )  # fmt: skip


def _shape(index: int, item: Item) -> tuple[int, ...]:
    """The shape of an item, once for all its arguments."""
    own = () if item.values is None else item.values.shape[:-1]
    try:
        shape = tuple(np.broadcast_shapes(item.shape, own))
    except ValueError as error:
        raise ProgramError(
            f"Item {index} of the quantum program: {error}", code="bad_program", circuit=index
        ) from error
    if not math.prod(shape):
        message = f"Item {index} of the quantum program has the shape {shape}: there is nothing to run."
        raise ProgramError(message, code="bad_program", circuit=index)
    return shape


def _sampled(item: Item, shape: tuple[int, ...], drawn: np.random.Generator) -> dict[str, Any]:
    """What the samplex of an item draws, by name, along the axes of ``shape``: anew for each place on an axis along
    which its arguments do not change."""
    samplex = _samplex(str(item.samplex))
    arguments = samplex.inputs().make_broadcastable().bind(**_nested(item.arguments))
    own = (*(1,) * (len(shape) - arguments.ndim), *arguments.shape)
    if len(own) != len(shape) or any(length not in (1, due) for length, due in zip(own, shape, strict=True)):
        raise ValueError(f"its arguments have the shape {arguments.shape}, which does not fit {shape}")
    swept = [axis for axis, length in enumerate(own) if length > 1]
    free = [length for axis, length in enumerate(shape) if axis not in swept]
    whole: dict[str, Any] = {}
    for place in np.ndindex(*(shape[axis] for axis in swept)):
        at = dict(zip(swept, place, strict=True))
        index = tuple(at.get(axis, 0) for axis in range(len(shape) - arguments.ndim, len(shape)))
        for name, values in dict(
            samplex.sample(arguments[index], num_randomizations=math.prod(free), rng=drawn)
        ).items():
            inner = values.shape[1:]
            target = whole.setdefault(name, np.empty((*shape, *inner), values.dtype))
            target[tuple(at.get(axis, slice(None)) for axis in range(len(shape)))] = values.reshape(*free, *inner)
    return whole


def _nested(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a samplex binds them, its Pauli-Lindblad maps among them."""
    from qiskit.quantum_info import PauliLindbladMap

    return {
        name: PauliLindbladMap.from_sparse_list(*value) if isinstance(value, tuple) else value
        for name, value in arguments.items()
    }


def _samplex(data: str) -> Any:
    try:
        from samplomatic.serialization import samplex_from_json
    except ImportError as error:
        raise Rejected(
            "This QPU's driver cannot draw randomizations: its environment lacks samplomatic. Whoever runs it installs "
            "qpi-jupyter[runtime] there.",
            code="no_samplomatic",
        ) from error
    return samplex_from_json(data).finalize()


def array_names(work: Work, index: int) -> dict[str, str]:
    """For each array that a samplex drew, its name as a variable."""
    taken, names = {register.name for register in work.pubs[index].circuit.cregs}, {}
    for name in work.drawn[index] if work.drawn else ():
        plain = re.sub(r"\W", "_", name)
        while plain in taken:
            plain += "_"
        taken.add(plain)
        names[name] = plain
    return names
