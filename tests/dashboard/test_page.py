"""The files of the dashboard: served safely, complete in two languages, legible, and never reading text as HTML."""

import json
import re
from importlib.resources import files
from itertools import chain

import pytest

from tests.world import World

STATIC = files("gateway.monitor.dashboard") / "static"
SCRIPTS = {entry.name: entry.read_text("utf-8") for entry in STATIC.iterdir() if entry.name.endswith(".js")}
STYLE = (STATIC / "style.css").read_text("utf-8")
INDEX = (STATIC / "index.html").read_text("utf-8")
WORDS: dict[str, dict[str, str]] = json.loads((STATIC / "words.json").read_text("utf-8"))


WAYS = (
    "innerHTML", "outerHTML", "insertAdjacent", "document.write", "DOMParser", "eval(", "Function(", "srcdoc",
    "setHTML", "createContextualFragment", ".style", "localStorage", "sessionStorage",
)  # fmt: skip
"""By which text could become a program, or stay in the browser."""


async def test_the_page_and_all_its_files_are_served_with_what_keeps_a_browser_safe(world: World) -> None:
    gateway = await world.gateway()
    names = [entry.name for entry in STATIC.iterdir()]
    for path in ("/", *(f"/dashboard/{name}" for name in names)):
        reply = await gateway.get(path)
        assert reply.status == 200, path
        policy = reply.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert (await gateway.get("/")).headers["Content-Type"].startswith("text/html")
    for name in ("none.js", "..%2fpage.py", "__init__.py"):
        assert (await gateway.get(f"/dashboard/{name}")).status == 404


async def test_a_file_that_the_browser_has_is_not_sent_again(world: World) -> None:
    gateway = await world.gateway()
    first = await gateway.get("/dashboard/app.js")
    again = await gateway.get("/dashboard/app.js", {"If-None-Match": first.headers["Etag"]})
    assert (again.status, again.body) == (304, b"")
    other = await gateway.get("/dashboard/app.js", {"If-None-Match": 'W/"other"'})
    assert (other.status, other.body) == (200, first.body)


async def test_without_keys_a_page_of_another_site_gets_nothing(world: World) -> None:
    gateway = await world.gateway()
    for path in ("/", "/dashboard/app.js", "/session", "/dashboard/stream"):
        assert (await gateway.get(path, {"Sec-Fetch-Site": "cross-site"})).status == 403
        assert (await gateway.get(path, {"Host": "evil.example"})).status == 403


def test_no_text_is_ever_read_as_html_and_nothing_comes_from_elsewhere() -> None:
    for name, text in SCRIPTS.items():
        for way in WAYS:
            assert way not in text, (name, way)
        assert set(re.findall(r'https?://[^\s"`]+', text)) <= {"http://www.w3.org/2000/svg"}, name
    for text in (INDEX, STYLE):
        assert not re.search(r"https?:|//[a-z]|url\(|@import", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", INDEX)


def test_every_word_of_the_page_is_there_in_english_and_chinese() -> None:
    for key, words in WORDS.items():
        # What to do about a reason comes from the gateway, in English.
        assert set(words) == ({"zh"} if key.startswith("advice.") else {"en", "zh"}), key
        assert all(word.strip() or key == "facts.between" for word in words.values()), key
        places = [set(re.findall(r"\{(\w+)\}", word)) for word in words.values()]
        assert all(names == places[0] for names in places), key


def test_every_word_that_the_page_asks_for_is_there_and_none_is_left_over() -> None:
    source = "\n".join(SCRIPTS.values())
    asked = set(re.findall(r'"([a-z_]+(?:\.[a-zA-Z0-9_-]+)+)"', source)) | set(re.findall(r'data-say="([^"]+)"', INDEX))
    asked = {name for name in asked if not name.endswith((".js", ".json", ".svg"))}
    asked -= {name for name in asked if is_an_element(name)}
    families = set(re.findall(r"[`\"]([a-z]+(?:\.[a-z]+)*\.)\$\{", source))
    assert asked <= set(WORDS), asked - set(WORDS)
    left = {key for key in WORDS if key not in asked and not any(key.startswith(family) for family in families)}
    assert left == set()


def is_an_element(name: str) -> bool:
    """Whether a name is what an element is made of: `span.quiet.of`."""
    return name.split(".", maxsplit=1)[0] in {
        "a", "article", "b", "button", "dd", "details", "div", "dl", "dt", "fieldset", "h1", "h2", "h3", "i", "label",
        "legend", "li", "ol", "p", "path", "pre", "rect", "section", "span", "svg", "table", "td", "time", "tr", "ul",
    }  # fmt: skip


def test_every_reason_that_the_gateway_may_have_is_told_in_both_languages() -> None:
    sources = [file.read_text("utf-8") for file in files("gateway.monitor").iterdir() if file.name.endswith(".py")]
    codes = set(chain.from_iterable(re.findall(r"\breason\(\s*\"([a-z_]+)\"", source) for source in sources))
    assert len(codes) > 15
    assert {f"trouble.{code}" for code in codes} <= set(WORDS)
    assert {f"advice.{code}" for code in codes} <= set(WORDS)


def colours(theme: str) -> dict[str, str]:
    """Return the custom properties of a theme by name."""
    light, _, dark = STYLE.partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    if theme == "dark":
        found |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark))
    return found


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


TEXTS = [
    *((text, ground) for text in ("ink", "quiet", "accent", "good", "warn", "bad") for ground in ("paper", "card")),
    *((text, "well") for text in ("ink", "quiet", "accent")),
    *((state, f"{state}-soft") for state in ("good", "warn", "bad")),
    *(("ink", f"{state}-soft") for state in ("good", "warn", "bad")),
    ("accent", "bad-soft"),
    ("on-accent", "accent"),
    ("paper", "ink"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_what_can_be_clicked_can_be_told_from_their_ground(theme: str) -> None:
    found = colours(theme)
    assert {"ink", "paper", "card"} <= set(found)
    for text, ground in TEXTS:
        assert contrast(found[text], found[ground]) >= 4.5, (theme, text, ground)
    for edge in ("edge", "accent", "good", "warn", "bad"):
        assert contrast(found[edge], found["card"]) >= 3, (theme, edge)


def test_the_two_themes_know_the_same_colours() -> None:
    light, _, dark = STYLE.partition("@media (prefers-color-scheme: dark)")
    names = [set(re.findall(r"--([a-z-]+): ", part.partition("}")[0])) for part in (light, dark.partition("{")[2])]
    assert names[0] == names[1]
    assert set(re.findall(r"var\(--([a-z-]+)\)", STYLE)) <= names[0]
