"""Every Redis key, in one place.

Names given to producers (`gw:jobs`, `gw:jobs:list`) come from the settings; the rest start with the prefix. All keys of
an account carry the hash tag `{<account>}`, so every script runs in one slot of a Redis Cluster.
"""

from dataclasses import dataclass

RING = (
    "due",  # ZSET target → ms: when the lane may go next; lanes with work that is not in flight
    "flights",  # HASH target → packed: the call under way in its lane, and when its lease lapses
    "scheduled",  # ZSET "<place>:<job>" or "aside:<target>:<requester>" → ms: what joins its lane then
    "holds",  # HASH target or "account" → packed hold
    "counts",  # HASH token, seq, queued, jobs by final state; format, answers in a row, when its rate opens
    "marks",  # HASH source → highest admitted entry id
    "streaks",  # HASH target → turns taken while a lower priority waited
    "media",  # HASH digest of a medium → token of the attempt that sends it
    "receipts",  # STREAM, public: one receipt per state change that matters
    "job:",  # + id: STRING, the record: packed what is known of it, and behind it what it says
    "lane:",  # + target: ZSET job → place; 0 is the job whose turn it is
    "key:",  # + idempotency key: STRING "<job> <fingerprint>"
    "rate:",  # + scope: ZSET token → ms of completion, inf while open
    "tick:",  # + replica: STRING, sequence number and claims of its last tick
    "unsettled:",  # + target: SET of jobs with an attempt nobody knows the fate of
    "aside:",  # + target + ":" + requester: ZSET job → place; they wait for their requester's rate
    "messages:",  # + day: HASH message id → "<target> <job>": parts delivered then, whose events are no news
    "collapse:",  # + target + ":" + collapse key: STRING, the job that the next one of this key replaces
    "limits",  # HASH the limits stamps are counted by, those before them, and since when; the name of the master
    "blocked:",  # + digest: ZSET target → ms: lanes that wait until this medium is not being sent, and since when
    "looks",  # ZSET job → ms: when the history is asked next about an unknown job, then when settling ends
    "slowed",  # HASH target or "account" → packed: by how much its rates are slowed, until when, and why
    "spread:",  # + rule: ZSET target → ms: who met a rule lately that is the account's matter when many meet it
    "unmatched",  # HASH fingerprint of an answer no rule knows → packed: how often, when last, an example
    "login",  # STRING, the QQ number this account was first seen logged in with
    "index",  # STREAM, an entry for each job, in the order of admission; those of dropped records are swept out
    "letters",  # STREAM, an entry for each job that ended undelivered, in the order of their ends
    "callbacks",  # ZSET job → ms: ended jobs whose receipt is still to be posted, and since when
    "receivers",  # ZSET host → ms: when the first callback to it is due
    "receiver:",  # + host: ZSET job → ms: when its callback is due; while it is being posted, when the lease lapses
    "flow:",  # + minute: HASH what happened then → how often: admitted, scheduled, due, verdict:…, ended:…; an hour
    "backlog",  # ZSET target → jobs in its lane, where these are two or more
)
"""The keys of an account in the order every account script takes them as KEYS; `…:` are beginnings of names."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The key names under one prefix."""

    prefix: str

    @property
    def invalid(self) -> str:
        """Name the public stream of refused entries."""
        return f"{self.prefix}:invalid"

    @property
    def bell(self) -> str:
        """Name the channel that says of which account work was admitted, and who says so: `<account> <ringer>`."""
        return f"{self.prefix}:bell"

    @property
    def replicas(self) -> str:
        """Name the hash of the replicas that live: replica → "<ms when it last said so> <JSON>"."""
        return f"{self.prefix}:replicas"

    @property
    def format(self) -> str:
        """Name the format of the data beside the accounts; there is none of the first."""
        return f"{self.prefix}:format"

    @property
    def roster(self) -> str:
        """Name the set of the accounts that any replica has ever served."""
        return f"{self.prefix}:accounts"

    @property
    def secret(self) -> str:
        """Name the secret that all replicas share."""
        return f"{self.prefix}:secret"

    def account(self, account: str) -> list[str]:
        """Return the KEYS of the account scripts, as `RING` orders them."""
        return [self.of(account, name) for name in RING]

    def of(self, account: str, name: str) -> str:
        """Return the key of ACCOUNT called NAME; of names like `job:` in `RING`, the beginning of its keys."""
        return f"{self.prefix}:{{{account}}}:{name}"

    def reader(self, source: str) -> str:
        """Name the lease of the one reader of SOURCE."""
        return f"{self.prefix}:{{{_tag(source)}}}:reader:{source}"

    def listener(self, account: str) -> str:
        """Name the lease of the one listener to the events of ACCOUNT."""
        return self.of(account, "listener")

    def list_stream(self, source: str) -> str:
        """Name the stream into which the entries of a list are moved; in the list's own slot."""
        return f"{self.prefix}:{{{_tag(source)}}}:stream:{source}"


def _tag(name: str) -> str:
    """Return what Redis Cluster hashes of NAME: what stands in its first braces, else all of it."""
    _, brace, rest = name.partition("{")
    tag, closing, _ = rest.partition("}")
    return tag if brace and closing and tag else name
