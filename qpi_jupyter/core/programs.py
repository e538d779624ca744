"""What to run: a program, its format and its run options."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass, field

from .errors import ProgramError, Rejected, TooLarge
from .formats import MAX_PROGRAM_BYTES, ProgramFormat
from .words import counted

MAX_BITS = 65_536
"""Classical bits of one circuit, and qubits of one text."""
DEFAULT_SHOTS = 1024
MAX_AXES = 8
"""Of a sweep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepAxis:
    """One axis of a sweep: the parameters that change along it, together, in ``length`` steps; their units by name."""

    parameters: tuple[str, ...]
    length: int
    units: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitOptions:
    """What one circuit of a batch overrides.

    ``parameter_values`` is a list of rows; each row binds the circuit's parameters in Qiskit's order
    (``circuit.parameters``) and becomes a run of its own.  ``axes`` says which grid the rows are, the last axis
    running fastest; without them the grid is read off the values (`qpi_jupyter.data.sweeps`).
    """

    shots: int | None = None
    parameter_values: tuple[tuple[float, ...], ...] = ()
    axes: tuple[SweepAxis, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run: Qiskit's option names.

    ``meas_level`` is 2 (bits), 1 (IQ) or 0 (raw traces); ``meas_return`` is ``single`` or ``avg``;
    ``circuits`` holds one entry a circuit, or none at all; ``extra`` goes to the executor, which refuses
    what it does not know.
    """

    shots: int = DEFAULT_SHOTS
    seed_simulator: int | None = None
    meas_level: int = 2
    meas_return: str = "single"
    memory: bool = True
    circuits: tuple[CircuitOptions, ...] = ()
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run: its sources, in the format of that name."""

    format: str
    sources: tuple[bytes, ...]
    options: RunOptions = field(default_factory=RunOptions)

    @property
    def nbytes(self) -> int:
        return sum(len(s) for s in self.sources)

    @property
    def sha256(self) -> str:
        """The digest of the packed sources (lower-case hex): the program's address."""
        return digest(pack(self.sources))

    def circuit_options(self, index: int) -> CircuitOptions:
        """The overrides of circuit ``index``; empty ones when the batch has none."""
        return self.options.circuits[index] if self.options.circuits else CircuitOptions()


def digest(packed: bytes) -> str:
    """The address of a program, from its packed sources: the one digest of a program, whoever says it."""
    return hashlib.sha256(packed).hexdigest()


def pack(sources: tuple[bytes, ...]) -> bytes:
    """All sources in one byte string: each after its length as 8 bytes, big-endian."""
    return b"".join(len(s).to_bytes(8, "big") + s for s in sources)


def unpack(packed: bytes) -> tuple[bytes, ...]:
    """The sources that `pack` put together.

    Raises
    ------
    ValueError
        the bytes were cut.
    """
    sources = []
    at = 0
    while at < len(packed):
        end = at + 8 + int.from_bytes(packed[at : at + 8], "big")
        if end > len(packed):
            raise ValueError("the packed program was cut short")
        sources.append(packed[at + 8 : end])
        at = end
    return tuple(sources)


def check_program(program: Program, form: ProgramFormat, *, max_shots: int) -> None:
    """Refuse what can be refused without reading the sources: sizes, shots, levels, and what ``form`` itself checks.

    Raises
    ------
    TooLarge
        a source, their number or all of them over the limits.
    ProgramError
        an empty program, or one that is not of its format.
    Rejected
        an option out of its range.
    """
    _check_sources(program, form)
    options = program.options
    _check_shots(options.shots, max_shots)
    if not _is_whole(options.meas_level) or options.meas_level not in (0, 1, 2):
        raise _bad_option("meas_level", f"meas_level is 0, 1 or 2, not {options.meas_level!r}.")
    if options.meas_return not in ("single", "avg"):
        raise _bad_option("meas_return", f"meas_return is 'single' or 'avg', not {options.meas_return!r}.")
    seed = options.seed_simulator
    if seed is not None and not (_is_whole(seed) and 0 <= seed < 2**63):
        raise _bad_option("seed_simulator", f"seed_simulator is a whole number from 0 to 2**63 - 1, not {seed!r}.")
    _check_batch(program, form, max_shots)


def _check_sources(program: Program, form: ProgramFormat) -> None:
    if not program.sources:
        raise ProgramError(f"The program is empty: send at least one {form.noun}.", code="empty_program")
    for index, source in enumerate(program.sources):
        form.check(source, index)
    if program.nbytes > MAX_PROGRAM_BYTES:
        raise TooLarge(
            f"The job's {form.noun}s have {program.nbytes:,} bytes together; a job may have {MAX_PROGRAM_BYTES:,}. "
            f"Send fewer {form.noun}s in one job.",
            code="program_too_large",
            bytes=program.nbytes,
            limit=MAX_PROGRAM_BYTES,
        )


def _check_batch(program: Program, form: ProgramFormat, max_shots: int) -> None:
    entries = program.options.circuits
    few = len(entries) < len(program.sources)
    if entries and (few or (not form.many and len(entries) > len(program.sources))):
        sources = counted(len(program.sources), form.noun)
        message = f"options.circuits has {len(entries)} entries for {sources}: one each, or none."
        raise _bad_option("circuits", message)
    rows = 0
    for index, entry in enumerate(entries):
        if entry.shots is not None:
            _check_shots(entry.shots, max_shots, circuit=index)
        rows += max(1, len(entry.parameter_values))
        if len({len(row) for row in entry.parameter_values}) > 1:
            message = f"The parameter rows of circuit {index} have different lengths."
            raise _bad_option("parameter_values", message, circuit=index)
        if not all(map(math.isfinite, itertools.chain.from_iterable(entry.parameter_values))):
            message = f"The parameter values of circuit {index} are not all finite numbers."
            raise _bad_option("parameter_values", message, circuit=index)
        _check_axes(entry, index)
    if (count := max(rows, len(program.sources))) > form.max_sources:
        raise TooLarge(
            f"{count:,} {form.noun}s in one job; the limit is {form.max_sources:,}.",
            code="too_many_circuits",
            limit=form.max_sources,
        )


def _check_axes(entry: CircuitOptions, index: int) -> None:
    """Each has a length and names of its own, and they hold all rows."""
    if not entry.axes:
        return
    lengths = [axis.length for axis in entry.axes]
    held = math.prod(lengths)
    if min(lengths) < 1 or held != len(entry.parameter_values):
        message = (
            f"The axes of circuit {index} have {' x '.join(map(str, lengths))} points, and "
            f"parameter_values has {counted(len(entry.parameter_values), 'row')}."
        )
        raise _bad_option("axes", message, circuit=index)
    names = [name for axis in entry.axes for name in axis.parameters]
    if len(set(names)) < len(names) or len(lengths) > MAX_AXES:
        message = f"The axes of circuit {index} name a parameter twice, or there are more than {MAX_AXES}."
        raise _bad_option("axes", message, circuit=index)


def _bad_option(field: str, message: str, **data: object) -> Rejected:
    return Rejected(message, code="bad_option", field=field, **data)


def _is_whole(value: object) -> bool:
    """Whether it is an integer; True and 2.0 are none, though they compare like one."""
    return isinstance(value, int) and not isinstance(value, bool)


def _check_shots(shots: int, max_shots: int, circuit: int | None = None) -> None:
    if not (_is_whole(shots) and 1 <= shots <= max_shots):
        where = "" if circuit is None else f" of circuit {circuit}"
        raise Rejected(
            f"shots{where} is a whole number from 1 to {max_shots:,}, not {shots!r}.",
            code="bad_shots",
            field="shots",
            circuit=circuit,
            limit=max_shots,
        )
