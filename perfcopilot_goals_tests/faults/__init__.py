"""What must be survived: faults on the way to Asana and to Postgres, deaths, and the storms of both."""
