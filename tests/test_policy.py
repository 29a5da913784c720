"""Rules that hold for every route, those of tomorrow included."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import select, update
from sqlalchemy import text as sql
from werkzeug.routing import Rule
from wtforms import EmailField, PasswordField
from wtforms.fields.core import UnboundField

from sched_async.accounts.tokens import hash_token
from sched_async.carried_form import SECRET
from sched_async.database import begin
from sched_async.forms import Form
from sched_async.ics.ics_text import Facts
from sched_async.models import Appointment, Base, Calendar, LoginSession, OneTimeToken, Upload, User
from sched_async.testing import Client, signed_in
from sched_async.times import now

from .appointments import add
from .mailbox import MAIL_URL
from .pages import hidden_fields, text
from .rows import all_rows
from .security import same_for_all
from .tables import each

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL, REGISTRATION="open")

PUBLIC = {
    "static",
    "health.live",
    "health.ready",
    "login.login",
    "login_second_step.ask",
    "first_account.setup",
    "password_reset.forgot",
    "password_reset.open_link",
    "password_reset.reset",
    "register.register",
    "register.open_link",
    "register.confirm_address",
    "invitations.open_link",
    "appointments.home",
    "feeds.read",
}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}

# What one does to an account is either risky, and wants a proof of who one is that is not
# older than ten minutes (ASVS 7.5.1, 7.5.2) …
RISKY = {
    "admin.change",
    "admin.invite",
    "admin.reset_link",
    "email.index",
    "password.index",
    "devices.sign_out",
    "devices.sign_out_others",
    "delete_account.delete_account",
    "two_factor.recovery_codes",
    "two_factor.set_up",
    "two_factor.turn_off",
}
# What is shown after a proof only, too.
RISKY_PAGES = {
    "email.index",
    "password.index",
    "delete_account.delete_account",
    "export.download",
    "delete_account.index",
    "two_factor.set_up",
}
# The same, for whoever has a second factor.
FACTOR_PAGES = {"two_factor.recovery_codes", "two_factor.turn_off"}
# What shows a page for a link that a browser carries.
CARRIED = {
    "password_reset.reset",
    "login_second_step.ask",
    "register.confirm_address",
    "register.register",
}
# … or it is safe to do.
SAFE_TO_DO = {
    "email.confirm_address",  # by a link that only a proof has sent
    "profile.index",
    "two_factor.index",  # asks for more codes, never for fewer
}


# What stands for each argument in an address.  With ``everything`` all of it is there.
ARGUMENTS = {
    "filename": "style.css",
    "appointment_id": 1,
    "calendar_id": 1,
    "session_id": 1,
    "user_id": 1,
    "act_id": 1,
    "act": "sign-out",
    "kind": "all",
    "view": "month",
    "key": "2026-11",
}
# The purpose of the token in the address of a link.
LINKS = {
    "email.confirm_address": "change-email",
    "invitations.open_link": "invite",
    "password_reset.open_link": "reset",
    "first_account.setup": "setup",
    "register.open_link": "register",
}
PURPOSES = {*LINKS.values(), "second-step"}
EMPTY_FILE = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
UPLOAD = "upload"  # what stands for the token of a file that waits to be imported


def token(purpose: str) -> str:
    return purpose.ljust(43, "x")


def rules(app: Quart, methods: set[str]) -> Iterator[tuple[Rule, str, str]]:
    """Every route and method among ``methods``, with an address it answers to."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {
            name: token(LINKS.get(rule.endpoint, UPLOAD)) if name == "token" else ARGUMENTS[name]
            for name in rule.arguments
        }
        for method in sorted((rule.methods or set()) & methods):
            yield rule, method, adapter.build(rule.endpoint, values)


async def contents(app: Quart) -> dict[str, list[object]]:
    async with app.app_context(), begin() as db:
        tables = [table.name for table in Base.metadata.sorted_tables]
        return {
            name: [tuple(row) for row in await db.execute(sql(f'SELECT * FROM "{name}"'))]
            for name in tables
        }


@pytest.fixture
async def dentist(app: Quart, alice: User) -> Appointment:
    """Alice's, tomorrow."""
    start = datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(days=1)
    await add(app, alice, Facts("Dentist", start, start + timedelta(hours=1), False, "UTC"))
    (appointment,) = await all_rows(app, Appointment)
    return appointment


@pytest.fixture
async def everything(app: Quart, dentist: Appointment, alice: User) -> None:
    """Something of Alice's under every address: a session, an appointment, a link of each kind."""
    await signed_in(app, "alice@example.org")
    data = {"name": "Alice", "password": hash_token(alice.password_hash)}
    facts = {"data": data, "expires_at": now() + timedelta(hours=1)}
    hers, anothers = {"user_id": alice.id, "email": alice.email}, {"email": "new@example.org"}
    async with app.app_context(), begin() as db:
        for purpose in PURPOSES:
            whose = anothers if purpose in ("invite", "register") else hers
            hashed = hash_token(token(purpose))
            db.add(OneTimeToken(token_hash=hashed, purpose=purpose, **whose, **facts))
        waiting = {
            "token_hash": hash_token(token(UPLOAD)),
            "calendar_id": 1,
            "name": "",
            "data": EMPTY_FILE,
        }
        db.add(Upload(user_id=alice.id, **waiting, expires_at=facts["expires_at"]))
        assert await db.scalar(select(LoginSession.id)) == ARGUMENTS["session_id"]
    assert alice.id == ARGUMENTS["user_id"]
    assert dentist.id == ARGUMENTS["appointment_id"]
    assert dentist.calendar_id == ARGUMENTS["calendar_id"]


async def test_every_route_is_public_on_purpose(app: Quart, everything: None) -> None:
    """ASVS 8.2.1: a stranger, who has a token for forms, is sent to the login page."""
    client = Client(app)
    before = await contents(app)
    for rule, method, path in rules(app, {"GET"} | UNSAFE):
        if method == "GET" or rule.endpoint not in PUBLIC:
            response = await client.open(path, method=method)
            location = response.location or ""
            # Nobody has to sign in in order to sign out, so that page is not led back to.
            leads_back = location.startswith("/login/?next=") or (
                rule.endpoint == "login.logout" and location == "/login/"
            )
            asks_to_sign_in = response.status_code == 401 or leads_back
            assert asks_to_sign_in == (rule.endpoint not in PUBLIC), (rule, method)
    assert await contents(app) == before


@each("token", [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "made.up"}])
async def test_scripts_are_told_of_every_private_route_that_they_have_to_sign_in(
    app: Quart, everything: None, token: dict[str, str]
) -> None:
    """Whatever token for forms they bring: a right one, none, or one that was made up."""
    client = Client(app)
    before = await contents(app)
    for rule, method, path in rules(app, {"GET"} | UNSAFE):
        if rule.endpoint not in PUBLIC:
            response = await client.open(path, method=method, headers={"Accept": "*/*", **token})
            told = response.status_code, response.mimetype
            assert told == (401, "application/json"), (rule, method)
            assert "Set-Cookie" not in response.headers
    assert await contents(app) == before


@pytest.mark.parametrize(
    "forged",
    [{"X-CSRF-Token": "made.up"}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "none"}],
    ids=lambda forged: next(iter(forged)),
)
async def test_every_unsafe_method_needs_the_token(
    app: Quart, everything: None, forged: dict[str, str]
) -> None:
    """ASVS 3.5.1: and a page of ours that sends it."""
    client = await signed_in(app, "alice@example.org")
    async with client.session_transaction() as session:
        session.update({purpose: token(purpose) for purpose in PURPOSES})
    headers = {"X-CSRF-Token": await client.csrf_token(), **forged}
    before = await contents(app)
    for rule, method, path in rules(app, UNSAFE):
        response = await client.open(path, method=method, headers=headers)
        assert response.status_code == 403, (rule, method)
        assert "a form works only in the browser" in await text(response), (rule, method)
    assert await contents(app) == before


def test_everything_done_to_an_account_is_risky_or_safe_on_purpose(app: Quart) -> None:
    area = {
        rule.endpoint
        for rule, _, path in rules(app, UNSAFE)
        if path.startswith(("/account/", "/admin/"))
    }
    assert area == RISKY | SAFE_TO_DO
    assert not RISKY & SAFE_TO_DO
    guarded = {
        name for name, view in app.view_functions.items() if hasattr(view, "fresh_login_required")
    }
    assert guarded >= RISKY
    assert not guarded & SAFE_TO_DO


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/json"}])
async def test_everything_risky_asks_for_a_proof_first(
    app: Quart, everything: None, headers: dict[str, str]
) -> None:
    """ASVS 7.5.1."""
    client = await signed_in(app, "alice@example.org")
    async with app.app_context(), begin() as db:
        await db.execute(sql("UPDATE login_session SET proven_at = proven_at - 600"))
    before = await contents(app)
    headers = {**headers, "X-CSRF-Token": await client.csrf_token()}
    tried = set()
    for rule, method, path in rules(app, UNSAFE):
        if rule.endpoint in RISKY:
            response = await client.open(path, method=method, headers=headers)
            assert response.status_code == 403, rule
            if "Accept" in headers:
                page = (await response.get_json())["confirm"].removeprefix("/confirm/?next=")
            else:
                page = (await hidden_fields(response))["next"]
            assert page.startswith("/a"), rule
            assert (await client.get(page)).status_code != 405, rule
            tried.add(rule.endpoint)
    assert tried == RISKY
    assert await contents(app) == before


def unbound_fields(of: type[Form] = Form) -> Iterator[tuple[str, Any]]:
    """The fields of every form, with their names."""
    for form in of.__subclasses__():
        yield from (pair for pair in vars(form).items() if isinstance(pair[1], UnboundField))
        yield from unbound_fields(form)


def test_browsers_send_every_address_as_it_is_typed() -> None:
    """Of an input of type email they send none with letters beyond ASCII before the @."""
    kinds = {name: field.field_class for name, field in unbound_fields()}
    assert {"username", "email"} <= set(kinds)
    assert [name for name, kind in kinds.items() if issubclass(kind, EmailField)] == []


def test_every_password_and_code_has_a_name_by_which_it_is_never_carried() -> None:
    """What was sent before the confirmation is carried on, but for these."""
    secret = {
        name for name, field in unbound_fields() if issubclass(field.field_class, PasswordField)
    }
    assert secret
    assert all(any(part in name for part in SECRET) for name in secret), secret


async def test_only_a_refused_form_without_a_secret_is_kept_for_going_back(
    app: Quart, everything: None, alice: User
) -> None:
    """Else Back leads to a question whether to send it again; what holds a secret is not kept."""
    client = await signed_in(app, alice.email)
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(is_admin=True))
    kept, not_kept = set[str](), set[str]()
    for rule, _, path in rules(app, {"POST"}):
        async with client.session_transaction() as session:
            session.update({purpose: token(purpose) for purpose in PURPOSES})
        if rule.endpoint in ("login.logout", "admin.change", "appointments.delete"):
            continue  # ends the session, or what the others are about
        response = await client.post(path, form={"nonsense": "x"})
        if response.status_code == 422:
            page = (await text(response)).partition("<main")[2]
            has_secret = re.search('type="password"|name="(code|link)"', page)
            (policy,) = response.headers.getlist("Cache-Control")
            assert policy == ("no-store" if has_secret else "private, no-cache"), rule
            # With another cookie, as the next message sets it, Back would find nothing.
            assert ("Cookie" in response.headers.get("Vary", "")) == bool(has_secret), rule
            (not_kept if has_secret else kept).add(rule.endpoint)
    assert kept >= {"appointments.create", "appointments.edit", "profile.index", "email.index"}
    assert kept >= {"admin.invite", "password_reset.forgot", "calendars.create", "calendars.edit"}
    assert not_kept >= {
        "login.login",
        "password.index",
        "password_reset.reset",
        "two_factor.set_up",
    }


@pytest.mark.parametrize("has_factor", [False, True], ids=["password", "second-factor"])
@pytest.mark.parametrize("age", [0, 600], ids=["fresh", "stale"])
async def test_no_get_changes_anything(
    app: Quart, everything: None, age: int, has_factor: bool
) -> None:
    """Whatever links the browser carries, and however old the proof of who it is."""
    client = await signed_in(app, "alice@example.org")
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(totp_secret="kept" if has_factor else None))
        await db.execute(sql("UPDATE login_session SET proven_at = proven_at - :age"), {"age": age})
    before = await contents(app)
    pages = set()
    for rule, method, path in rules(app, {"GET", "HEAD", "OPTIONS"}):
        async with client.session_transaction() as session:
            session.update({purpose: token(purpose) for purpose in PURPOSES})
        response = await client.open(path, method=method)
        assert response.status_code < 500, (rule, method)
        if response.status_code == 200 and method == "GET":
            pages.add(rule.endpoint)
    assert await contents(app) == before
    risky = RISKY_PAGES | (FACTOR_PAGES if has_factor else set())
    assert pages >= CARRIED
    assert pages & (RISKY_PAGES | FACTOR_PAGES) == (set() if age else risky)


OTHERS = {
    "appointment_id": 404,
    "calendar_id": 404,
    "act_id": 404,
    "user_id": 404,
    "session_id": 303,
}
"""How a row of somebody else's is answered, as one that does not exist is."""


async def test_another_persons_row_is_a_missing_row(
    app: Quart, everything: None, mallory: User
) -> None:
    """ASVS 8.2.2: also to their own administrator, where it is a session."""
    client = await signed_in(app, "mallory@example.org")
    form = {"title": "Mine now", "start": "2027-01-01T10:00", "end": "2027-01-01T11:00"}
    before = await contents(app)
    tried = Counter[str]()
    for rule, method, path in rules(app, {"GET"} | UNSAFE):
        for name in rule.arguments & OTHERS.keys():
            none = re.sub(r"/1(?=[/.])", "/404404", path)
            how = {"method": method, "form": form if method != "GET" else None}
            theirs, missing = [await seen(client, address, **how) for address in (path, none)]
            assert theirs == missing, (rule, method)
            assert theirs[0] == OTHERS[name], (rule, method)
            tried[name] += 1
    assert tried == {
        "appointment_id": 7,
        "calendar_id": 13,
        "act_id": 1,
        "user_id": 4,
        "session_id": 1,
    }
    assert await contents(app) == before


async def seen(client: Client, path: str, **how: Any) -> tuple[int, str | None, str]:
    """What differs between two answers, but for what always does."""
    response = await client.open(path, **how)
    async with client.session_transaction() as session:
        session.pop("_flashes", None)
    return response.status_code, response.location, await same_for_all(response)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_of_somebody_elses_account_does_not_exist(
    app: Quart, everything: None, mallory: User, method: str
) -> None:
    client = await signed_in(app, "mallory@example.org")
    before = await contents(app)
    good = f"/account/email/{token('change-email')}/"
    theirs, missing = [
        await seen(client, path, method=method) for path in (good, "/account/email/none/")
    ]
    assert theirs == missing
    assert theirs[0] == 404
    assert await contents(app) == before


async def test_nobody_else_sees_an_appointment_in_a_list(
    app: Quart, dentist: Appointment, mallory: User
) -> None:
    client = await signed_in(app, "mallory@example.org")
    for path in ("/appointments/", "/appointments/?past=1"):
        assert "Dentist" not in await text(await client.get(path))


async def test_nobody_else_sees_a_calendar_or_can_choose_it(
    app: Quart, everything: None, mallory: User
) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(Calendar).where(Calendar.id == 1).values(name="Her secret"))
    client = await signed_in(app, "mallory@example.org")
    for path in ("/calendars/", "/calendars/create/", "/appointments/create/?calendar=1"):
        assert "Her secret" not in await text(await client.get(path))
    before = await contents(app)
    form = {"title": "Mine", "start": "2027-01-01T10:00", "end": "2027-01-01T11:00"}
    response = await client.post("/appointments/create/", form=form | {"calendar": "1"})
    assert response.status_code == 422
    assert await contents(app) == before


async def test_a_new_route_is_private_without_saying_so(
    settings: dict[str, object],
) -> None:
    from sched_async.app import create_app

    app = create_app(settings)

    @app.route("/later/")
    async def later() -> str:
        return "not for everybody"

    async with app.test_app():
        response = await app.test_client().get("/later/")
    assert response.status_code == 303
    assert response.location == "/login/?next=/later/"
