"""A new API token, shown where no notebook saves it: the page asks the kernel for it, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget

from .assets import Mimebundle, beside, module, style
from .display import in_kernel

if TYPE_CHECKING:
    from qpi_jupyter.client import NewToken


class TokenView(anywidget.AnyWidget):
    """Has no trait with the token in it, because notebooks may save what traits hold."""

    _esm = module("dom", "token")
    _css = style("token")

    def __init__(self, token: NewToken) -> None:
        self.token = token
        super().__init__()
        self.on_msg(self._hear)

    def _hear(self, widget: Any, content: Any, buffers: Any) -> None:
        if content == {"do": "show"}:
            self.send({"name": self.token.name or self.token.id, "token": self.token.once()})

    def _repr_mimebundle_(self, **kwargs: Any) -> Mimebundle:
        return beside(super()._repr_mimebundle_(**kwargs), {"text/plain": self.token.hidden()})


def show_token(token: NewToken) -> None:
    """Display it, once."""
    from IPython.display import display

    if in_kernel():
        display(TokenView(token))
    else:
        print(token)
