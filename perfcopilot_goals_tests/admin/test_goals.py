"""An employee's goals on the page, as Asana has them and as the prompt has them."""

import psycopg
import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals_tests.admin.filling import audited, connect, give_goal
from perfcopilot_goals_tests.admin.serving import Page, seconds_of

ANA = Employee("E1", "Ana Ruiz", "ana@example.com", "11")
GOALS = "/admin?tab=goals&connection=acme&employee=E1"


def test_an_empty_page_says_what_to_do_first(page: Page) -> None:
    browser = page.administrator()
    assert "Add your Asana workspace first" in browser.open("/admin?tab=goals").text
    connect(page.database)
    assert "No employees yet. Upload them first" in browser.open("/admin?tab=goals").text


def test_a_goal_is_shown_with_all_that_is_known_and_the_look_is_recorded(page: Page) -> None:
    connect(page.database, ANA)
    block = give_goal(page.database, "E1", "Grow traffic", key_result="Ten posts", description="<body>Why</body>")
    document = page.administrator().open(GOALS)
    for said in (
        "Grow traffic",
        "Ten posts",
        "at risk",
        "in Asana: behind",
        "from 2026-01-01",
        "due 2026-12-31",
        "Why",
    ):
        assert said in document.text
    assert document.block == block
    assert "The block lists all of the goals. As of 2026-03-02 05:17 UTC" in document.text
    assert audited(page.database) == [("local", "looked_at_goals", ["E1"])]


def test_asanas_markup_is_shown_as_text_with_its_lists_and_nothing_that_acts(page: Page) -> None:
    connect(page.database, ANA)
    notes = (
        '<body>Why<ul><li>one</li></ul><a href="https://evil.example">here</a><script>alert(1)</script>'
        '<img src=x onerror="alert(1)"><p style="position:fixed">two</p><b'
    )
    give_goal(page.database, "E1", "Grow", description=notes)
    response = page.administrator().get(GOALS)
    for barred in ("evil.example", "alert(1)", "<img", "onerror", "position:fixed", "<script"):
        assert barred not in response.text
    assert "<li>one</li>" in response.text
    assert "here" in response.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param("update perfcopilot_goals.employees set asana_user_gid = null",
            "not known yet who they are", id="unmapped",
        ),
        pytest.param("delete from perfcopilot_goals.prompt_blocks",
            "no sync has run since they were mapped", id="not synced",
        ),
        pytest.param(
            "update perfcopilot_goals.prompt_blocks set goals_owned = 243, goals_listed = 200, truncated = true, "
            "reason = 'truncated'", "200 of 243 goals are listed", id="truncated",
        ),
        pytest.param(
            "update perfcopilot_goals.prompt_blocks set goals_owned = 0, goals_listed = 0, reason = 'had_goals_before'",
            "an earlier block had some", id="had goals",
        ),
        pytest.param("update perfcopilot_goals.employees set updated_at = now()",
            "changed after this was read", id="roster",
        ),
        pytest.param(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, finished_at, state, "
            "error_code) values ('acme', 'r', now(), now(), now(), 'failed', 'AsanaAccessError')",
            "The last sync failed (AsanaAccessError)", id="failed",
        ),
        pytest.param(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, state) "
            "values ('acme', 'r', now(), now(), 'running')",
            "has not ended, so this is of an earlier one", id="running",
        ),
        pytest.param(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, finished_at, state, "
            """counts) values ('acme', 'run-1', '2026-03-02 05:17Z', now(), now(), 'complete', '{"tables": """
            """{"raw_workspace_goals": {"notes": {"workspace_gid": "76"}}}}')""",
            "these goals are the former workspace's", id="workspace",
        ),
    ],
)  # fmt: skip
def test_what_a_reader_has_to_know_is_said(page: Page, change: str, says: str) -> None:
    connect(page.database, ANA)
    give_goal(page.database, "E1", "Grow traffic")
    with psycopg.connect(page.database.url) as conn:
        conn.execute(change)
    text = page.administrator().open(GOALS).text
    assert says in text
    assert ("Grow traffic" in text) == ("set asana_user_gid = null" not in change and "delete" not in change)


def test_an_employee_who_is_not_there_is_not_looked_at(page: Page) -> None:
    connect(page.database, ANA)
    response = page.administrator().get("/admin?tab=goals&connection=acme&employee=E9")
    assert response.status_code == 422
    assert audited(page.database) == []


def test_a_page_of_two_hundred_goals_takes_at_most_300_ms(page: Page) -> None:
    connect(page.database, ANA)
    with psycopg.connect(page.database.url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.mapped_goal_rows select 'acme', now(), 'r', g::text, g::text, 'E1', 'goal', "
            "g, 'Goal number ' || g, repeat('<li>why</li>', 80), null, null, 'behind', 'at_risk' "
            "from generate_series(1, 200) g"
        )
        conn.execute(
            "insert into perfcopilot_goals.prompt_blocks (connection, synced_at, run_id, employee_id, block, "
            "goals_owned, goals_listed, key_results_listed, truncated, citations, reason) "
            "values ('acme', now(), 'r', 'E1', repeat('- Goal', 2000), 200, 200, 0, false, '[]', 'ok')"
        )
    browser = page.administrator()
    browser.open(GOALS)
    assert min(seconds_of(lambda: browser.get(GOALS)) for _ in range(3)) < 0.3


@pytest.mark.parametrize(
    "note", ['"unread": ["1"]', '"hidden": [{"goal_gid": "1", "count": 2}]'], ids=["unread", "hidden"]
)
def test_a_goal_whose_key_results_asana_did_not_show_is_marked(page: Page, note: str) -> None:
    connect(page.database, ANA)
    give_goal(page.database, "E1", "Grow traffic")
    log = (
        "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, finished_at, state, counts) "
        "values ('acme', 'run-1', '2026-03-02 05:17Z', now(), now(), 'complete', %s)"
    )
    walk = f'"subgoals": {{"notes": {{{note}}}}}'
    made = (
        '"prompt_blocks": {"inputs": {"mapped_goal_rows": "run-1"}}, '
        '"mapped_goal_rows": {"inputs": {"subgoals": "run-1"}}'
    )
    counts = f'{{"tables": {{{walk}, {made}}}}}'
    cited = """update perfcopilot_goals.prompt_blocks set citations =
        '[{"line": 2, "goal_gid": "1", "key_result_gid": null}]'"""
    with psycopg.connect(page.database.url) as conn:
        conn.execute(log, [counts])
        conn.execute("update perfcopilot_goals.mapped_goal_rows set goal_gid = '1', row_gid = '1'")
        conn.execute(cited)
    browser = page.administrator()
    text = browser.open(GOALS).text
    assert "Asana did not show all those of 1 goal, marked below" in text
    assert "Asana did not show all key results of this goal" in text
    assert "1 may lack key results" in browser.open("/admin?tab=goals&connection=acme").text


@pytest.mark.parametrize("query", ["tab=goals&connection=acme&q=%00", "tab=employees&connection=acme&q=%00"])
def test_a_search_for_what_no_text_holds_finds_nobody(page: Page, query: str) -> None:
    connect(page.database, ANA)
    response = page.administrator().get(f"/admin?{query}")
    assert response.status_code == 200
    assert "Ana" not in response.text
