"""``ds.qpi``: what a person asks of a result, on a Dataset and on a DataTree of several circuits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import QpiError

from . import conventions as c
from .bits import complex_iq, full_bits
from .discrimination import counts_of
from .kinds import kind_of, known, name_of
from .selection import as_list, circuits_of, whole
from .sweeps import rows_of, sweep_dims

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from qiskit.result import Result


@xr.register_dataset_accessor("qpi")
class DatasetAccessor:
    """One circuit's result, or a sweep of it."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._info = c.circuit_info(dataset.attrs)
        self._dataset = whole(dataset)

    @property
    def info(self) -> dict[str, Any]:
        """Name, shots, levels, registers, seed, and the provenance: all that the result says about itself."""
        origin = c.provenance(self._dataset.attrs)
        origin_facts = None if origin is None else origin.to_dict()
        return {**self._info.to_dict(), "kind": self.kind, "provenance": origin_facts}

    @property
    def kind(self) -> str:
        """Which kind of result this is: ``"shots"``, ``"counts"``, ``"points"``, ..."""
        return name_of(self._dataset, self._info)

    def counts(self) -> dict[str, int] | list[dict[str, int]]:
        """How often each outcome came, keyed as Qiskit keys them (last register first, a space between registers).

        Of a sweep a list, one entry for each row. At level 1 the points are told apart first, by the readout model in
        the provenance or by their clusters.
        """
        counts: dict[str, int] | list[dict[str, int]] = self._each(counts_of)
        return counts

    def bits(self) -> NDArray[np.int8]:
        """One row per shot, one column per classical bit, bit 0 first."""
        return full_bits(self._dataset, self._info.memory_slots)

    def iq(self) -> NDArray[np.complex128]:
        """The readout signal as complex numbers, ``(shots, slots)``; ``(slots,)`` where it was averaged."""
        return complex_iq(self._dataset)

    def plot(self, ax: Axes | None = None, *, qubit: int | None = None) -> Axes:
        """What this kind of result draws: a histogram of the counts, the IQ plane of one qubit, its traces, ...

        Parameters
        ----------
        ax
            draw here; by default in a new figure.
        qubit
            which one, where each has a picture of its own; by default the first measured one.
        """
        from .plots import plot

        return plot(self._dataset, ax, qubit=qubit)

    def to_qiskit(self) -> Result:
        """The result as ``qiskit.result.Result``."""
        from .qiskit_results import to_result

        return to_result(as_list(self._dataset))

    def _each(self, asked: Callable[[xr.Dataset], Any]) -> Any:
        """What is asked of a row: of each, where this is a sweep."""
        if not sweep_dims(self._dataset):
            return asked(self._dataset)
        return [asked(row) for row in rows_of(self._dataset)]

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
        return partial(self._each, offers[name])

    def __dir__(self) -> list[str]:
        kind = known(self.kind)
        return [*super().__dir__(), *(() if kind is None else kind.offers)]


@xr.register_datatree_accessor("qpi")
class DataTreeAccessor:
    """The result of a job with several circuits."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def __len__(self) -> int:
        return len(self._tree.children)

    def __getitem__(self, index: int) -> xr.Dataset:
        return self._datasets()[index]

    @property
    def info(self) -> list[dict[str, Any]]:
        """What each circuit's result says about itself."""
        return [dataset.qpi.info for dataset in self._datasets()]

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

    def iq(self) -> list[NDArray[np.complex128]]:
        """Each circuit's readout signal."""
        return [dataset.qpi.iq() for dataset in self._datasets()]

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
