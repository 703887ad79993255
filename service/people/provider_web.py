"""What other OpenID providers publish and answer: metadata, keys, tokens. https://openid.net/specs/openid-connect-discovery-1_0.html

An operator named the issuer, which may be a host of the own network. What its metadata names beside that host has to be public.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final, cast

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from service import public_web
from service.errors import Unavailable
from service.public_web import SECONDS_MOST, Resolve

BYTES_MOST: Final = 262_144
KEPT: Final = timedelta(minutes=5)
AGAIN: Final = timedelta(seconds=10)
"""How long after a fetch an unknown `kid` does not lead to another one."""
_RSA_BITS_LEAST: Final = 2048
_KEYS: Final[dict[str, type[Any]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class ProviderAway(Unavailable):
    """The other provider cannot be reached right now; try again a little later, or sign in by a password."""

    def __init__(self, reason: str) -> None:
        """`reason` is for the log and the operator."""
        super().__init__(retry_after=10)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a provider is asked for what, and how."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    fetched: datetime


class Web:
    """What one worker has of other providers' documents."""

    def __init__(self, resolve: Resolve = public_web.resolve, context: ssl.SSLContext | None = None) -> None:
        self._resolve = resolve
        self._context = context
        self._kept: dict[str, _Kept] = {}

    async def metadata(self, issuer: str, now: datetime) -> Metadata:
        """The provider's metadata, which has to be its own. Raises ProviderAway."""
        kept = self._kept.get(issuer)
        if kept is None or now > kept.fetched + KEPT:
            content = await self._get(issuer, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            kept = self._kept[issuer] = _Kept(_metadata(content, issuer), now)
        return cast("Metadata", kept.value)

    async def keys(self, metadata: Metadata, kid: str | None, now: datetime) -> KeySet:
        """The keys that sign the provider's id_tokens, fetched anew when `kid` is not among them. Raises ProviderAway."""
        kept = self._kept.get(metadata.jwks_uri)
        is_known = kept is not None and any(kid in (None, key.kid) for key in kept.value.keys)
        if kept is None or now > kept.fetched + KEPT or (not is_known and now > kept.fetched + AGAIN):
            content = await self._get(metadata.issuer, metadata.jwks_uri)
            kept = self._kept[metadata.jwks_uri] = _Kept(_keys(content), now)
        return cast("KeySet", kept.value)

    async def post(self, metadata: Metadata, headers: Mapping[str, str], body: str) -> httpx.Response:
        """What the token endpoint answers to a form. Raises ProviderAway."""
        sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await self._send(metadata.issuer, "POST", metadata.token_endpoint, sent, body)

    async def _get(self, issuer: str, uri: str) -> bytes:
        answer = await self._send(issuer, "GET", uri, {}, None)
        if answer.status_code != 200:
            raise ProviderAway(f"{uri} answers {answer.status_code}")
        return answer.content

    async def _send(
        self, issuer: str, method: str, uri: str, headers: Mapping[str, str], body: str | None
    ) -> httpx.Response:
        transport = _Checked(httpx.URL(issuer), self._resolve, self._context or _context())
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        try:
            async with (
                asyncio.timeout(SECONDS_MOST),
                httpx.AsyncClient(transport=transport, trust_env=False, timeout=SECONDS_MOST) as http,
            ):
                return await http.request(method, uri, headers=sent, content=body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError, TimeoutError) as fault:
            raise ProviderAway(f"{uri} cannot be had ({type(fault).__name__})") from None


class _Checked(httpx.AsyncBaseTransport):
    """Connects to the addresses that were checked: asked again, a name might lead elsewhere."""

    def __init__(self, issuer: httpx.URL, resolve: Resolve, context: ssl.SSLContext) -> None:
        self._issuer = issuer
        self._resolve = resolve
        self._inner = httpx.AsyncHTTPTransport(verify=context, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to where it may go, and read no more of the answer than BYTES_MOST."""
        host = request.url.host
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=await self._address(request.url))
        answer = await self._inner.handle_async_request(request)
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise httpx.ReadError("compressed, which was not asked for")
        answer.stream = _Short(answer.stream)
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def _address(self, url: httpx.URL) -> str:
        found = await self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        if not found or not all(self._may_go(url, address) for address in found):
            raise httpx.ConnectError("not a public host")
        return found[0]

    def _may_go(self, url: httpx.URL, address: str) -> bool:
        if url.scheme == "http":  # for development: never beyond this host
            return self._issuer.scheme == "http" and ip_address(address).is_loopback
        return url.host == self._issuer.host or public_web.is_public(address)


class _Short(httpx.AsyncByteStream):
    """A body that ends with a fault when it gets too long."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in self._inner:
            length += len(chunk)
            if length > BYTES_MOST:
                raise httpx.ReadError("too long")
            yield chunk

    async def aclose(self) -> None:
        """Close what it reads from."""
        await self._inner.aclose()


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _metadata(content: bytes, issuer: str) -> Metadata:
    try:
        found = msgspec.json.decode(content, type=Metadata)
    except msgspec.MsgspecError as fault:
        raise ProviderAway(f"the metadata of {issuer} cannot be read ({fault})") from None
    if found.issuer != issuer:
        raise ProviderAway(f"the metadata of {issuer} is another issuer's")
    schemes = ("https://", f"{httpx.URL(issuer).scheme}://")
    for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        if not address.startswith(schemes):
            raise ProviderAway(f"the metadata of {issuer} names an address that is not https")
    return found


def _keys(content: bytes) -> KeySet:
    """The public keys that can be used; a provider may publish others."""
    try:
        members = msgspec.json.decode(content, type=dict[str, Any])["keys"]
        return KeySet([key for jwk in members if (key := _key(jwk)) is not None])
    except (msgspec.MsgspecError, KeyError, TypeError):
        raise ProviderAway("the provider's keys cannot be read") from None


def _key(jwk: Any) -> Any:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or jwk.get("kty") not in _KEYS:
        return None
    try:
        key = _KEYS[jwk["kty"]].import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    is_short = isinstance(key, RSAKey) and key.public_key.key_size < _RSA_BITS_LEAST
    return None if is_short or key.is_private else key


WEB: Final = Web()
"""This worker's."""
