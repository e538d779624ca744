"""Who is asking, who there is, in which groups, and what they are told."""

from __future__ import annotations

from .audit import AuditService
from .authenticator import Authenticator
from .devices import CODE_S, INTERVAL_S, Devices, FlowError, shown
from .first_admin import FirstAdmin
from .groups import Groups
from .join_links import JoinLinks
from .notices import NoticeService
from .oauth2 import OAuth2SignIns, Provider, challenge_of
from .passwords import FREE_PER_ADDRESS, FREE_PER_NAME, LONGEST_S, Passwords
from .shared import end_tokens
from .signing_in import SignIns
from .tokens import SIGN_IN_PREFIX, SIGN_IN_S, TOKEN_PREFIX, TokenService, add_token, new_token
from .users import Users

__all__ = [
    "CODE_S", "FREE_PER_ADDRESS", "FREE_PER_NAME", "INTERVAL_S", "LONGEST_S", "SIGN_IN_PREFIX", "SIGN_IN_S",
    "TOKEN_PREFIX", "AuditService", "Authenticator", "Devices", "FirstAdmin", "FlowError", "Groups", "JoinLinks",
    "NoticeService", "OAuth2SignIns", "Passwords", "Provider", "SignIns", "TokenService", "Users", "add_token",
    "challenge_of", "end_tokens", "new_token", "shown",
]  # fmt: skip
