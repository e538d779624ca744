"""The OpenQASM 3 programs of `tests/programs`, each with what becomes of it in comments at its end.

``// shows:`` is a title, ``// after:`` where the like was read, ``// with:`` a value of its input, and then one of
``// runs:`` all counts, ``// reads:`` a register and its values, ``// refused at LINE:COLUMN:`` a part of the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "programs" / "openqasm3"
_LINE = re.compile(r"^// (shows|after|with|runs|reads|refused at \d+:\d+): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    name: str
    text: str
    shows: str
    after: str | None
    values: tuple[float, ...]
    register: str | None
    """The register that ``expected`` is about; None for all of them."""
    expected: dict[str, float] | None
    """The probability of each outcome; None where the program is refused."""
    refused_at: tuple[int, int] | None
    message: str

    @property
    def outcome(self) -> str:
        """For people."""
        if self.refused_at:
            return "refused"
        return "runs"


def examples(folder: Path = FOLDER) -> list[Example]:
    """Those of one folder, by name."""
    return [_read(path) for path in sorted(folder.glob("*.qasm"))]


def _read(path: Path) -> Example:
    text = path.read_text()
    facts = dict(_LINE.findall(text))
    place = next((key for key in facts if key.startswith("refused")), None)
    register, _, outcomes = facts["reads"].partition(" ") if "reads" in facts else (None, "", facts.get("runs", ""))
    line, column = place.removeprefix("refused at ").split(":") if place else (0, 0)
    return Example(
        name=path.stem,
        text=text,
        shows=facts["shows"],
        after=facts.get("after"),
        values=tuple(float(value.partition("=")[2]) for value in facts.get("with", "").split(",") if value),
        register=register,
        expected=None if place else _outcomes(outcomes),
        refused_at=(int(line), int(column)) if place else None,
        message=facts[place] if place else "",
    )


def _outcomes(text: str) -> dict[str, float]:
    found = re.findall(r"([01 ]*[01])(?: (0\.\d+))?(?:, |$)", text)
    return {bits: float(chance or 1) for bits, chance in found}
