"""The types that messages and rows are read as, built before there are threads that read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import is_dataclass
from functools import cache

import msgspec
from msgspec import Struct

_OF = "qpi_jupyter.core"
"""The package whose dataclasses are read, too."""


@cache
def build_types() -> None:
    """Have msgspec look at every type that is there.

    Else it looks at a type when something is first read as it. Another thread that reads the same then meets what it
    has by that moment, and the process ends with a segmentation fault: seen with msgspec 0.22, where a lab starts that
    has plans to go on with.
    """
    for kind in (*_below(Struct), *_dataclasses()):
        with suppress(TypeError, NameError):  # nothing is ever read as such a type
            msgspec.json.Decoder(kind)


def _below(kind: type[object]) -> Iterator[type[object]]:
    one: type
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _dataclasses() -> set[type]:
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(_OF)]
    return {
        one for module in modules for one in list(vars(module).values()) if isinstance(one, type) and is_dataclass(one)
    }
