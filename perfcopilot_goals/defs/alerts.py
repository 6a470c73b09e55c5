"""Alerts: what is posted to a webhook when a run fails, or when employees become truncated.

Off unless `PERFCOPILOT_ALERT_WEBHOOK` names a URL that takes Slack's JSON. What the text says is `core.alerts`.
"""

from collections.abc import Sequence
from urllib.parse import unquote_plus, urlsplit

import dagster as dg
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from perfcopilot_goals.core.alerts import newly_truncated, parse_alerted, render_alerted, tell_failure, tell_truncated
from perfcopilot_goals.core.checks import BLOCKS
from perfcopilot_goals.defs.failures import ERROR_CODE
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.limits import GOALS_PER_EMPLOYEE
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.services.redaction import redact
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.overview import read_truncated

POST_SECONDS = 10
SENSOR_SECONDS = 30
PARTITION = "dagster/partition"
SECRET_CHARS = 4
_RETRIES = Retry(
    2,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
    respect_retry_after_header=False,
)


def alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The two sensors, or none where no webhook is set."""
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
        post(
            webhook,
            tell_failure(
                run.tags.get(PARTITION, "(none)"),
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
            post(webhook, tell_truncated(new, GOALS_PER_EMPLOYEE, f"{settings.ui_url}/assets/{BLOCKS}?view=checks"))
        return dg.SensorResult(cursor=render_alerted(now, webhook))

    return [failed_sync_alert, truncation_alert]


def post(webhook: str, text: str) -> None:
    """Post the text as Slack takes it; `GoalsConfigError`, without the URL, where it was not taken after retries."""
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=_RETRIES))
        session.mount("http://", HTTPAdapter(max_retries=_RETRIES))
        try:
            answer = session.post(webhook, json={"text": text}, timeout=POST_SECONDS, allow_redirects=False)
            problem = "" if answer.ok and not answer.is_redirect else f"answered status {answer.status_code}"
        except requests.RequestException as error:
            problem = f"did not answer ({type(error).__name__})"
    if problem:
        # Raised out here: the library's error quotes the URL, which is the webhook's secret.
        raise GoalsConfigError(f"an alert was not delivered: the webhook {problem}; check PERFCOPILOT_ALERT_WEBHOOK")


def _secrets_of(webhook: str) -> set[str]:
    """The parts of the webhook's URL that no log may hold: all of it, its path, its query and each value in that.

    Each as it was written and as it is sent. Shorter ones are left out: they are no secrets, and a log without any "/"
    or "1" could not be read.
    """
    secrets: set[str] = set()
    for url in (webhook, str(requests.Request("POST", webhook).prepare().url)):
        parts = urlsplit(url)
        values = [pair.partition("=")[2] or pair for pair in parts.query.split("&")]
        secrets |= {url, parts.path, f"{parts.path}?{parts.query}", parts.query, *values, *map(unquote_plus, values)}
    return {secret for secret in secrets if len(secret.strip("/?")) >= SECRET_CHARS}


def _error_of(failures: Sequence[dg.DagsterEvent]) -> str:
    """The text of the first failure that is ours, which is safe to post; else only that the run ended in its middle."""
    for event in failures:
        data = event.step_failure_data.user_failure_data
        if data and data.description and ERROR_CODE in data.metadata:
            return data.description
    return "The run ended outside of its steps, as when its process was killed; its log in the Dagster UI says where."
