"""What docs/security.md says is so: its tests exist, its figures and its counts are right."""

import json
import re
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from quart import Quart
from quart.testing import QuartClient

from sched_async import config, mail
from sched_async.accounts import (
    access,
    new_passwords,
    password_reset,
    tokens,
)
from sched_async.accounts.two_factor import codes
from sched_async.models import User
from sched_async.security import throttle
from sched_async.testing import signed_in

from .conftest import ALICE_PASSWORD
from .pages import cookie, log_in
from .servers import ROOT
from .test_policy import PUBLIC, rules
from .test_readme import rows

pytestmark = pytest.mark.real_hashing

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


FIGURES = (
    "accounts.access.IDLE",
    "accounts.sessions.ABSOLUTE",
    "accounts.session_cookies.REMEMBERED",
    "accounts.sessions.MOST",
    "accounts.fresh_login.PROOF_LIFETIME",
    "accounts.two_factor.pending_login.LIFETIME",
    "accounts.two_factor.pending_login.MOST_WRONG",
    "security.throttle.CODES_PER_ACCOUNT",
    "security.throttle.RECOVERY_PER_ACCOUNT",
    "accounts.two_factor.totp.STEP",
    "accounts.two_factor.codes.RECOVERY_CODES",
    "accounts.known_browsers.TRUSTED",
    "accounts.known_browsers.MOST",
    "accounts.known_browsers.REMEMBERED",
    "SCHED_LOGIN_LIMIT_ACCOUNT",
    "SCHED_LOGIN_LIMIT_ADDRESS",
    "security.throttle.SIGN_INS_FROM_EVERYWHERE",
    "security.throttle.SPAN",
    "security.throttle.RESETS_PER_ADDRESS",
    "security.throttle.REGISTRATIONS_PER_ADDRESS",
    "security.throttle.MAILS_PER_ACCOUNT",
    "accounts.password_reset.LIFETIME",
    "accounts.password_reset.QUIET",
    "accounts.registration.rules.SETUP_LIFETIME",
    "accounts.registration.invitations.LIFETIME",
    "accounts.registration.register.LIFETIME",
    "accounts.settings.email.LIFETIME",
    "accounts.settings.delete_account.GRACE",
    "accounts.activity.KEPT",
    "purging.KEPT",
    "accounts.new_passwords.MIN_LENGTH",
    "accounts.new_passwords.MAX_LENGTH",
    "accounts.passwords.MEMORY",
    "accounts.passwords.PASSES",
    "accounts.tokens.BITS",
    "mail.WAITS",
    "mail.KEPT_SENT",
    "mail.KEPT_AT_ALL",
)
SHOWN: dict[str, Callable[[Any], str]] = {
    "accounts.two_factor.totp.STEP": lambda step: words(timedelta(seconds=step)),
    "accounts.passwords.MEMORY": lambda kibibytes: f"{kibibytes // 1024} MiB",
    "mail.WAITS": lambda waits: str(len(waits) + 1),
}


def figure(name: str) -> str:
    """What the page has to say of a setting or a constant."""
    if name.startswith(config.PREFIX):
        return {config.PREFIX + setting.name: setting.default for setting in config.SETTINGS}[name]
    module, _, constant = name.rpartition(".")
    value = getattr(import_module(f"sched_async.{module}"), constant)
    usual = words if isinstance(value, timedelta) else str
    return SHOWN.get(name, usual)(value)


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 100
    for path, name in sorted(set(named)):
        source = (TESTS / path).read_text("utf-8")
        assert re.search(rf"^(?:async )?def {name}\(", source, re.M), f"{path}::{name}"


def test_the_figures_are_those_of_the_code() -> None:
    """ASVS 6.1.1, 7.1.1, 7.1.2."""
    [table] = tables("Limits and lifetimes")
    said = {constant.strip("`"): found for _, found, why, constant in table if why}
    assert said == {name: figure(name) for name in FIGURES}
    for what, *_ in table:
        for span in re.findall(r", in (\d+ \w+)$", what):
            assert span in (words(throttle.HOUR), words(throttle.SPAN)), what
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
    assert re.findall(r"`(\w+)`", text) == list(new_passwords.CONTEXT_WORDS)
    assert f"the {len(new_passwords.common_passwords()):,} passwords" in text
    long_enough = sum(
        len(word) >= new_passwords.MIN_LENGTH for word in new_passwords.common_passwords()
    )
    assert f"of which {long_enough} have {new_passwords.MIN_LENGTH} characters" in PAGE
    assert new_passwords.LEFT_OVER == 8
    assert "needs eight characters besides" in text


async def test_tokens_have_the_bits_that_are_promised(
    app: Quart, client: QuartClient, alice: User
) -> None:
    """ASVS 7.2.3: the token of a session, which the cookie signs, and that of a link."""
    await log_in(client, alice.email, ALICE_PASSWORD)
    signed = urlsafe_b64decode((cookie(client) or "").partition(".")[0] + "==")
    async with app.app_context():
        link = await password_reset.link_for(alice.email)
    [promised] = re.findall(r"\| (\d+) \|.*`accounts.tokens.BITS`", PAGE)
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
        path = re.sub(r"^/calendars/1\b", "/calendars/404404", path)  # the first is hers
        [line] = [cells for cells in table if path.startswith(cells[0].strip("`"))]
        seen[line[0]] += 1
        assert line[1] == "signs in first"
        assert ((await client.get(path)).location or "").startswith("/login/"), path
        for browser, cell in ((person, line[2]), (admin, line[3])):
            status = (await browser.get(path)).status_code
            is_about_a_row = rule.arguments and not rule.arguments & {"user_id", "key"}
            assert (status == 404) == (cell == "missing" or bool(is_about_a_row)), (path, cell)
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
