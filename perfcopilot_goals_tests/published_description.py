"""Asana's published description of its API, where a copy lies beside the checkout. It is not ours to commit."""

from pathlib import Path
from typing import Any

import pytest
import yaml

DESCRIPTION = Path(__file__).resolve().parents[2] / "shared" / "asana_openapi_goals.yaml"


def load_description() -> Any:
    """The description; the test is skipped where there is no copy."""
    if not DESCRIPTION.exists():
        pytest.skip("Asana's description is not beside this checkout")
    return yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))


def published_fields(description: Any, path: str) -> set[str]:
    """The paths that the description allows in `opt_fields` of a GET."""
    parameters = description["paths"][path]["get"]["parameters"]
    (opt_fields,) = [parameter for parameter in parameters if parameter.get("name") == "opt_fields"]
    return set(opt_fields["schema"]["items"]["enum"])
