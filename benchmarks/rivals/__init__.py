"""Fair uses of other libraries for the same fetch. They run in an environment of their own (requirements.lock)."""
