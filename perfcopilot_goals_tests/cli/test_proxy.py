"""A company's proxy in front of everything that asks Asana, as who runs a command sees it."""

from pathlib import Path

import pytest

from perfcopilot_goals_tests.asana.connect_proxy import ConnectProxy, serving
from perfcopilot_goals_tests.cli.command import TOKEN, Cli

PASSWORD = "secret-of-the-proxy"


@pytest.mark.parametrize("command", ["sync acme", "employee suggest acme"])
@pytest.mark.fault("A40", "A41", "A46")
def test_a_command_that_asks_asana_goes_through_the_proxy_and_says_what_it_refused(
    command: str, cli: Cli, tmp_path: Path
) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text("employee_id,full_name,email,asana_user_gid\nE1,Ana,ana@example.com,1\n")
    assert cli("connection", "add", "acme", "--workspace-gid", "77").returncode == 0
    assert cli("employee", "import", "acme", str(roster)).returncode == 0
    with serving(ConnectProxy(target=1, credentials="somebody:else")) as proxy:
        url = proxy.url.replace("//", f"//somebody:{PASSWORD}@")
        done = cli(*command.split(), PERFCOPILOT_ASANA_PROXY=url)
    assert done.returncode == 2
    assert "connection acme: GET /" in done.stderr
    assert "the proxy that PERFCOPILOT_ASANA_PROXY names asks for a user and password" in done.stderr
    assert [head.partition(" HTTP")[0] for head in proxy.heads] == ["CONNECT app.asana.com:443"]
    for secret in (PASSWORD, TOKEN):
        assert secret not in done.stdout + done.stderr + proxy.seen.partition("Proxy-Authorization")[0]
