"""Requests that do not come from the page, or are not for it; and what every answer carries."""

import http.client
from collections.abc import Callable

import pytest

from perfcopilot_goals_tests.admin.filling import audited
from perfcopilot_goals_tests.admin.reading import Form
from perfcopilot_goals_tests.admin.serving import SECRET, Browser, Page

SAFETY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}


def adding(browser: Browser) -> Form:
    return browser.open("/admin").form("/admin/connections/add")


@pytest.mark.parametrize(
    "address", ["/admin", "/admin?tab=nope", "/nope", "/admin/enter?key=x", "/admin/style.css", "/"]
)
def test_every_answer_is_safe_to_keep_open_and_kept_nowhere(page: Page, address: str) -> None:
    for browser in (page.administrator(), page.browser()):
        response = browser.get(address)
        assert {name: response.headers[name] for name in SAFETY} == SAFETY
        assert "Server" not in response.headers


def test_no_page_has_code_or_style_within_it_or_loads_anything_from_elsewhere(page: Page) -> None:
    browser = page.administrator()
    for tab in ("integrations", "employees", "goals", "syncs", "audit"):
        document = browser.open(f"/admin?tab={tab}")
        for tag, attributes in document.tags:
            assert tag not in ("script", "style", "iframe", "object")
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
            if tag in ("link", "img"):
                assert (attributes.get("href") or attributes.get("src") or "").startswith("/admin/")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example"]
)
def test_another_host_is_refused(page: Page, host: str) -> None:
    browser = page.administrator()
    assert browser.get("/admin", Host=host).status_code == 400


def test_localhost_is_the_same_page(page: Page) -> None:
    port = page.root.rpartition(":")[2]
    assert page.browser().get("/admin/style.css", Host=f"localhost:{port}").status_code == 200


def test_two_hosts_or_none_are_refused(page: Page) -> None:
    host, port = page.root.removeprefix("http://").split(":")
    for hosts in ([], [f"{host}:{port}", "evil.example"]):
        line = http.client.HTTPConnection(host, int(port))
        line.putrequest("GET", "/admin", skip_host=True)
        for name in hosts:
            line.putheader("Host", name)
        line.endheaders()
        assert line.getresponse().status == 400
        line.close()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://evil.example"}, id="another origin"),
        pytest.param({"Origin": "null"}, id="a hidden origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="another port"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, id="a sandboxed frame"),
    ],
)
def test_a_form_from_another_site_changes_nothing(page: Page, headers: dict[str, str]) -> None:
    browser = page.administrator()
    response = browser.send(adding(browser), {"connection": "acme"}, headers=headers)
    assert response.status_code == 403
    assert audited(page.database) == []


def test_a_form_of_ours_whose_origin_the_browser_hides_is_taken(page: Page) -> None:
    browser = page.administrator()
    headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert browser.send(adding(browser), {"connection": "acme"}, headers=headers).status_code == 303


def test_a_form_without_its_key_or_with_another_sessions_changes_nothing(page: Page) -> None:
    one, other = page.administrator(), page.administrator()
    foreign = adding(other).values("form_key")[0]
    keys: list[str | list[str]] = ["", "guess", foreign, []]
    for key in keys:
        response = one.send(adding(one), {"connection": "acme", "form_key": key})
        assert response.status_code == 403
        assert "nothing was changed" in response.text
    assert audited(page.database) == []


def test_behind_a_proxy_the_page_has_the_address_that_people_open(serve: Callable[..., Page]) -> None:
    page = serve(
        PERFCOPILOT_ADMIN_PROXY_SECRET=SECRET, PERFCOPILOT_ADMINS="hr@example.com",
        PERFCOPILOT_ADMIN_URL="https://goals.example.com",
    )  # fmt: skip
    hr = page.user("hr@example.com")
    assert hr.get("/admin").status_code == 400, "not by the address of the machine"
    hr.session.headers["Host"] = "goals.example.com"
    form = adding(hr)
    for origin, status in (("http://goals.example.com", 403), ("https://goals.example.com", 303)):
        assert hr.send(form, {"connection": "acme"}, headers={"Origin": origin}).status_code == status


@pytest.mark.parametrize(
    "address", ["/admin/../etc/passwd", "/admin/%2e%2e/style.css", "/admin/style.css%00", "/admin//x"]
)
def test_a_path_leads_nowhere_else(page: Page, address: str) -> None:
    host, port = page.root.removeprefix("http://").split(":")
    line = http.client.HTTPConnection(host, int(port))
    line.request("GET", address)
    assert line.getresponse().status == 404
    line.close()


def test_a_line_break_in_an_address_makes_no_header(page: Page) -> None:
    browser = page.administrator()
    name = "acme%0d%0aSet-Cookie:%20x=y"
    for address in (
        f"/admin/employees.csv?connection={name}",
        f"/admin?tab=goals&connection={name}",
        f"/admin?tab={name}",
    ):
        response = browser.get(address)
        assert response.status_code in (404, 422)
        assert "Set-Cookie" not in response.headers


def test_fifty_megabytes_are_refused_in_words_and_not_kept_in_memory(page: Page) -> None:
    browser = page.administrator()
    assert browser.send(adding(browser), {"connection": "acme"}).status_code == 303
    form = browser.open("/admin?tab=employees&connection=acme").form("/admin/employees/preview")
    huge = b"employee_id,full_name,email,asana_user_gid\n" + b"x" * 50 * 2**20
    response = browser.send(form, file=huge)
    assert response.status_code == 413
    assert "nothing was read" in response.text
    assert browser.get("/admin").status_code == 200


def test_a_body_of_unknown_length_is_measured_as_it_comes(page: Page) -> None:
    browser = page.administrator()
    key = adding(browser).values("form_key")[0]
    parts = (b"x" * 2**20 for _ in range(20))
    response = browser.session.post(
        f"{page.root}/admin/connections/add",
        data=(part for part in (f"form_key={key}&connection=".encode(), *parts)),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert response.status_code == 413
    assert audited(page.database) == []
