"""Whether a block is what was stored: built again from its rows, or found in a file and told line by line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock
from perfcopilot_goals.asana.single_goals import fetch_single_goals
from perfcopilot_goals.core.block_comparison import LineResult, Version, choose_version, compare_block
from perfcopilot_goals.core.block_text import find_block
from perfcopilot_goals.core.digests import digest_text
from perfcopilot_goals.core.history import format_instant
from perfcopilot_goals.core.live_goals import LIVE_FIELDS, CitedLine, LiveGoal, compare_live
from perfcopilot_goals.core.prompts import render_block
from perfcopilot_goals.domain.block import BlockVersion
from perfcopilot_goals.services.prompts import find_past_block
from perfcopilot_goals.services.sync_access import open_client
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.block_rows import read_past_rows, read_present_rows
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import read_mapping
from perfcopilot_goals.storage.overview import StoredBlock, no_block, read_block
from perfcopilot_goals.storage.versions import read_block_versions

__all__ = ["Verification", "check_live", "verify_file", "verify_past", "verify_present"]

AS_STORED, ROWS_DIFFER, VERSION_DIFFERS, IN_NO_VERSION = "as_stored", "rows_differ", "version_differs", "in_no_version"


@dataclass(frozen=True)
class Verification:
    """Whether a block is as stored, and what became of each line.

    `compared` is `stored`, `as_of` or `file`; `sha256` is of the block that was looked at. `reason` is one of:

    * `as_stored`: it is, byte for byte.
    * `rows_differ`: the stored rows give another block.
    * `version_differs`: the history has another block, or one that is not its own digest's.
    * `in_no_version`: no kept version is this block; `version` is the one that shares most lines.

    `live` is None unless Asana was asked.
    """

    connection: str
    employee_id: str
    compared: str
    reason: str
    sha256: str
    version: BlockVersion | None
    lines: Sequence[LineResult]
    live: Sequence[LiveGoal] | None = None

    @property
    def verifies(self) -> bool:
        """Whether the block is as stored."""
        return self.reason == AS_STORED


def verify_present(database: Database, connection: str, employee_id: str) -> Verification:
    """Whether the stored block is what its stored rows give, and what the history has; `GoalsConfigError` if none."""
    with database.connect("verifying the block", snapshot=True) as conn:
        read_connection(conn, connection)
        stored = read_block(conn, connection, employee_id)
        kept = read_block_versions(conn, connection, employee_id)
        present = kept[-1] if kept and kept[-1].visible_to is None else None
        made_from = _as_version(stored, present)
        rows = read_present_rows(conn, made_from) or read_past_rows(conn, made_from)
    rebuilt = render_block(rows.lines, rows.goals_owned)
    return _verified("stored", stored.block, made_from, present, Version("", rebuilt.text, rebuilt.citations))


def verify_past(database: Database, connection: str, employee_id: str, when: str) -> Verification:
    """The same for the block that readers got at an earlier moment, from the versions of its goals."""
    version = find_past_block(database, connection, employee_id, when).version
    with database.connect("verifying the block", snapshot=True) as conn:
        rows = read_past_rows(conn, version)
    rebuilt = render_block(rows.lines, rows.goals_owned)
    return _verified("as_of", version.block, version, version, Version("", rebuilt.text, rebuilt.citations))


def verify_file(database: Database, connection: str, employee_id: str, content: bytes) -> Verification:
    """Which version of the employee's block is in this file, or what became of each of its lines.

    `GoalsConfigError` if there is not one block in the file, or if no version of the employee's is kept.
    """
    block = find_block(content)
    with database.connect("verifying the block", snapshot=True) as conn:
        read_connection(conn, connection)
        kept = read_block_versions(conn, connection, employee_id)
        if not kept:
            raise no_block(conn, connection, employee_id)
    by_key = {_key(version): version for version in kept}
    versions = [Version(key, version.block, version.citations) for key, version in by_key.items()]
    # Of equal versions the latest: the block may have been so before.
    same = [version for version in versions if version.text == block]
    chosen = same[-1] if same else choose_version(block, versions)
    assert chosen is not None
    lines = compare_block(block, chosen, [] if same else [version for version in versions if version is not chosen])
    reason = AS_STORED if same else IN_NO_VERSION
    return Verification(connection, employee_id, "file", reason, digest_text(block), by_key[chosen.key], lines)


def check_live(
    database: Database,
    settings: Settings,
    verification: Verification,
    *,
    clock: Clock = SYSTEM_CLOCK,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Verification:
    """The verification with what Asana now says of the cited goals, one request each.

    Waits while a sync uses the token, as a sync does.
    """
    with database.connect("reading the connection") as conn:
        connection = read_connection(conn, verification.connection)
        owner_gid = read_mapping(conn, verification.connection).get(verification.employee_id)
    cited = [
        CitedLine(line.key_result_gid or line.goal_gid, line.key_result_gid is None, line.closest or line.text)
        for line in verification.lines
        if line.goal_gid is not None
    ]
    gids = list(dict.fromkeys(line.gid for line in cited))
    if not gids:
        return replace(verification, live=[])
    with open_client(database, connection, settings, clock=clock, on_wait=on_wait) as client:
        goals = fetch_single_goals(client, gids, LIVE_FIELDS)
        # In here, so that an error about a response's shape names the connection.
        live = compare_live(cited, goals, owner_gid)
    return replace(verification, live=live)


def _verified(
    compared: str, block: str, made_from: BlockVersion, version: BlockVersion | None, rebuilt: Version
) -> Verification:
    reason, reference = AS_STORED, rebuilt
    if rebuilt.text != block or list(rebuilt.citations) != made_from.citations:
        reason = ROWS_DIFFER
    elif version is None or version.block != block or version.sha256 != digest_text(block):
        reason = VERSION_DIFFERS
        reference = Version("", version.block, version.citations) if version else rebuilt
    lines = compare_block(block, replace(reference, key=_key(made_from)))
    return Verification(
        made_from.connection, made_from.employee_id, compared, reason, digest_text(block), version, lines
    )


def _as_version(stored: StoredBlock, present: BlockVersion | None) -> BlockVersion:
    """The stored block in the form of a version; one that the history lacks counts as visible since its sync."""
    return BlockVersion(
        connection=stored.connection,
        employee_id=stored.employee_id,
        visible_from=present.visible_from if present else stored.synced_at,
        visible_to=None,
        block=stored.block,
        citations=stored.citations,
        goals_owned=stored.goals_owned,
        goals_listed=stored.goals_listed,
        key_results_listed=stored.key_results_listed,
        truncated=stored.truncated,
        reason=stored.reason,
        sha256=digest_text(stored.block),
        first_synced_at=present.first_synced_at if present else stored.synced_at,
        last_synced_at=stored.synced_at,
        run_id=stored.run_id,
    )


def _key(version: BlockVersion) -> str:
    return format_instant(version.visible_from)
