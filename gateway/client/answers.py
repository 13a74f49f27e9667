"""What the gateway answers, parsed; fields of a newer gateway are passed over."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.client.errors import NotUnderstood
from gateway.model.job import Format, OnUnknown, Priority, Split
from gateway.model.receipt import Receipt, State

Model = TypeVar("Model", bound=BaseModel)


class JobFields(TypedDict, total=False):
    """The fields of a job as producers write them; a datetime must know its zone."""

    group_id: str | int | None
    user_id: str | int | None
    temp_session: bool
    message: Any
    format: Format
    account: str | None
    key: str | None
    requester: str | int | None
    priority: Priority
    not_before: str | datetime | None
    delay: str | float | timedelta | None
    expires_at: str | datetime | None
    ttl: str | float | timedelta | None
    collapse_key: str | None
    on_unknown: OnUnknown | None
    split: Split | None
    callback_url: str | None
    metadata: Mapping[str, Any]
    source: str | None
    news: list[dict[str, str]] | None
    summary: str | None
    prompt: str | None
    echo: Any


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Submitted(_Answer):
    """A job that was taken.

    key        its idempotency key, by which it can be asked about and sent again
    id         the job; None over Redis, where it gets one when the gateway reads it
    state      how far it is; over Redis `queued`, though the gateway has not looked at it yet
    duplicate  whether it had been taken before, and this is that first one; None over Redis, where nobody knows yet
    entry      over Redis the id of its stream entry, which a refusal in `gw:invalid` names
    """

    key: str
    id: str | None = None
    state: State = "queued"
    duplicate: bool | None = None
    entry: str | None = None


class Replayed(_Answer):
    """A job that stands for an ended one: its id, the id of the old one, and whether that had been replayed before."""

    id: str
    replay_of: str
    state: State = "queued"
    duplicate: bool = False


class ReplayFailed(_Answer):
    """An ended job that was not replayed, and why."""

    replay_of: str
    code: str
    detail: str


class Replays(_Answer):
    """What a replay of many did: what became of the oldest that match (at most 1,000), and whether there are more.

    A dry run tries none: it counts all that match and shows up to ten of them as `sample`.
    """

    count: int
    items: list[Replayed | ReplayFailed] = []
    more: bool = False
    sample: list[Receipt] = []


class Page(_Answer):
    """One page of a list: go on at `next_cursor` until it is None, though a page be empty."""

    items: list[Receipt]
    next_cursor: str | None = None


def understood(model: type[Model], document: Any) -> Model:
    """Return DOCUMENT as MODEL, without the fields it does not know; raises NotUnderstood when it is none."""
    try:
        return model.model_validate(document, extra="ignore")
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"])) or "the document"
        raise NotUnderstood(
            f"the answer is no {model.__name__.lower()} that this client knows ({place}: {fault['msg']}); "
            "is this the address of a gateway, and the client as new as it is?"
        ) from None
