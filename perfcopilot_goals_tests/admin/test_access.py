"""Who gets in, for how long, and what a manager sees."""

from collections.abc import Callable

import pytest

from perfcopilot_goals.admin.access import SESSION_SECONDS, WRONG_KEYS
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals_tests.admin.filling import audited, connect, give_goal
from perfcopilot_goals_tests.admin.serving import SECRET, Page

TABS = ["/admin", *(f"/admin?tab={tab}" for tab in ("integrations", "employees", "goals", "syncs", "audit"))]
CHANGES = ["connections/add", "connections/change", "connections/test", "connections/remove", "sync"]
CHANGES += ["employees/suggest", "employees/map", "employees/unmap", "employees/preview", "employees/import"]

ROSTER = [
    Employee("E1", "Ana Ruiz", "ana@example.com", "11", "bo@example.com"),
    Employee("E2", "Bo Li", "bo@example.com", "12", "cy@example.com"),
    Employee("E3", "Cy Old", "cy@example.com", "13", "bo@example.com"),
    Employee("E4", "Di Vu", "di@example.com", "14"),
]


@pytest.mark.parametrize("address", [*TABS, "/admin/employees.csv?connection=acme"])
def test_without_a_session_nothing_is_shown(page: Page, address: str) -> None:
    connect(page.database, *ROSTER)
    response = page.browser().get(address)
    assert response.status_code == 403
    assert "Ana" not in response.text
    assert "acme" not in response.text


@pytest.mark.parametrize("change", CHANGES)
def test_without_a_session_nothing_is_changed(page: Page, change: str) -> None:
    browser = page.browser()
    response = browser.session.post(f"{page.root}/admin/{change}", data={"connection": "acme"}, allow_redirects=False)
    assert response.status_code == 403
    assert audited(page.database) == []


def test_a_link_lets_one_browser_in_once_and_the_next_link_another(page: Page) -> None:
    first = page.keys[-1]
    browser = page.browser()
    entered = browser.get(f"/admin/enter?key={first}")
    cookie = entered.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Max-Age=43200", "Path=/admin"):
        assert part in cookie
    assert browser.get("/admin").status_code == 200
    assert page.browser().get(f"/admin/enter?key={first}").status_code == 403
    assert page.keys[-1] != first
    assert page.administrator().get("/admin").status_code == 200
    assert browser.get("/admin").status_code == 200, "the first browser stays in"


def test_a_browser_stays_in_when_it_enters_another_page_of_this_machine(serve: Callable[..., Page]) -> None:
    first, second = serve(), serve()
    browser, other = first.administrator(), second.browser()
    other.session.cookies = browser.session.cookies
    assert other.get(f"/admin/enter?key={second.keys[-1]}").status_code == 200
    assert (browser.get("/admin").status_code, other.get("/admin").status_code) == (200, 200)


def test_a_session_ends_after_twelve_hours(page: Page) -> None:
    browser = page.administrator()
    page.clock.now += SESSION_SECONDS - 1
    assert browser.get("/admin").status_code == 200
    page.clock.now += 1
    assert browser.get("/admin").status_code == 403


def test_after_ten_wrong_keys_none_is_looked_at_for_a_minute(page: Page) -> None:
    browser = page.browser()
    tries = [browser.get(f"/admin/enter?key=wrong{number}").status_code for number in range(WRONG_KEYS + 1)]
    assert tries == [403] * WRONG_KEYS + [429]
    assert browser.get(f"/admin/enter?key={page.keys[-1]}").status_code == 429
    page.clock.now += 60
    assert browser.get(f"/admin/enter?key={page.keys[-1]}").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no header"),
        pytest.param({"X-Forwarded-Email": "hr@example.com"}, id="no secret"),
        pytest.param({"X-Forwarded-Email": "hr@example.com", "X-Perfcopilot-Proxy": "guess"}, id="wrong secret"),
        pytest.param({"X-Forwarded-Email": "hr@example.com", "X-Perfcopilot-Proxy": ""}, id="empty secret"),
        pytest.param({"X-Perfcopilot-Proxy": SECRET}, id="nobody"),
        pytest.param({"X-Forwarded-Email": "hr@example.com, x@y.z", "X-Perfcopilot-Proxy": SECRET}, id="two people"),
        pytest.param({"X-Forwarded-Email": "nobody@example.com", "X-Perfcopilot-Proxy": SECRET}, id="no manager"),
        pytest.param({"X-Forwarded-Email": "di@example.com", "X-Perfcopilot-Proxy": SECRET}, id="an employee only"),
    ],
)
@pytest.mark.parametrize("address", TABS)
def test_behind_a_proxy_a_stranger_sees_nothing(behind_proxy: Page, headers: dict[str, str], address: str) -> None:
    connect(behind_proxy.database, *ROSTER)
    response = behind_proxy.browser(**headers).get(address)
    assert response.status_code == 403
    assert "Ana" not in response.text


def test_behind_a_proxy_there_is_no_link_and_no_session(behind_proxy: Page) -> None:
    assert behind_proxy.browser().get(f"/admin/enter?key={behind_proxy.keys[-1]}").status_code == 404
    assert behind_proxy.user("hr@example.com").get(f"/admin/enter?key={behind_proxy.keys[-1]}").status_code == 404


def test_without_a_secret_the_header_counts_for_nothing(page: Page) -> None:
    connect(page.database, *ROSTER)
    assert page.user("bo@example.com").get("/admin?tab=goals").status_code == 403


def test_an_administrator_is_known_by_the_address_in_any_case(behind_proxy: Page) -> None:
    browser = behind_proxy.user("hr@EXAMPLE.com")
    assert [browser.get(address).status_code for address in TABS] == [200] * len(TABS)


def test_a_manager_sees_the_goals_of_reports_direct_and_below_and_nothing_else(behind_proxy: Page) -> None:
    """Bo manages Ana and Cy, and Cy manages Bo: a circle."""
    connect(behind_proxy.database, *ROSTER)
    for employee in ROSTER:
        give_goal(behind_proxy.database, employee.employee_id, f"Goal of {employee.full_name}")
    bo = behind_proxy.user("bo@example.com")
    shown = bo.open("/admin").text
    assert ("Ana Ruiz" in shown, "Cy Old" in shown) == (True, True)
    assert ("Bo Li" in shown, "Di Vu" in shown) == (False, False)
    for tab in ("integrations", "employees", "syncs", "audit"):
        assert bo.get(f"/admin?tab={tab}").status_code == 403
    assert "Goal of Ana Ruiz" in bo.open("/admin?tab=goals&connection=acme&employee=E1").text
    for address in ("acme&employee=E4", "acme&employee=E2", "acme&employee=E99", "other&employee=E1", "other"):
        refused = bo.get(f"/admin?tab=goals&connection={address}")
        assert refused.status_code == 403
        assert "Goal of" not in refused.text
    assert "Di Vu" not in bo.open("/admin?tab=goals&connection=acme&q=Di").text
    assert bo.get("/admin/employees.csv?connection=acme").status_code == 403
    assert audited(behind_proxy.database) == [("bo@example.com", "looked_at_goals", ["E1"])]


@pytest.mark.parametrize("change", CHANGES)
def test_a_manager_changes_nothing(behind_proxy: Page, change: str) -> None:
    connect(behind_proxy.database, *ROSTER)
    bo = behind_proxy.user("bo@example.com")
    response = bo.session.post(f"{behind_proxy.root}/admin/{change}", data={"connection": "acme"})
    assert response.status_code == 403
    assert "for administrators" in response.text


def test_a_manager_who_manages_in_two_connections_chooses(behind_proxy: Page) -> None:
    connect(behind_proxy.database, *ROSTER)
    connect(behind_proxy.database, Employee("X1", "Xi Po", "xi@example.com", "21", "BO@example.com"), name="beta")
    bo = behind_proxy.user("bo@example.com")
    assert "Xi Po" in bo.open("/admin?tab=goals&connection=beta").text
    assert "Xi Po" not in bo.open("/admin?tab=goals&connection=acme").text


def test_the_user_header_may_be_another(serve: Callable[..., Page]) -> None:
    page = serve(
        PERFCOPILOT_ADMIN_PROXY_SECRET=SECRET, PERFCOPILOT_ADMINS="hr@example.com",
        PERFCOPILOT_ADMIN_USER_HEADER="Cf-Access-User",
    )  # fmt: skip
    assert page.browser(**{"Cf-Access-User": "hr@example.com", "X-Perfcopilot-Proxy": SECRET}).get("/admin").ok
    assert page.user("hr@example.com").get("/admin").status_code == 403
