"""The lab's own pages under ``<base_url>qpi/``: signing in, home, confirming a device."""

from __future__ import annotations

from . import home, sign_in
from .base import pages
from .handler import PageHandler
from .sign_in import set_up_link

__all__ = ["PageHandler", "home", "pages", "set_up_link", "sign_in"]
