"""What the programs of a plan measure: bits of the circuit, or observables, several at once where they commute."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.quantum_info import PauliList

from .reconstruction import PartRecipe


def restricted(observables: Sequence[str], qubits: Sequence[int]) -> tuple[str, ...]:
    """The observables on some of their qubits, in the order of these."""
    return tuple("".join(row[-1 - qubit] for qubit in reversed(qubits)) for row in observables)


def reading(bits: Sequence[int]) -> PartRecipe:
    """One circuit whose bits are these of the whole circuit's."""
    return PartRecipe(num_bits=(len(bits),), bits=tuple(bits))


def measuring(circuit: QuantumCircuit, observables: Sequence[str]) -> tuple[list[QuantumCircuit], PartRecipe]:
    """The circuit with the measurements of all observables, as many at once as commute qubit by qubit."""
    groups = [sorted(map(str, group.to_labels())) for group in PauliList(_distinct(observables)).group_commuting(True)]
    groups.sort()
    circuits, num_bits = [], []
    found: dict[str, tuple[int, int]] = {}
    for index, group in enumerate(groups):
        letters: dict[int, str] = {}
        for row in group:
            letters |= {qubit: letter for qubit, letter in enumerate(reversed(row)) if letter != "I"}
        read = sorted(letters) or [0]
        one, first = circuit.copy(name=f"group-{index}"), circuit.num_clbits
        one.metadata = {}
        one.add_register(ClassicalRegister(len(read), "observable_measurements"))
        for place, qubit in enumerate(read):
            if letters.get(qubit) == "X":
                one.h(qubit)
            elif letters.get(qubit) == "Y":
                one.sx(qubit)
            one.measure(qubit, first + place)
        circuits.append(one)
        num_bits.append(one.num_clbits)  # there are no signs above
        for row in group:
            found[row] = index, sum(1 << first + place for place, qubit in enumerate(read) if row[-1 - qubit] != "I")
    return circuits, PartRecipe(num_bits=tuple(num_bits), masks=tuple(found[row] for row in observables))


def _distinct(observables: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(observables))
