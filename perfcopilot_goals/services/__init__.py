"""What the product does, one module per use case: plain functions over a database, an Asana client and a clock.

No click, no Dagster, no HTML. The command line reaches the database only through these and `defs`; `defs` also uses
`storage` itself. Decisions are in `core`.

`services.status` imports that module when it is first used. So the command line can name all of them at the top of its
modules, and `--help` does not wait for SQLAlchemy, pandas and pandera.
"""

from typing import TYPE_CHECKING

from perfcopilot_goals.startup import import_when_used

if TYPE_CHECKING:
    from perfcopilot_goals.services import (  # noqa: F401  names them for mypy
        audit,
        connections,
        databases,
        erasure,
        mapping,
        prompts,
        retention,
        roster,
        status,
        sync_access,
        tokens,
        verify,
    )
else:
    __getattr__ = import_when_used(__name__)
