"""Every segment the gateway sends, as typed dictionaries: what is checked is what is sent, with nothing in between.

Field names and what is required follow NapCat 4.18 (types/message.ts and api/msg.ts of napcat-onebot). Fields that
NapCat ignores on sending but producers commonly give are `Unsent`: accepted, and left out of the wire form. Null is as
good as absent, and taken out before.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar, get_args, get_type_hints

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    GetJsonSchemaHandler,
    SkipValidation,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    with_config,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType, TypedDict, is_typeddict

from gateway.model.spelling import (
    ANY_NUMBER,
    LARGEST_INTEGER,
    QQ,
    Ark,
    FileName,
    Label,
    Link,
    MessageId,
    Number,
    Text,
    Words,
    spelled,
)

_STRICT = ConfigDict(extra="forbid")
_UNSENT = Field(description="accepted, and not sent: NapCat ignores it")
Unsent = Annotated[Any, _UNSENT]
"""Accepted and not sent: NapCat ignores it, or only reports it in the messages it receives."""
_TRUE_OR_FALSE = "|".join(
    "".join(f"[{letter.upper()}{letter}]" for letter in word)
    for word in ("t", "f", "y", "n", "on", "off", "true", "false", "yes", "no")
)
_FLAG = {
    "anyOf": [
        {"type": "boolean"},
        {"enum": [0, 1]},
        {"type": "string", "pattern": f"^([01]|{_TRUE_OR_FALSE})$"},
    ]
}
UnsentFlag = Annotated[bool, _UNSENT, WithJsonSchema(_FLAG)]
"""A OneBot boolean (true/false, 1/0, yes/no) that NapCat ignores."""


class TextData(TypedDict):
    """Plain text."""

    text: Text


class AtData(TypedDict):
    """A mention; `all` is everybody. NapCat drops it in private chats."""

    qq: Annotated[str, spelled(r"all|[1-9][0-9]{0,19}", 'a QQ number, or "all"', (1, LARGEST_INTEGER))]
    name: NotRequired[Unsent]


class ReplyData(TypedDict):
    """A quote of an earlier message, by `id`, or by `seq` within the same chat (which NapCat prefers)."""

    id: NotRequired[MessageId]
    seq: NotRequired[Number]
    text: NotRequired[Unsent]


def _quotes(data: ReplyData) -> ReplyData:
    if data.get("id") is None and not data.get("seq"):
        raise ValueError("a reply names the message it quotes: give id (or seq)")
    return data


class FaceData(TypedDict):
    """A system face."""

    id: Annotated[str, spelled(r"[0-9]{1,6}", "the number of a face", (0, 999_999))]
    resultId: NotRequired[Annotated[str, spelled(r"[0-9]{0,9}", "a number", (0, 999_999_999))]]
    chainCount: NotRequired[Number]
    raw: NotRequired[Unsent]


class MfaceData(TypedDict):
    """A store sticker; `emoji_package_id` stays a number, as NapCat hands it to QQ unconverted."""

    emoji_package_id: Number
    emoji_id: Annotated[str, spelled(r"[\x21-\x7e]{1,128}", "the id of a sticker", ANY_NUMBER)]
    key: Words
    summary: NotRequired[Label]


def _one_of(*names: str) -> dict[str, Any]:
    """Return, for a JSON Schema, that one of these fields has to be given, and not be empty."""
    given = {"not": {"enum": [None, ""]}}
    return {"anyOf": [{"required": [name], "properties": {name: given}} for name in names]}


Medium = Annotated[
    str, Field(description="http(s)://…, base64://…, data:…, or a path on NapCat's host under one of media.file_roots")
]


class MediaData(TypedDict):
    """Where a medium is: the first given of `url`, `file` and `path`, as NapCat takes them (api/msg.ts)."""

    file: NotRequired[Medium]
    url: NotRequired[Medium]
    path: NotRequired[Medium]
    cache: NotRequired[UnsentFlag]
    proxy: NotRequired[UnsentFlag]
    timeout: NotRequired[Unsent]
    file_id: NotRequired[Unsent]
    file_size: NotRequired[Unsent]


_SOURCE = Field(json_schema_extra=_one_of("file", "url", "path"))


class ImageData(MediaData):
    """A picture; `sub_type` 1 shows it like a sticker."""

    name: NotRequired[Label]
    summary: NotRequired[Label]
    sub_type: NotRequired[Number]
    thumb: NotRequired[Unsent]


class RecordData(MediaData):
    """A voice message."""

    name: NotRequired[Unsent]
    magic: NotRequired[UnsentFlag]


class VideoData(MediaData):
    """A video; `thumb` is a medium of its own."""

    name: NotRequired[FileName]
    thumb: NotRequired[Medium]


class FileData(MediaData):
    """A file; without `name` NapCat may show a random one, so conversion gives it one."""

    name: NotRequired[FileName]


class JsonData(TypedDict):
    """An ark card."""

    data: Ark
    config: NotRequired[Unsent]


class MarkdownData(TypedDict):
    """Markdown; QQ takes it unsigned only inside forwards."""

    content: Words


class _OrMarkdown:
    """Tells a JSON Schema that a record with `content` is markdown: the published page writes it so."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        markdown = handler(TypeAdapter(list[MarkdownData], config=_STRICT).core_schema)["items"]
        return {"anyOf": [handler(core), markdown]}


class MusicById(TypedDict):
    """A song of a music service, by its id."""

    type: Annotated[str, spelled(r"qq|163|kugou|kuwo|migu", "qq, 163, kugou, kuwo or migu", (163, 163))]
    id: Annotated[str, spelled(r"[0-9A-Za-z_-]{1,128}", "the id of a song", ANY_NUMBER)]


class MusicCustom(TypedDict):
    """A music card of one's own."""

    type: Annotated[str, spelled(r"custom|qq|163|kugou|kuwo|migu", "custom, qq, 163, kugou, kuwo or migu", (163, 163))]
    url: Link
    image: Link
    audio: NotRequired[Link]
    title: NotRequired[Label]
    content: NotRequired[Label]


class ContactData(TypedDict):
    """A recommendation of a person (`qq`, which it is unless said otherwise) or of a group."""

    type: NotRequired[Literal["qq", "group"]]
    id: QQ


class ThrowData(TypedDict):
    """Dice or rock-paper-scissors: QQ draws the result."""

    result: NotRequired[Unsent]


class ForwardData(TypedDict):
    """A merged forward that exists already, by its res_id."""

    id: Annotated[str, spelled(r"[\x21-\x7e]{1,512}", "the res_id of a forward", ANY_NUMBER)]
    content: NotRequired[Unsent]


class News(TypedDict):
    """One preview line of a forward card."""

    text: Label


class NodeReference(TypedDict):
    """An existing message as a node of a merged forward."""

    id: MessageId


class AsWritten:
    """Describes to a JSON Schema what is checked where it is read: a string, a segment, or a list of both."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of a whole message, or of the content of a node."""
        segment = handler(core if core["type"] == "list" else SEGMENTS.core_schema)["items"]
        text = {"type": "string", "description": "plain text, or CQ codes with format: cq"}
        several = {"type": "array", "minItems": 1, "maxItems": 2_000, "items": {"anyOf": [text, segment]}}
        return {"anyOf": [{**text, "minLength": 1}, segment, several]}


@with_config(_STRICT)
class Card(TypedDict):
    """How the card of a merged forward looks before it is opened."""

    source: NotRequired[Label]
    news: NotRequired[Annotated[list[News], Field(max_length=16)]]
    summary: NotRequired[Label]
    prompt: NotRequired[Label]


class NodeCustom(Card):
    """A written node of a merged forward; the card fields count only where the content is nodes again.

    Its content is checked where it is read, since it may be a string, a segment or a list of both.
    """

    user_id: NotRequired[QQ]
    uin: NotRequired[QQ]
    nickname: NotRequired[Label]
    name: NotRequired[Label]
    time: NotRequired[Annotated[str, spelled(r"[0-9]{1,13}", "a time in seconds", (0, 9_999_999_999_999))]]
    content: Annotated[SkipValidation[list["Segment"]], AsWritten()]


Kind = TypeVar("Kind", bound=str)
Data = TypeVar("Data")


class Of(TypedDict, Generic[Kind, Data]):
    """One OneBot segment: a `type` and its `data`."""

    type: Kind
    data: Data


class Throw(TypedDict, Generic[Kind]):
    """A segment that says all by its type."""

    type: Kind
    data: NotRequired[ThrowData]


def _music(data: Any) -> str:
    return "(by id)" if isinstance(data, dict) and "id" in data and data.get("type") != "custom" else "(custom)"


def _node(data: Any) -> str:
    return "(reference)" if isinstance(data, dict) and "id" in data and "content" not in data else "(custom)"


Reply = Annotated[ReplyData, AfterValidator(_quotes), Field(json_schema_extra=_one_of("id", "seq"))]
Music = Annotated[Annotated[MusicById, Tag("(by id)")] | Annotated[MusicCustom, Tag("(custom)")], Discriminator(_music)]
Node = Annotated[
    Annotated[NodeReference, Tag("(reference)")] | Annotated[NodeCustom, Tag("(custom)")],
    Discriminator(_node),
]

Segment = TypeAliasType(
    "Segment",
    Annotated[
        Of[Literal["text"], TextData]
        | Of[Literal["at"], AtData]
        | Of[Literal["reply"], Reply]
        | Of[Literal["face"], FaceData]
        | Of[Literal["mface"], MfaceData]
        | Of[Literal["image"], Annotated[ImageData, _SOURCE]]
        | Of[Literal["record"], Annotated[RecordData, _SOURCE, _OrMarkdown()]]
        | Of[Literal["video"], Annotated[VideoData, _SOURCE]]
        | Of[Literal["file"], Annotated[FileData, _SOURCE]]
        | Of[Literal["json"], JsonData]
        | Of[Literal["markdown"], MarkdownData]
        | Of[Literal["music"], Music]
        | Of[Literal["contact"], ContactData]
        | Throw[Literal["dice"]]
        | Throw[Literal["rps"]]
        | Of[Literal["forward"], ForwardData]
        | Of[Literal["node"], Node],
        Discriminator("type"),
    ],
)
"""One sendable segment, told apart by its `type`."""

SEGMENT: TypeAdapter[Segment] = TypeAdapter(Segment, config=_STRICT)
SEGMENTS: TypeAdapter[list[Segment]] = TypeAdapter(Annotated[list[Segment], FailFast()], config=_STRICT)
CARD: TypeAdapter[Card] = TypeAdapter(Card)


def _dictionaries(hint: Any) -> Iterator[type]:
    """Yield the typed dictionaries that may be the data of a segment."""
    if is_typeddict(hint):
        yield hint
    for inner in get_args(hint):
        yield from _dictionaries(inner)


def _fields() -> Iterator[tuple[str, str, Any]]:
    """Yield type, field name and annotation of everything a segment's data may have."""
    for segment in get_args(get_args(Segment.__value__)[0]):
        kind, *data = get_args(segment)
        for dictionary in _dictionaries(data[0] if data else ThrowData):
            for name, annotation in get_type_hints(dictionary, include_extras=True).items():
                yield get_args(kind)[0], name, annotation


def _grouped(fields: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, dict[str, None]] = {}
    for kind, name in fields:
        grouped.setdefault(kind, {})[name] = None
    return {kind: tuple(names) for kind, names in grouped.items()}


TAGS = frozenset({"(by id)", "(custom)", "(reference)"})
"""How the alternatives of one type are told apart in where a fault lies; they are nothing a producer wrote."""
FIELDS = _grouped((kind, name) for kind, name, _ in _fields())
"""The fields of each segment type, for advice."""
UNSENT = {
    kind: frozenset(names)
    for kind, names in _grouped(
        (kind, name) for kind, name, annotation in _fields() if _UNSENT in get_args(get_args(annotation)[0])
    ).items()
}
"""Those of them that are accepted and not sent."""
