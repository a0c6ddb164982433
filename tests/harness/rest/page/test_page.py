"""The page in a browser: it is live, it says what goes on, and nothing that users type becomes markup."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.rest.served import Served

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright; pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server whose clock stands still."""
    with Served("--speed", "stopped") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """The page, and a test that fails when a script on it does."""
    errors: list[str] = []
    opened = browser.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    opened.goto(served.url)
    yield opened
    opened.close()
    assert not errors


def test_a_migration_shows_and_moves(served: Served, page: Any) -> None:
    """Its stages and its progress, without loading the page again."""
    volume = served.ask("POST", "/v3/demo/volumes", {"volume": {"size": 100, "name": "travelling"}})["volume"]
    served.pass_time(2)
    body = {"os-migrate_volume": {"host": "node1@lvm-b#lvm-b", "lock_volume": True}}
    served.ask("POST", f"/v3/demo/volumes/{volume['id']}/action", body)
    card = page.locator(f"[data-volume='{volume['id']}']")
    card.get_by_text("starting").wait_for(timeout=5000)
    served.pass_time(120)
    card.get_by_text("12 % copied").wait_for(timeout=5000)
    assert card.locator("[aria-current=step]").inner_text() == "migrating"
    assert "node1@lvm-b#lvm-b" in card.inner_text()
    served.pass_time(512)
    card.get_by_text("62 % copied").wait_for(timeout=5000)
    served.pass_time(1000)
    card.wait_for(state="detached", timeout=5000)
    row = page.locator("tr", has_text=volume["id"])
    assert "success" in row.inner_text()


def test_what_users_type_is_text(served: Served, page: Any) -> None:
    """A volume's name with markup in it is shown as it was typed."""
    name = "<img src=x onerror=alert(1)><script>document.title='owned'</script>"
    served.ask("POST", "/v3/demo/volumes", {"volume": {"size": 1, "name": name}})
    page.get_by_text(name, exact=True).wait_for(timeout=5000)
    assert page.title() == "Crucible: volumes on the move"
    assert page.locator("td img").count() == 0


def test_the_pace_of_time_is_chosen_on_the_page(served: Served, page: Any) -> None:
    """And shown by the button that is pressed."""
    page.locator("button[data-speed='10.0']").click()
    page.locator("button[data-speed='10.0'][aria-pressed=true]").wait_for(timeout=5000)
    assert served.ask("GET", "/clock")["speed"] == 10.0
    page.get_by_role("button", name="stop").click()
    page.locator("button[data-speed='stopped'][aria-pressed=true]").wait_for(timeout=5000)


@pytest.mark.parametrize(("scheme", "lightest"), [("light", True), ("dark", False)])
def test_it_is_light_or_dark_as_the_reader_likes(page: Any, scheme: str, lightest: bool) -> None:
    """The ground is brighter than the letters, or the other way round."""
    page.emulate_media(color_scheme=scheme)
    ground, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        ".map(text => text.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))"
    )
    assert (ground > ink) is lightest
    assert abs(ground - ink) > 400


def test_nothing_comes_from_elsewhere(browser: Any, served: Served) -> None:
    """Every request goes to the server itself."""
    asked: list[str] = []
    opened = browser.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(served.url, wait_until="networkidle")
    opened.close()
    assert all(url.startswith((served.url, "data:")) for url in asked)
    assert f"{served.url}/ui/page.css" in asked


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Any) -> None:
    """The table scrolls in its own frame."""
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_it_says_when_the_server_is_gone(browser: Any) -> None:
    """What is shown is then how it was."""
    with Served() as passing:
        opened = browser.new_page()
        opened.goto(passing.url)
        passing.stop()
        opened.get_by_text("The server does not answer").wait_for(timeout=5000)
        opened.close()
