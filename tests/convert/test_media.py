"""Media: what NapCat may be told to fetch."""

import base64

import pytest
from pydantic import ValidationError

from gateway.convert.media import admit, inline_bytes
from gateway.settings import Media
from tests.convert.harness import faults, sent

ROOTS = Media(file_roots=("/media", "/srv/pics/", "D:/Media"))

URLS = [
    "http://example.com/a.png",
    "https://example.com:8443/a?b=c#d",
    "https://user:pw@example.com/",
    "http://8.8.8.8/a",
    "http://[2606:4700:4700::1111]/a",
    "https://例.com/a".replace("例", "xn--fsq"),
    "https://example.com/图.png",
]

PRIVATE = [
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0x7f.1/",
    "http://0X7F000001/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://10.0.0.1./",
    "http://172.16.5.5:3000/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
    "http://user@127.0.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[fec0::1]/",
    "http://[5f00::1]/",
    "http://redis:6379/",
    "http://host.docker.internal/",
    "http://metadata.google.internal/",
    "http://168.63.129.16/",
    "http://localhost.localdomain/",
    "http://ip6-localhost/",
    "http://printer.local/",
]

BROKEN = [
    "http://",
    "http:///a",
    "http://a b/",
    "http://good.example\\@127.0.0.1/",
    "http://127.0.0.1\\@good.example/",
    "http://exa\tmple.com/",
    "http://%31%32%37.0.0.1/",
    "http://１２７.0.0.1/",
    "http://例.com/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://1.2.3.08/",
    "http://[::1/",
    "http://[fe80::1%25eth0]/",
    "http://a.b:99999/",
    "http://./",
    "http://.../",
    "http://a..b/",
    "http://[2606:4700::1]x/",
    "http://[v1.a]/",
    "http:example.com",
    "ftp://example.com/a",
    "javascript:alert(1)",
    "file:/media/a",
    "example.com/a.png",
    "a.png",
    "{AB-CD}.jpg",
]

INSIDE = [
    "/media/a.png",
    "/media//b/./a.png",
    "file:///media/a%20b.png",
    "FILE:///srv/pics/a.png",
    "D:\\Media\\a.png",
    "d:/media/sub/a.png",
    "file://D:/Media/a.mp4",
    "file:///D:/Media/a.mp4",
]

OUTSIDE = [
    "/etc/passwd",
    "file:///etc/passwd",
    "/media",
    "/media2/a",
    "/media/../etc/passwd",
    "/media/a/../b",
    "file:///media/%2e%2e/etc/passwd",
    "/media/..\\..\\secret",
    "/media/.. /secret",
    "//media/share/a",
    "/\\media\\share",
    "file:////media/a",
    "file://media/a",
    "file:///media/%zz",
    "file:///media/%ff",
    "file:///media/%00a",
    "file:///media/a%0ab",
    "C:/Media/a.png",
    "D:/Media2/a",
    "D:/Media/../secret",
    "D:Media/a.png",
    "\\\\?\\D:\\Media\\a",
    "\\\\server\\share\\a",
    "../media/a",
]

PNG = b"\x89PNG\r\n"
CANONICAL = "base64://" + base64.b64encode(PNG).decode()


@pytest.mark.parametrize("uri", URLS)
def test_a_public_url_passes_as_it_is(uri: str) -> None:
    assert admit(uri, Media()) == uri


@pytest.mark.parametrize("uri", PRIVATE)
def test_a_private_address_is_refused_in_every_spelling(uri: str) -> None:
    with pytest.raises(ValueError, match=r"media\.allow_private"):
        admit(uri, Media())


@pytest.mark.parametrize("uri", PRIVATE)
def test_a_private_address_passes_where_the_operator_allows_it(uri: str) -> None:
    assert admit(uri, Media(allow_private=True)) == uri


@pytest.mark.parametrize("uri", BROKEN)
def test_what_is_no_usable_uri_is_refused(uri: str) -> None:
    for media in (Media(), ROOTS):
        with pytest.raises(ValueError, match=r"."):
            admit(uri, media)


@pytest.mark.parametrize("uri", INSIDE)
def test_a_file_under_a_root_passes(uri: str) -> None:
    assert admit(uri, ROOTS).lower() == uri.lower()


@pytest.mark.parametrize("uri", INSIDE)
def test_no_file_passes_without_roots(uri: str) -> None:
    with pytest.raises(ValueError, match=r"media\.file_roots"):
        admit(uri, Media())


@pytest.mark.parametrize("uri", OUTSIDE)
def test_a_file_outside_the_roots_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"media\.file_roots|\.\.|percent|control"):
        admit(uri, ROOTS)


def test_a_root_may_be_everything() -> None:
    everything = Media(file_roots=("/", "C:\\"))
    assert admit("/etc/hosts", everything)
    assert admit("C:/a", everything)


@pytest.mark.parametrize(
    ("uri", "patterns", "passes"),
    [
        ("https://cdn.example.com/a", ("*.example.com",), True),
        ("https://CDN.Example.com/a", ("*.EXAMPLE.com",), True),
        ("https://example.com/a", ("*.example.com",), False),
        ("https://example.com.evil.net/a", ("*.example.com", "example.com"), False),
        ("https://example.com@evil.net/a", ("example.com",), False),
        ("https://a.net/", (), False),
    ],
)
def test_hosts_are_allowed_by_pattern(uri: str, patterns: tuple[str, ...], *, passes: bool) -> None:
    media = Media(hosts=patterns)
    if passes:
        assert admit(uri, media) == uri
    else:
        with pytest.raises(ValueError, match=r"media\.hosts"):
            admit(uri, media)


@pytest.mark.parametrize(
    "uri",
    [
        CANONICAL,
        CANONICAL.replace("base64", "BASE64"),
        "data:image/png;base64," + base64.b64encode(PNG).decode(),
        "data:image/png;base64," + base64.b64encode(PNG).decode().replace("=", "%3D"),
        "data:,%89PNG%0D%0A",
    ],
)
def test_inline_media_is_encoded_afresh(uri: str) -> None:
    assert admit(uri, Media()) == CANONICAL


@pytest.mark.parametrize(
    "uri",
    [
        "base64://",
        "base64://a",
        "base64://YQ",
        "base64://YQ==\n",
        "base64://Y-_=",
        "base64:YQ==",
        "data:image/png",
        "data:,",
    ],
)
def test_broken_or_empty_inline_media_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        admit(uri, Media())


def test_inline_media_is_counted_decoded() -> None:
    media = Media(max_inline=6)
    assert admit("base64://" + base64.b64encode(b"123456").decode(), media)
    assert admit("data:,%31%32%33%34%35%36", media)
    for uri in ("base64://" + base64.b64encode(b"1234567").decode(), "data:,1234567"):
        with pytest.raises(ValueError, match=r"media\.max_inline"):
            admit(uri, media)


@pytest.mark.parametrize("size", range(1, 8))
def test_the_size_of_inline_media_is_known_without_decoding(size: int) -> None:
    assert inline_bytes("base64://" + base64.b64encode(b"x" * size).decode()) == size


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("https://a.b/c/%E4%BD%A0.pdf?x=/y.z", "你.pdf"),
        ("https://a.b/", "file"),
        ("https://a.b/a%2Fb%3Fc.txt", "b_c.txt"),
        ("file:///media/a%20b.txt", "a b.txt"),
        ("/media/a%20b.txt", "a%20b.txt"),
        ("D:\\Media\\x.zip", "x.zip"),
        ("base64://YQ==", "file"),
    ],
)
def test_a_file_without_a_name_gets_one(uri: str, name: str) -> None:
    [[segment]] = sent({"type": "file", "data": {"file": uri}}, media=ROOTS)
    assert segment["data"]["name"] == name


def test_url_wins_over_file_over_path() -> None:
    data = {"path": "/media/a", "file": "https://a.b/c", "url": "https://a.b/d"}
    [[segment]] = sent({"type": "image", "data": data})
    assert segment["data"] == {"file": "https://a.b/d"}
    assert list(faults({"type": "image", "data": {**data, "url": "http://127.0.0.1"}})) == ["message.data.url"]


def test_media_inside_nodes_is_judged_too() -> None:
    image = {"type": "image", "data": {"file": "/etc/passwd"}}
    assert (
        "media.file_roots"
        in faults([{"type": "node", "data": {"content": [image]}}])["message.0.data.content.0.data.file"]
    )


@pytest.mark.parametrize("head", ["image/png; base64", "image/png ;base64", ";BASE64", "image/png;x=y;base64"])
def test_base64_in_a_data_url_is_known_in_every_spelling(head: str) -> None:
    assert admit(f"data:{head},{CANONICAL.removeprefix('base64://')}", Media()) == CANONICAL


@pytest.mark.parametrize(
    "uri", ["data:image/png;base64;x=y,YQ==", "data:image/png,iVBORw0KGgo=", "data:,%zz", "data:,%"]
)
def test_a_data_url_that_readers_would_take_for_different_things_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="data: URL"):
        admit(uri, Media())


def test_what_one_setting_allows_another_still_refuses() -> None:
    url = "http://127.0.0.1:8000/a"
    assert admit(url, Media(allow_private=True)) == url
    with pytest.raises(ValueError, match="private"):
        admit(url, Media())


@pytest.mark.parametrize("root", ["media", "D:", "~/x", ""])
def test_a_root_that_is_no_absolute_folder_is_refused_when_the_settings_load(root: str) -> None:
    with pytest.raises(ValidationError, match="absolute path"):
        Media(file_roots=(root,))
