"""Every segment the gateway sends, as frozen models: what NapCat would drop or corrupt does not parse.

Field names and what is required follow NapCat 4.18 (types/message.ts and api/msg.ts of napcat-onebot). Fields that
NapCat ignores on sending but producers commonly give are accepted and left out of the wire form.
"""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Generic, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    model_validator,
)

_UNCARRIED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def carried(value: str) -> str:
    """Return text as it is; raise ValueError for what QQ cannot carry.

    That is a lone surrogate, or a control character other than newline, carriage return and tab.
    """
    if not value.isprintable() and (found := _UNCARRIED.search(value)):
        raise ValueError(f"QQ cannot carry U+{ord(found[0]):04X} (character {found.start()}); leave it out")
    return value


def _id(pattern: str, form: str) -> BeforeValidator:
    """Return a validator that turns a number or string into a string of the given form."""
    spelling = re.compile(pattern)

    def spell(value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) > 2**53:
                raise ValueError("a number over 2^53 loses digits on its way; send it as a string")
            value = str(value)
        if not isinstance(value, str) or spelling.fullmatch(value) is None:
            raise ValueError(f"write {form}")
        return value

    return BeforeValidator(spell, json_schema_input_type=str | int)


def _number(value: object) -> object:
    if isinstance(value, bool | float):
        raise ValueError("write a whole number")  # noqa: TRY004 - pydantic turns ValueError into a field error
    return value


def _ark(value: object) -> str:
    """Return the text of a JSON object given as an object or as its text."""
    try:
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if isinstance(value, str) and isinstance(json.loads(value), dict):
            return value
    except (TypeError, ValueError, RecursionError):
        pass
    raise ValueError("write the card as a JSON object, or as the text of one")


Text = Annotated[str, AfterValidator(carried)]
Words = Annotated[Text, Field(min_length=1)]
QQ = Annotated[str, _id(r"[1-9][0-9]{0,19}", "a QQ or group number: digits only")]
MessageId = Annotated[str, _id(r"-?[0-9]{1,20}", "a message id: digits only")]
Number = Annotated[int, BeforeValidator(_number), Field(ge=0, le=2**53)]
Link = Annotated[Text, _id(r"https?://\S{1,4000}", "an http(s):// URL")]
FileName = Annotated[Text, _id(r'[^\\/:*?"<>|]{1,255}', 'a file name without \\ / : * ? " < > |')]
Ignored = Annotated[Any, Field(exclude=True)]
"""Accepted and not sent: NapCat ignores it, or only reports it in the messages it receives."""
Flag = Annotated[bool | None, Field(exclude=True)]
"""A OneBot boolean (true/false, 1/0, yes/no) that NapCat ignores."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextData(_Data):
    """Plain text."""

    text: Text


class AtData(_Data):
    """A mention; `all` is everybody. NapCat drops it in private chats."""

    qq: Annotated[str, _id(r"all|[1-9][0-9]{0,19}", 'a QQ number, or "all"')]
    name: Ignored = None


class ReplyData(_Data):
    """A quote of an earlier message, by `id`, or by `seq` within the same chat (which NapCat prefers)."""

    id: MessageId | None = None
    seq: Number | None = None
    text: Ignored = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.id is None and not self.seq:
            raise ValueError("a reply names the message it quotes: give id (or seq)")
        return self


class FaceData(_Data):
    """A system face."""

    id: Annotated[str, _id(r"[0-9]{1,6}", "the number of a face")]
    resultId: Annotated[str, _id(r"[0-9]{0,9}", "a number")] | None = None  # noqa: N815 - NapCat's spelling
    chainCount: Number | None = None  # noqa: N815 - NapCat's spelling
    raw: Ignored = None


class MfaceData(_Data):
    """A store sticker; `emoji_package_id` stays a number, as NapCat hands it to QQ unconverted."""

    emoji_package_id: Number
    emoji_id: Words
    key: Words
    summary: Text | None = None


class MediaData(_Data):
    """Where a medium is: the first given of `url`, `file` and `path`, as NapCat takes them (api/msg.ts)."""

    file: str | None = None
    url: str | None = None
    path: str | None = None
    cache: Flag = None
    proxy: Flag = None
    timeout: Ignored = None
    file_id: Ignored = None
    file_size: Ignored = None


class ImageData(MediaData):
    """A picture; `sub_type` 1 shows it like a sticker."""

    name: Text | None = None
    summary: Text | None = None
    sub_type: Number | None = None
    thumb: Ignored = None


class RecordData(MediaData):
    """A voice message."""

    name: Ignored = None
    magic: Flag = None


class VideoData(MediaData):
    """A video; `thumb` is a medium of its own."""

    name: FileName | None = None
    thumb: str | None = None


class FileData(MediaData):
    """A file; without `name` NapCat may show a random one, so conversion gives it one."""

    name: FileName | None = None


class JsonData(_Data):
    """An ark card."""

    data: Annotated[Text, BeforeValidator(_ark)]
    config: Ignored = None


class MarkdownData(_Data):
    """Markdown; QQ takes it unsigned only inside forwards."""

    content: Words


class MusicById(_Data):
    """A song of a music service, by its id."""

    type: Annotated[str, _id(r"qq|163|kugou|kuwo|migu", "qq, 163, kugou, kuwo or migu")]
    id: Annotated[str, _id(r"[0-9A-Za-z_-]{1,128}", "the id of a song")]


class MusicCustom(_Data):
    """A music card of one's own."""

    type: Annotated[str, _id(r"custom|qq|163|kugou|kuwo|migu", "custom, qq, 163, kugou, kuwo or migu")]
    url: Link
    image: Link
    audio: Link | None = None
    title: Text | None = None
    content: Text | None = None


class ContactData(_Data):
    """A recommendation of a person or a group."""

    type: Literal["qq", "group"] = "qq"
    id: QQ


class ThrowData(_Data):
    """Dice or rock-paper-scissors: QQ draws the result."""

    result: Ignored = None


class ForwardData(_Data):
    """A merged forward that exists already, by its res_id."""

    id: Annotated[str, _id(r"[\x21-\x7e]{1,512}", "the res_id of a forward")]
    content: Ignored = None


class News(_Data):
    """One preview line of a forward card."""

    text: Text


class NodeReference(_Data):
    """An existing message as a node of a merged forward."""

    id: MessageId


class Card(_Data):
    """How the card of a merged forward looks before it is opened."""

    source: Text | None = None
    news: tuple[News, ...] | None = None
    summary: Text | None = None
    prompt: Text | None = None


class NodeCustom(Card):
    """A written node of a merged forward; the card fields count only where the content is nodes again."""

    user_id: QQ | None = None
    uin: QQ | None = None
    nickname: Text | None = None
    name: Text | None = None
    time: Annotated[str, _id(r"[0-9]{1,13}", "a time in seconds")] | None = None
    content: tuple["Segment", ...]


Kind = TypeVar("Kind", bound=str)
Data = TypeVar("Data")


class Of(BaseModel, Generic[Kind, Data]):
    """One OneBot segment: a `type` and its `data`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Kind
    data: Data

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name a segment's schema after its type: `ImageSegment`."""
        return f"{str(get_args(params[0])[0]).title()}Segment"


def _music(data: Any) -> str:
    by_id = isinstance(data, MusicById) or (isinstance(data, dict) and "id" in data and data.get("type") != "custom")
    return "(by id)" if by_id else "(custom)"


def _node(data: Any) -> str:
    reference = isinstance(data, NodeReference) or (isinstance(data, dict) and "id" in data and "content" not in data)
    return "(reference)" if reference else "(custom)"


Music = Annotated[Annotated[MusicById, Tag("(by id)")] | Annotated[MusicCustom, Tag("(custom)")], Discriminator(_music)]
Node = Annotated[
    Annotated[NodeReference, Tag("(reference)")] | Annotated[NodeCustom, Tag("(custom)")],
    Discriminator(_node),
]


def _meant(value: Any) -> Any:
    """Return what a producer means: markdown under the published page's name `record`, a throw with no data."""
    match value:
        case {"type": "record", "data": {"content": _, **rest}} if not rest.keys() & {"file", "url", "path"}:
            return {**value, "type": "markdown"}
        case {"type": "dice" | "rps", "data": None}:
            return {**value, "data": {}}
        case {"type": "dice" | "rps"} if "data" not in value:
            return {**value, "data": {}}
    return value


TextSegment = Of[Literal["text"], TextData]
AtSegment = Of[Literal["at"], AtData]
ReplySegment = Of[Literal["reply"], ReplyData]
FaceSegment = Of[Literal["face"], FaceData]
MfaceSegment = Of[Literal["mface"], MfaceData]
ImageSegment = Of[Literal["image"], ImageData]
RecordSegment = Of[Literal["record"], RecordData]
VideoSegment = Of[Literal["video"], VideoData]
FileSegment = Of[Literal["file"], FileData]
JsonSegment = Of[Literal["json"], JsonData]
MarkdownSegment = Of[Literal["markdown"], MarkdownData]
MusicSegment = Of[Literal["music"], Music]
ContactSegment = Of[Literal["contact"], ContactData]
DiceSegment = Of[Literal["dice"], ThrowData]
RpsSegment = Of[Literal["rps"], ThrowData]
ForwardSegment = Of[Literal["forward"], ForwardData]
NodeSegment = Of[Literal["node"], Node]

AnySegment = (
    TextSegment
    | AtSegment
    | ReplySegment
    | FaceSegment
    | MfaceSegment
    | ImageSegment
    | RecordSegment
    | VideoSegment
    | FileSegment
    | JsonSegment
    | MarkdownSegment
    | MusicSegment
    | ContactSegment
    | DiceSegment
    | RpsSegment
    | ForwardSegment
    | NodeSegment
)
Segment = Annotated[AnySegment, Discriminator("type"), BeforeValidator(_meant)]
"""One sendable segment; the published page's `record` with `content` is read as markdown."""

NodeCustom.model_rebuild()
NodeSegment.model_rebuild(force=True)
SEGMENT: TypeAdapter[AnySegment] = TypeAdapter(Segment)


def _classes(data: Any) -> Iterator[type[BaseModel]]:
    if isinstance(data, type) and issubclass(data, BaseModel):
        yield data
    for inner in get_args(data):
        yield from _classes(inner)


FIELDS: dict[str, tuple[str, ...]] = {
    get_args(segment.model_fields["type"].annotation)[0]: tuple(
        name for data in _classes(segment.model_fields["data"].annotation) for name in data.model_fields
    )
    for segment in get_args(AnySegment)
}
"""The fields of each segment type, for advice."""
