"""What the model of an account is made of. Times are milliseconds."""

from dataclasses import dataclass, field

FOREVER = 4_102_444_800_000
CLASSES = {"high": 1, "normal": 2, "low": 3}
BEGUN = (0, 0)  # the place of the job whose turn it is: before every class
STREAK = 20  # turns of higher priority that the lowest may wait behind
MUTED = "muted:"  # a target about whose mute NapCat is asked, among the jobs about which the history is
ASK_AGAIN = 600_000  # how often
LOOK_AGAIN = 1_000  # a lane that waits for a medium looks by itself after this long
REQUESTER_PERIOD = 60_000  # one send in any such window, for each requester
FIRST_LOOK, LAST_LOOK = 1_000, 3_000  # when the history is asked: after a doubt, and before settling is given up
SKEW = 5_000  # QQ's clock may be behind ours by this much
PROBE = 15_000  # a replica has this long to find out whether the account works
TRIAL = 10_000  # a trial that went well as far as it went is over after this long
LONGEST_PAUSE = 30_000  # pauses that double grow no longer than this
CALL = 1_000  # what one call may take by itself; its lease is this much longer than the policy's
FINAL = ("delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled")

Place = tuple[int, int]  # class and admission, in the order in which jobs of a lane go
Ended = tuple[str, str, str, str, int, int, list[int], str, bool]
"""Job, target, state, code, attempts, parts delivered, message ids, evidence, and whether that is a correction."""
Claimed = tuple[str, str, int, int, int, int]  # job, target, token, attempt, part, retries
Noted = tuple[str, str, str, int]  # what, target or "account", reason, until
Row = tuple[int, int, str]  # message id, second, text


@dataclass
class Attempt:
    """One try of one part. Its fate is `open`, `lapsed` (nobody answered in time), or its settlement."""

    token: int
    number: int
    part: int
    began: int
    fate: str = "open"
    free: str | None = None  # the rule that says that it cost no retry
    seen: int | None = None  # an event reported its message while it was open

    @property
    def doubtful(self) -> bool:
        return self.fate in {"unknown", "lapsed"}


@dataclass(eq=False)
class Job:
    """One message. `lapse` says which of its times `expires` is: `ttl` or `max_age`."""

    id: str
    target: str
    text: str
    expires: int
    lapse: str
    priority: str = "normal"
    parts: int = 1
    media: tuple[str, ...] = ()
    requester: str | None = None
    collapse: str | None = None
    on_unknown: str | None = None
    go_at: int = 0
    seq: int = 0

    state: str = "queued"
    code: str | None = None
    done: int = 0  # parts delivered
    retries: int = 0
    doubted: bool = False  # something of it may have been sent
    again: int = 0
    settle_by: int = 0
    unsettled: bool = False  # evidence of it is awaited
    row: int | None = None  # the message that the history lists for it
    looked: bool = False  # a look at the history was answered since the doubt
    granted: bool = False  # it had more time because none was
    called_back: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    evidence: str | None = None
    corrected: bool = False

    @property
    def own_place(self) -> Place:
        return CLASSES[self.priority], self.seq

    @property
    def unsent(self) -> bool:
        """Whether nothing of it may have been sent: only then may it be cancelled, expire or be collapsed."""
        return self.state == "queued" and self.done == 0 and not self.doubted

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def end(self) -> Ended:
        number, code = self.last.number if self.last else 0, self.code or ""
        place = self.id, self.target, self.state, code
        return *place, number, self.done, list(self.message_ids), self.evidence or "", self.corrected

    @property
    def tried_since(self) -> int | None:
        """Return when its current part was first tried, None while it was not."""
        return next((attempt.began for attempt in self.attempts if attempt.part == self.done), None)

    def doubtful(self, besides: Attempt | None = None) -> bool:
        """Whether its current part may have been sent, as far as its attempts tell, BESIDES this one."""
        return any(one.doubtful and one.part == self.done and one is not besides for one in self.attempts)


@dataclass
class Lane:
    """The jobs of one target with their places; `due`: when it is looked at, `lapses`: when its call's lease ends."""

    places: dict[str, Place] = field(default_factory=dict)
    due: int | None = None
    lapses: int | None = None
    streak: int = 0
    answered: list[int] = field(default_factory=list)  # message ids of delivered parts


@dataclass
class Hold:
    """Why a target, or the account, waits since then.

    times    how often it was too short
    probing  until when a replica has time to find out whether the account works
    under    what an operator's hold lies upon, which goes on under it
    trial    how many calls at once are tried since TRIED, after a pause; 0: it is not that far
    """

    since: int
    until: int
    reason: str
    operator: bool
    times: int = 0
    probing: int = 0
    trial: int = 0
    tried: int = 0
    used: bool = False  # something was sent on trial
    under: "Hold | None" = None


@dataclass
class Room:
    """How much a tick may claim; if the account is paused, when to look again, and when to look at the account."""

    claims: int
    again: int | None = None
    asked: int | None = None
    probe: bool = False


@dataclass
class Ticked:
    claims: list[Claimed]
    ended: list[Ended]
    next_in: int | None
    has_work: bool
    noted: list[Noted] = field(default_factory=list)
    looks: list[tuple[str, str]] = field(default_factory=list)
    probe: bool = False
