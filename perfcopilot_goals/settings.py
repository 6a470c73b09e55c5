"""The environment, read once into a frozen value.

Every setting from the environment is here, with its default. Settings of one connection, such as its GID and its token
reference, are in the database. The two entry points load the settings once and hand them in: `definitions.py`, and the
command line's `Session`. Dagster makes the classes in `defs/instance.py` itself, so these load them too.
"""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from perfcopilot_goals.domain.limits import HISTORY_DAYS, RETENTION_DAYS
from perfcopilot_goals.domain.web_address import is_loopback, parse_web_address
from perfcopilot_goals.errors import GoalsConfigError

DEFAULT_TOKEN_REF = "env:ASANA_ACCESS_TOKEN"
DEFAULT_SYNC_CRON = "17 5 * * *"
DEFAULT_UI_URL = "http://127.0.0.1:3000"
DEFAULT_USER_HEADER = "X-Forwarded-Email"


@dataclass(frozen=True)
class Settings:
    """The settings from the environment. `database_url` is None if the local Postgres is used."""

    project_root: Path
    home: Path
    dagster_home: Path
    # Its password is a secret, so it stays out of every repr.
    database_url: str | None = field(repr=False)
    asana_hosts: frozenset[str]
    sync_cron: str
    postgres_user: str
    # A Slack-compatible webhook's URL is its secret.
    alert_webhook: str | None = field(default=None, repr=False)
    ui_url: str = DEFAULT_UI_URL
    retention_days: int | None = None
    # 0 keeps only the present versions.
    history_days: int = HISTORY_DAYS
    # Its password is a secret.
    asana_proxy: str | None = field(default=None, repr=False)
    # The admin page: what its login proxy sends, who may change things, and whether tokens may be typed in.
    admin_user_header: str = DEFAULT_USER_HEADER
    admin_proxy_secret: str | None = field(default=None, repr=False)
    admins: frozenset[str] = frozenset()
    admin_tokens: bool = True
    admin_url: str | None = None

    @property
    def token_folder(self) -> Path:
        """The only folder of the local state that may hold a connection's token."""
        return self.home / "tokens"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings as of now. Creates nothing and connects to nothing."""
    given = os.environ if environ is None else environ
    # A variable that is blank is not set.
    env = defaultdict(str, {name: value.strip() for name, value in given.items()})
    root = _project_root()
    history_unset = f"for {HISTORY_DAYS} days; 0 keeps no history"
    return Settings(
        project_root=root,
        home=_folder(given, "PERFCOPILOT_HOME", root / ".perfcopilot"),
        dagster_home=_folder(given, "DAGSTER_HOME", root),
        database_url=env["PERFCOPILOT_DATABASE_URL"] or None,
        asana_hosts=_hosts(env),
        sync_cron=env["PERFCOPILOT_SYNC_CRON"] or DEFAULT_SYNC_CRON,
        postgres_user=env["PERFCOPILOT_POSTGRES_USER"] or "nobody",
        alert_webhook=_webhook(env["PERFCOPILOT_ALERT_WEBHOOK"]),
        ui_url=_ui_url(env["PERFCOPILOT_UI_URL"]),
        # 0 is not allowed, so it stands for everything.
        retention_days=_days(env, "PERFCOPILOT_RETENTION_DAYS", RETENTION_DAYS, "to keep everything", 0) or None,
        history_days=_days(env, "PERFCOPILOT_HISTORY_DAYS", range(1_000_000), history_unset, HISTORY_DAYS),
        asana_proxy=_proxy(env["PERFCOPILOT_ASANA_PROXY"]),
        admin_user_header=_header(env["PERFCOPILOT_ADMIN_USER_HEADER"]),
        admin_proxy_secret=env["PERFCOPILOT_ADMIN_PROXY_SECRET"] or None,
        admins=_admins(env),
        admin_tokens=_switch(env, "PERFCOPILOT_ADMIN_TOKENS"),
        admin_url=_admin_url(env["PERFCOPILOT_ADMIN_URL"]),
    )


def make_home(settings: Settings) -> Path:
    """The folder for local state. If it is missing, it is made, readable only by its owner."""
    try:
        if not settings.home.is_dir():
            settings.home.mkdir(parents=True, mode=0o700, exist_ok=True)
            settings.home.chmod(0o700)
    except OSError as error:
        raise GoalsConfigError(
            f"the folder for local state, {settings.home}, cannot be made: {error.strerror}",
            action="Set PERFCOPILOT_HOME to a folder that you may write to, or that you may make",
        ) from None
    return settings.home


def make_token_folder(settings: Settings) -> Path:
    """The folder for token files. If it is missing, it is made, readable only by its owner."""
    make_home(settings)
    settings.token_folder.mkdir(mode=0o700, exist_ok=True)
    return settings.token_folder


# A name or an IP address, as `parse_web_address` gives it: one with a scheme or a port would match no address.
_HOST = re.compile(r"[\w.-]+|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*", re.A | re.I)
_EMAIL = re.compile(r"""[^@<>():"]+@[\w.-]+""")


def _hosts(env: Mapping[str, str]) -> frozenset[str]:
    action = "Write hosts alone, such as goals.example.com: no https://, no port, no path. All their ports are allowed"
    return frozenset(host.lower() for host in _list(env, "PERFCOPILOT_ASANA_HOSTS", _HOST, "a host", action))


def _admins(env: Mapping[str, str]) -> frozenset[str]:
    action = "Write e-mail addresses alone, with commas between, such as hr@example.com, it@example.com"
    return frozenset(_list(env, "PERFCOPILOT_ADMINS", _EMAIL, "an e-mail address", action))


def _list(env: Mapping[str, str], name: str, form: re.Pattern[str], what: str, action: str) -> list[str]:
    """The items between commas, semicolons or blanks; `GoalsConfigError` if one has another form."""
    items = [item for item in re.split(r"[,;\s]+", env[name]) if item]
    for number, item in enumerate(items, 1):
        if not form.fullmatch(item):
            # Not repeated: it may be a person's name, or hold a password.
            raise GoalsConfigError(f"item {number} of {name} is not {what}", action=action)
    return items


def _webhook(url: str) -> str | None:
    if not url:
        return None
    try:
        address = parse_web_address(url)
        if address.scheme != "https" and not is_loopback(address.host):
            raise ValueError("is not https")
    except ValueError as problem:
        # The address is not repeated: anybody who knows it can post.
        raise GoalsConfigError(
            f"the address in PERFCOPILOT_ALERT_WEBHOOK {problem}",
            action="Unset it, or copy the webhook's https URL again",
        ) from None
    return url


# The characters of a user or a password in a URL.
_CREDENTIAL = r"(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*"
_PROXY = re.compile(rf"http://({_CREDENTIAL}:{_CREDENTIAL}@)?([\w.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{{1,5}}/?", re.A | re.I)


def _proxy(url: str) -> str | None:
    """The URL without a trailing slash. Only this setting counts: no ambient variable may redirect a token."""
    try:
        if not url or (_PROXY.fullmatch(url) and urlsplit(url).port):
            return url.rstrip("/") or None
    except ValueError:
        pass  # a port above 65535, or brackets around something that is no address
    # Not repeated: it may hold a password.
    raise GoalsConfigError(
        "PERFCOPILOT_ASANA_PROXY is not of the form http://host:port or http://user:password@host:port; no request "
        "was sent",
        action="Set it to that form, and in user and password write characters such as @ : / % percent-encoded. "
        "Unset it to connect directly",
    )


def _header(name: str) -> str:
    if not name or re.fullmatch(r"[A-Za-z0-9-]+", name):
        return name or DEFAULT_USER_HEADER
    raise GoalsConfigError(
        "PERFCOPILOT_ADMIN_USER_HEADER is not the name of an HTTP header",
        action="Set it to the header in which your login proxy sends the user's e-mail address",
    )


def _switch(env: Mapping[str, str], name: str) -> bool:
    given = env[name].lower() or "on"
    if given not in ("on", "off"):
        raise GoalsConfigError(f"{name} is neither on nor off", action="Set it to off, or unset it")
    return given == "on"


def _ui_url(url: str) -> str:
    action = "Set it to the address at which people open the Dagster UI, such as https://dagster.example.com"
    return _base_address(url, "PERFCOPILOT_UI_URL", action) if url else DEFAULT_UI_URL


def _admin_url(url: str) -> str | None:
    if not url:
        return None
    action = "Set it to the address that people open, without a path, such as https://goals.example.com"
    address = _base_address(url, "PERFCOPILOT_ADMIN_URL", action)
    if urlsplit(address).path:
        raise GoalsConfigError("the address in PERFCOPILOT_ADMIN_URL has a path", action=action)
    return address


def _base_address(url: str, name: str, action: str) -> str:
    """An address to which a path is added: without a trailing slash."""
    try:
        address = parse_web_address(url)
        if address.query is not None or address.fragment is not None:
            raise ValueError("has a query or a fragment")
    except ValueError as problem:
        raise GoalsConfigError(f"the address in {name} {problem}", action=action) from None
    return url.rstrip("/")


def _days(env: Mapping[str, str], name: str, allowed: range, unset: str, default: int) -> int:
    """The days, or the default if unset. `unset` tells what that is good for."""
    given = env[name]
    if not given:
        return default
    if re.fullmatch("[0-9]{1,6}", given) and int(given) in allowed:
        return int(given)
    raise GoalsConfigError(
        f"{name} is not a whole number of days from {allowed.start} to {allowed.stop - 1:,}",
        action=f"Correct it, or unset it {unset}",
    )


def _folder(env: Mapping[str, str], name: str, default: Path) -> Path:
    given = env.get(name, "")
    try:
        return Path(given if given.strip() else default).expanduser().absolute()
    except RuntimeError:
        raise GoalsConfigError(
            f"{name} begins with ~, but the home folder is not known", action="Write its full path"
        ) from None


def _project_root() -> Path:
    """The checkout, recognised by its `dagster.yaml`; the current folder if the package is installed elsewhere."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "dagster.yaml").is_file() else Path.cwd()
