"""Fixtures of this folder's tests: the command line in a process of its own, and the small company's roster."""

from perfcopilot_goals_tests.cli.command import cli
from perfcopilot_goals_tests.cli.small_company import roster

__all__ = ["cli", "roster"]
