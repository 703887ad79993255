"""Another OpenID provider, over HTTP on this machine, that can be told to do wrong."""

import hmac
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT_ID = "hearth-at-the-provider"


class Provider:
    """It answers each authorization at once, for `subject`; `metadata`, `header`, `claims` and `signer` may be changed."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.stranger = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.curve = ECKey.generate_key("P-256", {"kid": "curve"})
        self.published: list[Any] = [self.key, self.curve]
        self.subject = "subject-1"
        self.metadata: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.signer: Any = self.key
        self.token: dict[str, Any] | None = None
        self.garble: Callable[[str], str] = str
        self.asked: dict[str, str] = {}
        self.requests: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.now = 0
        self.is_public = False
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests.append(self.path)
                found = owner.get(self.path)
                self.answer(404 if found is None else owner.status, found)

            def do_POST(self) -> None:
                owner.requests.append(self.path)
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                sent = {name: values[0] for name, values in parse_qs(form).items()}
                self.answer(*owner.post(sent, self.headers.get("authorization", "")))

            def answer(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in owner.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def get(self, path: str) -> Any:
        """The metadata and the keys."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            } | self.metadata
        return {"keys": [key.as_dict(private=False) for key in self.published]} if path == "/keys" else None

    def authorize(self, location: str) -> dict[str, str]:
        """What comes back to the callback of an authorization request."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        return {"code": "the-code", "state": self.asked["state"]}

    def post(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        """The token endpoint, which checks what a provider has to check."""
        is_known = authorization or form.get("client_secret") or (self.is_public and form.get("client_id") == CLIENT_ID)
        if not is_known or form.get("code") != "the-code":
            return 401, {"error": "invalid_client"}
        if create_s256_code_challenge(form["code_verifier"]) != self.asked["code_challenge"]:  # type: ignore[no-untyped-call]
            return 400, {"error": "invalid_grant"}
        if form["redirect_uri"] != self.asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, self.token or {"access_token": "x", "token_type": "Bearer", "id_token": self.id_token()}

    def id_token(self) -> str:
        said = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.asked["client_id"],
            "nonce": self.asked["nonce"],
            "iat": self.now,
            "exp": self.now + 300,
        }
        claims = {name: value for name, value in (said | self.claims).items() if value is not None}
        header = {"alg": "RS256", "kid": "one"} | self.header
        header = {name: value for name, value in header.items() if value is not None}
        if header["alg"] == "none":
            return self.garble(f"{unsigned(header, claims)}.")
        if header["alg"] == "HS256":  # the public key taken as a secret, as who confuses algorithms would
            signed = unsigned(header, claims)
            return f"{signed}.{encoded(hmac.digest(self.key.as_pem(private=False), signed.encode(), 'sha256'))}"
        return self.garble(jwt.encode(header, claims, self.signer, algorithms=[header["alg"]]))


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """The first two parts of a token."""
    return ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()
