"""Two Celery workers, one of them killed: what deploy/README.md says of them, seen to happen. `make proof`."""
