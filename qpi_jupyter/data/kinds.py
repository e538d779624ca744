"""The kinds of results (counts, shots, points, ...), found by entry point; what each of them promises."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from qpi_jupyter.core import MAX_DRAWINGS, QpiError, Rejected, counted
from qpi_jupyter.core.plugins import Plugins

from . import conventions as c
from .drawings import Drawing, note

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger(__name__)
CIRCUIT = "circuit"
ROW_SIZE = "row_size"
"""How many entries belong to each circuit, where files hold them end to end."""
_RESERVED = frozenset({CIRCUIT, ROW_SIZE})


class Part(Protocol):
    """What a header says of one circuit's data. The only thing in a header that may be too large."""

    @property
    def nbytes(self) -> int:
        """About what it takes as JSON."""

    def cut(self, room: float) -> None:
        """Keep what fits into ``room`` bytes."""

    def fields(self) -> dict[str, Any]:
        """Its JSON fields: of ``counts``, ``memory``, ``drawings``, ``truncated`` those that are not empty."""


class Drawn:
    """The part of a circuit whose header has what is drawn, all of it or nothing."""

    def __init__(self, drawings: Sequence[Drawing]) -> None:
        self._drawings: Sequence[Drawing] = drawings[:MAX_DRAWINGS]
        self._truncated = False
        self.nbytes = len(json.dumps(self._drawings))

    def cut(self, room: float) -> None:
        if self.nbytes > room:
            self._drawings, self._truncated, self.nbytes = [], True, 0

    def fields(self) -> dict[str, Any]:
        return {"drawings": self._drawings, "truncated": self._truncated}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A variable that every Dataset of a kind has.

    Parameters
    ----------
    dims
        its dimensions, in order.
    dtype
        NumPy's name of its type; a file may hold it in another byte order or width.
    """

    dims: tuple[str, ...]
    dtype: str


class ResultKind(ABC):
    """What the Datasets of one kind hold, and how they travel and are shown.

    A kind of one's own is an instance, registered as an entry point of the group ``qpi.results`` under its name.
    Drivers and notebooks import its module: what is heavy is imported inside of the methods. The lab's server doesn't:
    all that it and its panel know is the JSON of `part`.
    """

    name: ClassVar[str]
    offers: ClassVar[Mapping[str, Callable[[xr.Dataset], Any]]] = {}
    """What ``ds.qpi`` has for these Datasets, by name: functions of the Dataset."""

    @abstractmethod
    def quantities(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Quantity]:
        """The data variables that the Dataset must have."""

    @abstractmethod
    def drawing(self, dataset: xr.Dataset, qubit: int | None = None) -> Drawing:
        """What is drawn of a Dataset, made by one of the functions in `qpi_jupyter.data.drawings`.

        Parameters
        ----------
        qubit
            one of `qubits`; by default the first.
        """

    def curve(self, dataset: xr.Dataset, qubit: int | None = None) -> xr.DataArray | None:
        """What is drawn of a sweep: values along its dimensions and at most one more; None (as here): nothing is.

        Parameters
        ----------
        qubit
            as in `drawing`.
        """
        return None

    def qubits(self, dataset: xr.Dataset) -> Sequence[int | None]:
        """The qubits with a drawing each; here: one drawing of everything."""
        return [None]

    def check(self, dataset: xr.Dataset, info: c.CircuitInfo) -> None:
        """Refuse a Dataset that is not of this kind; here: for a variable that lacks, its dimensions or its type.

        Raises
        ------
        Rejected
            what is wrong with it, and what is due.
        """
        if taken := _RESERVED.intersection(map(str, (*dataset.variables, *dataset.dims))):
            raise self.refusal(f"the name {min(taken)!r} is taken: files of several circuits use it")
        for name, due in self.quantities(dataset, info).items():
            variable = dataset.variables.get(name)
            if variable is None:
                raise self.refusal(f"it has no variable {name!r}")
            if variable.dims != due.dims:
                raise self.refusal(f"{name!r} has the dimensions {_listed(variable.dims)}; due: {_listed(due.dims)}")
            if variable.dtype != due.dtype:
                raise self.refusal(f"{name!r} is of type {variable.dtype}; due: {due.dtype}")
        if c.SLOT in dataset.dims:
            self._check_slots(dataset, info)
        shots = dataset.sizes.get(c.SHOT)
        if shots is not None and shots != info.shots:
            raise self.refusal(f"it has {counted(shots, 'shot')}; its circuit says {info.shots:,}")

    def _check_slots(self, dataset: xr.Dataset, info: c.CircuitInfo) -> None:
        """Each has a qubit, an acquisition index, and a classical bit that the circuit has."""
        for name in (c.CLBIT, c.QUBIT, c.ACQ_INDEX):
            coordinate = dataset.variables.get(name)
            if coordinate is None or coordinate.dims != (c.SLOT,) or coordinate.dtype.kind != "i":
                raise self.refusal(f"it has no integer coordinate {name!r} along {c.SLOT!r}")
        clbits = dataset.variables[c.CLBIT].values
        if clbits.size and not 0 <= clbits.min() <= clbits.max() < info.memory_slots:
            raise self.refusal(f"a slot names a classical bit that is not there: the circuit has {info.memory_slots:,}")

    def part(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Part:
        """What the header has of it; here: its drawings."""
        return Drawn(self.drawings(dataset))

    def drawings(self, dataset: xr.Dataset) -> list[Drawing]:
        """What is drawn of a Dataset: a drawing for each of the first `qubits`, and a word about the others."""
        qubits = self.qubits(dataset)
        drawings = [drawn_by(self, partial(self.drawing, dataset, qubit)) for qubit in qubits[: MAX_DRAWINGS - 1]]
        if more := len(qubits) - len(drawings):
            drawings.append(note(f"{more:,} more qubits: the dataset has them.", "..."))
        return drawings

    def memory(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Sequence[Any] | None:
        """The shots as Qiskit's results hold them (``data.memory``); None where Qiskit has no place for them."""
        return None

    def data_bin(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Any]:
        """What a primitive's result has of it, by name: arrays, and Qiskit's `BitArray`.

        Raises
        ------
        Rejected
            no primitive gives such results; as here.
        """
        message = f"A result of kind {self.name!r} cannot be a primitive's result: use job.dataset()."
        raise Rejected(message, code="no_primitive", kind=self.name)

    def example(self) -> xr.Dataset:
        """A small result of this kind, with which tests try what every kind promises.

        Raises
        ------
        NotImplementedError
            there is none; as here.
        """
        raise NotImplementedError(f"The result kind {self.name!r} has no example().")

    def refusal(self, what: str) -> Rejected:
        """The error that says what is wrong with a Dataset."""
        return Rejected(f"This is not a result of kind {self.name!r}: {what}.", code="bad_result", kind=self.name)


KINDS: Plugins[ResultKind] = Plugins(
    "qpi.results", "result kind", lambda thing: isinstance(thing, ResultKind), "a qpi_jupyter.data.kinds.ResultKind"
)  # fmt: skip
_found: dict[str, ResultKind] = {}
"""Those that were used: to look for one takes milliseconds."""


def find(name: str) -> ResultKind:
    """The kind of that name.

    Raises
    ------
    Rejected
        it is not installed, or its package is broken; the message says what to do.
    Faulted
        it could not be imported now: the machine was out of something.
    """
    if name not in _found:
        _found[name] = KINDS.load(name)
    return _found[name]


def known(name: str) -> ResultKind | None:
    """The kind of that name; None where `find` has none, which is told when somebody asks for what only it can do."""
    try:
        return find(name)
    except QpiError:
        return None


def kind_of(dataset: xr.Dataset, info: c.CircuitInfo | None = None) -> ResultKind:
    """The kind of a Dataset; raises as `find`, or `Rejected` where it does not say which."""
    return find(name_of(dataset, info))


def name_of(dataset: xr.Dataset, info: c.CircuitInfo | None = None) -> str:
    """The name of a Dataset's kind. Results of earlier versions do not say it: their variables do."""
    info = info or c.circuit_info(dataset.attrs)
    if info.kind:
        return info.kind
    name = next((kind for variable, kind in c.KIND_BY_VARIABLE.items() if variable in dataset.variables), "")
    if not name:
        held = _listed(map(str, dataset.data_vars)) or "nothing"
        raise Rejected(f"This dataset does not name its kind; it holds {held}.", code="bad_result")
    return name


def drawn_by(kind: ResultKind, draw: Callable[[], Drawing]) -> Drawing:
    """What is drawn; a word where the kind's own code fails at it: what was measured is not lost for its picture."""
    try:
        drawing = draw()
        json.dumps(drawing)
    except QpiError:
        raise
    except Exception as error:  # another package's
        log.warning("a result of kind %s cannot be drawn", kind.name, exc_info=True)
        said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        return note(f'Results of kind "{kind.name}" can\'t be drawn ({said}). job.dataset() has their numbers.')
    return drawing


def unknown(name: str, error: QpiError) -> Drawing:
    """What is shown where `find` has no such kind."""
    return note(f'Results of kind "{name}" can\'t be drawn here: {error.message} job.dataset() has their numbers.')


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))
