"""Whether a block is what was stored: built again from its rows, or found in a file and told line by line."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from perfcopilot_goals.asana.objects import fetch_single_goals
from perfcopilot_goals.core.block_comparison import LineResult, Version, choose_version, compare_block, find_block
from perfcopilot_goals.core.history import format_instant
from perfcopilot_goals.core.lineage import digest_text
from perfcopilot_goals.core.live_goals import LIVE_FIELDS, LiveGoal, compare_live
from perfcopilot_goals.core.prompts import Block
from perfcopilot_goals.domain.block import BlockVersion
from perfcopilot_goals.services.prompts import find_past_block
from perfcopilot_goals.services.sync_access import open_client
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.blocks import StoredBlock, no_block, read_block, rebuild_block, rebuild_past_block
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import read_mapping
from perfcopilot_goals.storage.versions import read_block_versions

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
        rebuilt = rebuild_block(conn, stored) or rebuild_past_block(conn, stored, present, stored.synced_at)
    visible_from = present.visible_from if present else stored.synced_at
    return _verified("stored", stored, rebuilt, present, visible_from)


def verify_past(database: Database, connection: str, employee_id: str, when: str) -> Verification:
    """The same for the block that readers got at an earlier moment, from the versions of its goals."""
    version = find_past_block(database, connection, employee_id, when).version
    with database.connect("verifying the block", snapshot=True) as conn:
        rebuilt = rebuild_past_block(conn, version, version, version.last_synced_at)
    return _verified("as_of", version, rebuilt, version, version.visible_from)


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
    by_key = {format_instant(version.visible_from): version for version in kept}
    versions = [Version(key, version.block, version.citations) for key, version in by_key.items()]
    sha256 = digest_text(block)
    same = [version for version in versions if version.text == block]
    # Of equal versions the latest whose digest matches its text: the block may have been so before.
    intact = [version for version in same if by_key[version.key].sha256 == sha256]
    chosen = (intact or same)[-1] if same else choose_version(block, versions)
    assert chosen is not None
    lines = compare_block(block, chosen, [] if same else [version for version in versions if version is not chosen])
    reason = AS_STORED if intact else VERSION_DIFFERS if same else IN_NO_VERSION
    return Verification(connection, employee_id, "file", reason, sha256, by_key[chosen.key], lines)


def check_live(
    database: Database,
    settings: Settings,
    verification: Verification,
    *,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Verification:
    """The verification with what Asana now says of the cited goals, one request each; waits as a sync does."""
    with database.connect("reading the connection") as conn:
        connection = read_connection(conn, verification.connection)
        owner_gid = read_mapping(conn, verification.connection).get(verification.employee_id)
    gids = list(dict.fromkeys(line.gid for line in verification.lines if line.gid))
    if not gids:
        return replace(verification, live=[])
    with open_client(database, connection, settings, on_wait=on_wait) as client:
        goals = fetch_single_goals(client, gids, LIVE_FIELDS)
        # In here, so that an error about a response's shape names the connection.
        live = compare_live(verification.lines, goals, owner_gid)
    return replace(verification, live=live)


def _verified(
    compared: str,
    looked_at: StoredBlock | BlockVersion,
    rebuilt: Block,
    version: BlockVersion | None,
    visible_from: dt.datetime,
) -> Verification:
    """The block that was looked at, beside what its rows give and what the history has."""
    block, key = looked_at.block, format_instant(visible_from)
    reason, reference = AS_STORED, Version(key, rebuilt.text, rebuilt.citations)
    if (rebuilt.text, rebuilt.citations) != (block, looked_at.citations):
        reason = ROWS_DIFFER
    elif version is None or version.block != block or version.sha256 != digest_text(block):
        reason = VERSION_DIFFERS
        if version:
            reference = Version(key, version.block, version.citations)
    lines = compare_block(block, reference)
    employee = (looked_at.connection, looked_at.employee_id)
    return Verification(*employee, compared, reason, digest_text(block), version, lines)
