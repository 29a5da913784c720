"""Codes that an authenticator app shows (TOTP, RFC 6238), and their secret at rest.

A code is that of a step of 30 seconds.  Besides the running step its two neighbours
count: people need a moment to type, and clocks differ by a few seconds.

A secret is kept encrypted (Fernet: AES-128-CBC with HMAC-SHA256) by a key derived from
the application's secret key and its owner, so neither a copy of the database nor a secret
moved to another account is of use.  After a change of the secret key the earlier ones
(``SECRET_KEY_FALLBACKS``) still open it.
"""

import base64
import hmac
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

import pyotp
import segno
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

STEP = 30  # seconds
DIGITS = 6
NEAR = 1  # steps by which a code may be early or late
ISSUER = "sched"


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32()


def readable(secret: str) -> str:
    """In groups of four, to be typed.

    >>> readable("ABCDEFGH")
    'ABCD EFGH'
    """
    return " ".join(re.findall("....", secret))


def step_at(moment: datetime) -> int:
    return int(moment.timestamp()) // STEP


def matching_step(secret: str, typed: str, moment: datetime) -> int | None:
    """The step whose code this is, of those that count at ``moment``; or None."""
    code, middle = _digits(typed), step_at(moment)
    app = pyotp.TOTP(secret, digits=DIGITS, interval=STEP)
    for step in range(middle - NEAR, middle + NEAR + 1):
        if hmac.compare_digest(app.generate_otp(step), code):
            return step
    return None


def _digits(typed: str) -> str:
    """Without spaces and dashes; anything that is no code fits none."""
    plain = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", typed))
    return plain if re.fullmatch(f"[0-9]{{{DIGITS}}}", plain) else ""


def picture(secret: str, account: str) -> str:
    """The QR code to scan, as SVG that can stand in a page.

    It is styled by attributes alone, which the content security policy lets pass, and
    black on white in a dark window too, as scanners need it.
    """
    uri = pyotp.TOTP(secret, digits=DIGITS, interval=STEP).provisioning_uri(
        name=account, issuer_name=ISSUER
    )
    code = segno.make(uri, micro=False, error="m")
    return code.svg_inline(
        omitsize=True, dark="#000", light="#fff", title="QR code", svgclass="qr", lineclass=None
    )


def encrypt(secret: str, user_id: int, keys: Sequence[str]) -> str:
    """By the first of ``keys``, for this account alone."""
    return _box(user_id, keys).encrypt(secret.encode()).decode()


def decrypt(kept: str, user_id: int, keys: Sequence[str], ttl: int | None = None) -> str | None:
    """By whichever key fits; None when none does, or it is older than ``ttl`` seconds."""
    try:
        return _box(user_id, keys).decrypt(kept.encode(), ttl).decode()
    except InvalidToken:
        return None


def is_by_first_key(kept: str, user_id: int, keys: Sequence[str]) -> bool:
    return decrypt(kept, user_id, keys[:1]) is not None


def _box(user_id: int, keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(_derived(key, user_id)) for key in keys])


def _derived(key: str, user_id: int) -> bytes:
    purpose = f"sched_async second factor of user {user_id}".encode()
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return base64.urlsafe_b64encode(derived.derive(key.encode()))
