"""From the results of a plan's fragments to the result of its circuit: numpy only, and nothing but those results.

Every experiment of fragment *f* in sample *i* gives outcomes with a sign, the parity of what its cuts measured. Their
means are products over fragments, summed with the samples' coefficients (quasi-probability decomposition: Mitarai and
Fujii, New J. Phys. 23, 023021, 2021; wire cuts: Peng et al., Phys. Rev. Lett. 125, 150504, 2020). A circuit that is
not cut has one sample with the coefficient 1, and no signs.

Counts of a cut circuit are the same sum over signed distributions instead of means. That is what a Walsh-Hadamard
transform of the expectation values of all strings of I and Z comes to, without writing these 2**n values down.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from qpi_jupyter.core import Faulted
from qpi_jupyter.core.plans import PlanKind

IGNORED = -1
"""In the place of a bit that stands for nothing of the circuit's."""
_SMALLEST = 1e-12
Counts = Mapping[int, int]
"""How often each outcome came: joint over all registers, the first register's bit 0 as the lowest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecipe:
    """How one fragment's results enter: of each sample it has as many circuits, one after the other, as ``num_bits``.

    ``num_bits``: how many of an outcome's lowest bits are the circuit's own; those above are the signs'. ``bits`` says
    for each of them which classical bit of the circuit it is (counts, which need one circuit); ``masks`` has for each
    observable the circuit that measures it, and the bits whose parity it is.
    """

    num_bits: tuple[int, ...]
    bits: tuple[int, ...] = ()
    masks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the fragments' results become the circuit's.

    ``registers`` are the names and sizes of the circuit's classical registers; ``constant`` has a factor for each
    observable, of the qubits that nothing acts on.
    """

    kind: PlanKind
    observables: tuple[str, ...]
    num_clbits: int
    registers: tuple[tuple[str, int], ...]
    parts: tuple[PartRecipe, ...]
    coefficients: tuple[float, ...] = (1.0,)
    constant: tuple[float, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstructed:
    """The circuit's result: ``values`` of the observables with their standard errors ``stds``, or ``counts``.

    ``quasi``: the counts are those of a cut circuit: a distribution that was put together and brought to probabilities,
    times ``shots``; they are no single shots, and not whole numbers.
    """

    values: tuple[float, ...] = ()
    stds: tuple[float, ...] = ()
    counts: dict[int, float] = field(default_factory=dict)
    shots: int = 0
    quasi: bool = False


def read_recipe(raw: bytes) -> Recipe:
    """The recipe that `write_recipe` wrote."""
    return msgspec.json.decode(raw, type=Recipe)


def write_recipe(recipe: Recipe) -> bytes:
    """The recipe as JSON."""
    return msgspec.json.encode(recipe)


def reconstruct(recipe: Recipe, results: Sequence[Sequence[Counts]]) -> Reconstructed:
    """The circuit's result from the counts of each fragment's circuits.

    Raises
    ------
    Faulted
        a fragment has not as many results as circuits, or one of them is empty.
    """
    _check(recipe, results)
    if recipe.observables:
        return _expectations(recipe, results)
    if recipe.kind is PlanKind.CUT:
        return _quasi(recipe, results)
    return _joined(recipe, results)


def _check(recipe: Recipe, results: Sequence[Sequence[Counts]]) -> None:
    wanted = [len(part.num_bits) * len(recipe.coefficients) for part in recipe.parts]
    if [len(found) for found in results] != wanted or not all(sum(one.values()) for found in results for one in found):
        raise Faulted(
            f"The fragments' results cannot be put together: {[len(found) for found in results]} results came, and "
            f"{wanted} are needed, each with shots.",
            code="bad_fragment_results",
        )


def _expectations(recipe: Recipe, results: Sequence[Sequence[Counts]]) -> Reconstructed:
    """Sums over samples of products over fragments; errors of the fragments' shots, carried through both."""
    values, stds = [], []
    for index in range(len(recipe.observables)):
        value = variance = 0.0
        for sample, coefficient in enumerate(recipe.coefficients):
            mean = square = upper = 1.0
            for part, found in zip(recipe.parts, results, strict=True):
                group, mask = part.masks[index]
                one, error = _signed_mean(found[sample * len(part.num_bits) + group], mask, part.num_bits[group])
                mean, square, upper = mean * one, square * one**2, upper * (one**2 + error)
            value += coefficient * mean
            variance += coefficient**2 * (upper - square)
        values.append(recipe.constant[index] * value)
        stds.append(abs(recipe.constant[index]) * math.sqrt(max(0.0, variance)))
    return Reconstructed(values=tuple(values), stds=tuple(stds))


def _signed_mean(counts: Counts, mask: int, num_bits: int) -> tuple[float, float]:
    """The mean of the parity of the bits in ``mask`` and all above the lowest ``num_bits``; and its variance."""
    shots = sum(counts.values())
    signs = ~((1 << num_bits) - 1) | mask
    mean = sum(n * (-1.0) ** _parity(outcome & signs) for outcome, n in counts.items()) / shots
    return mean, (1.0 - mean**2) / shots


def _parity(bits: int) -> int:
    return bits.bit_count() & 1


def _quasi(recipe: Recipe, results: Sequence[Sequence[Counts]]) -> Reconstructed:
    """Sums over samples of products of signed distributions; clipped at 0 and normalised."""
    bits = [bit for part in recipe.parts for bit in part.bits if bit != IGNORED]
    total = np.zeros(1 << len(bits))
    for sample, coefficient in enumerate(recipe.coefficients):
        parts = [_distribution(one, found[sample]) for one, found in zip(recipe.parts, results, strict=True)]
        product = np.array([coefficient])
        for part in parts:  # the first fragment's bits are the lowest
            product = np.outer(part, product).ravel()
        total += product
    total = np.clip(total, 0.0, None)
    total /= total.sum()
    shots = sum(results[0][0].values()) if results else 0
    counts: dict[int, float] = {}
    for place in np.flatnonzero(total > _SMALLEST):
        counts[_spread(int(place), bits)] = float(total[place]) * shots
    return Reconstructed(counts=dict(sorted(counts.items())), shots=shots, quasi=True)


def _distribution(part: PartRecipe, counts: Counts) -> npt.NDArray[np.float64]:
    """The signed distribution of a fragment's own bits, (2**bits,)."""
    kept = [place for place, bit in enumerate(part.bits) if bit != IGNORED]
    found, shots = np.zeros(1 << len(kept)), sum(counts.values())
    for outcome, n in counts.items():
        place = sum(((outcome >> bit) & 1) << index for index, bit in enumerate(kept))
        found[place] += n * (-1.0) ** _parity(outcome >> part.num_bits[0]) / shots
    return found


def _joined(recipe: Recipe, results: Sequence[Sequence[Counts]]) -> Reconstructed:
    """Shots of independent fragments put side by side, in an order that the seed says: each is one of the circuit's."""
    generator = np.random.default_rng(recipe.seed)
    shots = min(sum(found[0].values()) for found in results)
    joined = [0] * shots
    for part, found in zip(recipe.parts, results, strict=True):  # one at a time: there may be a thousand
        outcomes = [_spread(outcome, part.bits) for outcome in found[0]]
        drawn = np.repeat(np.arange(len(outcomes)), list(found[0].values()))
        places = generator.permutation(drawn)[:shots].tolist()
        joined = [outcome | outcomes[place] for outcome, place in zip(joined, places, strict=True)]
    counts: dict[int, float] = {**Counter(joined)}
    return Reconstructed(counts=dict(sorted(counts.items())), shots=shots)


def _spread(outcome: int, bits: Sequence[int]) -> int:
    """The outcome with its bits in the places of the circuit's."""
    return sum(1 << bit for index, bit in enumerate(bits) if bit != IGNORED and (outcome >> index) & 1)
