"""What a look at something the gateway depends on found: fine, advice, or a fault."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Level = Literal["fine", "advice", "fault"]


class Finding(NamedTuple):
    """One fact about one setting.

    level    fine: as it should be; advice: it works, and could bite; fault: it does not work like this
    key      the setting it is about, such as `redis.url` or `accounts.0.token`
    detail   what was found, in a sentence without a full stop; never a secret
    remedy   what to change, "" where nothing has to be
    account  whose setting it is, "" where it is nobody's
    refuses  whether the gateway does not start like this
    """

    level: Level
    key: str
    detail: str
    remedy: str = ""
    account: str = ""
    refuses: bool = False

    def __str__(self) -> str:
        """Return it as one line without its level."""
        about = f"{self.key} ({self.account})" if self.account else self.key
        return f"{about}: {self.detail}" + (f"; {self.remedy}" if self.remedy else "")


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level of FINDINGS; fine when there are none."""
    levels = {finding.level for finding in findings}
    return "fault" if "fault" in levels else "advice" if "advice" in levels else "fine"
