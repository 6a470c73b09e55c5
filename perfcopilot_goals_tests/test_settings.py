"""The settings from the environment. The secrets among them are never shown."""

import dataclasses
import stat
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.settings import Settings, load_settings, make_home, make_token_folder
from perfcopilot_goals_tests.core.examples import attempt, characters, error_texts, usual

ROOT = Path(__file__).resolve().parents[1]
SECRET = "0123456789abcdef"


def test_with_nothing_set_everything_has_its_default() -> None:
    assert load_settings({}) == Settings(
        project_root=ROOT,
        home=ROOT / ".perfcopilot",
        dagster_home=ROOT,
        database_url=None,
        asana_hosts=frozenset(),
        sync_cron="17 5 * * *",
        postgres_user="nobody",
        alert_webhook=None,
        ui_url="http://127.0.0.1:3000",
        asana_proxy=None,
    )


@pytest.mark.parametrize("blank", ["", " ", "\t\n"], ids=repr)
def test_a_setting_that_is_blank_is_not_set(blank: str) -> None:
    names = ["HOME", "DATABASE_URL", "ASANA_HOSTS", "ASANA_PROXY", "SYNC_CRON", "POSTGRES_USER"]
    assert load_settings({f"PERFCOPILOT_{name}": blank for name in names} | {"DAGSTER_HOME": blank}) == load_settings(
        {}
    )


def test_what_is_set_is_taken(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "PERFCOPILOT_HOME": str(tmp_path / "state"),
            "DAGSTER_HOME": str(tmp_path),
            "PERFCOPILOT_DATABASE_URL": " postgresql://goals@db/goals\n",
            "PERFCOPILOT_SYNC_CRON": "0 4 * * 1",
            "PERFCOPILOT_POSTGRES_USER": "postgres",
        }
    )
    assert (settings.home, settings.dagster_home) == (tmp_path / "state", tmp_path)
    assert settings.database_url == "postgresql://goals@db/goals"
    assert (settings.sync_cron, settings.postgres_user) == ("0 4 * * 1", "postgres")


@pytest.mark.parametrize(
    ("given_hosts", "hosts"),
    [
        ("asana.test", {"asana.test"}),
        ("Asana.Test, PROXY.test", {"asana.test", "proxy.test"}),
        ("a.test b.test\n,c.test,", {"a.test", "b.test", "c.test"}),
        ("a.test;b_c.test; 10.1.2.3 2001:DB8::1", {"a.test", "b_c.test", "10.1.2.3", "2001:db8::1"}),
        (" , ", set()),
    ],
    ids=["one", "case", "mixed", "semicolons", "none"],
)
def test_hosts_are_a_list_with_commas_semicolons_or_blanks(given_hosts: str, hosts: set[str]) -> None:
    assert load_settings({"PERFCOPILOT_ASANA_HOSTS": given_hosts}).asana_hosts == hosts


@pytest.mark.parametrize(
    "host",
    ["https://asana.test", "asana.test:8443", "asana.test/api", "*.asana.test", "u@asana.test", "[2001:db8::1]",
     "pröxy.test", '"asana.test"'],
    ids=ascii,
)  # fmt: skip
def test_a_host_that_no_address_can_have_is_refused_and_the_variable_named(host: str) -> None:
    with pytest.raises(GoalsConfigError, match="item 2 of PERFCOPILOT_ASANA_HOSTS is not a host") as refused:
        load_settings({"PERFCOPILOT_ASANA_HOSTS": f"first.test,{host}"})
    assert "no https://, no port, no path" in str(refused.value)
    assert host not in str(refused.value)


def test_administrators_are_a_list_with_commas_semicolons_or_blanks() -> None:
    names = {"HR@example.com", "o'brien+it@example.com", "jürgen@müller.example"}
    for between in (",", "; ", "\n", ";"):
        assert load_settings({"PERFCOPILOT_ADMINS": between.join(names) + between}).admins == names


@pytest.mark.parametrize(
    "admin",
    ["canary", "Canary <canary@example.com>", "<canary@example.com>", '"canary@example.com"', "'canary@example.com'",
     "mailto:canary@example.com", "canary@", "@canary", "canary@one@two"],
)  # fmt: skip
def test_an_administrator_who_could_never_get_in_is_refused_and_not_named(admin: str) -> None:
    with pytest.raises(GoalsConfigError, match="item 2 of PERFCOPILOT_ADMINS is not an e-mail address") as refused:
        load_settings({"PERFCOPILOT_ADMINS": f"hr@example.com;{admin}"})
    assert "Write e-mail addresses alone, with commas between" in str(refused.value)
    assert "canary" not in str(refused.value).lower()


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("ADMIN_URL", "https://goals.example.com/admin", "has a path. Set it to the address that people open"),
        ("ADMIN_URL", "https://goals.example.com/?q", "has a query or a fragment"),
        ("ADMIN_URL", "goals.example.com", "is not a plain http"),
        ("UI_URL", "dagster.example.com", "is not a plain http"),
        ("UI_URL", "ftp://dagster.example.com", "is not a plain http"),
        ("UI_URL", "https://dagster.example.com/#runs", "has a query or a fragment. Set it to the address at which"),
        ("UI_URL", f"https://u:{SECRET}@dagster.example.com", "has a user in front of its host"),
    ],
)
def test_an_address_that_gives_no_working_links_is_refused(name: str, url: str, says: str) -> None:
    with pytest.raises(GoalsConfigError) as refused:
        load_settings({f"PERFCOPILOT_{name}": url})
    assert f"the address in PERFCOPILOT_{name} {says}" in str(refused.value)
    assert SECRET not in error_texts(refused.value)


def test_addresses_lose_their_trailing_slash_and_dagsters_may_have_a_path() -> None:
    given = {"PERFCOPILOT_ADMIN_URL": "https://Goals.example.com:8443/", "PERFCOPILOT_UI_URL": "http://x.test/dagster/"}
    settings = load_settings(given)
    assert (settings.admin_url, settings.ui_url) == ("https://Goals.example.com:8443", "http://x.test/dagster")


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example:3128",
        "http://proxy:80",
        "http://10.0.0.1:8080",
        "http://[2001:db8::1]:3128",
        "HTTP://PROXY.example:3128",
        "http://somebody:secret@proxy.example:3128",
        "http://somebody:@proxy.example:3128",
        "http://DOMAIN%5Csomebody:p%40ss%3A%2F%C3%BC@proxy.example:3128",
        "http://some.body+1:!$&'()*,;=~_-@proxy.example:3128",
    ],
)
@pytest.mark.fault("A40")
def test_a_proxy_is_an_http_url_with_a_port_and_perhaps_a_user_and_a_password(url: str) -> None:
    for given_url in (url, f" {url}/\n"):
        assert load_settings({"PERFCOPILOT_ASANA_PROXY": given_url}).asana_proxy == url


@pytest.mark.parametrize(
    "url",
    ["proxy.example:3128", f"{SECRET}@proxy.example:3128", f"https://u:{SECRET}@proxy.example:3128",
     f"socks5://u:{SECRET}@proxy.example:1080", f"http://u:{SECRET}@proxy.example", f"http://u:{SECRET}@proxy.example:0",
     f"http://u:{SECRET}@proxy.example:65536", f"http://u:{SECRET}@proxy.example:3128/path",
     f"http://u:{SECRET}@proxy.example:3128?q", f"http://u:{SECRET}@proxy.example:3128#f",
     f"http://u:{SECRET}@evil@proxy.example:3128", f"http://u:{SECRET}/x@proxy.example:3128",
     f"http://u:{SECRET}\\@proxy.example:3128", f"http://u:{SECRET}%@proxy.example:3128",
     f"http://u:{SECRET}%4@proxy.example:3128", f"http://u:{SECRET}:x@proxy.example:3128", f"http://u:{SECRET}é@p:3128",
     f"http://u:{SECRET} @proxy.example:3128", f"http://u:{SECRET}@proxy.example:3128\r\nX: 1", f"http://{SECRET}@p:3128",
     f"http://u:{SECRET}@pröxy.example:3128", f"http://u:{SECRET}@[zz]:3128", f"http://u:{SECRET}@[1:2]:3128",
     f"http://u:{SECRET}@:3128", f"//u:{SECRET}@proxy.example:3128", SECRET],
    ids=ascii,
)  # fmt: skip
@pytest.mark.fault("A46")
def test_a_proxy_of_another_form_is_refused_and_its_password_not_repeated(url: str) -> None:
    with pytest.raises(GoalsConfigError, match="PERFCOPILOT_ASANA_PROXY is not of the form") as refused:
        load_settings({"PERFCOPILOT_ASANA_PROXY": url})
    assert SECRET not in error_texts(refused.value)
    assert "percent-encoded" in str(refused.value)


@usual
@given(st.text(characters))
def test_any_text_as_a_proxy_is_a_url_or_one_of_our_errors_that_does_not_repeat_it(value: str) -> None:
    for url in (f"http://u:{SECRET}{value}@proxy.example:3128", f"http://u:{SECRET}@{value}:3128", f"http://{value}"):
        settings = attempt(partial(load_settings, {"PERFCOPILOT_ASANA_PROXY": url}))
        if isinstance(settings, GoalsConfigError):
            assert SECRET not in error_texts(settings)
        else:
            parsed, other = parse_url(settings.asana_proxy), urlsplit(settings.asana_proxy)
            assert (parsed.host or "").strip("[]") == other.hostname
            assert parsed.port == other.port
            assert SECRET not in repr(settings)


def test_folders_are_absolute_and_know_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert load_settings({"PERFCOPILOT_HOME": "state"}).home == tmp_path / "state"
    assert load_settings({"PERFCOPILOT_HOME": "~/state"}).home == tmp_path / "me" / "state"


@pytest.mark.parametrize("name", ["PERFCOPILOT_HOME", "DAGSTER_HOME"])
def test_the_home_of_an_unknown_user_is_a_setting_to_correct(name: str) -> None:
    with pytest.raises(GoalsConfigError, match=name):
        load_settings({name: "~no-such-user-here/state"})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings({}).sync_cron = "* * * * *"  # type: ignore[misc]


@pytest.mark.fault("H8")
def test_the_home_is_its_owners_alone_and_one_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    settings = load_settings({"PERFCOPILOT_HOME": str(tmp_path / "a" / "state")})
    assert make_home(settings) == tmp_path / "a" / "state"
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    settings.home.chmod(0o755)
    make_home(settings)
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o755
    assert make_token_folder(settings) == settings.home / "tokens"
    assert stat.S_IMODE(settings.token_folder.stat().st_mode) == 0o700


def test_loading_settings_makes_nothing(tmp_path: Path) -> None:
    load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})
    assert list(tmp_path.iterdir()) == []
