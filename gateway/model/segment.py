"""Every segment the gateway sends, as typed dictionaries: what is checked is what is sent, with nothing in between.

A new type is its data, one line of `Segment` below, and a row in the tests of conversion; all else is read off these.

Field names and what is required follow NapCat 4.18 (types/message.ts and api/msg.ts of napcat-onebot). Fields that
NapCat ignores on sending but producers commonly give are `Unsent`: accepted, and left out of the wire form. Null is as
good as absent, and taken out before.
"""

from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar

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
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType, TypedDict

from gateway.model.card import Card
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
    SomeText,
    Text,
    spelled,
)
from gateway.model.trait import ALONE, ARK, Trait, Unsent, UnsentFlag, one_of

_STRICT = ConfigDict(extra="forbid")


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
    key: SomeText
    summary: NotRequired[Label]


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


_SOURCE = Field(json_schema_extra=one_of("file", "url", "path"))


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

    content: SomeText


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


TAGS = frozenset({"(by id)", "(custom)", "(reference)"})
"""How the forms of one type are told apart in where a fault lies; they are nothing a producer wrote."""


def _music(data: Any) -> str:
    return "(by id)" if isinstance(data, dict) and "id" in data and data.get("type") != "custom" else "(custom)"


def _node(data: Any) -> str:
    return "(reference)" if isinstance(data, dict) and "id" in data and "content" not in data else "(custom)"


Reply = Annotated[ReplyData, AfterValidator(_quotes), Field(json_schema_extra=one_of("id", "seq"))]
Music = Annotated[Annotated[MusicById, Tag("(by id)")] | Annotated[MusicCustom, Tag("(custom)")], Discriminator(_music)]
Node = Annotated[
    Annotated[NodeReference, Tag("(reference)")] | Annotated[NodeCustom, Tag("(custom)")],
    Discriminator(_node),
]

Segment = TypeAliasType(
    "Segment",
    Annotated[
        Annotated[Of[Literal["text"], TextData], Trait(told_by="text")]
        | Annotated[Of[Literal["at"], AtData], Trait(told_by="qq")]
        | Of[Literal["reply"], Reply]
        | Annotated[Of[Literal["face"], FaceData], Trait(told_by="id")]
        | Annotated[Of[Literal["mface"], MfaceData], Trait(alone=True, reported_as="image")]
        | Of[Literal["image"], Annotated[ImageData, _SOURCE]]
        | Annotated[Of[Literal["record"], Annotated[RecordData, _SOURCE, _OrMarkdown()]], ALONE]
        | Annotated[Of[Literal["video"], Annotated[VideoData, _SOURCE]], ALONE]
        | Annotated[Of[Literal["file"], Annotated[FileData, _SOURCE]], ALONE]
        | Annotated[Of[Literal["json"], JsonData], ARK]
        | Annotated[Of[Literal["markdown"], MarkdownData], ALONE]
        | Annotated[Of[Literal["music"], Music], ARK]
        | Annotated[Of[Literal["contact"], ContactData], ARK]
        | Annotated[Throw[Literal["dice"]], ALONE]
        | Annotated[Throw[Literal["rps"]], ALONE]
        | Annotated[Of[Literal["forward"], ForwardData], ARK]
        | Annotated[Of[Literal["node"], Node], Trait(reported_as="card")],
        Discriminator("type"),
    ],
)
"""One sendable segment, told apart by its `type`."""

SEGMENT: TypeAdapter[Segment] = TypeAdapter(Segment, config=_STRICT)
SEGMENTS: TypeAdapter[list[Segment]] = TypeAdapter(Annotated[list[Segment], FailFast()], config=_STRICT)
