"""The text of the Lua scripts."""

import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from gateway.store.format import FORMAT

SCRIPTS = (
    "admit", "tick", "evidence", "history", "recall", "whose", "cancel", "reject", "replay", "hold", "mute", "probed",
    "read", "message", "search", "overview", "lane", "forget", "lease", "move", "callback_claim", "callback_settle",
    "presence", "raise", "vouch", "reconsider",
)  # fmt: skip
"""Every script: the files of `lua/`; those of `lua/included/` are no scripts of their own."""


@cache
def source_of(name: str) -> str:
    """Return the text of a script, with the files it includes before it, each once."""
    included: list[str] = []

    def gather(script: str, folder: Traversable) -> None:
        if script not in included:
            text = (folder / f"{script}.lua").read_text("utf-8")
            names = re.search(r"^-- include: (.+)$", text, re.MULTILINE)
            for inner in names[1].split(", ") if names else []:
                gather(inner, lua / "included")
            included.append(script)
            if script == "format":
                texts.append(f"local FORMAT = {FORMAT}")
            texts.append(text)

    texts: list[str] = []
    lua = files("gateway.store") / "lua"
    gather(name, lua)
    return "\n".join(texts)
