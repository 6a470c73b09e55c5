"""Settings of the Celery workers: Dagster's Celery app reads them from the module of this name, if it finds one."""

import os

broker_url = result_backend = os.environ["PERFCOPILOT_BROKER_URL"]
# Redis hands out again what was not acknowledged for so long; longer than a run may take (max_runtime_seconds).
broker_transport_options = {"visibility_timeout": 14_400}
# A worker takes a run when it has a slot for it, and none in advance: what it had taken would wait for it, or die with
# it. Runs that are not acknowledged before their end count as taken.
worker_prefetch_multiplier = 1
task_acks_late = True
