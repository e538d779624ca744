"""The pubs of a program, checked."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning
from qiskit.exceptions import QiskitError
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.transpiler import Target

from qpi_executors.analysis import require_names
from qpi_jupyter.core import MAX_CIRCUITS, Program, ProgramError, Rejected, TooLarge
from qpi_jupyter.data.primitives import SAMPLER, Asked, read_asked
from qpi_jupyter.data.pub_results import check_registers

from .decoupling import Decoupling, decoupling_of, missing
from .ibm_options import REFUSED, flat, is_set, is_told, not_applied
from .texts import circuit_of
from .twirling import Twirling, precision_of, twirling_of

MEAS_TYPES = {"classified": (2, "single"), "kerneled": (1, "single"), "avg_kerneled": (1, "avg")}
"""``options.execution.meas_type`` as measurement level and return."""
_COARSEST = 1e9
"""A precision beyond it, or beyond its inverse, has no number of shots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a primitive has to do.

    ``not_applied`` names the options that the client set and that change nothing here. Of a quantum program,
    ``schema_version`` is the one it came in, and ``drawn`` has the arrays of each item's samplex beside the values.
    """

    sampler: bool
    backend: str
    pubs: tuple[Any, ...]  # SamplerPub or EstimatorPub, which have no types
    seed: int | None
    meas_level: int
    meas_return: str
    not_applied: tuple[str, ...]
    max_execution_time: float | None
    twirling: Twirling | None = None
    decoupling: Decoupling | None = None
    schema_version: str = ""
    drawn: tuple[Mapping[str, Any], ...] = ()

    @property
    def points(self) -> int:
        """Circuits with all parameters bound, each as often as it is randomized."""
        return sum(pub.parameter_values.size * self.randomizations(k) for k, pub in enumerate(self.pubs))

    def shots(self, index: int) -> int:
        """Of each measurement of a pub."""
        pub = self.pubs[index]
        return int(pub.shots) if self.sampler else math.ceil(1 / pub.precision**2)

    def randomizations(self, index: int) -> int:
        """Of a pub: how many circuits it becomes by twirling."""
        return 1 if self.twirling is None else self.twirling.split(self.shots(index))[0]

    def decoupled_by(self, target: Target | None, backend: str) -> Work:
        """The same, without dynamical decoupling, which then is named, where a target has no times for it."""
        if self.decoupling is None:
            return self
        lacking = "no gate durations" if target is None else missing(self.decoupling, target)
        if not lacking:
            return self
        named = f"dynamical_decoupling.enable ({backend} has {lacking})"
        return replace(self, decoupling=None, not_applied=(*self.not_applied, named))


def primitive_work(program: Program, *, max_shots: int) -> Work:
    """What a program asks for.

    Raises
    ------
    ProgramError, TooLarge
        a pub that cannot run, by its number.
    Rejected
        an option that cannot be applied, by its name.
    """
    asked, sampler = _joined([read_asked(source) for source in program.sources]), program.format == SAMPLER.name
    options = {name: value for name, value in flat(asked.options) if is_told(value)}
    for name, reason in REFUSED.items():
        if any(key == name or key.startswith(f"{name}.") for key, value in options.items() if is_set(value)):
            raise Rejected(f"options.{name} cannot be used here. {reason}", code="bad_option", field=name)
    meas_type = options.get("execution.meas_type") or "classified"
    if meas_type not in MEAS_TYPES:
        message = f"options.execution.meas_type is {', '.join(MEAS_TYPES)}, not {meas_type!r}."
        raise Rejected(message, code="bad_option", field="execution.meas_type")
    seed = checked_seed(
        options.get("simulator.seed_simulator"), options.get("seed_estimator"), program.options.seed_simulator
    )
    if asked.resilience_level is not None:
        options["resilience_level"] = asked.resilience_level or None
    twirling = twirling_of(options)
    if twirling is not None and twirling.measure and meas_type != "classified":
        raise Rejected(
            "options.twirling.enable_measure flips bits, and options.execution.meas_type = "
            f"{meas_type!r} returns none: switch one of them off.",
            code="bad_option", field="twirling.enable_measure",
        )  # fmt: skip
    usual = asked.default_shots or program.options.shots
    if twirling is not None and twirling.usual_shots is not None:  # they go before the client's defaults
        usual = twirling.usual_shots
        options = {name: value for name, value in options.items() if not name.startswith("default_")}
    own = _shots(options, usual) if sampler else _precision(options, usual)
    pubs = tuple(_pub(index, pub, sampler, own, max_shots) for index, pub in enumerate(asked.pubs))
    level, how = MEAS_TYPES[meas_type]
    work = Work(
        sampler=sampler, backend=asked.backend, pubs=pubs, seed=seed, meas_level=level, meas_return=how,
        not_applied=tuple(not_applied(options)), max_execution_time=checked_time(asked.max_execution_time),
        twirling=twirling, decoupling=decoupling_of(options),
    )  # fmt: skip
    if work.points > MAX_CIRCUITS:
        twirled = "" if twirling is None else ", each counted once for each of its randomizations"
        message = f"The pubs have {work.points:,} parameter sets in one job{twirled}; the limit is {MAX_CIRCUITS:,}."
        raise TooLarge(message, code="too_many_circuits", limit=MAX_CIRCUITS)
    return work


def checked_seed(*given: Any) -> int | None:
    """The first of some seeds that is one; Any: they come from JSON."""
    seed = next((one for one in given if one is not None), None)
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**63):
        return seed
    raise Rejected(f"A seed is a whole number from 0 to 2**63 - 1, not {seed!r}.", code="bad_option", field="seed")


def checked_time(given: Any) -> float | None:
    """The ``max_execution_time``; Any: it comes from JSON."""
    if given is None or (isinstance(given, int | float) and not isinstance(given, bool)):
        return given
    message = f"max_execution_time is a number of seconds, not {given!r:.50}."
    raise Rejected(message, code="bad_option", field="max_execution_time")


def _joined(several: Sequence[Asked]) -> Asked:
    """All pubs of a job, which have their options in common."""
    first = several[0]
    if any(replace(asked, pubs=first.pubs) != first for asked in several[1:]):
        raise ProgramError("The lists of pubs of one job must have the same backend and options.", code="bad_pub")
    return replace(first, pubs=[pub for asked in several for pub in asked.pubs])


def _pub(index: int, given: Any, sampler: bool, usual: float, max_shots: int) -> Any:
    """A SamplerPub or an EstimatorPub; Any: they come from JSON, and have no types."""
    most = 3 if sampler else 4
    if len(given) > most or (not sampler and len(given) < 2):
        due = "(circuit, parameter values, shots)" if sampler else "(circuit, observables, parameter values, precision)"
        raise ProgramError(f"Pub {index} has {len(given)} entries; due: {due}.", code="bad_pub", circuit=index)
    parts = [*given, *[None] * (most - len(given))]
    if isinstance(parts[0], str):
        parts[0] = circuit_of(parts[0], index, None if sampler else parts[1])
    try:
        parts[-1] = usual if parts[-1] is None else parts[-1]
        with warnings.catch_warnings():
            warnings.simplefilter("error", ComplexWarning)
            pub = (SamplerPub if sampler else EstimatorPub).coerce(tuple(parts))
        values = pub.parameter_values.as_array(pub.circuit.parameters)
    except ComplexWarning as error:
        message = f"The parameter values of pub {index} are complex: send real numbers."
        raise ProgramError(message, code="bad_parameters", circuit=index) from error
    except (QiskitError, ArithmeticError, AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        said = error.message if isinstance(error, QiskitError) else str(error)
        raise ProgramError(f"Pub {index} is not valid: {said}", code="bad_pub", circuit=index) from error
    if not np.isfinite(np.asarray(values, dtype=float)).all():
        message = f"The parameter values of pub {index} are not all finite numbers."
        raise ProgramError(message, code="bad_parameters", circuit=index)
    require_names(pub.circuit, index)
    (check_sampler if sampler else _check_estimator)(index, pub, max_shots)
    return pub


def _shots(options: Mapping[str, Any], usual: int) -> int:
    """Those of pubs that have none of their own."""
    shots = options.get("shots") or options.get("default_shots") or usual
    if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
        raise Rejected(f"The shots are a whole number from 1, not {shots!r}.", code="bad_shots")
    return shots


def _precision(options: Mapping[str, Any], usual: int) -> float:
    """That of pubs that have none of their own: as many shots as are asked for, if that is how it is said."""
    given = options.get("precision") or (options.get("default_shots") is None and options.get("default_precision"))
    if given:
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise Rejected(f"The precision is a number above 0, not {given!r}.", code="bad_precision")
        return float(given)
    shots = _shots({name: value for name, value in options.items() if name == "default_shots"}, usual)
    return precision_of(shots)


def check_sampler(index: int, pub: Any, max_shots: int) -> None:
    """Refuse a pub that measures nothing, or takes too many shots."""
    check_registers(index, pub.circuit)
    if not pub.circuit.num_clbits:
        message = f"The circuit of pub {index} measures nothing: add a measurement, for example measure_all()."
        raise ProgramError(message, code="no_measurement", circuit=index)
    if not pub.circuit.cregs:
        message = f"The circuit of pub {index} measures into no register: declare its bits as one, such as bit[1] c."
        raise ProgramError(message, code="bad_registers", circuit=index)
    if not 1 <= pub.shots <= max_shots:
        raise Rejected(f"Pub {index} asks for {pub.shots:,} shots; allowed are 1 to {max_shots:,}.", code="bad_shots")


def _check_estimator(index: int, pub: Any, max_shots: int) -> None:
    if not 1 / _COARSEST <= pub.precision <= _COARSEST or math.ceil(1 / pub.precision**2) > max_shots:
        raise Rejected(
            f"Pub {index} asks for the precision {pub.precision:g}; it must be at most {_COARSEST:g}, and at least "
            f"{1 / math.sqrt(max_shots):.2g}, which takes {max_shots:,} shots.",
            code="bad_precision",
        )  # fmt: skip
    if pub.circuit.num_clbits and any(one.operation.name == "measure" for one in pub.circuit.data):
        message = f"The circuit of pub {index} has measurements: an estimator adds its own. Remove them."
        raise ProgramError(message, code="measured", circuit=index)
    for observable in np.ravel(pub.observables):
        for term, factor in dict(observable).items():
            if set(term) - set("IXYZ"):
                message = f"The observable {term!r} of pub {index} is not a string of the Paulis I, X, Y and Z."
                raise ProgramError(message, code="bad_observable", circuit=index)
            if not math.isfinite(factor):
                raise ProgramError(f"An observable of pub {index} is not finite.", code="bad_observable", circuit=index)
