"""For the tests of other projects: a lab of their own, and IBM's client pointed at it.

`local_lab`     a lab in a process of its own, in a folder that nothing else uses
`fixtures`      the fixture ``qpi_runtime_service``, which pytest finds by itself
`__main__`      ``python -m qpi_jupyter.testing COMMAND``: a lab while a command runs
"""

from __future__ import annotations
