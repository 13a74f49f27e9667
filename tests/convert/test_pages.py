"""The examples of the published API pages convert to what the pages say."""

import json
import re
from typing import Any

import pytest

from gateway.convert import convert, parse_document
from gateway.model.job import Job
from gateway.settings import Delivery
from tests.convert.harness import ACCOUNT, MEDIA, sent

Wire = dict[str, Any]

PIXEL = "base64://iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="

REQUESTS: dict[str, tuple[str, str, Wire]] = {
    "a video of a Windows host to a group": (
        """{
            "group_id": "123456",
            "message": [
                {
                    "type": "video",
                    "data": {
                        // 本地路径
                        "file": "file://D:/a.mp4"

                        // 网络路径
                        // "file": "http://xxx.mp4"

                        // base64编码
                        // "file": "base64://..."
                    }
                }
            ]
        }""",
        "send_group_msg",
        {"group_id": "123456", "message": [{"type": "video", "data": {"file": "file://D:/a.mp4"}}]},
    ),
    "a video by path": (
        """{
            "user_id": 123456,
            "message": [{"type": "video", "data": {"file": "file:///path/to/your/video.mp4"}}]
        }""",
        "send_private_msg",
        {"user_id": "123456", "message": [{"type": "video", "data": {"file": "file:///path/to/your/video.mp4"}}]},
    ),
    "a video by URL": (
        """{
            "user_id": "123456",
            "message": [{"type": "video", "data": {"file": "http://example.com/videos/amazing.mp4"}}]
        }""",
        "send_private_msg",
        {
            "user_id": "123456",
            "message": [{"type": "video", "data": {"file": "http://example.com/videos/amazing.mp4"}}],
        },
    ),
    "a file of a Windows host": (
        """{
            "user_id": "123456",
            "message": [
                {
                    "type": "file",
                    "data": {
                        // 本地路径
                        "file": "file://D:/a.jpg",

                        // 网络路径示例
                        // "file": "http://i0.hdslb.com/bfs/archive/c8fd97a40bf79f03e7b76cbc87236f612caef7b2.png",

                        "name": "a.jpg"
                    }
                }
            ]
        }""",
        "send_private_msg",
        {"user_id": "123456", "message": [{"type": "file", "data": {"file": "file://D:/a.jpg", "name": "a.jpg"}}]},
    ),
    "a text with an image": (
        """{
            "user_id": 123456789,
            "message": [
                {"type": "text", "data": {"text": "你好！"}},
                {"type": "image", "data": {"file": "https://example.com/greeting.jpg"}}
            ]
        }""",
        "send_private_msg",
        {
            "user_id": "123456789",
            "message": [
                {"type": "text", "data": {"text": "你好！"}},
                {"type": "image", "data": {"file": "https://example.com/greeting.jpg"}},
            ],
        },
    ),
    "a record of a Windows host": (
        """{
            "user_id": "123456",
            "message": [
                {
                    "type": "record",
                    "data": {
                        // 本地路径
                        "file": "file://D:/a.mp3"

                        // 网络路径
                        // "file": "http://xxx.mp3"
                    }
                }
            ]
        }""",
        "send_private_msg",
        {"user_id": "123456", "message": [{"type": "record", "data": {"file": "file://D:/a.mp3"}}]},
    ),
}

SEGMENTS: dict[str, tuple[str, Wire]] = {
    "text": (
        '{"type": "text", "data": {"text": "你好，这是一条文本消息。"}}',
        {"type": "text", "data": {"text": "你好，这是一条文本消息。"}},
    ),
    "text of the group page": (
        '{ "type": "text", "data": { "text": "你好" } }',
        {"type": "text", "data": {"text": "你好"}},
    ),
    "face": ('{"type": "face", "data": {"id": 100}}', {"type": "face", "data": {"id": "100"}}),
    "image": (
        '{"type": "image", "data": {"file": "https://example.com/image.jpg", "summary": "一张美丽的图片"}}',
        {"type": "image", "data": {"file": "https://example.com/image.jpg", "summary": "一张美丽的图片"}},
    ),
    "json": (
        r'{"type": "json", "data": {"data": "{\"key\": \"value\", \"list\": [1, 2, 3]}"}}',
        {"type": "json", "data": {"data": '{"key": "value", "list": [1, 2, 3]}'}},
    ),
    "record": (
        '{"type": "record", "data": {"file": "file:///path/to/audio.amr"}}',
        {"type": "record", "data": {"file": "file:///path/to/audio.amr"}},
    ),
    "video": (
        '{"type": "video", "data": {"file": "file:///path/to/video.mp4"}}',
        {"type": "video", "data": {"file": "file:///path/to/video.mp4"}},
    ),
    "video by URL": (
        '{"type": "video", "data": {"file": "http://xxx.mp4"}}',
        {"type": "video", "data": {"file": "http://xxx.mp4"}},
    ),
    "record by URL": (
        '{"type": "record", "data": {"file": "http://xxx.mp3"}}',
        {"type": "record", "data": {"file": "http://xxx.mp3"}},
    ),
    "file by URL": (
        """{"type": "file", "data": {"name": "a.jpg",
            "file": "http://i0.hdslb.com/bfs/archive/c8fd97a40bf79f03e7b76cbc87236f612caef7b2.png"}}""",
        {
            "type": "file",
            "data": {
                "name": "a.jpg",
                "file": "http://i0.hdslb.com/bfs/archive/c8fd97a40bf79f03e7b76cbc87236f612caef7b2.png",
            },
        },
    ),
    "file as base64": (
        f'{{"type": "file", "data": {{"name": "a.jpg", "file": "{PIXEL}"}}}}',
        {"type": "file", "data": {"name": "a.jpg", "file": PIXEL}},
    ),
    "file as data URL": (
        f'{{"type": "file", "data": {{"name": "a.png", "file": "data:image/png;base64,{PIXEL[9:]}"}}}}',
        {"type": "file", "data": {"name": "a.png", "file": PIXEL}},
    ),
    "markdown": (
        r'{"type": "record", "data": {"content": "# 这是一级标题\n\n- 列表项1\n- 列表项2"}}',
        {"type": "markdown", "data": {"content": "# 这是一级标题\n\n- 列表项1\n- 列表项2"}},
    ),
}


def without_comments(text: str) -> str:
    return re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page", REQUESTS)
def test_a_published_request_is_sent_as_it_is_printed(page: str) -> None:
    text, action, body = REQUESTS[page]
    job = Job.model_validate(parse_document(without_comments(text)))
    [part] = convert(job, ACCOUNT, Delivery(), MEDIA)
    assert part.action == action
    assert json.loads(part.body) == {**body, "timeout": part.timeout_ms}


@pytest.mark.parametrize("target", ["group_id", "user_id"])
@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_published_segment_is_sent_as_it_is_printed(segment: str, target: str) -> None:
    text, wire = SEGMENTS[segment]
    where = {"group_id": None, target: 1}
    assert sent([parse_document(text)], **where) == [[wire]]


def test_the_published_reply_quotes_in_front_of_what_follows() -> None:
    reply = parse_document('{"type": "reply", "data": {"id": 123456}}')
    [[first, second]] = sent([reply, "quoting"], user_id=1)
    assert first == {"type": "reply", "data": {"id": "123456"}}
    assert second == {"type": "text", "data": {"text": "quoting"}}


def test_the_published_markdown_goes_out_under_its_published_name_where_the_account_says_so() -> None:
    text, wire = SEGMENTS["markdown"]
    account = ACCOUNT.model_copy(update={"markdown": "record"})
    assert sent(parse_document(text), account=account) == [[{**wire, "type": "record"}]]
