"""Services in OpenQASM 2: calls of the lab's vocabulary, written out as text before it is parsed.

Version 2 has no operation of any number of qubits; so the text changes, and whoever reports a place in it asks
`Spliced` where that was in the text of the program.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count, pairwise
from re import Match

from qiskit import QuantumCircuit, qasm2
from qiskit.circuit import ClassicalRegister, IfElseOp
from qiskit.circuit.library import get_standard_gate_name_mapping

from qpi_jupyter.core import MAX_BITS, ProgramError
from qpi_jupyter.core.openqasm import position, words
from qpi_jupyter.core.services import SERVICES, WORDS, Expansion, Service, Step

from .analysis import MAX_OPERATIONS
from .openqasm_text import problem

_PREFIX = "std_"
"""Before the names of gates that services are made of: they are Qiskit's, whatever the program defines or includes."""
_ENDS = (";", "{", "}")


@dataclass(slots=True, kw_only=True)
class Spliced:
    """A text whose services are written out. ``registers``: the service that each classical register belongs to."""

    text: str
    original: str
    registers: dict[str, str] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)
    """Offsets in ``text`` at which its pieces begin."""
    origins: list[tuple[int, bool]] = field(default_factory=list)
    """For each piece: where it was in the original, and whether it is a service that was written out."""

    def origin(self, offset: int) -> int:
        """Where an offset was in the text of the program: for what was written out, the start of its call."""
        if not self.starts:
            return offset
        piece = bisect_right(self.starts, offset) - 1
        start, written_out = self.origins[piece]
        return start if written_out else start + offset - self.starts[piece]

    def place(self, line: int, column: int) -> tuple[int, int]:
        """Line and column, from 1, in the text of the program."""
        if not self.starts:
            return line, column
        begin = 0
        for _ in range(line - 1):
            begin = self.text.find("\n", begin) + 1
        return position(self.original, self.origin(begin + column - 1))


def spliced(text: str, index: int) -> Spliced:
    """The text of an OpenQASM 2 program with its services written out; names that it defines itself are its own.

    Raises
    ------
    ProgramError
        a service is used in a way that it cannot be, with line and column.
    """
    if not any(word in text for word in WORDS):
        return Spliced(text=text, original=text)
    return _Splicer(text, index).spliced()


def instructions() -> list[qasm2.CustomInstruction]:
    """The gates that services are made of, under the names that they have in the written-out text."""
    return _gates()


def with_branches(circuit: QuantumCircuit, registers: dict[str, str]) -> QuantumCircuit:
    """The circuit with the branches of services on the bits they mean, labelled with the service's word.

    In the text they compare a whole register with the value that has this bit alone.
    """
    if not registers:
        return circuit
    out = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = instruction.operation
        register, value = operation.condition if isinstance(operation, IfElseOp) else (None, 0)
        word = registers.get(register.name) if isinstance(register, ClassicalRegister) else None
        if register is None or word is None:
            out.append(instruction)
            continue
        bit = register[int(value).bit_length() - 1]
        with out.if_test((bit, 1), label=word):
            for inner in operation.blocks[0].data:
                out.append(
                    inner.operation, [instruction.qubits[operation.blocks[0].find_bit(q).index] for q in inner.qubits]
                )
    return out


class _Splicer:
    """One text's walk."""

    def __init__(self, text: str, index: int) -> None:
        self._text, self._index = text, index
        self._tokens: list[Match[str]] = list(words(text))
        named = [token[0] for token in self._tokens]
        defined = {name for word, name in pairwise(named) if word in ("gate", "opaque", "qreg", "creg")}
        self._services = {word: service for word, service in WORDS.items() if word not in defined}
        self._taken = set(named) - set(self._services)
        self._sizes: dict[str, int] = {}
        self._ancillas: list[str] = []
        self._registers: dict[str, str] = {}
        self._operations = self._bits = 0

    def spliced(self) -> Spliced:
        """The whole text."""
        pieces: list[tuple[str, int, bool]] = []
        done = 0
        for first, last, prefix, in_gate in self._calls():
            start, end = self._tokens[first].start(), self._tokens[last].end()
            written = self._written_out(first, last, prefix, in_gate)
            pieces += [(self._text[done:start], done, False), (written, start, True)]
            done = end
        if not pieces:
            return Spliced(text=self._text, original=self._text)
        pieces.append((self._text[done:], done, False))
        starts, at = [], 0
        for piece, _, _ in pieces:
            starts.append(at)
            at += len(piece)
        return Spliced(
            text="".join(piece for piece, _, _ in pieces),
            original=self._text,
            registers=self._registers,
            starts=starts,
            origins=[(origin, written_out) for _, origin, written_out in pieces],
        )

    def _calls(self) -> Iterator[tuple[int, int, str, bool]]:
        """Each call: its first and last token, the condition before it, and whether it is inside of a gate."""
        tokens, at, in_gate = self._tokens, 0, False
        while at < len(tokens):
            end = next((k for k in range(at, len(tokens)) if tokens[k][0] in _ENDS), len(tokens) - 1)
            first = self._after_condition(at, end)
            if tokens[at][0] == "qreg" and end - at == 5 and tokens[at + 3][0].isdecimal():
                self._sizes[tokens[at + 1][0]] = int(tokens[at + 3][0][:9])
            elif first <= end and tokens[first][0] in self._services:
                if tokens[end][0] != ";":
                    raise self._problem(tokens[end].start(), "a ; is missing at the end of this statement.")
                prefix = self._text[tokens[at].start() : tokens[first].start()]
                yield first, end, prefix, in_gate
            in_gate = tokens[end][0] == "{" or (in_gate and tokens[end][0] != "}")
            at = end + 1

    def _after_condition(self, at: int, end: int) -> int:
        if self._tokens[at][0] != "if":
            return at
        return next((k + 1 for k in range(at, end) if self._tokens[k][0] == ")"), end)

    def _written_out(self, first: int, last: int, prefix: str, in_gate: bool) -> str:
        service, place = self._services[self._tokens[first][0]], self._tokens[first].start()
        if not service.unitary and in_gate:
            raise self._problem(place, f"'{service.word}' measures: use it outside of gates.")
        if not service.unitary and prefix:
            raise self._problem(place, f"'{service.word}' measures, which cannot depend on an if in OpenQASM 2.")
        angles, after = self._angles(first + 1, last)
        operands = self._operands(after, last)
        if not all(operands):
            raise self._problem(place, f"'{service.word}' takes {service.takes}, with commas between them.")
        try:
            given = service.given([f"({angle})" for angle in angles])
            lines: list[str] = []
            for qubits in self._places(service, operands, in_gate, place):
                expansion = service.expand(len(qubits))
                lines += self._statements(service, expansion, given, qubits, place)
        except ValueError as error:
            raise self._problem(place, str(error)) from None
        # The condition stands before the first one already.
        return f" {prefix}".join(lines)

    def _statements(
        self, service: Service, expansion: Expansion, given: Mapping[str, object], qubits: Sequence[str], place: int
    ) -> Iterator[str]:
        self._operations += len(expansion.steps)
        if self._operations > MAX_OPERATIONS:
            raise self._problem(place, f"it expands to more than {MAX_OPERATIONS:,} operations here.")
        places = [*qubits, *(yield from self._ancillas_for(expansion, place))]
        bits = ""
        if expansion.num_bits:
            bits = self._name(service.word)
            self._registers[bits] = service.word
            self._count_bits(expansion.num_bits, place)
            yield f"creg {bits}[{expansion.num_bits}];"
        for step in expansion.steps:
            yield _statement(step, given, [places[k] for k in step.qubits], bits)

    def _ancillas_for(self, expansion: Expansion, place: int) -> Generator[str, None, list[str]]:
        """Statements that prepare them; returns their names."""
        wanted = expansion.num_ancillas
        for qubit in self._ancillas[:wanted]:
            yield f"reset {qubit};"
        if missing := wanted - len(self._ancillas[:wanted]):
            name = self._name("ancilla")
            self._count_bits(missing, place)
            yield f"qreg {name}[{missing}];"
            self._ancillas += [f"{name}[{k}]" for k in range(missing)]
        return self._ancillas[:wanted]

    def _count_bits(self, added: int, place: int) -> None:
        self._bits += added
        if self._bits > MAX_BITS:
            raise self._problem(place, f"more than {MAX_BITS:,} bits in its registers.")

    def _name(self, wanted: str) -> str:
        name = next(name for k in count() if (name := f"{wanted}_{k}" if k else wanted) not in self._taken)
        self._taken.add(name)
        return name

    def _angles(self, at: int, last: int) -> tuple[list[str], int]:
        """The expressions in the brackets after a name, and the token after them."""
        if self._tokens[at][0] != "(":
            return [], at
        depth, begin, found = 0, self._tokens[at].end(), []
        for k in range(at, last):
            token = self._tokens[k]
            depth += (token[0] == "(") - (token[0] == ")")
            if depth == 0 or (depth == 1 and token[0] == ","):
                found.append(self._text[begin : token.start()])
                begin = token.end()
            if depth == 0:
                return ([] if found == [""] else found), k + 1
        raise self._problem(self._tokens[at].start(), "this bracket is not closed.")

    def _operands(self, at: int, last: int) -> list[str]:
        found, name = [], ""
        for token in self._tokens[at:last]:
            if token[0] == ",":
                found.append(name)
                name = ""
            else:
                name += token[0]
        return [*found, name]

    def _places(self, service: Service, operands: list[str], in_gate: bool, place: int) -> Iterator[Sequence[str]]:
        """The qubits of each of its uses: with a fixed number, registers are gone through qubit by qubit."""
        listed = [[operand] if in_gate or "[" in operand else self._register(operand, place) for operand in operands]
        if len(service.counts) > 1:
            yield self._different([qubit for qubits in listed for qubit in qubits], place)
            return
        service.expand(len(operands))  # says how many it takes
        whole = ["[" not in operand and not in_gate for operand in operands]
        sizes = {len(qubits) for qubits, is_whole in zip(listed, whole, strict=True) if is_whole}
        if len(sizes) > 1:
            listed_sizes = " and ".join(str(size) for size in sorted(sizes))
            raise self._problem(place, f"registers of different sizes ({listed_sizes}) in one gate.")
        for k in range(sizes.pop() if sizes else 1):
            pairs = zip(listed, whole, strict=True)
            yield self._different([qubits[k] if is_whole else qubits[0] for qubits, is_whole in pairs], place)

    def _different(self, qubits: list[str], place: int) -> list[str]:
        if len(set(qubits)) < len(qubits):
            raise self._problem(place, "the same qubit twice in one gate.")
        return qubits

    def _register(self, name: str, place: int) -> list[str]:
        size = self._sizes.get(name)
        if size is None:
            raise self._problem(place, f"'{name}' is not a qreg that is declared above.")
        return [f"{name}[{k}]" for k in range(min(size, MAX_BITS))]

    def _problem(self, offset: int, what: str) -> ProgramError:
        return problem(self._text, offset, self._index, what)


def _statement(step: Step, given: Mapping[str, object], qubits: list[str], bits: str) -> str:
    if step.bit is not None:
        return f"measure {qubits[0]} -> {bits}[{step.bit}];"
    angles = ", ".join(str(given[angle] if isinstance(angle, str) else repr(angle)) for angle in step.angles)
    condition = f"if({bits}=={1 << step.when}) " if step.when is not None else ""
    return f"{condition}{_PREFIX}{step.gate}{f'({angles})' if angles else ''} {', '.join(qubits)};"


@cache
def _gates() -> list[qasm2.CustomInstruction]:
    known = get_standard_gate_name_mapping()
    names = {
        step.gate for service in SERVICES for n in (1, 2, 4) if n in service.counts for step in service.expand(n).steps
    }
    return [
        qasm2.CustomInstruction(
            _PREFIX + name, len(known[name].params), known[name].num_qubits, type(known[name]), True
        )
        for name in sorted(names - {"measure", "reset"})
    ]
