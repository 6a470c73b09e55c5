"""Two Celery workers, one of which is killed: shows that what deploy/README.md says happens. `make proof`."""
