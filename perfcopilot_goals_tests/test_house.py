"""The house rules that a linter does not know: who imports whom, what things are called, what is documented."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from perfcopilot_goals_tests.faults.catalogue import PAGE as FAULTS_PAGE
from perfcopilot_goals_tests.faults.catalogue import collect_tests, unheld
from perfcopilot_goals_tests.faults.catalogue import render as render_faults

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "perfcopilot_goals"

# Room -> rooms it may import. A room that is not named here may import none.
MAY_IMPORT = {
    "errors": set(),
    "domain": set(),
    "startup": set(),
    "settings": {"errors", "domain"},
    "schemas": {"errors", "domain"},
    "core": {"errors", "domain", "schemas"},
    "asana": {"errors", "domain"},
    "local_postgres": {"errors", "settings"},
    "storage": {"errors", "domain", "schemas", "settings", "core"},
    "services": {"errors", "domain", "schemas", "settings", "startup", "core", "asana", "storage", "local_postgres"},
    "sandbox": set(),
    "defs": {
        *("errors", "domain", "schemas", "settings", "startup"),
        *("core", "asana", "storage", "services", "local_postgres"),
    },
    "definitions": {"defs", "settings", "startup"},
    "admin": {"errors", "domain", "settings", "core", "services"},
    "cli": {
        *("errors", "domain", "schemas", "settings", "startup"),
        *("core", "services", "local_postgres", "sandbox", "defs", "admin"),
    },
}
MAY_IMPORT_DAGSTER = {"defs", "definitions", "cli"}
# Core decides; it neither asks the time nor the environment, and touches no file or network.
BARRED_FROM_CORE = {"os", "sys", "time", "logging", "socket", "pathlib", "requests", "psycopg", "sqlalchemy", "random"}
SLOW_TO_IMPORT = ("pandas", "pandera", "dagster", "requests", "urllib3", "sqlalchemy")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "lib"}

MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "perfcopilot_goals_tests").rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Full names of the modules that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module or "")
            if node.module == "perfcopilot_goals":
                names |= {f"perfcopilot_goals.{alias.name}" for alias in node.names}
    return names


def loaded_by_help(commands: list[list[str]], modules: Sequence[str]) -> list[str]:
    """Which of these modules a fresh process has imported after the help of these commands."""
    script = (
        "import json, sys; from perfcopilot_goals.cli import main\n"
        "commands, modules = json.loads(sys.argv[1])\n"
        "for command in commands: main([*command, '--help'], standalone_mode=False)\n"
        "print(json.dumps([m for m in modules if m in sys.modules]))"
    )
    given = json.dumps([commands, list(modules)])
    done = subprocess.run([sys.executable, "-c", script, given], capture_output=True, text=True, check=True)
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_rooms_that_its_own_may_use(path: Path) -> None:
    room = room_of(path)
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("perfcopilot_goals.")} - {room}
    assert ours <= MAY_IMPORT.get(room, set())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dagster_stays_in_its_rooms_and_core_stays_pure(path: Path) -> None:
    room = room_of(path)
    foreign = {name.split(".")[0] for name in imports_of(path)}
    assert room in MAY_IMPORT_DAGSTER or not {"dagster", "dagster_postgres"} & foreign
    assert room != "core" or not BARRED_FROM_CORE & foreign
    assert room != "asana" or not {"pandas", "pandera", "psycopg"} & foreign


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_for_and_has_a_name_that_tells(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert not tree.body or ast.get_docstring(tree)
    assert path.stem not in VAGUE_NAMES


def test_settings_are_loaded_at_the_entry_points_alone() -> None:
    """Whatever loads them again could follow another environment than the rest. Dagster makes its instance itself."""
    loads = {str(path.relative_to(PACKAGE)) for path in MODULES if "load_settings(" in path.read_text("utf-8")}
    assert loads == {"settings.py", "definitions.py", "cli/session.py", "defs/instance.py"}


def test_no_step_fetches_its_resources_from_the_context() -> None:
    """They stand in its signature, with their types."""
    assert [path.name for path in MODULES if "context.resources" in path.read_text("utf-8")] == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_file_is_imported_for_a_helper_in_it(path: Path) -> None:
    """Helpers are in modules of their own, so that a test file can be read, moved and deleted by itself."""
    ours = {name for name in imports_of(path) if name.startswith("perfcopilot_goals_tests.")}
    assert not {name for name in ours if name.rpartition(".")[2].startswith("test_")}


def test_the_data_dictionary_is_what_the_models_say() -> None:
    from perfcopilot_goals.schemas.dictionary import PAGE, render

    assert (ROOT / PAGE).read_text("utf-8") == render(), "write it anew: make docs"


def test_every_fault_of_the_catalogue_is_held_by_a_test_or_ruled_out_for_a_reason() -> None:
    tests = collect_tests()
    assert unheld(tests) == []
    assert FAULTS_PAGE.read_text("utf-8") == render_faults(tests), "write it anew: make docs"


def test_the_reference_names_every_command_and_no_page_names_another() -> None:
    import click

    from perfcopilot_goals.cli import main

    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    ctx = click.Context(main)
    for name in main.list_commands(ctx):
        command = main.get_command(ctx, name)
        assert f"perfcopilot-goals {name}" in reference, name
        for sub in command.commands if isinstance(command, click.Group) else ():
            assert re.search(rf"{name} [a-z|\\]*\b{sub}\b", reference), f"{name} {sub}"
    for page in [ROOT / "README.md", ROOT / "deploy" / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for named in re.findall(r"perfcopilot-goals ([a-z][a-z-]*)", page.read_text("utf-8")):
            assert named in main.list_commands(ctx), f"{page.name}: {named}"


def test_the_reference_names_every_variable_that_the_program_reads() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    settings = (PACKAGE / "settings.py").read_text("utf-8")
    for variable in set(re.findall(r"(?:PERFCOPILOT|DAGSTER)_[A-Z_]+[A-Z]", settings)):
        assert f"`{variable}`" in reference, variable


@pytest.mark.parametrize("command", [[], ["connection"], ["employee"]], ids=["all", "connection", "employee"])
def test_help_loads_no_other_command_and_neither_pandas_nor_dagster_nor_the_database_driver(command: list[str]) -> None:
    modules = [f"perfcopilot_goals.cli.{name}" for name in ("sync", "connection", "employee")]
    own = [f"perfcopilot_goals.cli.{name}" for name in command]
    assert loaded_by_help([command], (*SLOW_TO_IMPORT, "psycopg", *modules)) == own


def test_no_commands_help_waits_for_pandas_dagster_or_sqlalchemy() -> None:
    from perfcopilot_goals.cli import main
    from perfcopilot_goals_tests.cli.commands import leaves

    commands = [name.split(" ") for name in leaves(main)]
    assert ["employee", "suggest"] in commands
    assert loaded_by_help(commands, SLOW_TO_IMPORT) == []


@pytest.mark.fault("H24")
def test_no_file_names_a_package_index_or_a_folder_of_somebodys_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    # Put together from parts, so that this file does not name them.
    barred = re.compile(
        "|".join(["pypi" + r"\.org", "python" + r"hosted\.org", r"(?<![\w.:/-])/(?:ro" + "ot|ho" + "me)/"])
    )
    found = [f for f in tracked if (ROOT / f).is_file() and barred.search((ROOT / f).read_text("utf-8", "replace"))]
    assert found == []
