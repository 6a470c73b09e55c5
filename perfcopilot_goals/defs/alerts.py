"""Posts to a webhook when a run fails, or when employees become truncated.

Off unless `PERFCOPILOT_ALERT_WEBHOOK` is a URL that takes Slack's JSON. `core.alerts` writes the texts.
"""

from collections.abc import Sequence
from urllib.parse import unquote_plus, urlsplit

import dagster as dg
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from perfcopilot_goals.core.alerts import failure_text, newly_truncated, parse_alerted, render_alerted, truncation_text
from perfcopilot_goals.core.checks import BLOCKS
from perfcopilot_goals.defs.failures import ERROR_CODE
from perfcopilot_goals.defs.jobs import NAMES as PEOPLES_JOBS
from perfcopilot_goals.defs.partitions import PARTITION_TAG
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.limits import GOALS_PER_EMPLOYEE
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.services.redaction import SECRET_CHARS, redact
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.blocks import read_truncated

POST_SECONDS = 10
SENSOR_SECONDS = 30
_RETRIES = Retry(
    2,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
    respect_retry_after_header=False,
)


def alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The two sensors, or none if no webhook is set."""
    webhook = settings.alert_webhook
    if webhook is None:
        return []
    for secret in _secrets_of(webhook):
        redact(secret)

    @dg.run_failure_sensor(
        name="failed_sync_alert",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=SENSOR_SECONDS,
        description="Posts to the webhook when a run fails: the connection, the error and what to do.",
    )
    def failed_sync_alert(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        if run.job_name in PEOPLES_JOBS:
            # Whoever launched it in the UI is looking at it, and no sync failed.
            return
        post(
            webhook,
            failure_text(
                run.tags.get(PARTITION_TAG),
                run.job_name,
                _error_of(context.get_step_failure_events()),
                f"{settings.ui_url}/runs/{run.run_id}",
            ),
        )

    @dg.sensor(
        name="truncation_alert",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=SENSOR_SECONDS,
        description="Posts to the webhook once for each employee who comes to own more goals than the cap.",
    )
    def truncation_alert(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SensorResult | dg.SkipReason:
        now = store.read_or_skip("reading truncated blocks", read_truncated)
        if isinstance(now, dg.SkipReason):
            return now
        new = newly_truncated(parse_alerted(context.cursor, webhook), now, webhook)
        if new:
            post(webhook, truncation_text(new, GOALS_PER_EMPLOYEE, f"{settings.ui_url}/assets/{BLOCKS}?view=checks"))
        return dg.SensorResult(cursor=render_alerted(now, webhook))

    return [failed_sync_alert, truncation_alert]


def post(webhook: str, text: str) -> None:
    """Post the text in Slack's form; raises `GoalsConfigError`, without the URL, if no try was accepted."""
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=_RETRIES))
        session.mount("http://", HTTPAdapter(max_retries=_RETRIES))
        try:
            response = session.post(webhook, json={"text": text}, timeout=POST_SECONDS, allow_redirects=False)
            is_taken = response.ok and not response.is_redirect
            problem = "" if is_taken else f"responded with status {response.status_code}"
        except requests.RequestException as error:
            problem = f"did not respond ({type(error).__name__})"
    if problem:
        # Raised out here: the library's error quotes the URL, which is the webhook's secret.
        raise GoalsConfigError(
            f"an alert was not delivered: the webhook {problem}", action="Check PERFCOPILOT_ALERT_WEBHOOK"
        )


def _secrets_of(webhook: str) -> set[str]:
    """The parts of the webhook's URL that no log may hold: the URL, its path, its query and each value in the query.

    Each part as it was written and as it is sent. Parts of a few characters are left out: they are no secrets, and
    nobody could read a log without any "/" or "1".
    """
    secrets: set[str] = set()
    for url in (webhook, str(requests.Request("POST", webhook).prepare().url)):
        parts = urlsplit(url)
        values = [pair.partition("=")[2] or pair for pair in parts.query.split("&")]
        secrets |= {url, parts.path, f"{parts.path}?{parts.query}", parts.query, *values, *map(unquote_plus, values)}
    return {secret for secret in secrets if len(secret.strip("/?")) >= SECRET_CHARS}


def _error_of(failures: Sequence[dg.DagsterEvent]) -> str:
    """The text of the first failure that is ours, so safe to post; otherwise only that no step failed by itself."""
    for event in failures:
        data = event.step_failure_data.user_failure_data
        if data and data.description and ERROR_CODE in data.metadata:
            return data.description
    return "No step said why, for example because the process was killed; the run's log in the Dagster UI says where."
