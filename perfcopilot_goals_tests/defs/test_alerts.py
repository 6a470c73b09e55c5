"""Alerts as somebody gets them: posts to a real web server, with no goal's text and nobody's name."""

import json
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.defs.alerts import alert_sensors, post
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.sandbox import Goal
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals_tests.core.examples import error_texts
from perfcopilot_goals_tests.defs.running_instance import Running

SECRET = "services/T000/B000/canary-of-the-webhook"
QUERY = "key=canary-key&token=canary%2Ftoken&thread=canary-key-2&v=1"


@dataclass
class Webhook:
    """What was posted; it answers with the next of `statuses`, and with 200 after the last."""

    url: str = ""
    posted: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.posted]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    received = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = received.statuses.pop(0) if received.statuses else 200
            if status == 200:
                assert self.path in (f"/{SECRET}", f"/{SECRET}?{QUERY}")
                assert self.headers["Content-Type"] == "application/json"
                received.posted.append(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        received.url = f"http://127.0.0.1:{server.server_address[1]}/{SECRET}"
        yield received
        server.shutdown()
        thread.join()


def sensors(webhook: Webhook) -> dict[str, dg.SensorDefinition]:
    settings = load_settings(
        {"PERFCOPILOT_ALERT_WEBHOOK": webhook.url, "PERFCOPILOT_UI_URL": "https://dagster.example/"}
    )
    return {sensor.name: sensor for sensor in alert_sensors(settings)}


def truncation_alert(webhook: Webhook, cursor: str | None, running: Running) -> str | None:
    """One evaluation; the cursor that it leaves."""
    with dg.build_sensor_context(
        instance=running.instance, cursor=cursor, resources={"store": StoreResource(settings=load_settings())}
    ) as context:
        result = sensors(webhook)["truncation_alert"](context)
        assert isinstance(result, dg.SensorResult)
        return result.cursor


def test_without_a_webhook_there_are_no_alert_sensors() -> None:
    names = {sensor.name for sensor in build_definitions(load_settings({})).sensors or []}
    assert names == {
        "connections_sensor",
        "fixed_connection_sensor",
        "connection_checks_sensor",
        "lost_retries_sensor",
        "roster_and_settings_sensor",
    }


def test_with_a_webhook_the_code_location_has_both_and_its_url_is_in_none_of_their_texts(webhook: Webhook) -> None:
    settings = load_settings({"PERFCOPILOT_ALERT_WEBHOOK": webhook.url})
    both = {s.name: s for s in build_definitions(settings).sensors or [] if s.name.endswith("_alert")}
    assert set(both) == {"failed_sync_alert", "truncation_alert"}
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in both.values())
    assert SECRET not in repr(settings) + "".join(str(sensor.description) for sensor in both.values())


def test_a_failed_sync_is_posted_with_what_to_do_and_a_link(running: Running, webhook: Webhook) -> None:
    running.connect("no-gid", workspace_gid=None)
    result = running.sync("no-gid")
    text = posted_about(result, running, webhook)
    assert text.startswith("Sync of connection no-gid failed.\nGoalsConfigError: connection no-gid")
    assert "perfcopilot-goals connection set no-gid --workspace-gid GID" in text
    assert text.endswith(f"https://dagster.example/runs/{result.run_id}")


def posted_about(result: dg.ExecuteInProcessResult, running: Running, webhook: Webhook) -> str:
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_sync_alert",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=running.instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()
    sensors(webhook)["failed_sync_alert"](context)
    (text,) = webhook.texts
    return text


def test_a_failed_job_that_is_no_sync_is_posted_by_its_name(running: Running, webhook: Webhook) -> None:
    job = running.definitions.resolve_job_def("retention")
    config = {"ops": {"delete_old_history": {"config": {"days": 0}}}}
    result = job.execute_in_process(instance=running.instance, run_config=config, raise_on_error=False)
    text = posted_about(result, running, webhook)
    assert text.startswith("Job retention failed.\nGoalsConfigError: ")


def test_an_employee_who_becomes_truncated_is_posted_once(running: Running, webhook: Webhook) -> None:
    for number in range(201):
        running.world.add(Goal(f"{5000 + number}", f"Canary {number}", "1"))
    running.sync()
    cursor = truncation_alert(webhook, None, running)
    cursor = truncation_alert(webhook, cursor, running)
    (text,) = webhook.texts
    assert f"{running.name}: E1 (203)" in text
    assert text.endswith("https://dagster.example/assets/prompt_blocks?view=checks")
    assert "Canary" not in text
    assert "Thimble" not in text
    for number in range(201):
        running.world.delete(f"{5000 + number}")
    running.sync()
    cursor = truncation_alert(webhook, cursor, running)
    assert len(webhook.texts) == 1
    assert cursor == "{}"


@pytest.mark.fault("H30")
def test_the_cursor_that_dagster_keeps_holds_no_employee_id_and_one_of_before_is_gone_after_a_tick(
    running: Running, webhook: Webhook
) -> None:
    for number in range(201):
        running.world.add(Goal(f"{5000 + number}", f"Canary {number}", "1"))
    running.sync()
    before = json.dumps({running.name: {"E1": 203, "E2": 250}})
    cursor = truncation_alert(webhook, before, running)
    assert webhook.texts == [], "E1 had its alert before"
    assert cursor is not None
    assert re.fullmatch(rf'{{"{running.name}": \["[0-9a-f]{{32}}"\]}}', cursor)


@pytest.mark.fault("H33")
def test_an_employee_id_that_would_notify_a_whole_channel_arrives_as_plain_letters(
    running: Running, webhook: Webhook
) -> None:
    for number in range(201):
        running.world.add(Goal(f"{5000 + number}", f"Canary {number}", "1"))
    with psycopg.connect(running.database.url) as conn:
        conn.execute(
            "update perfcopilot_goals.employees set employee_id = '<!channel>' where employee_id = 'E1' "
            "and connection = %s",
            [running.name],
        )
    running.sync()
    truncation_alert(webhook, None, running)
    (text,) = webhook.texts
    assert f"{running.name}: &lt;!channel&gt; (203)" in text


@pytest.mark.fault("H32")
def test_no_part_of_the_webhooks_url_is_in_a_log_its_query_neither(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.url += f"?{QUERY}"
    sensors(webhook)
    webhook.statuses = [503]
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="urllib3"):
        post(webhook.url, "hello")
        for part in ("canary-key", "canary-key-2", "canary%2Ftoken", "canary/token", QUERY):
            logging.getLogger("somebody").warning("sent %s", part)
        logging.getLogger("somebody").warning("v=1 of a/b stays to be read")
    assert webhook.texts == ["hello"]
    assert "POST [redacted] HTTP/1.1" in caplog.text
    assert "Retry" in caplog.text, "the library's own words about a retry were there to be looked at"
    assert "canary" not in caplog.text
    assert "sent [redacted]-2" not in caplog.text, "a short secret that begins a long one leaves its rest"
    assert "v=1 of a/b stays to be read" in caplog.text


def test_a_webhook_that_is_busy_for_a_moment_gets_the_alert_once(webhook: Webhook) -> None:
    webhook.statuses = [503, 429]
    post(webhook.url, "hello")
    assert webhook.texts == ["hello"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_alert_that_was_not_taken_is_an_error_without_the_webhooks_url(webhook: Webhook, status: int) -> None:
    webhook.statuses = [status] * 3
    with pytest.raises(GoalsConfigError, match=f"status {status}") as caught:
        post(webhook.url, "hello")
    assert SECRET not in f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"
    assert webhook.posted == []


def test_a_webhook_that_is_away_is_an_error_without_its_url() -> None:
    with pytest.raises(GoalsConfigError, match="did not respond") as caught:
        post(f"http://127.0.0.1:1/{SECRET}", "hello")
    assert SECRET not in f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"


@pytest.mark.fault("H32")
@pytest.mark.parametrize(
    "url",
    [
        "ftp://canary",
        "http://hooks.example/canary",
        "canary",
        "https://a b/canary",
        "https://",
        "https://[canary/x",
        "https://hooks.example:canary/x",
        "http://127.0.0.1:80@canary.example/x",
        "http://127.0.0.1:80@canary.example:90/x",
        "http://localhost:@canary.example/x",
        "http://127.0.0.1.canary.example/x",
        "http://localhost.canary.example/x",
        "http://127.0.0.1\\@canary.example/x",
        "https://canary:canary@hooks.example/x",
        "https://@hooks.example/canary",
    ],
)
def test_a_webhook_that_is_no_plain_https_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(GoalsConfigError) as caught:
        load_settings({"PERFCOPILOT_ALERT_WEBHOOK": url})
    assert "PERFCOPILOT_ALERT_WEBHOOK" in str(caught.value)
    assert "canary" not in error_texts(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/services/T/B/x?key=a@b",
        "HTTPS://hooks.example:8443/x",
        "http://127.0.0.1:9000/x",
        "http://localhost/x",
        "http://[::1]:9000/x",
    ],
)
def test_an_https_url_and_one_of_this_machine_are_webhooks(url: str) -> None:
    assert load_settings({"PERFCOPILOT_ALERT_WEBHOOK": url}).alert_webhook == url
