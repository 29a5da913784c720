"""Every setting: its name, its default and its check.

A setting comes from the environment as ``SCHED_<name>``, or from the mapping given
to ``create_app``, which wins.  It is read once; a value that cannot be right, or a
``SCHED_`` name that does not exist, raises ``SettingError`` with one clear line.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import idna
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from . import email_addresses

PREFIX = "SCHED_"
DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg")
DEFAULT_PORTS = {"http": 80, "https": 443}
MAIL_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
MIN_SECRET = 32
HOST_NAME = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
# What Kubernetes tells every container about a service, SCHED_PORT=tcp://10.0.0.9:80 and so on.
OF_A_SERVICE = re.compile(
    r"SCHED_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)))=.*"
    r"|SCHED_(\w+_)?PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
)
EXAMPLE_WORDS = ("changeme", "change-me", "change_me", "example", "secret", "development")


class SettingError(Exception):
    """A setting cannot be used; the message says which, why, and what would do."""


@dataclass(frozen=True)
class PublicUrl:
    """Where people reach the application: its scheme and ``host[:port]``."""

    scheme: str
    netloc: str

    @property
    def is_https(self) -> bool:
        return self.scheme == "https"

    @property
    def host(self) -> str:
        """Without port and brackets."""
        return urlsplit(str(self)).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(str(self)).port or DEFAULT_PORTS[self.scheme]

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    def cookie_name(self, name: str) -> str:
        """Of our own: a browser sends a host's cookies to all of its ports.

        >>> PublicUrl("https", "nas.example:8443").cookie_name("sched_login")
        '__Host-sched_login_8443'
        """
        port = urlsplit(str(self)).port
        return ("__Host-" if self.is_https else "") + name + (f"_{port}" if port else "")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@dataclass(frozen=True)
class MailServer:
    """Who takes our mail; as text it has no user and no password."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port or brackets, is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def folder(text: str) -> Path:
    return Path(text).absolute()


def database_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter would repeat a misplaced password
        raise ValueError("is not a database URL") from None
    if url.drivername not in DRIVERS:
        raise ValueError(f"must begin with {' or '.join(f'{name}://' for name in DRIVERS)}")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("must name a file, since a database in memory forgets everything")
    return url


def secret_key(text: str) -> str:
    if len(text) < MIN_SECRET or len(set(text)) < MIN_SECRET // 4:
        raise ValueError(f"must be at least {MIN_SECRET} random characters")
    if any(word in text.lower() for word in EXAMPLE_WORDS):
        raise ValueError("looks like an example; use random characters")
    return text


def secret_keys(text: str) -> list[str]:
    return [secret_key(part) for part in text.split(",") if part]


def host_name(name: str) -> str:
    """As browsers and mail servers are asked for it: in ASCII.

    >>> host_name("straße.münchen.example"), host_name("my_nas")
    ('xn--strae-oqa.xn--mnchen-3ya.example', 'my_nas')
    """
    try:
        labels = idna.uts46_remap(name, std3_rules=False).split(".")
    except idna.IDNAError:
        return ""
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels
    )


def public_url(text: str) -> PublicUrl:
    try:
        parts = urlsplit(text.rstrip("/"))
        default_port = DEFAULT_PORTS[parts.scheme]
        port = parts.port
    except (KeyError, ValueError):
        raise ValueError("must look like https://sched.example.org") from None
    name = host_name(parts.hostname or "")
    more = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    if more or not HOST_NAME.fullmatch(name):
        raise ValueError("must be a scheme and a host, without a path")
    host = f"[{name}]" if ":" in name else name
    return PublicUrl(parts.scheme, host if port in (None, default_port) else f"{host}:{port}")


def mail_server(text: str) -> MailServer:
    try:
        parts = urlsplit(text.rstrip("/"))
        usual_port = MAIL_PORTS[parts.scheme]
        port = parts.port or usual_port
    except (KeyError, ValueError):  # neither may be shown: it could be part of a password
        raise ValueError(
            "must look like smtp+starttls://user:password@mail.example.org, or begin with "
            "smtps:// or smtp://"
        ) from None
    host = host_name(parts.hostname or "")
    if parts.path or parts.query or parts.fragment or not HOST_NAME.fullmatch(host):
        raise ValueError("has no usable host; in a password, write / as %2F and # as %23")
    if bool(parts.username) != bool(parts.password):
        raise ValueError("needs both a user and a password, or neither")
    if parts.password and parts.scheme == "smtp" and not is_loopback(host):
        raise ValueError("would send its password unencrypted; use smtps:// or smtp+starttls://")
    account = (unquote(part) for part in (parts.username, parts.password) if part)
    return MailServer(parts.scheme, host, port, *account)


def mail_address(text: str) -> str:
    try:
        return email_addresses.for_mail(text)
    except ValueError:
        raise ValueError("must be an email address like sched@example.org") from None


def _own_address(host: str) -> str:
    """An address at this host, where an IP address is written as RFC 5321 says."""
    try:
        version = ip_address(host).version
    except ValueError:
        return f"sched@{host}"
    return f"sched@[{host}]" if version == 4 else f"sched@[IPv6:{host}]"


def one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text.lower()

    return read


def between(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return read


@dataclass(frozen=True)
class Setting:
    """One setting; ``default`` is read like a given value, "" means worked out at start."""

    name: str
    default: str
    read: Callable[[str], Any]
    meaning: str


SETTINGS = (
    Setting("DATA_DIR", "instance", folder, "folder for the database and the secret key"),
    Setting(
        "DATABASE_URL",
        "",
        database_url,
        "`sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`; empty: `sched.db` in the data folder",
    ),
    Setting(
        "SECRET_KEY",
        "",
        secret_key,
        "signs cookies and encrypts two-factor secrets; empty: created once and stored in the data "
        "folder (mode 0600). Must be the same on every node",
    ),
    Setting(
        "SECRET_KEY_FALLBACKS",
        "",
        secret_keys,
        "earlier keys, separated by commas; cookies and two-factor secrets made with them stay "
        "valid",
    ),
    Setting(
        "PUBLIC_URL",
        "http://localhost:8000",
        public_url,
        "the address people use; decides links, cookies, and which Host and Origin are accepted",
    ),
    Setting(
        "HSTS",
        "host",
        one_of("host", "subdomains", "off"),
        "with an `https` address: tells browsers to use only https for two years, for this `host` "
        "or its `subdomains` too; or `off`",
    ),
    Setting(
        "TRUSTED_PROXIES",
        "0",
        between(0, 9),
        "number of proxies in front whose X-Forwarded-* headers are trusted",
    ),
    Setting(
        "HASH_THREADS",
        "",
        between(1, 64),
        "threads that hash passwords; empty: one fewer than the machine's cores",
    ),
    Setting(
        "LOGIN_LIMIT_ACCOUNT",
        "10",
        between(1, 1_000_000),
        "wrong passwords allowed for an account from one IP address, or from one known browser",
    ),
    Setting(
        "LOGIN_LIMIT_ADDRESS",
        "60",
        between(1, 1_000_000),
        "wrong passwords allowed from one IP address (for IPv6, from one /64)",
    ),
    Setting(
        "REGISTRATION",
        "closed",
        one_of("closed", "invite", "open"),
        "who can create an account: `closed` (only the operator can add people), `invite` (people "
        "with an invitation) or `open` (anyone with an email address)",
    ),
    Setting(
        "FOLLOW_PRIVATE",
        "no",
        one_of("no", "yes"),
        "whether calendars can follow addresses in private networks, and on this machine: `yes` or "
        "`no`",
    ),
    Setting(
        "MAIL_URL",
        "",
        mail_server,
        "SMTP server: `smtp+starttls://user:password@host:587`, `smtps://…`, or `smtp://…` without "
        "encryption; empty: no email is sent",
    ),
    Setting(
        "MAIL_FROM",
        "",
        mail_address,
        "From address of outgoing email; empty: `sched@` and the host of SCHED_PUBLIC_URL",
    ),
)

# Former settings: the server still starts where they are set.
RETIRED = frozenset({"HASH_QUEUE", "LOGIN_LIMIT_ALL", "LOGIN_LIMIT_MINUTES"})


def retired() -> list[str]:
    """Former settings that the environment still sets."""
    return [PREFIX + name for name in sorted(RETIRED) if PREFIX + name in os.environ]


def load(settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read every setting; keys of ``settings`` that are none pass through to Quart."""
    given = dict(settings or {})
    known = {setting.name for setting in SETTINGS}
    for name in os.environ:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known | RETIRED:
            _refuse_unknown(name, known)
    for setting in SETTINGS:
        fallback = os.environ.get(PREFIX + setting.name, "") or setting.default
        value = given.get(setting.name)
        given[setting.name] = _read(setting, fallback if value in ("", None) else value)
    given["HASH_THREADS"] = given["HASH_THREADS"] or max(1, (os.cpu_count() or 1) - 1)
    given["MAIL_FROM"] = given["MAIL_FROM"] or _own_address(given["PUBLIC_URL"].host)
    if given["REGISTRATION"] == "open" and given["MAIL_URL"] is None:
        raise SettingError(
            f"{PREFIX}REGISTRATION=open needs {PREFIX}MAIL_URL: people confirm their address "
            "with a link that is emailed to them. Without email, use “invite”."
        )
    if given["DATABASE_URL"] is None:
        path = given["DATA_DIR"] / "sched.db"
        given["DATABASE_URL"] = URL.create("sqlite+aiosqlite", database=str(path))
    return given


def _read(setting: Setting, value: Any) -> Any:
    if value == "":
        return None
    try:
        return setting.read(",".join(value) if isinstance(value, list) else str(value))
    except ValueError as error:
        raise SettingError(f"{PREFIX}{setting.name} {error}.") from None


def _refuse_unknown(name: str, known: set[str]) -> None:
    """A name is a mistake, unless a cluster has set it where a service is called sched."""
    if OF_A_SERVICE.fullmatch(f"{name}={os.environ[name]}"):
        return
    near = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
    hint = f" Did you mean {PREFIX}{near[0]}?" if near else ""
    raise SettingError(f"{name} is not a setting.{hint}")
