"""Settings of the Celery workers: Dagster's Celery app reads them from the module of this name, if it finds one."""

import os

broker_url = result_backend = os.environ["PERFCOPILOT_BROKER_URL"]
# Redis hands out again what was not acknowledged for so long. That is how a run is had back whose worker died before it
# began; one that has begun is known to Dagster, which ignores the second worker and has its own way of noticing.
broker_transport_options = {"visibility_timeout": 300}
# A worker takes a run when it has a slot for it, and none in advance, which would wait while others are idle. What is
# acknowledged at its end counts as taken until then.
worker_prefetch_multiplier = 1
task_acks_late = True
