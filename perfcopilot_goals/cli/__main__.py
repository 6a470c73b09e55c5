"""`python -m perfcopilot_goals.cli`, for where the entry point is not on the path."""

from perfcopilot_goals.cli import main

main(prog_name="perfcopilot-goals")
