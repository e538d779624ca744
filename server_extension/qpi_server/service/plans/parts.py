"""What a plan's row keeps beside its document: the recipe, the fragments' programs, and the circuit itself."""

from __future__ import annotations

from dataclasses import dataclass

from qpi_jupyter.core import Program, RunOptions, pack, unpack
from qpi_jupyter.core.plans import Fragment

FORMAT = "qpy"
"""What the fragments are sent as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """``recipe`` puts the fragments' results together; ``programs`` are QPY files; ``source`` is the circuit."""

    recipe: bytes
    programs: tuple[bytes, ...]
    source: Program

    def packed(self) -> bytes:
        """As one byte string."""
        return pack((self.recipe, *self.programs, self.source.format.encode(), pack(self.source.sources)))

    @classmethod
    def read(cls, packed: bytes) -> Parts:
        """What `packed` wrote."""
        recipe, *programs, form, sources = unpack(packed)
        return cls(
            recipe=recipe, programs=tuple(programs), source=Program(format=form.decode(), sources=unpack(sources))
        )

    def fragment(self, fragment: Fragment, seed: int) -> Program:
        """What a fragment runs; seeded plans have seeded fragments."""
        options = RunOptions(shots=fragment.shots, seed_simulator=seed + fragment.index if seed else None)
        return Program(format=FORMAT, sources=(self.programs[fragment.index],), options=options)
