"""The commands of `employee …`: the roster of a connection, and who its employees are in Asana."""
