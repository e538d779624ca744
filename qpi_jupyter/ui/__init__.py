"""What a notebook sees: magics, the live view of a job, completion.

`magics`, `rules_magics`          ``%load_ext qpi_jupyter``: jobs; bookings, QPU time, notices
`arguments`, `cells`              how a magic's line and cell are read
`completion`                      the tab key
`follow`, `pending`               a job's live view and the task that keeps it up to date
`display`, `bundle`, `state`      what is shown and saved: text, HTML, PNG and the widget
`rendering`                       gives all of this to the client, which knows no widgets
`calendar`, `week`                the week of a QPU: the widget, and what it draws
`token_view`                      a new API token, shown where no notebook saves it

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
    from .rules_magics import RulesMagics

    shell.register_magics(QpiMagics, RulesMagics)
    register(shell, (QpiMagics, RulesMagics))


def unload(shell: InteractiveShell) -> None:
    """Take the magics away again."""
    from .completion import unregister
    from .magics import QpiMagics
    from .rules_magics import RulesMagics

    for theme in (QpiMagics, RulesMagics):
        for kind, names in theme.magics.items():
            for name in names:
                shell.magics_manager.magics[kind].pop(name, None)
    unregister(shell)
