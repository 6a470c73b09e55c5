"""Ids are starred out in what runs printed, in place, and not in what other connections' runs printed."""

from pathlib import Path

import pytest

from perfcopilot_goals.core.erasure import Redaction
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.local_files import local_files, redact_files


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})


def write(settings: Settings, name: str, content: bytes) -> Path:
    path = settings.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.fault("H20")
def test_an_id_is_starred_out_while_a_run_goes_on_printing(settings: Settings) -> None:
    printed = write(settings, "dagster/run-1/compute_logs/a.err", b"employee E003 \xff\nE0031 E003\n")
    other = write(settings, "dagster/run-2/compute_logs/a.err", b"E003")
    printed.chmod(0o600)
    with printed.open("ab") as run:
        assert redact_files(settings, {"run-2"}, Redaction("acme", {"E003"}, {"E0031"}).masked) == 1
        run.write(b"more\n")
    assert printed.read_bytes() == b"employee **** \xff\nE0031 ****\nmore\n"
    assert printed.stat().st_mode & 0o777 == 0o600
    assert other.read_bytes() == b"E003"


def test_the_local_postgres_the_tokens_and_linked_files_are_not_read(settings: Settings, tmp_path: Path) -> None:
    seen = write(settings, "dagster/postgres/a.err", b"")
    write(settings, "postgres/data/base", b"")
    write(settings, "tokens/acme", b"2/1209000000000011/1209000000000012:0123")
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    (settings.home / "link").symlink_to(outside)
    assert list(local_files(settings)) == [seen]
