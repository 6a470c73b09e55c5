"""Where a token may be kept, and what is left around it: told by kind and place, never shown."""

import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.services.tokens import check_token_ref, load_token
from perfcopilot_goals.settings import DEFAULT_TOKEN_REF, Settings, load_settings, make_token_folder
from perfcopilot_goals_tests.core.examples import attempt, characters, error_texts, usual

TOKEN = "2/1209000000000011/1209000000000012:0123456789abcdef"
SECRET = "0123456789abcdef"
NOWHERE = load_settings({"PERFCOPILOT_HOME": "/nowhere/state"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})
    make_token_folder(settings)
    return settings


@pytest.mark.parametrize("ref", [DEFAULT_TOKEN_REF, "env:_x9", "file:/run/secrets/asana token", "file:/é"])
def test_a_reference_is_a_variable_or_an_absolute_path(ref: str) -> None:
    assert check_token_ref(ref, NOWHERE) == ref


@pytest.mark.parametrize(
    "ref",
    ["", TOKEN, SECRET, f"env:{TOKEN}", f"env:9{SECRET}", f"env:{SECRET} ", "env:", "env:A\n", f"file:{SECRET}",
     "file:", f"file:/run/x\n{TOKEN}", f"file:/run/x\x00{TOKEN}", "file:/run/x\n", f"ENV:A{SECRET}", f"https://{TOKEN}",
     "env:É", f"file:/run/x\u200b{SECRET}", f"file:/run/\u202e{SECRET}", f"file:/run/{SECRET}\ud800"],
    ids=ascii,
)  # fmt: skip
@pytest.mark.fault("H1")
def test_what_is_no_reference_may_be_the_token_itself_and_is_not_told(ref: str) -> None:
    for refuse in (partial(check_token_ref, ref, NOWHERE), partial(load_token, ref, "acme", NOWHERE, {"A": "t"})):
        with pytest.raises(GoalsConfigError) as refused:
            refuse()
        assert SECRET not in error_texts(refused.value)


def test_a_token_is_read_from_a_variable_and_from_a_file(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "token").write_text(TOKEN)
    assert load_token("env:ASANA", "acme", settings, {"ASANA": TOKEN}) == TOKEN
    assert load_token(f"file:{tmp_path / 'token'}", "acme", settings, {}) == TOKEN


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n\n", "\t"], ids=repr)
@pytest.mark.fault("D2")
def test_a_line_end_after_the_token_is_not_part_of_it(tmp_path: Path, settings: Settings, end: str) -> None:
    (tmp_path / "token").write_bytes(f" {TOKEN}{end}".encode())
    assert load_token("env:ASANA", "acme", settings, {"ASANA": TOKEN + end}) == TOKEN
    assert load_token(f"file:{tmp_path / 'token'}", "acme", settings, {}) == TOKEN


@pytest.mark.parametrize("value", [None, "", " ", "\n", "\t \r\n", "\u3000"], ids=repr)
@pytest.mark.fault("D1")
def test_no_token_is_a_setting_to_mend_and_names_its_place(
    tmp_path: Path, settings: Settings, value: str | None
) -> None:
    with pytest.raises(
        GoalsConfigError, match="connection acme has no Asana token: environment variable ASANA is unset"
    ):
        load_token("env:ASANA", "acme", settings, {} if value is None else {"ASANA": value})
    (tmp_path / "token").write_text(value or "", "utf-8")
    with pytest.raises(GoalsConfigError, match=f"file {tmp_path / 'token'} is unset or empty.* set acme --token-ref"):
        load_token(f"file:{tmp_path / 'token'}", "acme", settings, {})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param(f'"{TOKEN}"', "looks quoted", id="quotes"),
        pytest.param(f"'{TOKEN}'", "looks quoted", id="single-quotes"),
        pytest.param(f"“{TOKEN}”", "looks quoted", id="typographic-quotes"),
        pytest.param(f"«{TOKEN}", "looks quoted", id="one-guillemet"),
        pytest.param(f"`{TOKEN}`", "looks quoted", id="backticks"),
        pytest.param(f"Bearer {TOKEN}", "begins with Bearer", id="bearer"),
        pytest.param(f"bearer:{TOKEN}", "begins with Bearer", id="bearer-colon"),
        pytest.param(f"Authorization: Bearer {TOKEN}", "begins with Bearer", id="header"),
        pytest.param(f'"Bearer {TOKEN}"', "looks quoted and begins with Bearer", id="quoted-bearer"),
        pytest.param(f"<{TOKEN}>", "looks like a placeholder", id="angle-brackets"),
        pytest.param(f"[{TOKEN}]", "looks like a placeholder", id="square-brackets"),
        pytest.param(f"${{{SECRET}}}", "looks like a placeholder", id="shell-variable"),
        pytest.param(f"%{SECRET}%", "looks like a placeholder", id="windows-variable"),
        pytest.param(f"ASANA_ACCESS_TOKEN={TOKEN}", "begins with the name of a variable", id="dotenv"),
        pytest.param(f"export TOKEN={TOKEN}", "begins with the name of a variable", id="export"),
        pytest.param(f"postgresql://goals:{SECRET}@db/goals", "is a URL", id="url"),
        pytest.param(f"\ufeff{TOKEN}", "begins with a byte-order mark", id="bom"),
        pytest.param(f"\u200b{TOKEN}", "has an invisible character at its start", id="zero-width-start"),
        pytest.param(f"{TOKEN}\u200b", "has an invisible character at its end", id="zero-width-end"),
        pytest.param(f"2/12\u00ad{SECRET}", "has an invisible character inside", id="soft-hyphen"),
        pytest.param(f"\u202a{TOKEN}\u202c", "has an invisible character at its start", id="bidi"),
        pytest.param(f"2/\U000e0041{SECRET}", "has an invisible character inside", id="tag"),
        pytest.param(f"2/\ufe0f{SECRET}", "has an invisible character inside", id="variation"),
        pytest.param(f"{TOKEN}\u3164", "has an invisible character at its end", id="filler"),
        pytest.param(f"{TOKEN}\x00", "has a control character at its end", id="nul"),
        pytest.param(f"2/\x7f{SECRET}", "has a control character inside", id="del"),
        pytest.param(f"{TOKEN}\n{TOKEN}", "has several lines", id="two-tokens"),
        pytest.param(f"{TOKEN}\r\nX-Evil: 1", "has several lines", id="second-header"),
        pytest.param(f"my token {TOKEN}", "has a blank inside", id="words"),
        pytest.param(f"2/\u00a0{SECRET}", "has a blank inside", id="no-break-space"),
        pytest.param(f"{TOKEN}é", "has a character that is not plain ASCII", id="letter"),
        pytest.param(f"２/{SECRET}", "has a character that is not plain ASCII", id="wide-digit"),
    ],
)
@pytest.mark.fault("D20")
def test_what_is_left_around_a_token_is_told_by_kind_and_the_token_is_not(
    tmp_path: Path, settings: Settings, value: str, kind: str
) -> None:
    path = tmp_path / "token"
    path.write_bytes(value.encode())
    for ref, where in (("env:ASANA", "environment variable ASANA"), (f"file:{path}", f"file {path}")):
        with pytest.raises(GoalsConfigError) as refused:
            load_token(ref, "acme", settings, {"ASANA": value})
        assert str(refused.value) == (
            f"GoalsConfigError: connection acme: the token in {where} {kind}; no request was sent. "
            "Copy it again: the token alone, in one line, as Asana shows it"
        )
        assert SECRET not in error_texts(refused.value)


def test_a_variable_of_a_megabyte_is_no_token(settings: Settings) -> None:
    with pytest.raises(GoalsConfigError, match="is longer than any token"):
        load_token("env:ASANA", "acme", settings, {"ASANA": "x" * 2**20})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (TOKEN.encode() + b"\xff", "it is not plain text"),
        (b"\xff\xfe" + TOKEN.encode("utf-16-le"), "it is saved as UTF-16"),
        (b"\xfe\xff" + TOKEN.encode("utf-16-be"), "it is saved as UTF-16"),
    ],
    ids=["latin", "utf-16-le", "utf-16-be"],
)
@pytest.mark.fault("D20")
def test_a_file_that_is_no_utf_8_is_told_by_its_kind(
    tmp_path: Path, settings: Settings, content: bytes, why: str
) -> None:
    """PowerShell's `>` writes UTF-16. A decoder's error holds the whole file, also as a hidden context."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(GoalsConfigError) as refused:
        load_token(f"file:{path}", "acme", settings, {})
    assert f"connection acme: token file {path} is not read: {why}" in str(refused.value)
    assert SECRET not in error_texts(refused.value)


@pytest.mark.parametrize(
    "name",
    ["PERFCOPILOT_DATABASE_URL", "PERFCOPILOT_ALERT_WEBHOOK", "PGPASSWORD", "PGPASSFILE", "DAGSTER_PG_PASSWORD",
     "POSTGRES_PASSWORD", "BROKER_PASSWORD", "REDISCLI_AUTH", "DATABASE_URL", "SMTP_PASSWORD", "https_proxy"],
)  # fmt: skip
@pytest.mark.fault("D22")
def test_a_variable_with_another_secret_is_not_read_as_a_token(settings: Settings, name: str) -> None:
    for refuse in (
        partial(check_token_ref, f"env:{name}", settings),
        partial(load_token, f"env:{name}", "acme", settings, {name: SECRET}),
    ):
        with pytest.raises(GoalsConfigError, match=f"environment variable {name} may hold another secret") as refused:
            refuse()
        assert SECRET not in error_texts(refused.value)


@pytest.mark.parametrize("name", ["ASANA_ACCESS_TOKEN", "ACME_PAT", "perfcopilot", "_PG", "TOKEN_OF_PGE"])
def test_any_other_variable_may_hold_the_token(settings: Settings, name: str) -> None:
    assert load_token(f"env:{name}", "acme", settings, {name: TOKEN}) == TOKEN


def secret_of(settings: Settings) -> Path:
    """A file of the local state that is no token."""
    path = settings.home / "postgres" / "password"
    path.parent.mkdir(exist_ok=True)
    path.write_text(SECRET)
    return path


def by_name(settings: Settings, tmp_path: Path) -> Path:
    return secret_of(settings)


def by_a_link(settings: Settings, tmp_path: Path) -> Path:
    (tmp_path / "link").symlink_to(secret_of(settings))
    return tmp_path / "link"


def by_a_link_in_the_token_folder(settings: Settings, tmp_path: Path) -> Path:
    (settings.token_folder / "link").symlink_to(secret_of(settings))
    return settings.token_folder / "link"


def by_a_link_to_a_folder(settings: Settings, tmp_path: Path) -> Path:
    (tmp_path / "folder").symlink_to(secret_of(settings).parent)
    return tmp_path / "folder" / "password"


def by_a_link_to_the_home(settings: Settings, tmp_path: Path) -> Path:
    secret_of(settings)
    (tmp_path / "home").symlink_to(settings.home)
    return tmp_path / "home" / "postgres" / "password"


def by_two_dots(settings: Settings, tmp_path: Path) -> Path:
    secret_of(settings)
    return settings.token_folder / ".." / "postgres" / "password"


def by_a_name_that_is_not_there_yet(settings: Settings, tmp_path: Path) -> Path:
    return settings.home / "later"


@pytest.mark.parametrize(
    "lead",
    [by_name, by_a_link, by_a_link_in_the_token_folder, by_a_link_to_a_folder, by_a_link_to_the_home, by_two_dots,
     by_a_name_that_is_not_there_yet],
)  # fmt: skip
@pytest.mark.fault("D21")
def test_no_file_of_the_local_state_is_read_as_a_token_by_whatever_way_a_path_leads_there(
    tmp_path: Path, settings: Settings, lead: Callable[[Settings, Path], Path]
) -> None:
    ref = f"file:{lead(settings, tmp_path)}"
    for refuse in (partial(check_token_ref, ref, settings), partial(load_token, ref, "acme", settings, {})):
        with pytest.raises(
            GoalsConfigError, match=r"token file .* so it is not read|its path has \.\. in it"
        ) as refused:
            refuse()
        assert SECRET not in error_texts(refused.value)


def test_a_token_in_the_token_folder_is_read_by_whatever_way(tmp_path: Path, settings: Settings) -> None:
    (settings.token_folder / "acme").write_text(TOKEN)
    (tmp_path / "home").symlink_to(settings.home)
    (tmp_path / "outside").write_text(TOKEN)
    (settings.token_folder / "mounted").symlink_to(tmp_path / "outside")
    for path in (settings.token_folder / "acme", tmp_path / "home/tokens/acme", settings.token_folder / "mounted"):
        assert check_token_ref(f"file:{path}", settings)
        assert load_token(f"file:{path}", "acme", settings, {}) == TOKEN


def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def listening_socket(tmp_path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    return tmp_path / "socket"


def link_to_a_device(tmp_path: Path) -> Path:
    (tmp_path / "zeros").symlink_to("/dev/zero")
    return tmp_path / "zeros"


def link_to_itself(tmp_path: Path) -> Path:
    (tmp_path / "round").symlink_to(tmp_path / "round")
    return tmp_path / "round"


def large_file(tmp_path: Path) -> Path:
    (tmp_path / "large").write_text("x" * 4_097)
    return tmp_path / "large"


def nothing(tmp_path: Path) -> Path:
    return tmp_path / "nothing"


def below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text(TOKEN)
    return tmp_path / "file" / "token"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (fifo, "it is no regular file"),
        (listening_socket, "it is no regular file"),
        (lambda tmp_path: tmp_path, "it is no regular file"),
        (lambda _: Path("/dev/zero"), "it is no regular file"),
        (link_to_a_device, "it is no regular file"),
        (lambda _: Path("/proc/self/environ"), "files of the system are not for tokens"),
        (lambda _: Path("/proc/self/status"), "files of the system are not for tokens"),
        (large_file, "it is larger than 4,096 bytes"),
        (nothing, "No such file or directory"),
        (link_to_itself, "Too many levels of symbolic links"),
        (below_a_file, "Not a directory"),
    ],
    ids=["fifo", "socket", "folder", "device", "link-to-a-device", "environ", "status", "large", "missing", "loop",
         "below-a-file"],
)  # fmt: skip
@pytest.mark.fault("D23")
def test_only_a_small_regular_file_is_read_and_nothing_is_waited_for(
    tmp_path: Path, settings: Settings, make: Callable[[Path], Path], why: str
) -> None:
    path = make(tmp_path)
    refused: list[BaseException | str] = []
    reading = threading.Thread(
        target=lambda: refused.append(attempt(lambda: load_token(f"file:{path}", "acme", settings, {}))), daemon=True
    )
    reading.start()
    reading.join(10)
    assert refused, "it waits for somebody to write"
    assert f"connection acme: token file {path} is not read: {why}" in str(refused[0])
    assert "no request was sent" in str(refused[0])


@pytest.mark.fault("D23")
def test_what_can_never_be_a_token_file_is_refused_when_it_is_set_and_what_may_come_later_is_not(
    tmp_path: Path, settings: Settings
) -> None:
    for path in (fifo(tmp_path), tmp_path, Path("/dev/zero"), Path("/proc/self/environ"), large_file(tmp_path)):
        with pytest.raises(GoalsConfigError, match="is not read"):
            check_token_ref(f"file:{path}", settings)
    for path in (nothing(tmp_path), tmp_path / "no-folder" / "token", Path("/run/secrets/asana_token")):
        assert check_token_ref(f"file:{path}", settings)


@usual
@given(st.text(characters))
def test_any_text_as_a_token_is_a_token_without_blanks_or_one_of_our_errors_that_does_not_tell_it(value: str) -> None:
    planted = f"{SECRET}{value}"
    token = attempt(lambda: load_token("env:ASANA", "acme", NOWHERE, {"ASANA": planted}))
    if isinstance(token, GoalsConfigError):
        assert SECRET not in error_texts(token)
    else:
        assert token == planted.strip()
        assert token.isascii()
        assert token.isprintable()
        assert " " not in token


@usual
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, categories=["Lu", "Ll", "Nd"]), min_size=1))
def test_letters_and_digits_around_asanas_separators_are_a_token(value: str) -> None:
    """Asana's tokens are opaque: nothing that Asana may hand out is refused for how it looks."""
    for token in (value, f"2/1209/{value}:{value}", f"{value}-{value}_{value}.{value}="):
        assert load_token("env:ASANA", "acme", NOWHERE, {"ASANA": token}) == token


@usual
@given(st.text(characters))
def test_any_text_as_a_reference_is_checked_without_being_told(value: str) -> None:
    ref = f"file:/no-such-folder/{value}"
    with pytest.raises(GoalsConfigError) as refused:
        load_token(ref, "acme", NOWHERE, {})
    assert "connection acme: token file" in str(refused.value) or "a token reference is" in str(refused.value)
