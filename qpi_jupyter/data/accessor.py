"""``ds.qpi``: what a person asks of a result, on a Dataset and on a DataTree of several circuits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import QpiError, Rejected

from . import conventions as c
from .attributes import ANALYSIS, JOB_ID, QPU, bare, flat
from .bits import complex_iq, full_bits
from .discrimination import counts_of, discriminate
from .fits import fit
from .kinds import kind_of, known, name_of
from .probabilities import expectation, probabilities, probability
from .selection import as_list, circuits_of, whole
from .sweeps import along, rows_of, sweep_dims
from .views import last_slot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from qiskit import QuantumCircuit
    from qiskit.result import Result

P = ParamSpec("P")
R = TypeVar("R")


def _asks(function: Callable[Concatenate[xr.Dataset, P], R]) -> Callable[Concatenate[Any, P], R]:
    """What a function says of a Dataset, as a method of its accessor, with the function's keywords and docstring."""

    @wraps(function)
    def ask(self: DatasetAccessor, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self._dataset, *args, **kwargs)

    shape = signature(function)
    first, *rest = shape.parameters.values()
    vars(ask)["__signature__"] = shape.replace(parameters=[first.replace(name="self"), *rest])
    return ask


@xr.register_dataset_accessor("qpi")
class DatasetAccessor:
    """One circuit's result, or a sweep of it."""

    def __new__(cls, dataset: xr.Dataset) -> Any:
        """That of an analysis is another one: it has no conventions of a result."""
        if ANALYSIS not in dataset.attrs:
            return super().__new__(cls)
        from .analysis_views import AnalysisAccessor

        return AnalysisAccessor(dataset)

    def __init__(self, dataset: xr.Dataset) -> None:
        self._told = {name: dataset.attrs[name] for name in (JOB_ID, QPU) if name in dataset.attrs}
        dataset = bare(dataset)
        self._info = c.circuit_info(dataset.attrs)
        self._dataset = whole(dataset)

    @property
    def info(self) -> dict[str, Any]:
        """Name, shots, levels, registers, seed, and the provenance: all that the result says about itself."""
        origin = c.provenance(self._dataset.attrs)
        origin_facts = None if origin is None else origin.to_dict()
        return {**self._told, **self._info.to_dict(), "kind": self.kind, "provenance": origin_facts}

    @property
    def kind(self) -> str:
        """Which kind of result this is: ``"shots"``, ``"counts"``, ``"points"``, ..."""
        return name_of(self._dataset, self._info)

    def counts(self) -> dict[str, int] | list[dict[str, int]]:
        """How often each outcome came, keyed as Qiskit keys them (last register first, a space between registers).

        Of a sweep a list, one entry for each row. At level 1 the points are told apart first, by the readout model in
        the provenance or by their clusters.
        """
        bits = discriminate(self._dataset) if c.IQ in self._dataset.variables else self._dataset
        counts: dict[str, int] | list[dict[str, int]] = _each(bits, counts_of)
        return counts

    probabilities = _asks(probabilities)
    probability = _asks(probability)
    expectation = _asks(expectation)
    fit = _asks(fit)

    def bits(self) -> NDArray[np.int8]:
        """One row per shot, one column per classical bit, bit 0 first; of a sweep for each of its points."""
        return full_bits(self._dataset, self._info.memory_slots)

    def iq(self, qubit: int | None = None) -> xr.DataArray:
        """The readout signal as complex numbers, along ``shot`` (unless averaged), ``slot`` and a sweep's parameters.

        Parameters
        ----------
        qubit
            of this one alone, without ``slot``: its last measurement.
        """
        parts = self._dataset.variables.get(c.IQ)
        values = complex_iq(self._dataset)
        dims = parts.dims[:-1] if parts is not None else ()
        coords = {name: coord for name, coord in self._dataset.coords.items() if c.COMPONENT not in coord.dims}
        found = xr.DataArray(values, dims=dims, coords=coords, name=c.IQ, attrs=c.VARIABLE_ATTRS[c.IQ])
        return found if qubit is None else found.isel({c.SLOT: last_slot(self._dataset, qubit)[1]})

    def plot(
        self, ax: Axes | None = None, *, qubit: int | None = None, sort: str = "outcome", probability: bool = False
    ) -> Axes:
        """What this kind of result draws: a histogram of the counts, the IQ plane of one qubit, its traces, ...

        Of a sweep over one parameter it is a curve, over two a heat map.

        Parameters
        ----------
        ax
            draw here; by default in a new figure.
        qubit
            which one, where each has a picture of its own; by default the first measured one.
        sort
            a histogram's bars by ``"outcome"`` or by ``"count"``.
        probability
            a histogram of shares instead of shots.
        """
        from .plots import plot

        return plot(self._dataset, ax, qubit=qubit, sort=sort, probability=probability)

    def analysis(
        self, circuit: QuantumCircuit | None = None, *, observables: Sequence[str] = (), esp: float | None = None
    ) -> xr.Dataset:
        """What counts or expectation values say, beside the exact state of the circuit: one Dataset with its own plots.

        Parameters
        ----------
        circuit
            the circuit, its parameters bound; without it, what counts alone can say.
        observables
            Pauli strings over its qubits, beside Z of each and ZZ and XX of neighbours.
        esp
            the estimated success probability of the circuit on its QPU, where that is known.

        Raises
        ------
        TooLarge
            the circuit has too many qubits for its exact state, with the figure.
        Rejected
            a sweep: pick one of its points first; a result without counts; a circuit that has no states.
        """
        from .analysis import analyse
        from .expectation_values import EXPECTATION_VALUES, expectation_values, standard_errors

        if self.kind == EXPECTATION_VALUES.name:
            values, errors = expectation_values(self._dataset), standard_errors(self._dataset)
            measured = {name: (value, errors[name]) for name, value in values.items()}
            found = analyse(circuit, observables=observables, esp=esp, measured=measured)
            return found.assign_attrs(shots=self._info.shots)
        counts = self.counts()
        if isinstance(counts, list):
            raise Rejected(
                "A sweep has a result at each of its points: analyse one, as in ds.isel(theta=0).qpi.analysis().",
                code="a_sweep",
            )
        return analyse(circuit, counts, observables=observables, esp=esp)

    def to_qiskit(self) -> Result:
        """The result as ``qiskit.result.Result``."""
        from .qiskit_results import to_result

        return to_result(as_list(self._dataset))

    def __getattr__(self, name: str) -> Callable[[], Any]:
        """What this kind of result offers beside the rest."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            offers = kind_of(self._dataset, self._info).offers
        except QpiError as error:
            raise AttributeError(error.message) from error
        if name not in offers:
            kind = f"A result of kind {self.kind!r}"
            raise AttributeError(f"{kind} has no {name!r}; of its own it has: {', '.join(offers) or 'nothing'}.")
        return partial(_each, self._dataset, offers[name])

    def __dir__(self) -> list[str]:
        kind = known(self.kind)
        return [*super().__dir__(), *(() if kind is None else kind.offers)]


def _each(dataset: xr.Dataset, asked: Callable[[xr.Dataset], Any]) -> Any:
    """What is asked of a row: of each, where this is a sweep."""
    if not sweep_dims(dataset):
        return asked(dataset)
    return [asked(row) for row in rows_of(dataset)]


@xr.register_datatree_accessor("qpi")
class DataTreeAccessor:
    """The result of a job with several circuits."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def __len__(self) -> int:
        return len(self._tree.children)

    def __getitem__(self, index: int) -> xr.Dataset:
        """A circuit's Dataset, by its place in the job."""
        return list(self._tree.children.values())[index].to_dataset(inherit=False)

    @property
    def info(self) -> list[dict[str, Any]]:
        """What each circuit's result says about itself."""
        return [node.to_dataset(inherit=False).qpi.info for node in self._tree.children.values()]

    @property
    def kind(self) -> list[str]:
        """The kind of each circuit's result."""
        return [dataset.qpi.kind for dataset in self._datasets()]

    def counts(self) -> list[dict[str, int]]:
        """Each circuit's counts."""
        return [counts_of(dataset) for dataset in as_list(self._tree)]

    def bits(self) -> list[NDArray[np.int8]]:
        """Each circuit's bits."""
        return [dataset.qpi.bits() for dataset in self._datasets()]

    def iq(self) -> list[xr.DataArray]:
        """Each circuit's readout signal."""
        return [dataset.qpi.iq() for dataset in self._datasets()]

    def along(self, **values: Any) -> xr.Dataset:
        """The circuits as one Dataset along a number of each, to be plotted and fitted as a sweep:
        ``tree.qpi.along(length=[1, 10, 100]).qpi.fit("rb", "0")``; see `sweeps.along`."""
        found, about = along(self._datasets(), values), self[0].attrs
        return flat(found, job_id=about.get(JOB_ID, ""), qpu=about.get(QPU, ""))

    def plot(self, *, qubit: int | None = None) -> list[Axes]:
        """Each circuit's plot in one figure (the first `plots.MAX_PANELS` of them)."""
        from .plots import plot_all

        return plot_all(self._datasets(), qubit=qubit)

    def to_qiskit(self) -> Result:
        """The whole job as one ``qiskit.result.Result``."""
        from .qiskit_results import to_result

        return to_result(as_list(self._tree))

    def __getattr__(self, name: str) -> Callable[[], list[Any]]:
        """What the kinds of the circuits offer, of each."""
        if name.startswith("_"):
            raise AttributeError(name)
        asked = [getattr(dataset.qpi, name) for dataset in self._datasets()]
        return lambda: [each() for each in asked]

    def _datasets(self) -> list[xr.Dataset]:
        return circuits_of(self._tree)
