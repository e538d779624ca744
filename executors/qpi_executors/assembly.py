"""Puts the results of a plan's fragments together: ``python -m qpi_executors.assembly``.

The lab's server starts it when the last fragment of a plan has completed, and keeps it for a while. It answers each
question with the header and the data of a result like any other.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qpi_jupyter.core import Faulted, QpiError, header_circuits, pack, unpack
from qpi_jupyter.data import build, codec
from qpi_jupyter.data import conventions as c
from qpi_jupyter.data.header import result_header
from qpi_jupyter.data.reconstruction import Counts, Recipe, Reconstructed, read_recipe, reconstruct

from .answers import answer_all

MEMORY_BYTES = 4 << 30


class Fragment(msgspec.Struct):
    """A fragment's result: its header, and the file of its data."""

    header: msgspec.Raw
    path: str


class Asked(msgspec.Struct, kw_only=True):
    """The fragments in their order; ``provenance`` of the result, and ``execution``, what is said beside it (JSON)."""

    name: str
    num_qubits: int
    shots: int
    fragments: list[Fragment]
    provenance: dict[str, Any]
    execution: dict[str, Any]


def answer(question: bytes) -> bytes:
    """The result's header and data, packed; or with an empty header the error, as JSON."""
    try:
        recipe, asked = unpack(question)
        header, blob = assemble(read_recipe(recipe), msgspec.json.decode(asked, type=Asked))
    except Exception as error:  # whatever it is, it is the answer: the next question has nothing to do with it
        told = error if isinstance(error, QpiError) else Faulted(f"{type(error).__name__}: {error}")
        return pack((b"", json.dumps(told.to_dict()).encode()))
    return pack((header, blob))


def assemble(recipe: Recipe, asked: Asked) -> tuple[bytes, bytes]:
    """The header, without what it says of the data, and the data.

    Raises
    ------
    Faulted
        the results are not those that the recipe needs.
    """
    found = reconstruct(recipe, [counts_of(fragment) for fragment in asked.fragments])
    metadata = {"plan": asked.execution, **({"quasi": True} if found.quasi else {})}
    info = c.CircuitInfo(
        name=asked.name, shots=found.shots or asked.shots, n_qubits=asked.num_qubits,
        memory_slots=0 if recipe.observables else recipe.num_clbits,
        creg_sizes=() if recipe.observables else recipe.registers, metadata=metadata,
    )  # fmt: skip
    if recipe.observables:
        values = zip(recipe.observables, found.values, found.stds, strict=True)
        dataset = build.expectation_dataset(info, {name: (value, std) for name, value, std in values})
    else:
        dataset = build.counts_dataset(info, whole_counts(found))
    dataset.attrs[EXECUTION_ATTR] = json.dumps(asked.execution)
    build.stamp([dataset], c.Provenance.from_dict(asked.provenance))
    return json.dumps(result_header([dataset])).encode(), codec.encode([dataset])


EXECUTION_ATTR = "qpi_plan"
"""The attribute with what each fragment ran on (JSON)."""


def counts_of(fragment: Fragment) -> Sequence[Counts]:
    """The counts of a fragment's circuits: from the header, or from the data where the header does not have all."""
    circuits = header_circuits(msgspec.json.decode(fragment.header))
    if all(circuit["counts"] is not None and not circuit.get("truncated") for circuit in circuits):
        return [{int(key, 16): count for key, count in circuit["counts"].items()} for circuit in circuits]
    found = codec.decode(fragment.path).qpi.counts()
    return [_counted(counts) for counts in (found if isinstance(found, list) else [found])]


def _counted(counts: Mapping[str, int]) -> Counts:
    return {int(key.replace(" ", ""), 2): count for key, count in counts.items()}


def whole_counts(found: Reconstructed) -> dict[int, int]:
    """The counts in whole numbers that add up to the shots: those of a cut circuit are rounded by their remainders."""
    counts = {outcome: int(count) for outcome, count in found.counts.items()}
    left = found.shots - sum(counts.values())
    largest = sorted(found.counts, key=lambda outcome: (counts[outcome] - found.counts[outcome], outcome))
    for outcome in largest[:left]:
        counts[outcome] += 1
    if sum(counts.values()) != found.shots:
        raise Faulted("The fragments' counts do not add up.", code="bad_fragment_results")
    return {outcome: count for outcome, count in counts.items() if count}


def main() -> None:
    """Answer one question after the other."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    answer_all(answer)


if __name__ == "__main__":
    main()
