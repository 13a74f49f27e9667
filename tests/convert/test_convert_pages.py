"""The examples of the published API pages work as they are printed."""

import re
from typing import Any

import pytest

from gateway.convert import convert, parse_document
from gateway.model.job import Job
from gateway.settings import Delivery
from tests.convert.harness import ACCOUNT, MEDIA, parts_of

FULL = {
    "video to a group": """{
        "group_id": "123456",
        "message": [{"type": "video", "data": {
            // 本地路径
            "file": "file://D:/a.mp4"
            // 网络路径
            // "file": "http://xxx.mp4"
        }}]
    }""",
    "video by path": """{
        "user_id": 123456,
        "message": [{"type": "video", "data": {"file": "file:///path/to/your/video.mp4"}}]
    }""",
    "video by URL": """{
        "user_id": "123456",
        "message": [{"type": "video", "data": {"file": "http://example.com/videos/amazing.mp4"}}]
    }""",
    "file": """{
        "user_id": "123456",
        "message": [{"type": "file", "data": {
            // 本地路径
            "file": "file://D:/a.jpg",
            // "file": "http://i0.hdslb.com/bfs/archive/c8fd97a40bf79f03e7b76cbc87236f612caef7b2.png",
            "name": "a.jpg"
        }}]
    }""",
    "text and image": """{
        "user_id": 123456789,
        "message": [
            {"type": "text", "data": {"text": "你好！"}},
            {"type": "image", "data": {"file": "https://example.com/greeting.jpg"}}
        ]
    }""",
    "record": """{
        "user_id": "123456",
        "message": [{"type": "record", "data": {
            // 本地路径
            "file": "file://D:/a.mp3"
            // "file": "http://xxx.mp3"
        }}]
    }""",
}

SEGMENTS = {
    "text": '{"type": "text", "data": {"text": "你好，这是一条文本消息。"}}',
    "face": '{"type": "face", "data": {"id": 100}}',
    "image": '{"type": "image", "data": {"file": "https://example.com/image.jpg", "summary": "一张美丽的图片"}}',
    "reply": '{"type": "reply", "data": {"id": 123456}}',
    "json": r'{"type": "json", "data": {"data": "{\"key\": \"value\", \"list\": [1, 2, 3]}"}}',
    "record": '{"type": "record", "data": {"file": "file:///path/to/audio.amr"}}',
    "video": '{"type": "video", "data": {"file": "file:///path/to/video.mp4"}}',
    "markdown": r'{"type": "record", "data": {"content": "# 这是一级标题\n\n- 列表项1\n- 列表项2"}}',
    "video by name": '{"type": "video", "data": {"file": "http://xxx.mp4"}}',
    "file inline": """{"type": "file", "data": {"name": "a.jpg", "file":
        "base64://iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="}}""",
}


def without_comments(text: str) -> str:
    return re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page", FULL)
def test_a_published_request_is_one_part(page: str) -> None:
    [part] = convert(Job.model_validate(parse_document(without_comments(FULL[page]))), ACCOUNT, Delivery(), MEDIA)
    assert part.body.isascii()


@pytest.mark.parametrize("kind", SEGMENTS)
def test_a_published_segment_is_taken(kind: str) -> None:
    segment: Any = parse_document(SEGMENTS[kind])
    message = [segment, "quoting"] if kind == "reply" else segment
    [part] = parts_of(message, user_id=1)
    assert part.body.isascii()
