"""Commands are imported when they are called, and listed without that."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from perfcopilot_goals.cli import main
from perfcopilot_goals_tests.cli.commands import subcommands


def groups(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    yield path, group
    for name, command in subcommands(group):
        if isinstance(command, click.Group):
            yield from groups(command, (*path, name))


def help_of(*path: str) -> str:
    done = CliRunner().invoke(main, [*path, "--help"], prog_name="perfcopilot-goals")
    assert done.exit_code == 0, done.output
    return done.output


def test_every_name_leads_to_the_command_of_that_name() -> None:
    for path, group in groups(main):
        for name, command in subcommands(group):
            assert command.name == name, path


def test_a_groups_help_has_a_whole_line_for_each_command() -> None:
    for path, group in groups(main):
        listed = help_of(*path).partition("Commands:\n")[2].splitlines()
        assert [line.split()[0] for line in listed] == group.list_commands(click.Context(group)), path
        assert all(line.endswith(".") and not line.endswith("...") for line in listed), listed


def test_every_command_says_what_it_does() -> None:
    for path, group in groups(main):
        for name, command in subcommands(group):
            assert command.help, name
            assert help_of(*path, name).startswith(f"Usage: perfcopilot-goals {' '.join((*path, name))}")


@pytest.mark.parametrize("path", [["nope"], ["employee", "nope"]])
def test_an_unknown_command_is_a_usage_error(path: list[str]) -> None:
    done = CliRunner().invoke(main, path, prog_name="perfcopilot-goals")
    assert done.exit_code == 2
    assert "No such command 'nope'" in done.stderr
