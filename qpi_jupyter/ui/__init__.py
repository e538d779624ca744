"""What a notebook sees: magics, the live view of a job, completion.

`magics`, `cells`, `completion`   ``%load_ext qpi_jupyter``
`job_view`, `follow`, `pending`   a job's live view and the task that keeps it up to date
`display`, `state`                what is shown and saved: text, HTML, PNG and the widget

Loading the extension imports neither the client nor the widgets; the first magic does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load(shell: InteractiveShell) -> None:
    """Register the magics and their completion."""
    from .completion import register
    from .magics import QpiMagics

    shell.register_magics(QpiMagics)
    register(shell)


def unload(shell: InteractiveShell) -> None:
    """Take the magics away again."""
    from .magics import QpiMagics

    for kind, names in QpiMagics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
