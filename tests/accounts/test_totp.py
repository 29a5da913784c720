"""The codes of an authenticator app, and their secret at rest."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from sched_async.accounts.two_factor import totp

NEW, OLD, OTHER = "newest " * 8, "older " * 8, "another " * 8
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# The beginning of a step of 30 seconds.
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
# RFC 6238, appendix B, for SHA-1; an app shows the last six of its eight digits.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_CODES = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}


@pytest.mark.parametrize(("seconds", "code"), RFC_CODES.items())
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert totp.matching_step(RFC_SECRET, code, moment) == seconds // 30


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [(-31, False), (-30, True), (0, True), (29, True), (31, True), (59, True), (60, False)],
)
def test_a_code_counts_in_its_step_and_the_two_beside_it(seconds: int, counts: bool) -> None:
    """ASVS 6.5.5: a step is 30 seconds."""
    code = pyotp.TOTP(SECRET).at(START)
    step = totp.matching_step(SECRET, code, START + timedelta(seconds=seconds))
    assert step == (totp.step_at(START) if counts else None)


@pytest.mark.parametrize("form", ["{} {}", " {}{} ", "{}-{}", "{}\u00a0{}"])
def test_a_code_may_be_typed_as_it_is_shown(form: str) -> None:
    code = pyotp.TOTP(SECRET).at(START)
    assert totp.matching_step(SECRET, form.format(code[:3], code[3:]), START) is not None


def test_digits_of_another_script_on_the_keyboard_count() -> None:
    code = pyotp.TOTP(SECRET).at(START)
    wide = "".join(chr(ord(digit) - ord("0") + ord("\uff10")) for digit in code)
    assert totp.matching_step(SECRET, wide, START) is not None


@pytest.mark.parametrize("typed", ["", " ", "12345", "1234567", "abcdef", "1e5000", "-12345", "é"])
def test_what_is_no_code_fits_no_step(typed: str) -> None:
    assert totp.matching_step(SECRET, typed, START) is None


def test_secrets_are_random() -> None:
    """ASVS 6.5.3: 160 bits each, and no two alike."""
    secrets = {totp.new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert {len(secret) * 5 for secret in secrets} == {160}


def test_an_encrypted_secret_opens_with_its_key_only() -> None:
    kept = totp.encrypt(SECRET, 1, [NEW])
    assert SECRET not in kept
    assert totp.decrypt(kept, 1, [NEW]) == SECRET
    assert totp.decrypt(kept, 1, [OTHER]) is None


def test_a_secret_moved_to_another_account_does_not_open() -> None:
    assert totp.decrypt(totp.encrypt(SECRET, 1, [NEW]), 2, [NEW]) is None


@pytest.mark.parametrize("kept", ["", "junk", SECRET, "é"])
def test_what_was_never_encrypted_does_not_open(kept: str) -> None:
    assert totp.decrypt(kept, 1, [NEW]) is None


def test_after_a_change_of_keys_the_earlier_one_still_opens_it() -> None:
    kept = totp.encrypt(SECRET, 1, [OLD])
    assert totp.decrypt(kept, 1, [NEW, OLD]) == SECRET
    assert not totp.is_by_first_key(kept, 1, [NEW, OLD])
    again = totp.encrypt(SECRET, 1, [NEW, OLD])
    assert totp.is_by_first_key(again, 1, [NEW, OLD])
    assert totp.decrypt(again, 1, [NEW]) == SECRET


def test_the_picture_needs_no_style_that_the_page_forbids() -> None:
    svg = totp.picture(SECRET, "alice@example.org")
    assert svg.startswith("<svg")
    assert "style" not in svg
    assert "alice" not in svg
