"""``ds.qpi`` of an analysis: its pictures, drawn by Qiskit's visualization, and its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from qpi_jupyter.core import Rejected

from .analysis import to_dict
from .states import MAX_QUBITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_CITY = 5
"""Qubits whose density matrix is drawn: 32 times 32 bars, twice."""
MAX_SPHERES = 16
MAX_LABELS = 16
"""Outcomes of a histogram whose bars have their figures."""
MAX_BARS = 24
"""The likeliest outcomes of a longer one; the others are one bar, the rest."""
_COLUMNS = 4


class AnalysisAccessor:
    """What is asked of an analysis."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: complex numbers as pairs, null for what is not known."""
        return to_dict(self._dataset)

    def plot(self, ax: Axes | None = None) -> Axes:
        """A histogram of the outcomes: exact probabilities and the shares that were counted, side by side.

        Of a circuit without measurements, of its basis states. Of many outcomes the likeliest have a bar each. Where
        observables were measured: their values with the standard errors, beside the exact ones.
        """
        if "observed_expectations" in self._dataset and "shares" not in self._dataset:
            return self._plot_observables(ax)
        from qiskit.visualization import plot_distribution

        from .plots import new_axes

        told = {"exact": "measured_probabilities", "counted": "shares"}
        shown = {name: self._table(variable, "outcome") for name, variable in told.items() if variable in self._dataset}
        shown = shown or {"exact": self._table("probabilities", "state")}
        ax = ax or new_axes()
        many = max(map(len, shown.values())) > MAX_LABELS
        plot_distribution(
            list(shown.values()), legend=list(shown), ax=ax, bar_labels=not many,
            number_to_keep=MAX_BARS if many else None,
        )  # fmt: skip
        ax.set_xlabel("Outcome")
        ax.set_ylabel("Probability")
        return ax

    def _plot_observables(self, ax: Axes | None) -> Axes:
        from .plots import new_axes

        ax = ax or new_axes()
        shown = self._dataset.dropna("observable", subset=["observed_expectations"])
        names = [str(name) for name in shown["observable"].values]
        ax.errorbar(
            names, shown["observed_expectations"], shown["observed_error"], fmt="o", capsize=3, label="measured"
        )
        if "observable_expectations" in shown:
            ax.plot(names, shown["observable_expectations"], "x", label="exact")
        ax.legend()
        ax.set_xlabel("Observable")
        ax.set_ylabel("Expectation value")
        return ax

    def bloch(self) -> Figure:
        """The Bloch sphere of each qubit, of the first `MAX_SPHERES`.

        Raises
        ------
        Rejected
            an analysis of counts alone.
        """
        import matplotlib.pyplot as plt
        from qiskit.visualization import plot_bloch_vector
        from qiskit.visualization.utils import matplotlib_close_if_inline

        vectors = self._known("bloch_vectors").values[:MAX_SPHERES]
        names = self._dataset["qubit_name"].values
        columns = min(_COLUMNS, len(vectors))
        rows = -(-len(vectors) // columns)
        figure = plt.figure(figsize=(3 * columns, 3.2 * rows))
        for k, vector in enumerate(vectors):
            sphere = figure.add_subplot(rows, columns, k + 1, projection="3d")
            plot_bloch_vector(np.asarray(vector), title=str(names[k]), ax=sphere)
        matplotlib_close_if_inline(figure)  # as Qiskit's own: a cell shows it once, as its value
        return figure

    def city(self, qubit: int | None = None) -> Figure:
        """The density matrix as a city of bars: of the whole state, or of one qubit by itself.

        Raises
        ------
        Rejected
            an analysis of counts alone; more than `MAX_CITY` qubits, or no one state, without ``qubit``.
        """
        from qiskit.quantum_info import DensityMatrix, Statevector
        from qiskit.visualization import plot_state_city

        matrices = self._known("reduced_density_matrices").values
        if qubit is not None:
            if not 0 <= qubit < len(matrices):
                raise Rejected(f"There is no qubit {qubit}: they are 0 to {len(matrices) - 1}.", code="bad_qubit")
            figure: Figure = plot_state_city(DensityMatrix(matrices[qubit]))
            return figure
        if len(matrices) > MAX_CITY:
            raise Rejected(
                f"The density matrix of {len(matrices)} qubits is too large to draw: the limit is {MAX_CITY}. Choose "
                "one of them, as in city(qubit=0).",
                code="too_many_qubits",
            )
        if "statevector" not in self._dataset:
            raise Rejected(
                "The state depends on what was measured midway: choose a qubit, as in city(qubit=0).", code="no_state"
            )
        whole: Figure = plot_state_city(Statevector(self._dataset["statevector"].values))
        return whole

    def _known(self, name: str) -> xr.DataArray:
        if name not in self._dataset:
            raise Rejected(
                f"This needs the exact state: give the circuit (up to {MAX_QUBITS} qubits).", code="no_exact_state"
            )
        return self._dataset[name]

    def _table(self, name: str, dim: str) -> dict[str, float]:
        return dict(zip(self._dataset[dim].values.tolist(), self._known(name).values.tolist(), strict=True))
