"""Settings of the Celery workers. Dagster's Celery app reads them from a module of this name, if there is one."""

import os

broker_url = result_backend = os.environ["PERFCOPILOT_BROKER_URL"]
# Redis hands out again what was not acknowledged for this long. So a run comes back whose worker died before the run
# began. A run that has begun is known to Dagster: it ignores a second worker, and notices a dead one by itself.
broker_transport_options = {"visibility_timeout": 300}
# A worker takes a run only when it has a slot. A run taken in advance would wait while other workers are idle. As runs
# are acknowledged at their end, a run counts as taken until then.
worker_prefetch_multiplier = 1
task_acks_late = True
