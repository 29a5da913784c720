"""What docs/security.md says is so: its tests exist, its figures and its counts are right."""

import json
import re
from base64 import urlsafe_b64decode
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from quart import Quart
from quart.testing import QuartClient

from sched_async import config, mail
from sched_async.accounts import (
    access,
    activity,
    fresh_login,
    known_browsers,
    password_reset,
    passwords,
    session_cookies,
    sessions,
    tokens,
)
from sched_async.accounts.registration import invitations, register
from sched_async.accounts.registration.rules import SETUP_LIFETIME
from sched_async.accounts.settings import delete_account, email
from sched_async.accounts.two_factor import codes, pending_login, totp
from sched_async.models import User
from sched_async.security import throttle
from sched_async.testing import signed_in

from .conftest import ALICE_PASSWORD
from .pages import cookie, log_in
from .servers import ROOT
from .test_policy import PUBLIC, rules
from .test_readme import rows

TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
LEVELS = {"met", "not met", "does not apply"}


def section(title: str) -> str:
    [found] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    return str(found)


def tables(title: str) -> list[list[list[str]]]:
    return [rows(table) for table in re.findall(r"(?:^\|.*\n)+", section(title), re.M)]


def words(span: timedelta) -> str:
    """
    >>> words(timedelta(hours=12)), words(timedelta(days=7)), words(timedelta(minutes=60))
    ('12 hours', '7 days', '1 hour')
    """
    units = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
    seconds = int(span.total_seconds())
    for unit, size in units.items():
        if seconds % size == 0 and seconds // size > (1 if unit == "day" else 0):
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    raise AssertionError(span)


def default(name: str) -> int:
    return next(int(setting.default) for setting in config.SETTINGS if setting.name == name)


def figures() -> dict[str, Any]:
    hour, quarter = words(throttle.HOUR), words(throttle.SPAN)
    return {
        "A login session without use": access.IDLE,
        "A login session in total": sessions.ABSOLUTE,
        "A login session with “Keep me signed in”, used or not": session_cookies.REMEMBERED,
        "Login sessions per person": sessions.MOST,
        "“Confirm it's you” is valid for": fresh_login.PROOF_LIFETIME,
        "The two-factor step of signing in": pending_login.LIFETIME,
        "Wrong codes in one sign-in": pending_login.MOST_WRONG,
        f"Wrong codes for an account from unknown browsers, in {quarter}": (
            throttle.CODES_PER_ACCOUNT
        ),
        f"Recovery codes tried for an account from unknown browsers, in {quarter}": (
            throttle.RECOVERY_PER_ACCOUNT
        ),
        "An app shows each code for": timedelta(seconds=totp.STEP),
        "Recovery codes": codes.RECOVERY_CODES,
        "A trusted device": known_browsers.TRUSTED,
        "Known browsers per person": known_browsers.MOST,
        "A known browser is remembered for": known_browsers.REMEMBERED,
        "Wrong passwords for an account from one IP address, or from one known browser": default(
            "LOGIN_LIMIT_ACCOUNT"
        ),
        "Wrong passwords from one IP address": default("LOGIN_LIMIT_ADDRESS"),
        "Wrong passwords from everywhere except known browsers": (
            throttle.SIGN_INS_FROM_EVERYWHERE
        ),
        "These are counted over": throttle.SPAN,
        f"Password reset requests from one IP address, in {hour}": throttle.RESETS_PER_ADDRESS,
        f"Registrations from one IP address, in {hour}": throttle.REGISTRATIONS_PER_ADDRESS,
        f"Messages to one mailbox that anyone can cause for one reason, in {hour}": (
            throttle.MAILS_PER_ACCOUNT
        ),
        "A password reset link": password_reset.LIFETIME,
        "The link to create the first account": SETUP_LIFETIME,
        "An invitation": invitations.LIFETIME,
        "A link that confirms the address of a new account": register.LIFETIME,
        "A link that confirms a changed address": email.LIFETIME,
        "An account due for deletion can be kept within": delete_account.GRACE,
        "Activity is kept for": activity.KEPT,
        "Minimum characters in a password": passwords.MIN_LENGTH,
        "Maximum characters in a password": passwords.MAX_LENGTH,
        "Argon2id, memory": f"{passwords.hasher.memory_cost // 1024} MiB",
        "Argon2id, passes": passwords.hasher.time_cost,
        "Random bits in a token": 256,
        "Attempts to send a message": len(mail.WAITS) + 1,
        "A sent message is listed for": mail.KEPT_SENT,
        "Any message is deleted after": mail.KEPT_AT_ALL,
    }


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 100
    for path, name in sorted(set(named)):
        source = (TESTS / path).read_text("utf-8")
        assert re.search(rf"^(?:async )?def {name}\(", source, re.M), f"{path}::{name}"


def test_the_figures_are_those_of_the_code() -> None:
    """ASVS 6.1.1, 7.1.1, 7.1.2."""
    [table] = tables("Limits and lifetimes")
    said = {what: figure for what, figure, why in table if why}
    assert said == {
        what: words(figure) if isinstance(figure, timedelta) else str(figure)
        for what, figure in figures().items()
    }
    [waits] = re.findall(r"after ([\d, ]+) and (\d+) minutes", PAGE)
    minutes = [str(int(wait.total_seconds()) // 60) for wait in mail.WAITS]
    assert [*waits[0].split(", "), waits[1]] == minutes
    assert f"each is {codes.RECOVERY_LENGTH * 5} random bits" in PAGE


def test_the_settings_that_are_named_exist() -> None:
    named = set(re.findall(rf"`{config.PREFIX}(\w+)`", PAGE))
    limits = {setting.name for setting in config.SETTINGS if "LIMIT" in setting.name}
    assert limits < named <= {setting.name for setting in config.SETTINGS}


def test_the_words_refused_in_passwords_are_listed() -> None:
    """ASVS 6.1.2."""
    text = section("Words that are refused in passwords")
    assert re.findall(r"`(\w+)`", text) == list(passwords.CONTEXT_WORDS)
    assert f"the {len(passwords.common_passwords()):,} passwords" in text
    long_enough = sum(len(word) >= passwords.MIN_LENGTH for word in passwords.common_passwords())
    assert f"of which {long_enough} have {passwords.MIN_LENGTH} characters" in PAGE
    assert passwords.LEFT_OVER == 8
    assert "needs eight characters besides" in text


async def test_tokens_have_the_bits_that_are_promised(
    app: Quart, client: QuartClient, alice: User
) -> None:
    """ASVS 7.2.3: the token of a session, which the cookie signs, and that of a link."""
    await log_in(client, alice.email, ALICE_PASSWORD)
    signed = urlsafe_b64decode((cookie(client) or "").partition(".")[0] + "==")
    async with app.app_context():
        link = await password_reset.link_for(alice.email)
    [promised] = re.findall(r"^\| Random bits in a token \| (\d+) \|", PAGE, re.M)
    for token in (str(json.loads(signed)), link.split("/")[-2]):
        assert tokens.TOKEN.fullmatch(token)
        assert len(urlsafe_b64decode(token + "=")) * 8 == int(promised)


def test_the_ways_to_sign_in_are_all_there_are() -> None:
    """ASVS 6.1.3, 6.3.4: who begins a login session, and what is for everybody."""
    package = ROOT / "sched_async"
    assert callers(package, "new_session") == {"accounts/sessions.py", "testing.py"}
    assert callers(package, "login_user") == {"accounts/login.py"}
    assert callers(package, "complete_login") == {
        "accounts/login.py",
        "accounts/login_second_step.py",
        "accounts/registration/first_account.py",
    }


def callers(package: Path, function: str) -> set[str]:
    call = re.compile(rf"(?<!def )(?<![\w.]){function}\((?!self)")
    return {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if call.search(path.read_text("utf-8"))
    }


async def test_the_public_addresses_are_listed(app: Quart) -> None:
    """ASVS 6.1.3, 8.1.1."""
    [listed] = re.findall(r"These addresses are public: (.*?)\.\n", PAGE, re.S)
    public = {
        re.sub(r"<[^>]*>", "…", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint in PUBLIC or access.is_public(app, rule.endpoint)
    }
    assert set(re.findall(r"`(.*?)`", listed)) == public


async def test_everybody_gets_where_the_table_says(
    app: Quart, client: QuartClient, alice: User, mallory: User
) -> None:
    """ASVS 8.1.1: Alice is an administrator, Mallory is not."""
    table = tables("Who may do what")[0]
    admin, person = await signed_in(app, alice.email), await signed_in(app, mallory.email)
    seen: Counter[str] = Counter()
    for rule, _, path in rules(app, {"GET"}):
        if rule.endpoint in PUBLIC or access.is_public(app, rule.endpoint):
            continue
        [line] = [cells for cells in table if path.startswith(cells[0].strip("`"))]
        seen[line[0]] += 1
        assert line[1] == "signs in first"
        assert ((await client.get(path)).location or "").startswith("/login/"), path
        for browser, cell in ((person, line[2]), (admin, line[3])):
            status = (await browser.get(path)).status_code
            is_about_a_row = "<" in rule.rule and "user_id" not in rule.rule
            assert (status == 404) == (cell == "missing" or is_about_a_row), (path, cell)
    assert set(seen) == {cells[0] for cells in table}


def test_every_field_of_an_account_is_in_the_table() -> None:
    """ASVS 8.1.2."""
    fields = [cells[0].strip("`") for cells in tables("Who may do what")[1]]
    assert sorted(fields) == sorted(column.name for column in User.__table__.columns)


def test_the_counts_are_those_of_the_table() -> None:
    [table] = tables("ASVS 5.0, level 2, line by line")
    states = Counter(state for _, _, _, state, _ in table)
    assert set(states) == LEVELS
    missed = ", ".join(number for number, _, _, state, _ in table if state == "not met")
    text = " ".join(section("ASVS 5.0, level 2, line by line").split())
    assert (
        f"Of {len(table)} requirements, {states['met'] + states['not met']} apply and "
        f"{states['does not apply']} do not. Of those that apply, {states['met']} are met, each "
        f"with a test, and {states['not met']} are not: {missed}." in text
    )
    assert re.findall(r"^- \*\*([\d.]+)\.\*\*", PAGE, re.M) == missed.split(", ")


@pytest.mark.parametrize("chapter", ["6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "6.8", "7.1", "7.2"])
def test_no_line_is_left_out(chapter: str) -> None:
    [table] = tables("ASVS 5.0, level 2, line by line")
    last = [int(number.rpartition(".")[2]) for number, *_ in table if number.startswith(chapter)]
    assert last == list(range(1, len(last) + 1))


def test_every_line_that_is_met_names_its_test() -> None:
    [table] = tables("ASVS 5.0, level 2, line by line")
    for number, level, _, state, where in table:
        assert level in ("1", "2"), number
        assert bool(NAMED.search(where)) == (state == "met"), number
