"""`admin`: where it listens, and what it prints."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from perfcopilot_goals_tests.cli.command import Cli, environment


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_without_a_login_proxy_it_listens_on_loopback_alone(cli: Cli, host: str) -> None:
    done = cli("admin", "--host", host)
    assert done.returncode == 2
    assert f"the admin page does not listen on {host} without a login in front of it" in done.stderr
    assert "PERFCOPILOT_ADMIN_PROXY_SECRET" in done.stderr


def test_a_secret_of_the_login_proxy_that_could_be_guessed_is_refused(cli: Cli) -> None:
    done = cli("admin", PERFCOPILOT_ADMIN_PROXY_SECRET="fifteen-letters")
    assert done.returncode == 2
    assert "PERFCOPILOT_ADMIN_PROXY_SECRET is shorter than 16 characters" in done.stderr
    assert "openssl rand -hex 32" in done.stderr
    assert "fifteen" not in done.stderr


def test_a_port_that_is_taken_is_an_error_in_words(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = cli("admin", "--port", port)
    assert done.returncode == 2
    assert f"port {port} is in use. Name another: perfcopilot-goals admin --port N" in done.stderr


@pytest.mark.parametrize("host", ["goals.invalid", "192.0.2.1", "2001:db8::1", "a" * 70])
def test_an_address_that_is_not_this_machines_is_not_called_a_port_in_use(cli: Cli, host: str) -> None:
    secret = {"PERFCOPILOT_ADMIN_PROXY_SECRET": "shared-with-the-proxy-4c1d", "PERFCOPILOT_ADMINS": "ana@example.com"}
    done = cli("admin", "--host", host, **secret)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"GoalsConfigError: cannot listen on {host}:3001: ")
    assert done.stderr.endswith(". Name an address of this machine\n")
    assert "in use" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PERFCOPILOT_ADMIN_TOKENS", "maybe"),
        ("PERFCOPILOT_ADMIN_USER_HEADER", "X: y"),
        ("PERFCOPILOT_ADMIN_URL", "goals.example.com"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(cli: Cli, variable: str, value: str) -> None:
    done = cli("admin", **{variable: value})
    assert done.returncode == 2
    assert variable in done.stderr


def test_it_prints_a_link_that_works_once_and_then_the_next(tmp_path: Path, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    log = tmp_path / "log"
    with log.open("wb") as out:
        env = environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url)
        command = [sys.executable, "-m", "perfcopilot_goals.cli", "admin", "--port", port]
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        (link,) = links(log, 1)
        assert link.startswith(f"http://127.0.0.1:{port}/admin/enter?key=")
        assert requests.get(link, timeout=30).status_code == 200
        assert links(log, 2)[1] != link
        assert requests.get(link, timeout=30).status_code == 403
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    said = log.read_text("utf-8")
    assert "Traceback" not in said
    assert said.count("GET") == 0, "requests are not logged"


def links(log: Path, count: int) -> list[str]:
    end = time.monotonic() + 120
    while len(found := re.findall(r"http://\S+key=\S+", log.read_text("utf-8"))) < count:
        assert time.monotonic() < end, log.read_text("utf-8")
        time.sleep(0.2)
    return found
