"""The two locks on every request that changes something, and each key that does not fit.

That both hang on every route is in ``test_policy.py``.
"""

import hashlib
import hmac
import re
from typing import Any

import pytest
from quart import Quart
from quart.testing import QuartClient

from sched_async.app import create_app
from sched_async.models import User
from sched_async.security.csrf import FIELD, HEADER
from sched_async.testing import signed_in

from ..conftest import ALICE_PASSWORD
from ..pages import cookie, csrf_token, hidden_fields, log_in, text
from ..rows import contents
from ..tables import each
from . import refused

CREATE = "/appointments/create/"
LOGIN = "/login/"
DENTIST = {"title": "Dentist", "start": "2027-01-01T10:00", "end": "2027-01-01T11:00"}
RIGHT = {"username": "alice@example.org", "password": ALICE_PASSWORD}


@pytest.fixture
async def hers(client: QuartClient, alice: User) -> QuartClient:
    """Alice's browser, in which she signed in."""
    assert (await log_in(client, "alice@example.org", ALICE_PASSWORD)).status_code == 303
    return client


async def kept(app: Quart) -> int:
    return len((await contents(app))["appointment"])


# The token


async def test_the_token_of_the_form_opens_it(app: Quart, hers: QuartClient) -> None:
    token = await csrf_token(hers, CREATE)
    response = await hers.post(CREATE, form=DENTIST | {FIELD: token})
    assert response.status_code == 303
    assert await kept(app) == 1


async def test_a_header_does_instead_of_the_field(app: Quart, hers: QuartClient) -> None:
    token = await csrf_token(hers, CREATE)
    made = await hers.post(CREATE, form=DENTIST, headers={HEADER: token})
    assert made.status_code == 303
    deleted = await hers.delete(f"{made.location}delete/", headers={HEADER: token})
    assert await deleted.get_json() == {"status": "OK"}
    assert await kept(app) == 0


async def test_tokens_differ_and_every_one_of_them_works(app: Quart, hers: QuartClient) -> None:
    """Several tabs, and Back; what is fresh each time also tells nothing to who compresses it."""
    tokens = [await csrf_token(hers, path) for path in (CREATE, CREATE, "/logout/")]
    assert len(set(tokens)) == 3
    for token in (*tokens, tokens[0]):
        response = await hers.post(CREATE, form=DENTIST | {FIELD: token})
        assert response.status_code == 303
    assert await kept(app) == 4


async def test_tabs_that_are_restored_at_once_share_what_their_forms_are_tied_to(
    app: Quart, alice: User
) -> None:
    """The lasting cookie is all they have, and neither takes the other's away."""
    lasting = cookie(await signed_in(app, alice.email, remember=True)) or ""
    tabs = [QuartClient(app) for _ in range(3)]
    for tab in tabs:
        tab.set_cookie("localhost", "sched_login", lasting)
    pages = zip(tabs, (CREATE, "/confirm/", CREATE), strict=True)
    tokens = [await csrf_token(tab, path) for tab, path in pages]
    for tab in tabs[1:]:
        assert cookie(tab, "sched_session") is None
        for token in tokens:
            made = await tab.post(CREATE, form=DENTIST | {FIELD: token})
            assert made.status_code == 303
    assert await kept(app) == 6


async def test_confirming_in_one_tab_leaves_the_forms_of_others_good(
    app: Quart, alice: User
) -> None:
    hers = await signed_in(app, alice.email)
    before, held = await csrf_token(hers, CREATE), cookie(hers)
    for _ in range(2):
        assert (await hers.post("/confirm/", form={"password": ALICE_PASSWORD})).status_code == 303
        assert cookie(hers) != held
    made = await hers.post(CREATE, form=DENTIST | {FIELD: before}, headers={HEADER: before})
    assert made.status_code == 303
    again = await signed_in(app, alice.email)
    response = await refused(again, CREATE, form=DENTIST, headers={HEADER: before})
    assert response.status_code == 403, "but another session's are not"


async def test_nobodys_token_is_none_of_whoever_is_signed_in(app: Quart, alice: User) -> None:
    """Nor can a cookie that was planted before make it one."""
    nobody = QuartClient(app)
    token = await csrf_token(nobody)
    hers = await signed_in(app, alice.email)
    hers.set_cookie("localhost", "sched_session", cookie(nobody, "sched_session") or "")
    response = await refused(hers, CREATE, form=DENTIST, headers={HEADER: token})
    assert response.status_code == 403


async def wrong_tokens(app: Quart, hers: QuartClient) -> dict[str, str]:
    right = await csrf_token(hers, CREATE)
    nonce, _, mac = right.partition(".")
    other = QuartClient(app)
    return {
        "none": "",
        "another browser's": await csrf_token(other),
        "the first half": nonce,
        "the second half": f".{mac}",
        "cut": right[:-1],
        "longer": f"{right}0",
        "with a space": f"{right} ",
        "another nonce": f"x{nonce[1:]}.{mac}" if nonce[0] != "x" else f"y{nonce[1:]}.{mac}",
        "in capitals": right.upper(),
        "not ASCII": "é.é",
        "only a dot": ".",
        "long": "x" * 4000,
    }


@pytest.mark.parametrize("where", ["field", "header"])
async def test_a_wrong_token_opens_nothing(app: Quart, hers: QuartClient, where: str) -> None:
    for name, token in (await wrong_tokens(app, hers)).items():
        given: dict[str, Any] = {"form": DENTIST | {FIELD: token}}
        if where == "header":
            given = {"form": DENTIST, "headers": {HEADER: token}}
        response = await refused(hers, CREATE, **given)
        assert response.status_code == 403, name
        assert "Go back, reload the page and send the form again." in await text(response)
        assert "Set-Cookie" not in response.headers


async def test_a_wrong_header_is_not_mended_by_a_right_field(hers: QuartClient) -> None:
    token = await csrf_token(hers, CREATE)
    form = DENTIST | {FIELD: token}
    response = await refused(hers, CREATE, form=form, headers={HEADER: f"{token}0"})
    assert response.status_code == 403


async def test_a_token_in_the_address_is_none(hers: QuartClient) -> None:
    token = await csrf_token(hers, CREATE)
    response = await refused(hers, CREATE, form=DENTIST, query_string={FIELD: token})
    assert response.status_code == 403


async def test_two_tokens_are_none_unless_the_first_fits(app: Quart, hers: QuartClient) -> None:
    token = await csrf_token(hers, CREATE)
    body = f"{FIELD}=made.up&{FIELD}={token}&title=Dentist".encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    }
    response = await refused(hers, CREATE, data=body, headers=headers)
    assert response.status_code == 403


async def test_signing_in_needs_a_token_too(app: Quart, client: QuartClient, alice: User) -> None:
    """Or a stranger's page could sign Alice in as the stranger."""
    for form in (RIGHT, RIGHT | {FIELD: await csrf_token(QuartClient(app))}):
        response = await refused(client, LOGIN, form=form)
        assert response.status_code == 403
        assert cookie(client) is None


async def test_a_token_from_before_signing_in_is_worth_nothing_after_it(
    client: QuartClient, alice: User
) -> None:
    before = await csrf_token(client)
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    response = await refused(client, CREATE, form=DENTIST | {FIELD: before})
    assert response.status_code == 403


async def test_a_token_from_before_signing_out_is_worth_nothing_after_it(
    hers: QuartClient, alice: User
) -> None:
    token = await csrf_token(hers, "/logout/")
    assert (await hers.post("/logout/", form={FIELD: token})).status_code == 303
    response = await refused(hers, LOGIN, form=RIGHT | {FIELD: token})
    assert response.status_code == 403
    await log_in(hers, "alice@example.org", ALICE_PASSWORD)
    assert (await refused(hers, CREATE, form=DENTIST | {FIELD: token})).status_code == 403


async def test_a_session_that_was_made_up_has_no_token(app: Quart, hers: QuartClient) -> None:
    """With no secret in it, an attacker could compute what belongs to an empty one."""
    mac = hmac.new(b"", b"nonce", hashlib.sha256).hexdigest()
    fresh = QuartClient(app)
    response = await refused(fresh, LOGIN, form=RIGHT | {FIELD: f"nonce.{mac}"})
    assert response.status_code == 403


# Where the request comes from


FROM_ELSEWHERE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://localhost"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:8001"},
    {"Origin": "http://evil@localhost"},
    {"Origin": "localhost"},
    {"Origin": "http://localhost, https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Sec-Fetch-Site": "same-site", "Origin": "null"},
]


@each("headers", FROM_ELSEWHERE)
async def test_from_another_site_even_the_right_token_opens_nothing(
    hers: QuartClient, headers: dict[str, str]
) -> None:
    token = await csrf_token(hers, CREATE)
    response = await refused(hers, CREATE, form=DENTIST | {FIELD: token}, headers=headers)
    assert response.status_code == 403


@each("headers", FROM_ELSEWHERE)
async def test_nobody_is_signed_in_by_another_site(
    client: QuartClient, alice: User, headers: dict[str, str]
) -> None:
    token = await csrf_token(client)
    response = await refused(client, LOGIN, form=RIGHT | {FIELD: token}, headers=headers)
    assert response.status_code == 403
    assert cookie(client) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Referer": "https://evil.example/"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
    ids=str,
)
async def test_from_our_own_pages_the_token_opens_it(
    app: Quart, hers: QuartClient, headers: dict[str, str]
) -> None:
    token = await csrf_token(hers, CREATE)
    response = await hers.post(CREATE, form=DENTIST | {FIELD: token}, headers=headers)
    assert response.status_code == 303
    assert await kept(app) == 1


@each("headers", FROM_ELSEWHERE)
async def test_links_from_other_sites_may_lead_here(
    hers: QuartClient, headers: dict[str, str]
) -> None:
    assert (await hers.get("/appointments/", headers=headers)).status_code == 200


@each("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
async def test_on_the_machine_itself_the_page_may_have_any_of_its_names(
    app: Quart, host: str
) -> None:
    client = QuartClient(app)
    token = await csrf_token(client)
    for origin, status in ((f"http://{host}", 422), ("http://evil.example", 403)):
        headers = {"Host": host, "Origin": origin}
        response = await client.post(LOGIN, form={FIELD: token}, headers=headers)
        assert response.status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://sched.example.org", 422),
        ("http://sched.example.org", 403),
        ("https://sched.example.org:8443", 403),
        ("https://other.example.org", 403),
        ("https://localhost", 403),
    ],
)
async def test_with_a_name_of_its_own_the_server_knows_only_that_origin(
    settings: dict[str, Any], origin: str, status: int
) -> None:
    app = create_app(settings | {"PUBLIC_URL": "https://sched.example.org"})
    async with app.test_app():
        client = QuartClient(app)
        host = {"Host": "sched.example.org"}
        page = await client.get(LOGIN, headers=host)
        held = page.headers["Set-Cookie"].partition(";")[0]
        token = (await text(page)).partition('name="csrf_token"')[2].split('"')
        value = next(part for part in token if "." in part)
        headers = {**host, "Origin": origin, "Cookie": held}
        response = await client.post(LOGIN, form={FIELD: value}, headers=headers)
    assert response.status_code == status


@each("origin", ["https://evil.example", "null", "http://localhost"])
async def test_no_other_site_may_read_an_answer(hers: QuartClient, origin: str) -> None:
    """ASVS 3.4.2: preflights and simple requests alike are told nothing of leave."""
    asking = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": HEADER}
    for method, headers in (("OPTIONS", asking), ("GET", {})):
        response = await hers.open(CREATE, method=method, headers={"Origin": origin, **headers})
        assert response.status_code == 200
        names = " ".join(name.lower() for name, _ in response.headers.items())
        assert "access-control" not in names


async def test_the_port_that_a_scheme_has_anyway_makes_no_other_origin(app: Quart) -> None:
    client = QuartClient(app)
    token = await csrf_token(client)
    for host in ("localhost:80", "127.0.0.1:80"):
        headers = {"Host": host, "Origin": f"http://{host.removesuffix(':80')}"}
        response = await client.post(LOGIN, form={FIELD: token}, headers=headers)
        assert response.status_code == 422


# A form of our own pages that has become too old


OURS = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
]
ODD = {"title": "Löwen & <Lämmer>\"'", "description": "one\ntwo", "start": "2027-01-01T10:00"}
TYPED = ODD | {"end": "2027-01-01T11:00"}


@pytest.mark.parametrize("headers", OURS, ids=str)
async def test_what_was_typed_on_a_page_of_ours_is_kept_and_one_press_sends_it(
    app: Quart, hers: QuartClient, headers: dict[str, str]
) -> None:
    """Signed out and in again in another tab."""
    old = await csrf_token(hers, CREATE)
    await hers.post("/logout/", form={FIELD: await csrf_token(hers, "/logout/")})
    await log_in(hers, "alice@example.org", ALICE_PASSWORD)
    form = TYPED | {FIELD: old, "password": "kangaroo"}
    kept_page = await refused(hers, CREATE, form=form, headers=headers)
    assert kept_page.status_code == 403
    assert "The page you sent this from was out of date." in await text(kept_page)
    assert "signed in as alice@example.org" in re.sub("<.*?>", "", await text(kept_page))
    fields = await hidden_fields(kept_page)
    assert fields.pop(FIELD) != old
    assert fields == TYPED, "and no password"
    assert 'action="/appointments/create/"' in await text(kept_page)
    sent = await hers.post(CREATE, form=await hidden_fields(kept_page), headers=headers)
    assert sent.status_code == 303
    assert await kept(app) == 1


@each("headers", [{}, *FROM_ELSEWHERE])
async def test_what_may_come_from_another_site_is_never_kept(
    app: Quart, hers: QuartClient, headers: dict[str, str]
) -> None:
    """Nor is it by the sign-in page, where nobody is signed in."""
    right = await csrf_token(hers, CREATE)
    tried = [(hers, "made.up"), (QuartClient(app), "made.up"), (QuartClient(app), right)]
    for client, token in [*tried, (hers, right)] if headers else tried[:2]:
        response = await refused(client, CREATE, form=TYPED | {FIELD: token}, headers=headers)
        assert response.status_code == 403
        page = await text(response)
        assert "Löwen" not in page
        assert "You may have to fill it in again." in page


@each(
    ("method", "path", "header"),
    [
        ("POST", CREATE, {"Accept": "application/json"}),
        ("POST", CREATE, {"Sec-Fetch-Dest": "empty"}),
        ("DELETE", "/appointments/1/delete/", {}),
    ],
)
async def test_a_script_with_an_old_token_is_told_so(
    hers: QuartClient, method: str, path: str, header: dict[str, str]
) -> None:
    headers = OURS[0] | header | {HEADER: "made.up"}
    response = await refused(hers, path, method=method, form=DENTIST, headers=headers)
    assert response.status_code == 403
    assert (await response.get_json())["status"] == "Forbidden"


async def test_the_sign_in_page_of_yesterday_keeps_the_address_but_not_the_password(
    client: QuartClient, alice: User
) -> None:
    form = RIGHT | {FIELD: "made.up", "remember": "y", "next": "/account/"}
    again = await refused(client, LOGIN, form=form, headers=OURS[0])
    assert again.status_code == 403
    page = await text(again)
    assert "This page was out of date. Please enter your password again." in page
    assert 'value="alice@example.org"' in page
    assert ALICE_PASSWORD not in page
    assert "checked" in page
    sent = await client.post(LOGIN, form=RIGHT | await hidden_fields(again), headers=OURS[0])
    assert (sent.status_code, sent.location) == (303, "/account/")


@pytest.mark.settings(MAIL_URL="smtp://mail.example.org")
async def test_other_public_forms_are_sent_again_without_signing_in(client: QuartClient) -> None:
    forgot = "/password/forgot/"
    form = {"email": "alice@example.org", FIELD: "made.up"}
    again = await refused(client, forgot, form=form, headers=OURS[0])
    assert "The page you sent this from was out of date." in await text(again)
    assert "signed in as" not in await text(again)
    sent = await client.post(forgot, form=await hidden_fields(again), headers=OURS[0])
    assert sent.status_code == 200


async def test_an_old_page_of_whoever_is_signed_out_asks_to_sign_in_first(
    app: Quart, hers: QuartClient
) -> None:
    old = await csrf_token(hers, CREATE)
    await hers.post("/logout/", form={FIELD: await csrf_token(hers, "/logout/")})
    asked = await refused(hers, CREATE, form=TYPED | {FIELD: old}, headers=OURS[0])
    assert asked.status_code == 401
    kept_page = await hers.post(LOGIN, form=RIGHT | await hidden_fields(asked))
    assert kept_page.status_code == 200
    assert await kept(app) == 0
    sent = await hers.post(CREATE, form=await hidden_fields(kept_page))
    assert sent.status_code == 303
    assert await kept(app) == 1


SAYS_NO_COOKIES = "Your browser sent no cookie, and this form works only with cookies."


@each("headers", [*OURS, {}, {"Accept": "application/json"}])
@each(
    ("path", "form"), [(LOGIN, RIGHT), ("/register/", {"name": "Ada", "email": "ada@example.org"})]
)
@pytest.mark.settings(MAIL_URL="smtp://mail.example.org", REGISTRATION="open")
async def test_a_browser_that_keeps_no_cookies_is_told_so(
    app: Quart, alice: User, headers: dict[str, str], path: str, form: dict[str, str]
) -> None:
    """And one that keeps them, that its form is old."""
    token = await csrf_token(QuartClient(app), path)
    other = QuartClient(app)
    await other.get(LOGIN)
    for browser, is_told in ((QuartClient(app, use_cookies=False), True), (other, False)):
        answer = await refused(browser, path, form=form | {FIELD: token}, headers=headers)
        page = await text(answer)
        assert answer.status_code == 403
        assert (SAYS_NO_COOKIES in page) == is_told
        assert ("out of date" in page or "a form works only in the browser" in page) != is_told
        assert (next(iter(form.values())) in page) == (headers in OURS), "what was typed is kept"
