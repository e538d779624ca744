"""Fits of sweeps: a Rabi oscillation, T1, Ramsey, echo, randomized benchmarking, or a function of one's own (by lmfit).

Each model is fitted from the best of a grid of its nonlinear parameters, where all others follow linearly, so that no
starting values have to be given.
"""

from __future__ import annotations

import difflib
import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected, counted

from . import conventions as c
from . import drawings
from .curves import axis_of, with_unit
from .drawings import Drawing
from .kinds import kind_of
from .pictures import html_of
from .probabilities import SHOTS, expectation, probability
from .sweeps import sweep_dims

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]
_FINE = 200
"""Places at which a fit is drawn between its points."""
_FREQUENCIES = 200
"""So many frequencies are tried first."""
_EVIDENCE = 10.0
"""How much better than a constant a fit has to be: the difference of the Bayesian information criteria."""
_MISFIT = 10.0
"""From this reduced chi-square on a fit has to account for half of what changes, too."""


class Value(NamedTuple):
    """A fitted quantity with its standard error (NaN: not known) and its unit (empty: none).

    The value is NaN where the data leave it open, as a decay that is much longer than the sweep.
    """

    value: float
    error: float
    unit: str = ""

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "not determined"
        unit = f" {self.unit}" if self.unit else ""
        if not (math.isfinite(self.error) and self.error > 0):
            return f"{self.value:.4g}{unit}"
        digits = 1 - math.floor(math.log10(self.error))
        if 0 <= digits <= 6:
            return f"{self.value:.{digits}f} ± {self.error:.{digits}f}{unit}"
        power = math.floor(math.log10(abs(self.value))) if self.value else 0
        value, error = self.value / 10.0**power, self.error / 10.0**power
        digits = max(0, 1 - math.floor(math.log10(error)))
        return f"({value:.{digits}f} ± {error:.{digits}f})e{power:+03d}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A function with what is needed to fit it.

    ``parts`` are the functions of x, at given nonlinear parameters, of which it is a linear combination; ``grid`` are
    values of these to begin with, by name, from x and y.  ``start`` makes the function's parameters from the best of
    them and its linear coefficients.  ``key`` names what has to be determined; ``derived`` are quantities that follow.
    """

    name: str
    function: Callable[..., Numbers]
    parts: Callable[..., list[Numbers]]
    grid: Callable[[Numbers, Numbers], dict[str, Numbers]]
    start: Callable[[dict[str, float], Numbers], dict[str, float]]
    key: str
    inverse: frozenset[str] = frozenset()
    along: frozenset[str] = frozenset()
    derived: Callable[[Mapping[str, Value], int], dict[str, Value]] = lambda values, bits: {}
    advice: str = ""


class Fit:
    """A fitted model: ``fit["period"]``, ``fit.values``, ``fit.plot()``; ``result`` is lmfit's own."""

    def __init__(
        self, name: str, result: Any, values: dict[str, Value], data: xr.DataArray, axis: str, told: Sequence[str]
    ) -> None:
        self.name = name
        self.result = result
        self.values = values
        """By name: the model's parameters, and what follows from them."""
        self.data = data
        """What was fitted."""
        self._axis, self._told = axis, told

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    @property
    def reduced_chi_square(self) -> float:
        """About 1 where the model describes the data and the errors are those of counting."""
        return float(self.result.redchi)

    def drawing(self) -> Drawing:
        """The data as points and the fit as a line."""
        x, x_label = axis_of(self.data, self._axis)
        fine = np.unique(np.concatenate([np.linspace(min(x), max(x), _FINE), x]))
        known = dict(zip(x, self.data.values.tolist(), strict=True))
        quantity = str(self.data.attrs.get("long_name", ""))
        return drawings.lines(
            fine.tolist(),
            {"data": [known.get(at, math.nan) for at in fine.tolist()], f"fit: {self.name}": self.at(fine).tolist()},
            x_label=x_label,
            y_label=with_unit(quantity, self.data.attrs),
            about=", ".join(f"{name} = {self.values[name]}" for name in self._told),
            dots={"data"},
        )

    def at(self, x: Any) -> Numbers:
        """The fitted function."""
        found: Numbers = np.broadcast_to(
            self.result.eval(**{self.result.model.independent_vars[0]: np.asarray(x, dtype=float)}), np.shape(x)
        )
        return found

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the data and the fit."""
        from .plots import draw, new_axes

        ax = ax or new_axes()
        draw(ax, self.drawing())
        return ax

    def __repr__(self) -> str:
        values = "".join(f"\n  {name} = {value}" for name, value in self.values.items())
        return f"Fit of {self.name} (reduced chi-square {self.reduced_chi_square:.3g}){values}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
            for name, value in self.values.items()
        )
        told = f"Fit of {escape(self.name)}, reduced chi-square {self.reduced_chi_square:.3g}"
        head = f"<caption style='white-space:nowrap'>{told}</caption>"
        return f"{html_of(self.drawing())}<table>{head}{rows}</table>"


def fit(
    dataset: xr.Dataset,
    model: str | Callable[..., Any],
    of: str | xr.DataArray | None = None,
    *,
    along: str | None = None,
    guess: Mapping[str, float] | None = None,
) -> Fit:
    """Fit a model to a sweep of one parameter.

    Parameters
    ----------
    model
        ``"rabi"``, ``"t1"``, ``"ramsey"``, ``"echo"``, ``"rb"``, or a function of x and its parameters.
    of
        what is fitted: the probability of an outcome (``"11"``), an observable of a result of expectation values, or
        numbers along the sweep. By default the outcome with ones alone, or the mean signal along its widest direction.
    along
        the coordinate that is x, where several change together.
    guess
        starting values of a function's parameters, where its defaults are not near.

    Raises
    ------
    Rejected
        there is no such model, this is not a sweep of one parameter, or the data do not determine the model.
    """
    data, x, axis = _points(dataset, of, along)
    known = np.isfinite(data.values) & np.isfinite(x)
    sigma = _sigma(data)
    chosen = MODELS.get(model) if isinstance(model, str) else None
    if isinstance(model, str) and chosen is None:
        near = difflib.get_close_matches(model, MODELS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(MODELS)}, or a function of your own."
        raise Rejected(f"There is no model {model!r}. {hint}", code="no_model")
    x, y, weights = x[known], data.values[known].astype(float), None if sigma is None else 1 / sigma[known]
    unit = str(data.coords[axis].attrs.get("units", "1")) if axis in data.coords else "1"
    named = "the function" if chosen is None else chosen.name
    result = _fitted(chosen, model, x, y, weights, guess or {}, named)
    values = _values(chosen, result, "" if unit == "1" else unit, c.circuit_info(dataset.attrs).memory_slots)
    name = chosen.name if chosen else getattr(model, "__name__", "function")
    told = [n for n in values if chosen is None or n == chosen.key or n not in result.params]
    return Fit(name, result, values, data, str(data.dims[0]), told)


def _points(dataset: xr.Dataset, of: str | xr.DataArray | None, along: str | None) -> tuple[xr.DataArray, Numbers, str]:
    """What is fitted, its x, and the name of the coordinate that is x."""
    dims = sweep_dims(dataset)
    if len(dims) != 1:
        have = f"{len(dims)} of them: pick one value of the others (ds.isel(...))" if dims else "none"
        raise Rejected(f"A fit takes a sweep of one parameter; this result has {have}.", code="no_curve")
    (dim,) = dims
    data = of if isinstance(of, xr.DataArray) else _quantity(dataset, of)
    if data.dims != (dim,):
        raise Rejected(f"A fit takes numbers along {dim!r}, not along {data.dims}.", code="no_curve")
    if along is None:
        named = [str(k) for k, v in data.coords.items() if v.dims == (dim,) and v.dtype.kind in "iuf"]
        along = dim if dim in named else next(iter(named), "")
    if along and (along not in data.coords or data.coords[along].dims != (dim,)):
        raise Rejected(f"There is no coordinate {along!r} along {dim!r}.", code="no_curve")
    if along and along != dim:
        data = data.swap_dims({dim: along})
    x = data.coords[along].values.astype(float) if along else np.arange(data.size, dtype=float)
    return data, x, along


def _quantity(dataset: xr.Dataset, of: str | None) -> xr.DataArray:
    if c.EXPECTATION_VALUE in dataset.variables:
        return expectation(dataset, of or str(dataset.coords[c.OBSERVABLE].values[0]))
    info = c.circuit_info(dataset.attrs)
    counted = c.BIT in dataset.variables or c.COUNT in dataset.variables or c.SHOT in dataset.dims
    if counted:
        return probability(dataset, (1 << info.memory_slots) - 1 if of is None else of)
    curve = kind_of(dataset, info).curve(dataset)
    if curve is None or c.COMPONENT not in curve.dims:
        raise Rejected("Say what is fitted: numbers along the sweep (of=...).", code="no_curve")
    signal = curve.sel({c.COMPONENT: "I"}, drop=True) + 1j * curve.sel({c.COMPONENT: "Q"}, drop=True)
    spread = signal - signal.mean()
    turned = np.exp(-0.5j * np.angle((spread**2).mean()))
    found: xr.DataArray = (signal * turned).real.assign_attrs(curve.attrs).rename("signal")
    return found


def _sigma(data: xr.DataArray) -> Numbers | None:
    """The standard errors of shares of shots; None where they are not known.

    With (k + 1) / (n + 2) in place of k / n, so that no point without a single 1 has the error 0 (Laplace's rule).
    """
    shots = data.attrs.get(SHOTS)
    if not shots or data.name not in ("probability",):
        return None
    share = (data.values * shots + 1) / (shots + 2)
    sigma: Numbers = np.sqrt(share * (1 - share) / shots)
    return sigma


def _fitted(
    chosen: Model | None,
    model: str | Callable[..., Any],
    x: Numbers,
    y: Numbers,
    weights: Numbers | None,
    guess: Mapping[str, float],
    named: str,
) -> Any:
    import lmfit

    function = chosen.function if chosen is not None else model
    assert callable(function)
    names = list(inspect.signature(function).parameters)[1:]
    if len(x) <= len(names) or np.ptp(x) == 0:
        raise Rejected(
            f"{counted(len(x), 'point')} cannot determine the {counted(len(names), 'parameter')} of {named}: "
            "measure more.",
            code="no_fit",
        )
    if chosen is not None:
        start = _start(chosen, x, y, weights)
    else:
        defaults = {n: p.default for n, p in inspect.signature(function).parameters.items() if n in names}
        start = {n: 1.0 if d is inspect.Parameter.empty else float(d) for n, d in defaults.items()}
    fitter = lmfit.Model(function, independent_vars=[next(iter(inspect.signature(function).parameters))])
    independent = {fitter.independent_vars[0]: x}
    parameters = fitter.make_params(**{**start, **guess})
    try:
        result = fitter.fit(y, parameters, weights=weights, scale_covar=weights is None, **independent)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Rejected(f"{named.capitalize()} cannot be fitted to these data: {error}", code="no_fit") from error
    _check(chosen, result, x, y, weights, named)
    return result


def _start(model: Model, x: Numbers, y: Numbers, weights: Numbers | None) -> dict[str, float]:
    """The best of the model's grid: for each of its points the linear part is solved exactly."""
    grid = model.grid(x, y)
    scale = np.ones_like(y) if weights is None else weights
    best: tuple[float, dict[str, float], NDArray[Any]] | None = None
    for values in itertools.product(*grid.values()):
        nonlinear = dict(zip(grid, map(float, values), strict=True))
        columns = np.stack(model.parts(x, **nonlinear), axis=1)
        found, *_ = np.linalg.lstsq(columns * scale[:, None], y * scale, rcond=None)
        left = float((((columns @ found - y) * scale) ** 2).sum())
        if best is None or left < best[0]:
            best = left, nonlinear, found
    assert best is not None
    return model.start(best[1], best[2])


def _check(chosen: Model | None, result: Any, x: Numbers, y: Numbers, weights: Numbers | None, named: str) -> None:
    """Refuse what a constant describes as well, another model's data, and what leaves the model's own quantity open."""
    scale = np.ones_like(y) if weights is None else weights
    level = (y * scale**2).sum() / (scale**2).sum()
    flat, left, count = float((((y - level) * scale) ** 2).sum()), float(result.chisqr), len(y)
    more = (result.nvarys - 1) * math.log(count)
    if weights is None:
        gain = count * math.log(max(flat, 1e-300) / max(left, 1e-300)) if flat > 0 else 0.0
    else:
        gain = flat - left
    advice = chosen.advice if chosen is not None else "Give starting values (guess={...})."
    if not result.success or not gain - more > _EVIDENCE:
        raise Rejected(f"The data do not show {named}: a constant describes them as well. {advice}", code="no_fit")
    if weights is not None and chosen is not None and result.redchi > _MISFIT:
        missed, spread = float(((result.best_fit - y) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
        if missed > spread / 2:
            raise Rejected(f"The data do not show {named}: they change in another way. {advice}", code="no_fit")
    if chosen is not None:
        key = result.params[chosen.key]
        if key.stderr is None or not abs(key.stderr) < abs(key.value):
            raise Rejected(f"The data do not determine {chosen.key!r} of {named}. {advice}", code="no_fit")


def _values(chosen: Model | None, result: Any, unit: str, bits: int) -> dict[str, Value]:
    found = {}
    for name, parameter in result.params.items():
        own = ""
        if chosen is not None and unit:
            own = unit if name in chosen.along else f"1/{unit}" if name in chosen.inverse else ""
        value, error = float(parameter.value), math.nan if parameter.stderr is None else parameter.stderr
        if chosen is not None and name in chosen.along | chosen.inverse and abs(error) >= abs(value):
            value = error = math.nan
        found[name] = Value(value, error, own)
    return found | (chosen.derived(found, bits) if chosen is not None else {})


# The models


def _rabi(x: Numbers, amplitude: float, period: float, phase: float, offset: float) -> Numbers:
    """The population of a driven qubit over pulse amplitude or length, ``offset + amplitude cos(2 pi x / period +
    phase)``: Krantz et al., A quantum engineer's guide to superconducting qubits, Appl. Phys. Rev. 6, 021318 (2019),
    section IV D."""
    return offset + amplitude * np.cos(2 * np.pi * x / period + phase)


def _decay(x: Numbers, amplitude: float, time: float, offset: float) -> Numbers:
    """An exponential decay, ``offset + amplitude exp(-x / time)``: of the excited population (T1), or of the coherence
    after a Hahn echo (T2). Krantz et al. (2019), section III B."""
    return offset + amplitude * np.exp(-x / time)


def _ramsey(x: Numbers, amplitude: float, time: float, frequency: float, phase: float, offset: float) -> Numbers:
    """A decaying fringe, ``offset + amplitude exp(-x / time) cos(2 pi frequency x + phase)``: frequency is the detuning
    and time is T2*. Krantz et al. (2019), section III B."""
    return offset + amplitude * np.exp(-x / time) * np.cos(2 * np.pi * frequency * x + phase)


def _rb(x: Numbers, amplitude: float, alpha: float, offset: float) -> Numbers:
    """Survival over sequence length, ``offset + amplitude alpha**x``: Magesan, Gambetta and Emerson, Phys. Rev. Lett.
    106, 180504 (2011), equation 1."""
    return offset + amplitude * np.power(np.abs(alpha), x)


def _error_per_clifford(values: Mapping[str, Value], bits: int) -> dict[str, Value]:
    """``(d - 1) (1 - alpha) / d`` with d = 2 to the qubits (Magesan et al., 2011)."""
    share = 1 - 2.0**-bits
    alpha = values["alpha"]
    return {"error_per_clifford": Value(share * (1 - alpha.value), share * alpha.error)}


def _frequencies(x: Numbers, y: Numbers) -> Numbers:
    """From a third of a period to two points a period; of many points those that stand out in the spectrum."""
    places, which = np.unique(x, return_inverse=True)
    span, count = float(np.ptp(places)), len(places)
    if 4 * count <= _FREQUENCIES:
        return np.linspace(0.3 / span, 0.5 * (count - 1) / span, 4 * count)
    levels = np.bincount(which, y) / np.bincount(which)
    even = np.interp(np.linspace(places[0], places[-1], count), places, levels - levels.mean())
    spectrum, frequencies = np.abs(np.fft.rfft(even, 8 * count)), np.fft.rfftfreq(8 * count, span / (count - 1))
    spectrum[frequencies < 0.3 / span] = 0.0
    return np.sort(frequencies[np.argsort(spectrum)[-_FREQUENCIES:]])


def _times(x: Numbers, steps: int = 60) -> Numbers:
    span = float(np.ptp(x))
    return np.geomspace(span / max(len(x), 2) / 2, 20 * span, steps)


def _waves(x: Numbers, frequency: float) -> list[Numbers]:
    return [np.cos(2 * np.pi * frequency * x), np.sin(2 * np.pi * frequency * x)]


def _half_turn(values: Mapping[str, Value], bits: int) -> dict[str, Value]:
    period = values["period"]
    return {"pi_pulse": Value(period.value / 2, period.error / 2, period.unit)}


def _polar(cosine: float, sine: float) -> dict[str, float]:
    return {"amplitude": math.hypot(cosine, sine), "phase": math.atan2(-sine, cosine)}


def _a_decay(name: str) -> Model:
    return Model(
        name=name,
        function=_decay,
        parts=lambda x, time: [np.exp(-x / time), np.ones_like(x)],
        grid=lambda x, _: {"time": _times(x)},
        start=lambda n, f: {"amplitude": float(f[0]), "time": n["time"], "offset": float(f[1])},
        key="time",
        along=frozenset({"time"}),
        derived=lambda values, bits: {name.upper() if name == "t1" else "T2": values["time"]},
        advice="Measure delays from zero to a few times the decay, or more shots.",
    )


MODELS: dict[str, Model] = {
    "rabi": Model(
        name="rabi",
        function=_rabi,
        parts=lambda x, frequency: [*_waves(x, frequency), np.ones_like(x)],
        grid=lambda x, y: {"frequency": _frequencies(x, y)},
        start=lambda n, f: {**_polar(f[0], f[1]), "period": 1 / n["frequency"], "offset": float(f[2])},
        key="period",
        along=frozenset({"period"}),
        derived=_half_turn,
        advice="Measure at least half of an oscillation, with three points or more in each, or more shots.",
    ),
    "t1": _a_decay("t1"),
    "ramsey": Model(
        name="ramsey",
        function=_ramsey,
        parts=lambda x, frequency, time: [
            *(wave * np.exp(-x / time) for wave in _waves(x, frequency)),
            np.ones_like(x),
        ],
        grid=lambda x, y: {"frequency": _frequencies(x, y), "time": _times(x, 12)},
        start=lambda n, f: {**_polar(f[0], f[1]), "offset": float(f[2]), **n},
        key="frequency",
        along=frozenset({"time"}),
        inverse=frozenset({"frequency"}),
        derived=lambda values, bits: {"T2*": values["time"]},
        advice="Detune by a few periods over the longest delay, with three points or more in each, or more shots.",
    ),
    "echo": _a_decay("echo"),
    "rb": Model(
        name="rb",
        function=_rb,
        parts=lambda x, alpha: [np.power(alpha, x), np.ones_like(x)],
        grid=lambda x, _: {"alpha": np.exp(-1 / _times(x))},
        start=lambda n, f: {"amplitude": float(f[0]), "alpha": n["alpha"], "offset": float(f[1])},
        key="alpha",
        derived=_error_per_clifford,
        advice="Measure longer sequences, or more shots.",
    ),
}
