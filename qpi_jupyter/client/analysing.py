"""`analyse`: the exact state of a circuit and what its counts say, without a lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qpi_jupyter.core import QpiError

if TYPE_CHECKING:
    import xarray as xr
    from qiskit import QuantumCircuit

_OF_OBSERVABLES = ("bad_observable", "too_many_observables")
"""What is wrong with the observables, whichever the circuit."""


def analyse(
    circuit: QuantumCircuit | None = None,
    counts: Mapping[str, int] | None = None,
    *,
    observables: Sequence[str] = (),
    esp: float | None = None,
) -> xr.Dataset:
    """A circuit's exact state, what its counts say, or both: one Dataset with plots of its own.

    ``.qpi.plot()`` is a histogram, ``.qpi.bloch()`` the qubits' Bloch spheres, ``.qpi.city()`` the density matrix.

    Parameters
    ----------
    circuit
        what ran, its parameters bound; its state is computed without its final measurements.
    counts
        by outcome, as Qiskit keys them.
    observables
        Pauli strings as Qiskit's labels, over all qubits of the circuit, beside Z of each and ZZ and XX of neighbours.
    esp
        the estimated success probability of the circuit on its QPU, where that is known.

    Raises
    ------
    TooLarge
        more than 14 qubits, with the figure.
    Rejected
        neither circuit nor counts; a circuit without states; observables of another width; counts of another circuit.
    """
    import qpi_jupyter.data.accessor  # noqa: F401 - gives the Dataset its .qpi
    from qpi_jupyter.data import analysis

    return analysis.analyse(circuit, counts, observables=observables, esp=esp)


def of_values(
    data: xr.Dataset | xr.DataTree,
    given: QuantumCircuit | None,
    own: Sequence[QuantumCircuit],
    observables: Sequence[str],
) -> xr.Dataset:
    """The analysis of a job of observables: with its circuit, which somebody gave or which it has of its ``own``.

    Where its own has no exact state, as one that is too wide, the values alone.

    Raises
    ------
    QpiError
        as `analyse`, for a circuit that was given; observables that are none of the circuit.
    """
    try:
        found: xr.Dataset = data.qpi.analysis(own[0] if len(own) == 1 else given, observables=observables)
    except QpiError as error:
        if given is not None or not own or (observables and error.code in _OF_OBSERVABLES):
            raise
        found = data.qpi.analysis()
    return found
