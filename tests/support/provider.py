"""A provider to sign in with, which checks what real ones check."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, SECRET = "the-lab", "the lab's secret at the provider"


class Provider:
    """Authorisation server and user-info address in one: RFC 6749 4.1 with RFC 7636."""

    def __init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self._answer(*provider.token({name: values[0] for name, values in form.items()}))

            def do_GET(self) -> None:
                if self.path.startswith("/authorize?"):
                    self.send_response(302)
                    self.send_header("Location", provider.agreed(f"{provider.url}{self.path}"))
                    self.end_headers()
                    return
                bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                known = provider.tokens.get(bearer)
                self._answer(200 if known else 401, known or {"error": "invalid_token"})

            def _answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.person: dict[str, Any] = {"sub": "4711"}
        """Who sits before its page."""
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def authorise(self, auth_url: str, person: dict[str, Any]) -> str:
        """What the provider's page does: the person agrees, and the browser gets a code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(auth_url).query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self.codes)}"
        self.codes[code] = {
            "challenge": asked["code_challenge"], "redirect_uri": asked["redirect_uri"], "person": person
        }  # fmt: skip
        return code

    def agreed(self, auth_url: str) -> str:
        """Where the provider sends the browser of `person`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(auth_url).query).items()}
        sent = {"code": self.authorise(auth_url, self.person), "state": asked["state"]}
        return f"{asked['redirect_uri']}?{urlencode(sent)}"

    def settings(self) -> dict[str, Any]:
        """What the lab is told of it."""
        return {
            "name": "campus", "clientId": CLIENT_ID, "clientSecret": SECRET, "authURL": f"{self.url}/authorize",
            "tokenURL": f"{self.url}/token", "userInfoURL": f"{self.url}/me", "displayName": "Campus",
        }  # fmt: skip

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        known = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "").encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).decode().rstrip("=")
        good = (
            known is not None
            and form["grant_type"] == "authorization_code"
            and (form["client_id"], form["client_secret"]) == (CLIENT_ID, SECRET)
            and form["redirect_uri"] == known["redirect_uri"]
            and challenge == known["challenge"]
        )
        if not good or known is None:
            return 400, {"error": "invalid_grant"}
        token = f"token-{form['code']}"
        self.tokens[token] = known["person"]
        return 200, {"access_token": token, "token_type": "Bearer"}

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
