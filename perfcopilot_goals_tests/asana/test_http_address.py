"""Where the token may be sent. An error repeats nothing of a refused address."""

import pytest

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.http import check_base_url
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals_tests.asana.canaries import BODY, TOKEN, assert_tells_nothing, raises
from perfcopilot_goals_tests.clock import FakeClock

ALLOWED = [
    "https://app.asana.com/api/1.0",
    "https://app.asana.com",
    "https://app.asana.com:443/api/1.0",
    "https://app.asana.com:8443/api/1.0",
    "https://app.asana.com:/api/1.0",
    "HTTPS://APP.Asana.COM/api/1.0",
    "http://127.0.0.1:8000/api/1.0",
    "http://127.0.0.1/api/1.0",
    "http://127.8.9.10:1/api/1.0",
    "http://localhost:8000/api/1.0",
    "https://localhost/api/1.0",
    "http://LOCALHOST:8000",
    "http://[::1]:8000/api/1.0",
]

NOT_ASANA = [
    "https://evil.example/api/1.0",
    "https://app.asana.com.evil.example/api/1.0",
    "https://app.asana.com./api/1.0",
    "https://evil.example/app.asana.com",
    "https://notapp.asana.com/api/1.0",
    "https://asana.com/api/1.0",
    "https://xn--pp-asana-9fg.com/api/1.0",
    "https://app.asana.com%2eevil.example/api/1.0",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/api/1.0",
    "https://[fe80::1]/api/1.0",
    "https://0.0.0.0/api/1.0",
    "https://2130706433/api/1.0",
    "https://0x7f000001/api/1.0",
    "https://127.1/api/1.0",
    "https://localhost.evil.example/api/1.0",
    "https://127.0.0.1.evil.example/api/1.0",
    "https://[::ffff:169.254.169.254]/api/1.0",
]

NOT_AN_ADDRESS = [
    "",
    " ",
    "app.asana.com/api/1.0",
    "app.asana.com:443",
    "//app.asana.com/api/1.0",
    "/api/1.0",
    "file:///etc/passwd",
    "file://app.asana.com/etc/passwd",
    "ftp://app.asana.com/api/1.0",
    "gopher://127.0.0.1:70/",
    "javascript://app.asana.com/%0aalert(1)",
    "https://",
    "https:///api/1.0",
    "https:app.asana.com",
    "https://app.asana.com@evil.example/api/1.0",
    "https://evil.example@app.asana.com/api/1.0",
    "https://user:password@app.asana.com/api/1.0",
    "http://127.0.0.1@evil.example/",
    "http://127.0.0.1:80@evil.example/",
    "https://app.asana.com/@evil.example/",
    "https://app.asana.com\\@evil.example/api/1.0",
    "https://evil.example\\@app.asana.com/api/1.0",
    "https:\\\\app.asana.com/api/1.0",
    "https://app.asana.com\\.evil.example",
    "https://app.asana.com/api/1.0?token=1",
    "https://app.asana.com/api/1.0?",
    "https://app.asana.com/api/1.0#top",
    "https://evil.example#@app.asana.com/",
    "https://app.asana.com:99999/api/1.0",
    "https://app.asana.com:-1/api/1.0",
    "https://app.asana.com:80:80/api/1.0",
    "https://app.asana.com:4²/api/1.0",
    "https://[::1/api/1.0",
    "https://[app.asana.com]/api/1.0",
    "https://app.asana.com/api 1.0",
    " https://app.asana.com/api/1.0",
    "https://app.asana.com/api/1.0\n",
    "https://app.asana.com\r\nHost: evil.example",
    "https://app.asana.com\t.evil.example",
    "https://app.asana.com\x00.evil.example",
    "https://аpp.asana.com/api/1.0",  # Cyrillic а
    "https://app.asana.com／.evil.example/",  # fullwidth slash
    "https://app。asana。com/api/1.0",  # ideographic full stops
    "https://ⓐpp.asana.com/api/1.0",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_asana_and_this_machine_may_have_the_token(url: str) -> None:
    assert check_base_url(url) == url


@pytest.mark.parametrize("url", [*NOT_ASANA, *NOT_AN_ADDRESS], ids=ascii)
def test_d4_no_other_host_may_have_the_token(url: str) -> None:
    with raises(GoalsConfigError, "no request was sent") as refused:
        check_base_url(url)
    assert "Asana's is https://app.asana.com/api/1.0" in (refused.value.remedy or "")


@pytest.mark.parametrize(
    "url", ["http://app.asana.com/api/1.0", "http://app.asana.com:443", "http://goals.example"], ids=str
)
def test_d4_off_this_machine_the_token_travels_encrypted_only(url: str) -> None:
    with raises(GoalsConfigError, "not https"):
        check_base_url(url, {"goals.example"})


@pytest.mark.parametrize(
    "url",
    ["https://goals.example/api/1.0", "https://goals.example:8443/x", "https://GOALS.example", "https://10.1.2.3/"],
    ids=str,
)
def test_an_operator_allows_further_hosts_by_name(url: str) -> None:
    hosts = load_settings({"PERFCOPILOT_ASANA_HOSTS": "Goals.Example, 10.1.2.3\nother.example"}).asana_hosts
    assert check_base_url(url, hosts) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["https://goals.example.evil.example", "https://x.goals.example", "https://example", "https://goals.example."],
    ids=str,
)
def test_d4_allowing_a_host_allows_no_other(url: str) -> None:
    with raises(GoalsConfigError, "PERFCOPILOT_ASANA_HOSTS"):
        check_base_url(url, load_settings({"PERFCOPILOT_ASANA_HOSTS": "goals.example"}).asana_hosts)


def test_a_host_in_another_script_is_allowed_by_its_punycode_name() -> None:
    assert check_base_url("https://xn--bcher-kva.example", {"xn--bcher-kva.example"})
    with raises(GoalsConfigError):
        check_base_url("https://bücher.example", {"xn--bcher-kva.example", "bücher.example"})


@pytest.mark.parametrize("url", ["https://app.asana.com/api/1.0/", "https://app.asana.com/api/1.0///"], ids=str)
def test_a_trailing_slash_is_dropped(url: str) -> None:
    assert check_base_url(url) == "https://app.asana.com/api/1.0"


@pytest.mark.parametrize(
    "form",
    [
        "https://user:{}@app.asana.com/api/1.0",
        "https://{}@app.asana.com",
        "https://app.asana.com/api/1.0?token={}",
        "https://app.asana.com/{}#x",
        "https://{}.evil.example/",
        "https://app.asana.com/{}\n",
        "https://app.asana.com:{}/",
        "http://evil.example/{}",
        "{}",
    ],
)
def test_a_refusal_repeats_nothing_of_the_address(form: str) -> None:
    with pytest.raises(GoalsConfigError) as caught:
        check_base_url(form.format(BODY))
    assert_tells_nothing(caught.value)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    "token", ["", " ", "two words", "newline\n", "\r", "tök", "€", "\x00", "tab\t", "\ud800"], ids=ascii
)
def test_d1_d2_a_text_that_is_no_token_is_refused_and_not_repeated(token: str) -> None:
    with raises(GoalsConfigError, "no request was sent") as caught:
        AsanaClient("http://127.0.0.1:1", f"{TOKEN}{token}" if token.strip() else token, clock=FakeClock())
    assert not token.strip() or token not in str(caught.value)


def test_d4_a_client_is_not_even_made_for_a_foreign_host() -> None:
    with raises(GoalsConfigError):
        AsanaClient("https://evil.example", TOKEN, clock=FakeClock())
