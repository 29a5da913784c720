"""Random tokens, which a browser or a link carries, and their hash, which the database has."""

import hashlib
import re
import secrets

BITS = 256
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    return secrets.token_urlsafe(BITS // 8)


def hash_token(token: str) -> str:
    """SHA-256 is enough for 256 random bits; a slow hash is for what people choose."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def renewal(token: str) -> str:
    """Another token for the same session: only its ``form_secret`` stays what it was."""
    return f"{new_token()}.{form_secret(token)}"


def form_secret(token: str) -> str:
    """What ties forms to a login session, in all of its tabs and over its renewals.

    Never the hash that the database has, so that a copy of it forges no form.
    """
    return token.partition(".")[2] or hash_token(f"forms {token}")
