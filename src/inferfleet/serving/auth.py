"""Who may ask: API keys and the admin token, of which only SHA-256 hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from inferfleet.config.serve import AccessConfig
from inferfleet.serving.exchange import Exchange
from inferfleet.serving.problems import Problem

_CHALLENGE = (b"www-authenticate", b'Bearer realm="inferfleet"')


class Gate:
    """Checks keys in constant time."""

    def __init__(self, config: AccessConfig) -> None:
        self._keys: Mapping[str, str] = config.api_keys
        self._admin = config.admin_token

    def check_key(self, exchange: Exchange) -> None:
        """Lets a request pass that brings one of the API keys, if there are any.

        Raises:
            Problem: It brings none, or another.
        """
        if self._keys and not _matches(exchange, tuple(self._keys.values())):
            raise Problem(
                "unauthorized", "send an API key: Authorization: Bearer <key>, or X-API-Key: <key>", _CHALLENGE
            )

    def check_admin(self, exchange: Exchange) -> None:
        """Lets a request pass that brings the admin token.

        Raises:
            Problem: It does not, or there is no such token.
        """
        if self._admin is None:
            raise Problem(
                "forbidden", "this is for the admin port (`admin_port`), or with a token (`access.admin_token`)"
            )
        if not _matches(exchange, (self._admin,)):
            raise Problem("unauthorized", "send the admin token: Authorization: Bearer <token>", _CHALLENGE)


def _matches(exchange: Exchange, hashes: tuple[str, ...]) -> bool:
    """Compares what a request brings with every hash, whichever matches."""
    scheme, _, credentials = exchange.header(b"authorization").partition(" ")
    given = credentials.strip() if scheme.lower() == "bearer" else exchange.header(b"x-api-key")
    digest = hashlib.sha256(given.encode("latin-1")).hexdigest()
    found = False
    for known in hashes:
        found |= hmac.compare_digest(digest, known)
    return found and bool(given)
