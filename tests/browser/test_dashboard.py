"""The dashboard in a real Chromium, over a real gateway."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from gateway.sandbox.process import free_port
from tests.browser.conftest import Open
from tests.keys import bearer, key
from tests.world import Gateway, World, until

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
JOB = {"group_id": "100", "message": "hello"}
ACCOUNT = "article[data-account=main]"
KEYS = [key("boss", scopes=["read", "admin"]), key("eye", scopes=["read"])]


@pytest.fixture(name="expect")
def _expect() -> Any:
    found = pytest.importorskip("playwright.async_api").expect
    found.set_options(timeout=15_000)  # for machines that do much else
    return found


async def dead_letter(world: World, gateway: Gateway, name: str, message: Any = "to nobody") -> str:
    """Return a job that was rejected, because the account was kicked out of its group."""
    world.napcat.behave("group:300", "kick", times=1)
    reply = await gateway.post("/v1/jobs", {"group_id": "300", "message": message, "key": name})
    await gateway.shows(reply.json["id"], "rejected")
    return str(reply.json["id"])


async def test_it_loads_without_an_error_and_asks_nobody_else(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    seen = await visit(gateway)
    page = seen.page
    await expect(page.locator("#headline")).to_have_text("Messages go out")
    await expect(page.locator("#pulse")).to_contain_text("live")
    await expect(page.locator(ACCOUNT)).to_contain_text("ready")
    await expect(page.locator("#waiting")).to_contain_text("Nothing waits")
    await expect(page.locator("#jobs")).to_contain_text("No such jobs")
    await expect(page.locator("[data-box=redis]")).to_contain_text("append-only file")
    assert len(seen.requested) > 10
    assert seen.troubles == []


async def test_numbers_move_when_jobs_flow(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    page = (await visit(gateway)).page
    out = page.locator("[data-cell=out] .cell-number")
    await expect(out).to_have_text("0")
    await world.add(*({**JOB, "group_id": str(number)} for number in range(100, 107)), {**JOB, "delay": "1h"})
    await expect(out).to_have_text("7")
    await expect(page.locator("[data-cell=in] .cell-number")).to_have_text("8")
    await expect(page.locator("[data-cell=waiting] .cell-number")).to_have_text("1")
    await expect(page.locator(f"{ACCOUNT} .legend")).to_contain_text("delivered 7")
    await expect(page.locator("tr[data-job]")).to_have_count(8)
    await expect(page.locator("tr[data-job]", has_text="delivered")).to_have_count(7)


async def test_a_muted_group_is_shown_on_hold_with_its_reason_and_can_be_released(
    world: World, visit: Open, expect: Any
) -> None:
    gateway = await world.gateway()
    world.napcat.behave("group:200", "mute")
    await world.add({**JOB, "group_id": "200"})
    page = (await visit(gateway)).page
    row = page.locator("tr[data-target='group:200']")
    await expect(row).to_contain_text("on hold")
    await expect(row).to_contain_text("Muted there")
    await expect(row.locator(".until")).to_contain_text(re.compile(r"in \d+ min"))
    world.napcat.clear("group:200")
    await row.get_by_role("button", name="Release").click()
    await page.locator("#ask").get_by_role("button", name="Release").click()
    await expect(page.locator("#toast")).to_contain_text("group:200 may go on")
    await expect(row).to_have_count(0)
    assert await world.ended(1)


async def test_a_dead_letter_is_sent_again(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    job = await dead_letter(world, gateway, "letter")
    page = (await visit(gateway)).page
    await page.get_by_role("button", name="Dead letters").click()
    row = page.locator(f"tr[data-job='{job}']")
    await expect(row).to_contain_text("rejected")
    await row.get_by_role("button", name="Send again").click()
    assert world.napcat.texts("group:300") == ["to nobody"]
    await page.locator("#ask").get_by_role("button", name="Send again").click()
    await expect(page.locator("#toast")).to_contain_text("Sent again")
    await until(lambda: world.napcat.texts("group:300") == ["to nobody"] * 2)


async def test_many_dead_letters_are_counted_first_and_then_sent_again(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway(delivery={"settle_for": "1s", "timeout": "1s", "slack": "500ms"})
    for name in ("a", "b", "c"):
        await dead_letter(world, gateway, name)
    page = (await visit(gateway)).page
    await page.get_by_role("button", name="Dead letters").click()
    await page.get_by_role("button", name="Send many again").click()
    ask = page.locator("#ask")
    await expect(ask).to_contain_text("3 would be sent again")
    await expect(ask.locator(".sample li")).to_have_count(3)
    await expect(ask.get_by_label("unconfirmed")).not_to_be_checked()  # for that may arrive twice
    await ask.get_by_label("rejected").uncheck()
    await expect(ask).to_contain_text("0 would be sent again")
    await expect(ask.get_by_role("button", name="Send 0 again")).to_be_disabled()
    assert len(world.napcat.texts("group:300")) == 3
    await ask.get_by_label("rejected").check()
    await ask.get_by_role("button", name="Send 3 again").click()
    await expect(page.locator("#toast")).to_contain_text("3 sent again")
    await until(lambda: len(world.napcat.texts("group:300")) == 6)


HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


async def test_whatever_somebody_writes_stays_text(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    segments = [
        HOSTILE,
        {"type": "image", "data": {"file": "https://evil.example/pixel.png", "summary": HOSTILE}},
        {"type": "node", "data": {"user_id": "10001", "nickname": HOSTILE, "content": [HOSTILE]}},
    ]
    for number, message in enumerate((segments[:2], segments[2:])):
        job = {"group_id": "1", "message": message, "delay": "1h", "key": f"{HOSTILE}{number}"}
        reply = await gateway.post("/v1/jobs", {**job, "metadata": {HOSTILE: HOSTILE}})
        assert reply.status == 202, reply.body
    await gateway.post("/v1/targets/group/1/park", {"reason": f"{HOSTILE} javascript:alert(3) \u202egnp.exe"})
    await gateway.post("/v1/accounts/main/pause", {"reason": HOSTILE})
    seen = await visit(gateway)
    page = seen.page
    await expect(page.locator("#state")).to_contain_text(HOSTILE)
    await expect(page.locator("tr[data-target='group:1']")).to_contain_text(
        f"{HOSTILE} javascript:alert(3) U+202Egnp.exe"
    )
    for nth in ("0", "1"):
        await page.locator("#search-for").fill(f"{HOSTILE}{nth}")
        await page.keyboard.press("Enter")
        await expect(page.locator("#job .message")).to_contain_text(HOSTILE)
        await expect(page.locator("#job pre").last).to_contain_text("onerror")
        await expect(page.locator("#job .job-id ~ .lines")).to_contain_text(f"{HOSTILE}{nth}")
        await page.keyboard.press("Escape")
    assert (
        await page.locator("main img, dialog img, main script, dialog script, main a[href^='javascript']").count() == 0
    )
    assert await page.locator("dialog a").count() == 0
    assert seen.troubles == []


async def test_what_napcat_says_stays_text_too(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway(delivery={"retry": []})
    picture = HOSTILE.partition("<script>")[0]
    world.napcat.behave("group:1", "throw", text=f"失败 {picture}")
    job = (await gateway.post("/v1/jobs", {"group_id": "1", "message": "x"})).json["id"]
    seen = await visit(gateway, f"/#job/{job}")
    await expect(seen.page.locator("#job .words")).to_contain_text(picture)
    assert seen.troubles == []


async def test_one_job_is_told_from_beginning_to_end(world: World, visit: Open, expect: Any) -> None:
    soon = {"text": "^not now", "verdict": "retry", "waits": ["100ms"]}
    gateway = await world.gateway(delivery={"rules": [soon]})
    world.napcat.behave("group:100", "throw", times=1, text="not now")
    job = (await gateway.post("/v1/jobs", {**JOB, "key": "told"})).json["id"]
    seen = await visit(gateway)
    page = seen.page
    await page.get_by_role("link", name="told").click()
    sheet = page.locator("#job")
    await expect(sheet.locator(".step")).to_have_count(4)
    await expect(sheet.locator(".timeline")).to_contain_text("Attempt 1 — surely not sent")
    await expect(sheet.locator(".timeline")).to_contain_text("Attempt 2 — delivered")
    await expect(sheet.locator(".gone")).to_contain_text("This one's words are gone")
    assert page.url.endswith(f"#job/{job}")
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await expect(page).to_have_url(f"{gateway.url}/")
    assert seen.troubles == []


async def test_who_signs_in_may_what_the_key_may(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway(auth={"keys": KEYS})
    await gateway.post("/v1/targets/group/1/park", {"reason": "quarrel"}, bearer("boss"))
    page = (await visit(gateway)).page
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.locator("#board")).to_be_hidden()
    await page.get_by_label("API key").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#sign-in-error")).to_have_text("This is no configured key.")
    await sign_in(page, "eye")
    await expect(page.locator("tr[data-target='group:1']")).to_contain_text("quarrel")
    for act in ("Pause", "Resume", "Park a target…", "Release", "Send again"):
        await expect(page.get_by_role("button", name=act)).to_have_count(0)
    assert await page.evaluate("document.cookie") == ""
    assert [one.get("httpOnly") for one in await page.context.cookies()] == [True]
    await page.reload()
    await expect(page.locator(ACCOUNT)).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await page.context.cookies() == []
    assert "quarrel" not in await page.content()  # nothing is left for who comes next
    await sign_in(page, "boss")
    await expect(page.get_by_role("button", name="Release")).to_be_visible()
    await page.locator(ACCOUNT).get_by_role("button", name="Pause").click()
    await page.locator("#ask").get_by_role("button", name="Pause").click()
    await expect(page.locator(ACCOUNT)).to_contain_text("paused")


async def sign_in(page: "Page", name: str) -> None:
    await page.get_by_label("API key").fill(name)
    await page.get_by_role("button", name="Sign in").click()
    await page.locator(ACCOUNT).wait_for()


async def test_a_target_is_parked_with_a_reason_only_when_that_is_confirmed(
    world: World, visit: Open, expect: Any
) -> None:
    gateway = await world.gateway()
    page = (await visit(gateway)).page
    await page.get_by_role("button", name="Park a target").click()
    ask = page.locator("#ask")
    await ask.get_by_label("Target").fill("group:77")
    await page.keyboard.press("Escape")
    await expect(ask).to_be_hidden()
    assert "hold" not in (await gateway.get("/v1/targets/group/77")).json
    await page.get_by_role("button", name="Park a target").click()
    await ask.get_by_label("Target").fill("group:77")
    await ask.get_by_label("Reason").fill("they quarrel")
    await ask.get_by_label("For how long").select_option("1h")
    await ask.get_by_role("button", name="Park").click()
    await expect(page.locator("tr[data-target='group:77']")).to_contain_text("they quarrel")
    hold = (await gateway.get("/v1/targets/group/77")).json["hold"]
    assert (hold["reason"], hold["operator"]) == ("they quarrel", True)
    await page.get_by_role("button", name="Park a target").click()
    await ask.get_by_label("Target").fill("group:077")
    await ask.get_by_role("button", name="Park").click()
    await expect(ask).to_be_visible()


async def test_everything_can_be_done_from_the_keyboard(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    page = (await visit(gateway)).page
    await expect(page.locator(ACCOUNT)).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.keyboard.press("Tab")
    pause = page.locator(ACCOUNT).get_by_role("button", name="Pause")
    await expect(pause).to_be_focused()
    assert await pause.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    before = await page.locator("[data-box=replicas]").inner_text()
    await expect(page.locator("[data-box=replicas]")).not_to_have_text(before)
    await expect(pause).to_be_focused()  # though all of the page was drawn anew meanwhile
    await page.keyboard.press("Enter")
    reason = page.locator("#ask").get_by_label("Reason")
    await expect(reason).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(pause).to_be_focused()
    await page.keyboard.press("Space")
    await page.keyboard.type("from the keyboard")
    await page.keyboard.press("Enter")
    await expect(page.locator(ACCOUNT)).to_contain_text("from the keyboard")


async def test_on_a_phone_nothing_is_wider_than_the_screen(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    world.napcat.behave("group:200", "mute")
    await world.add({**JOB, "group_id": "200"})
    job = await dead_letter(world, gateway, "k" * 120, "w" * 500)
    await gateway.post("/v1/accounts/main/pause", {"reason": "r" * 190})
    page = (await visit(gateway, viewport={"width": 390, "height": 844}, reduced_motion="reduce")).page
    await expect(page.locator("tr[data-target='group:200']")).to_be_visible()
    await expect(page.locator("tr[data-job]")).to_have_count(2)
    assert (found := await widest(page))[0] <= 390, found
    await page.goto(f"{gateway.url}/#job/{job}")
    await expect(page.locator("#job .message")).to_be_visible()
    assert (found := await widest(page))[0] <= 390, found
    await page.keyboard.press("Escape")
    await page.locator(ACCOUNT).get_by_role("button", name="Resume").click()
    await expect(page.locator("#ask")).to_be_visible()
    assert (found := await widest(page))[0] <= 390, found


async def widest(page: "Page") -> Any:
    """Return what reaches furthest to the right of all that can be seen, and how far."""
    return await page.evaluate(
        """() => [...document.querySelectorAll("main, main *, dialog[open], dialog[open] *")]
          .filter((one) => one.checkVisibility())
          .map((one) => [Math.ceil(one.getBoundingClientRect().right), one.outerHTML.slice(0, 200)])
          .concat([[document.documentElement.scrollWidth, "the page"]])
          .sort((one, other) => other[0] - one[0])[0]"""
    )


async def test_it_speaks_the_language_of_the_browser(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    for locale, headline, lang in (
        ("zh-CN", "消息正常发送", "zh-Hans"),
        ("zh-TW", "消息正常发送", "zh-Hans"),
        ("de-DE", "Messages go out", "en"),
    ):
        page = (await visit(gateway, locale=locale)).page
        await expect(page.locator("#headline")).to_have_text(headline)
        assert await page.locator("html").get_attribute("lang") == lang


async def test_it_is_dark_where_the_browser_is(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    grounds = []
    for scheme in ("light", "dark"):
        page = (await visit(gateway, color_scheme=scheme, reduced_motion="reduce")).page
        await expect(page.locator(ACCOUNT)).to_be_visible()
        grounds.append(await page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        assert (
            await page.evaluate("getComputedStyle(document.querySelector('.gauge .full')).transitionDuration") == "0s"
        )
    light, dark = (int(re.findall(r"\d+", ground)[0]) for ground in grounds)
    assert light > 200
    assert dark < 60


async def test_it_says_that_it_is_cut_off_and_comes_back_by_itself(world: World, visit: Open, expect: Any) -> None:
    http = {"port": free_port()}
    first = await world.gateway(http=http)
    page = (await visit(first)).page
    await expect(page.locator("#pulse")).to_have_text(re.compile("live"))
    await first.stop()
    await expect(page.locator("#cut")).to_contain_text(re.compile(r"Cut off from the gateway since \d\d:\d\d:\d\d"))
    await expect(page.locator("#pulse")).to_have_text("cut off")
    await expect(page.locator(ACCOUNT)).to_be_visible()
    await world.gateway(http=http)
    await world.add(JOB)
    await expect(page.locator("#cut")).to_be_empty(timeout=15_000)
    await expect(page.locator("[data-cell=out] .cell-number")).to_have_text("1")
    await expect(page.locator("tr[data-job]")).to_have_count(1)


async def test_while_redis_is_away_it_says_so_and_keeps_what_it_knows(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway()
    page = (await visit(gateway)).page
    await expect(page.locator(ACCOUNT)).to_be_visible()
    await world.stop_redis()
    await expect(page.locator("#headline")).to_have_text("Nothing goes out")
    await expect(page.locator("#state .reason").first).to_contain_text("Redis does not answer")
    await expect(page.locator("#state")).to_contain_text("the numbers below are from")
    await expect(page.locator(ACCOUNT)).to_be_visible()
    await world.start_redis()
    await expect(page.locator("#headline")).not_to_have_text("Nothing goes out")


async def test_who_is_no_longer_let_in_is_asked_for_the_key(world: World, visit: Open, expect: Any) -> None:
    http = {"port": free_port()}
    first = await world.gateway(http=http, auth={"keys": KEYS})
    page = (await visit(first)).page
    await sign_in(page, "eye")
    await first.stop()
    await world.gateway(http=http, auth={"keys": [key("other", scopes=["read"])]})
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=15_000)
    await expect(page.locator("#board")).to_be_hidden()
    await sign_in(page, "other")


async def test_of_what_may_arrive_twice_it_warns(world: World, visit: Open, expect: Any) -> None:
    gateway = await world.gateway(delivery={"settle_for": "100ms", "timeout": "1s", "slack": "500ms"})
    world.napcat.behave("group:300", "timeout", wait_ms=50)
    job = (await gateway.post("/v1/jobs", {"group_id": "300", "message": "who knows"})).json["id"]
    await gateway.shows(job, "unconfirmed")
    page = (await visit(gateway, f"/#job/{job}")).page
    await page.locator("#job").get_by_role("button", name="Send again").click()
    await expect(page.locator("#ask")).to_contain_text("it may be there twice")
    await page.keyboard.press("Escape")
    await expect(page.locator("#ask")).to_be_hidden()
    await expect(page.locator("#job")).to_be_visible()


async def test_a_session_that_ends_while_something_is_asked_leaves_only_the_sign_in(
    world: World, visit: Open, expect: Any
) -> None:
    gateway = await world.gateway(auth={"keys": KEYS})
    page = (await visit(gateway)).page
    await sign_in(page, "boss")
    await page.locator(ACCOUNT).get_by_role("button", name="Pause").click()
    await page.context.clear_cookies()
    await page.locator("#ask").get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.locator("#ask")).to_be_hidden()
    await sign_in(page, "boss")
    await expect(page.locator("#ask")).to_be_hidden()
    await page.locator(ACCOUNT).get_by_role("button", name="Pause").click()
    await page.locator("#ask").get_by_role("button", name="Pause").click()
    await expect(page.locator(ACCOUNT)).to_contain_text("paused")
