"""The pages where an administrator looks after accounts."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from quart import Quart
from sqlalchemy import insert, select, update

from sched_async.accounts.admin.actions import ACTIONS, act_on
from sched_async.database import begin, reading
from sched_async.models import Activity, LoginSession, OneTimeToken, User
from sched_async.testing import Client, signed_in

from ..mailbox import MAIL_URL, link_in, mails
from ..pages import asks_to_confirm, text
from ..rows import activities

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL, REGISTRATION="invite")

PEOPLE = "/admin/users/"


@pytest.fixture
async def admin(app: Quart, alice: User) -> Client:
    """Alice made the first account, so she looks after the others."""
    return await signed_in(app, alice.email)


async def person(app: Quart, user_id: int) -> User:
    async with app.app_context(), reading() as db:
        return await db.get_one(User, user_id)


async def test_the_first_account_is_an_administrator_and_the_second_is_not(
    app: Quart, alice: User, mallory: User
) -> None:
    assert (await person(app, alice.id)).is_admin
    assert not (await person(app, mallory.id)).is_admin


async def test_for_everybody_else_these_pages_do_not_exist(
    app: Quart, alice: User, mallory: User
) -> None:
    """ASVS 8.2.1."""
    client = await signed_in(app, mallory.email)
    assert "/admin/" not in await text(await client.get("/appointments/"))
    for path in (PEOPLE, f"{PEOPLE}{alice.id}/"):
        assert (await client.get(path)).status_code == 404
    for act in (*ACTIONS, "reset-link"):
        assert (await client.post(f"{PEOPLE}{alice.id}/{act}/")).status_code == 404
    invite = await client.post(f"{PEOPLE}invite/", form={"email": "eve@example.org"})
    assert invite.status_code == 404
    assert (await person(app, alice.id)).is_active
    assert await mails(app) == []


async def test_losing_the_role_counts_at_the_next_request(app: Quart, admin: Client) -> None:
    """ASVS 8.3.2."""
    assert (await admin.get(PEOPLE)).status_code == 200
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(is_admin=False))
    assert (await admin.get(PEOPLE)).status_code == 404


@pytest.mark.databases("sqlite", "postgresql")
async def test_the_list_shows_who_has_an_account_and_finds_them(
    app: Quart, admin: Client, mallory: User
) -> None:
    everybody = await text(await admin.get(PEOPLE))
    assert "alice@example.org" in everybody
    assert "mallory@example.org" in everybody
    found = await text(await admin.get(f"{PEOPLE}?q=MALL"))
    assert "mallory@example.org" in found
    assert f'{PEOPLE}{mallory.id}/"' in found
    assert f'{PEOPLE}1/"' not in found
    assert "Show everyone" in await text(await admin.get(f"{PEOPLE}?q=%25"))


@pytest.mark.databases("sqlite", "postgresql")
async def test_the_list_is_fifty_people_a_page_and_loses_nobody(app: Quart, admin: Client) -> None:
    rest = {"password_hash": "", "timezone": "UTC"}
    people = [
        {"name": f"P{number:03}", "email": f"p{number:03}@example.org"} | rest
        for number in range(70)
    ]
    async with app.app_context(), begin() as db:
        await db.execute(insert(User), people)
    first = await text(await admin.get(PEOPLE))
    second = await text(await admin.get(f"{PEOPLE}?after=p048@example.org"))
    assert "?after=p048@example.org" in first.replace("%40", "@")
    shown = [number for number in range(70) for page in (first, second) if f"p{number:03}@" in page]
    assert set(shown) == set(range(70))
    assert "P010" not in second


async def test_a_page_about_somebody_shows_nothing_of_their_days_or_password(
    app: Quart, admin: Client, mallory: User
) -> None:
    hers = await signed_in(app, mallory.email)
    form = {"title": "Secret lunch", "start": "2030-01-01T12:00", "end": "2030-01-01T13:00"}
    assert (await hers.post("/appointments/create/", form=form)).status_code == 303
    page = await text(await admin.get(f"{PEOPLE}{mallory.id}/"))
    assert "mallory@example.org" in page
    assert "Secret lunch" not in page
    assert 'type="password"' not in page
    assert (await person(app, mallory.id)).password_hash not in page
    assert (await admin.get("/appointments/1/")).status_code == 404


Check = Callable[[User], bool]


def is_admin(user: User) -> bool:
    return user.is_admin


@pytest.mark.parametrize(
    ("act", "event", "told", "holds"),
    [
        ("deactivate", "deactivated", "has been deactivated", lambda user: not user.is_active),
        (
            "require-second-factor",
            "second_factor_required",
            "must now use two-factor authentication",
            lambda user: user.needs_second_factor,
        ),
        ("make-administrator", "made_administrator", "is now an administrator", is_admin),
    ],
)
async def test_an_act_is_done_told_and_written_down_for_its_owner(
    app: Quart, admin: Client, mallory: User, act: str, event: str, told: str, holds: Check
) -> None:
    assert not holds(await person(app, mallory.id))
    response = await admin.post(f"{PEOPLE}{mallory.id}/{act}/")
    assert (response.status_code, response.location) == (303, f"{PEOPLE}{mallory.id}/")
    assert f"{mallory.email} {told}" in await text(await admin.get(response.location))
    assert holds(await person(app, mallory.id))
    assert await activities(app, mallory.id) == [event]
    async with app.app_context(), reading() as db:
        (row,) = await db.scalars(select(Activity).where(Activity.user_id == mallory.id))
    assert (row.address, row.user_agent) == ("", ""), "where the administrator sits is theirs"


@pytest.mark.parametrize(
    ("act", "undo"),
    [
        ("deactivate", "activate"),
        ("require-second-factor", "release-second-factor"),
        ("make-administrator", "end-administrator"),
    ],
)
async def test_an_act_can_be_undone(
    app: Quart, admin: Client, mallory: User, act: str, undo: str
) -> None:
    for step in (act, undo):
        assert (await admin.post(f"{PEOPLE}{mallory.id}/{step}/")).status_code == 303
    after = await person(app, mallory.id)
    assert (after.is_active, after.needs_second_factor, after.is_admin) == (True, False, False)


@pytest.mark.parametrize("act", ["deactivate", "sign-out"])
async def test_sessions_of_that_person_and_of_nobody_else_end(
    app: Quart, admin: Client, mallory: User, act: str
) -> None:
    """ASVS 7.4.2 and 7.4.5."""
    hers = [await signed_in(app, mallory.email) for _ in range(2)]
    await admin.post(f"{PEOPLE}{mallory.id}/{act}/")
    for client in hers:
        assert (await client.get("/appointments/")).status_code == 303
    assert (await admin.get("/appointments/")).status_code == 200


@pytest.mark.parametrize("act", ["deactivate", "end-administrator"])
async def test_an_administrator_cannot_shut_themselves_out(
    app: Quart, admin: Client, alice: User, act: str
) -> None:
    response = await admin.post(f"{PEOPLE}{alice.id}/{act}/")
    told = await text(await admin.get(response.location or ""))
    assert "Only another administrator can do this to your account." in told
    after = await person(app, alice.id)
    assert (after.is_active, after.is_admin) == (True, True)


async def test_a_reset_link_goes_to_its_owner_alone(
    app: Quart, admin: Client, mallory: User
) -> None:
    """ASVS 6.4.6: an administrator starts a reset, and neither sees nor sets the password."""
    response = await admin.post(f"{PEOPLE}{mallory.id}/reset-link/")
    page = await text(await admin.get(response.location or ""))
    (mail,) = await mails(app)
    assert mail.recipient == "mallory@example.org"
    assert "reset link to mallory@example.org" in page
    assert link_in(mail).rsplit("/", 2)[1] not in page


async def test_an_invitation_goes_to_its_address_alone(app: Quart, admin: Client) -> None:
    response = await admin.post(f"{PEOPLE}invite/", form={"email": "Eve@Example.org"})
    page = await text(await admin.get(response.location or ""))
    (mail,) = await mails(app)
    assert mail.recipient == "eve@example.org"
    assert "invitation to eve@example.org" in page
    assert link_in(mail).rsplit("/", 2)[1] not in page


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("no address", "This is not an email address."),
        ("mallory@example.org", "account with this address"),
        ("", "This field is required."),
    ],
)
async def test_an_invitation_that_cannot_be_is_refused_at_its_field(
    app: Quart, admin: Client, mallory: User, typed: str, sentence: str
) -> None:
    response = await admin.post(f"{PEOPLE}invite/", form={"email": typed})
    page = await text(response)
    assert response.status_code == 422
    assert sentence in page
    assert f'value="{typed}"' in page
    assert await mails(app) == []


async def test_without_mail_the_page_names_the_command_that_prints_the_link(
    app: Quart, admin: Client, mallory: User
) -> None:
    app.config["MAIL_URL"] = None
    response = await admin.post(f"{PEOPLE}{mallory.id}/reset-link/")
    told = await text(await admin.get(response.location or ""))
    assert "sched-async user reset-link mallory@example.org" in told
    invite = await admin.post(f"{PEOPLE}invite/", form={"email": "eve@example.org"})
    assert "sched-async user invite eve@example.org" in await text(invite)
    async with app.app_context(), reading() as db:
        assert list(await db.scalars(select(OneTimeToken))) == []


@pytest.mark.parametrize("act", [*ACTIONS, "reset-link"])
async def test_every_act_wants_a_fresh_proof(
    app: Quart, admin: Client, mallory: User, act: str
) -> None:
    """ASVS 7.5.1."""
    async with app.app_context(), begin() as db:
        for row in await db.scalars(select(LoginSession)):
            row.proven_at -= timedelta(minutes=11)
    path = f"{PEOPLE}{mallory.id}/"
    assert await asks_to_confirm(await admin.post(f"{path}{act}/"), path)
    assert await activities(app, mallory.id) == []


@pytest.mark.parametrize("path", ["404404/", "404404/deactivate/", "1/promote/", "1/get/"])
async def test_somebody_or_something_that_is_not_there_is_missing(
    app: Quart, admin: Client, path: str
) -> None:
    method = "GET" if path == "404404/" else "POST"
    assert (await admin.open(f"{PEOPLE}{path}", method=method)).status_code == 404


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.parametrize("act", ["deactivate", "end-administrator"])
async def test_two_administrators_cannot_end_each_other(
    app: Quart, admin: Client, alice: User, mallory: User, act: str
) -> None:
    async with app.app_context():
        await act_on(mallory.email, "make-administrator")
    other = await signed_in(app, mallory.email)
    answers = await asyncio.gather(
        admin.post(f"{PEOPLE}{mallory.id}/{act}/"), other.post(f"{PEOPLE}{alice.id}/{act}/")
    )
    assert 303 in [answer.status_code for answer in answers]
    people = [await person(app, user.id) for user in (alice, mallory)]
    assert [user.is_admin and user.is_active for user in people].count(True) == 1


@pytest.mark.databases("postgresql")
async def test_an_administrator_who_is_being_ended_ends_nobody(
    app: Quart, admin: Client, alice: User, mallory: User
) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(is_admin=User.id == mallory.id))
        act = asyncio.create_task(admin.post(f"{PEOPLE}{mallory.id}/deactivate/"))
        done, _ = await asyncio.wait([act], timeout=0.5)
        assert not done
    assert (await act).status_code == 404
    assert (await person(app, mallory.id)).is_active


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Grete", "GRETE"),
        ("GRETE", "grete"),
        ("\u00c4nne M\u00dcLLER", "\u00e4nne m\u00fcller"),
        ("\u0141ukasz", "\u0142UKASZ"),
        ("\u03a9MEGA", "\u03c9m"),
        ("Zo\u00eb", "zO\u00cb"),
    ],
)
async def test_people_are_found_whatever_their_capitals(
    app: Quart, admin: Client, mallory: User, name: str, wanted: str
) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(User).where(User.id == mallory.id).values(name=name))
    found = await text(await admin.get(PEOPLE, query_string={"q": wanted}))
    assert "mallory@example.org" in found


@pytest.mark.databases("sqlite")
async def test_requiring_two_factor_of_oneself_asks_first(
    app: Quart, admin: Client, alice: User, mallory: User
) -> None:
    """It would leave an administrator nothing but setting it up, by one press."""
    path = f"{PEOPLE}{alice.id}/require-second-factor/"
    asked = await admin.post(path)
    assert (asked.status_code, asked.location) == (303, f"{path}sure/")
    assert not (await person(app, alice.id)).needs_second_factor
    question = await text(await admin.get(f"{path}sure/"))
    assert "Require two-factor authentication for your own account?" in question
    assert 'name="sure"' in question
    assert (await admin.post(path, form={"sure": "y"})).status_code == 303
    assert (await person(app, alice.id)).needs_second_factor


@pytest.mark.databases("sqlite")
async def test_requiring_two_factor_asks_nothing_where_it_shuts_nobody_out(
    app: Quart, admin: Client, alice: User, mallory: User
) -> None:
    theirs = f"{PEOPLE}{mallory.id}/require-second-factor/"
    assert (await admin.get(f"{theirs}sure/")).location == f"{PEOPLE}{mallory.id}/"
    await admin.post(theirs)
    assert (await person(app, mallory.id)).needs_second_factor
    async with app.app_context(), begin() as db:
        await db.execute(update(User).where(User.id == alice.id).values(totp_secret="x"))
    await admin.post(f"{PEOPLE}{alice.id}/require-second-factor/")
    assert (await person(app, alice.id)).needs_second_factor
