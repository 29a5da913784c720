"""Check two-factor codes.  Each works once.

An app's code uses its time step up, in one UPDATE, so that of several nodes that are
given the same code at the same instant one accepts it.  A recovery code is a row, and
taking the row is using it up; it has 125 random bits, so that its SHA-256 is enough.
(OWASP ASVS 5.0, 6.5.1 to 6.5.5.)
"""

import base64
import re
import secrets
from enum import Enum, auto

from quart import current_app
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ... import mail
from ...models import RecoveryCode, User
from ...security import throttle
from ...security.throttle import Tries
from ...times import now
from .. import activity, known_browsers
from ..tokens import hash_token
from ..users import locked
from . import totp

RECOVERY_CODES = 10
RECOVERY_LENGTH = 25  # base32 characters: 125 bits
GROUP = 5
MAX_TYPED = 64
MISREAD = str.maketrans("018", "OIB")  # base32 has none of the three


class Verdict(Enum):
    """What a typed code turned out to be."""

    APP = auto()
    RECOVERY = auto()
    WRONG = auto()
    USED = auto()

    @property
    def is_right(self) -> bool:
        return self in (Verdict.APP, Verdict.RECOVERY)

    @property
    def sentence(self) -> str:
        return SENTENCES.get(self, "")


SENTENCES = {
    Verdict.WRONG: "Incorrect code. If this keeps happening, check that your phone sets its clock "
    "automatically.",
    Verdict.USED: "This code, or a newer one, has already been used. Wait for the next one.",
}


def keys() -> list[str]:
    """The secret keys, newest first."""
    return [str(current_app.secret_key), *(current_app.config["SECRET_KEY_FALLBACKS"] or [])]


def is_recovery_code(typed: str) -> bool:
    """By its looks."""
    return len(_plain(typed)) == RECOVERY_LENGTH


async def admit(user_id: int, typed: str) -> Tries:
    """Count a try, which ``accept`` judges.  Before ``db`` is used.

    Raises TooManyAttemptsError.
    """
    device = await known_browsers.known_to(User.id == user_id)
    limit = throttle.recovery_code if is_recovery_code(typed) else throttle.code
    return await throttle.admit(limit(user_id, device), is_pending=True)


async def accept(db: AsyncSession, user_id: int, typed: str, tries: Tries) -> Verdict:
    """Judge a counted code and use it up; the caller commits, whatever the verdict."""
    verdict = await _judge(db, user_id, typed)
    await (throttle.take_back if verdict.is_right else throttle.keep)(db, tries)
    return verdict


async def _judge(db: AsyncSession, user_id: int, typed: str) -> Verdict:
    if is_recovery_code(typed):
        taken = await _take_recovery_code(db, user_id, typed)
        return Verdict.RECOVERY if taken else Verdict.WRONG
    user = await locked(db, user_id)
    kept = user.totp_secret if user is not None else None
    secret = totp.decrypt(kept, user_id, keys()) if kept else None
    if kept is None or secret is None:
        return Verdict.WRONG
    step = totp.matching_step(secret, typed, now())
    if step is None:
        return Verdict.WRONG
    fresh = kept if totp.is_by_first_key(kept, user_id, keys()) else encrypted(secret, user_id)
    return Verdict.APP if await _use_step(db, user_id, step, kept, fresh) else Verdict.USED


def encrypted(secret: str, user_id: int) -> str:
    """A secret as it is kept: by the newest key."""
    return totp.encrypt(secret, user_id, keys())


async def _use_step(db: AsyncSession, user_id: int, step: int, kept: str, fresh: str) -> bool:
    """Whether the step was free: later than any used one, and of the secret of now."""
    unused = or_(User.totp_step.is_(None), User.totp_step < step)
    used = await db.scalar(
        update(User)
        .where(User.id == user_id, User.totp_secret == kept, unused)
        .values(totp_step=step, totp_secret=fresh)
        .returning(User.id)
    )
    return used is not None


# Recovery codes


async def new_recovery_codes(db: AsyncSession, user_id: int) -> list[str]:
    """Ten new ones, to be shown once; all earlier ones are void."""
    await forget_recovery_codes(db, user_id)
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    db.add_all(RecoveryCode(code_hash=_recovery_hash(code), user_id=user_id) for code in codes)
    return codes


async def forget_recovery_codes(db: AsyncSession, user_id: int) -> None:
    await db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


async def count_recovery_codes(db: AsyncSession, user_id: int) -> int:
    mine = select(func.count()).where(RecoveryCode.user_id == user_id)
    return await db.scalar(mine) or 0


async def _take_recovery_code(db: AsyncSession, user_id: int, typed: str) -> bool:
    mine = (RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _recovery_hash(typed))
    taken = delete(RecoveryCode).where(*mine).returning(RecoveryCode.code_hash)
    return await db.scalar(taken) is not None


def _new_recovery_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(16)).decode()[:RECOVERY_LENGTH]
    return "-".join(re.findall("." * GROUP, letters))


def _recovery_hash(code: str) -> str:
    return hash_token(_plain(code))


def _plain(code: str) -> str:
    """However it is typed: small letters, without the dashes, a nought for an O."""
    return re.sub(r"[^A-Z2-7]", "", code.upper().translate(MISREAD))


async def note_recovery(db: AsyncSession, user: User) -> str:
    """Record and email that a recovery code was used; returns the sentence that says so."""
    left = await count_recovery_codes(db, user.id)
    sentence = f"You have {left} recovery code{'' if left == 1 else 's'} left."
    activity.record(db, user.id, "recovery_used")
    context = {"name": user.name, "left": sentence}
    await mail.post(db, user.email, "recovery_used", **context)
    return sentence


# The factor as a whole


async def remove_factor(db: AsyncSession, user_id: int) -> None:
    none = {"totp_secret": None, "totp_step": None}
    await db.execute(update(User).where(User.id == user_id).values(none))
    await forget_recovery_codes(db, user_id)
    await known_browsers.end_trust(db, user_id)
