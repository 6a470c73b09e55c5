"""From the goals in an Asana workspace to the `[GOALS]` block of a performance review."""
