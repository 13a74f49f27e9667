"""The card of a merged forward."""

from typing import Annotated, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from gateway.model.spelling import Label


class News(TypedDict):
    """One preview line of a forward card."""

    text: Label


@with_config(ConfigDict(extra="forbid"))
class Card(TypedDict):
    """How the card of a merged forward looks before it is opened."""

    source: NotRequired[Label]
    news: NotRequired[Annotated[list[News], Field(max_length=16)]]
    summary: NotRequired[Label]
    prompt: NotRequired[Label]


CARD: TypeAdapter[Card] = TypeAdapter(Card)
