"""Where a receipt may be posted: what a job may name as its callback URL."""

from typing import Any

import pytest

from gateway.convert.callback import receiver_of
from gateway.settings import Callbacks

SECRET = "whsec_" + "A" * 32


def receiver(url: str, **fields: Any) -> str:
    return receiver_of(url, Callbacks.model_validate({"secrets": [SECRET], **fields}))


def refusal(url: str, **fields: Any) -> str:
    with pytest.raises(ValueError, match=r"URL|callbacks") as caught:
        receiver(url, **fields)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.com", "example.com"),
        ("http://example.com:8080/a/b?token=x&y=%20#z", "example.com"),
        ("HTTPS://Example.COM./", "example.com"),
        ("https://a_b.example-1.com:/", "a_b.example-1.com"),
        ("https://xn--fiq228c.example/回执?名=值", "xn--fiq228c.example"),
        ("http://localhost:1/", "localhost"),
        ("http://receiver/", "receiver"),
        ("http://8.8.8.8/", "8.8.8.8"),
        ("http://[2606:4700:0::1111]:443/", "2606:4700::1111"),
    ],
)
def test_a_url_leads_to_its_host_in_one_spelling(url: str, host: str) -> None:
    assert receiver(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "//example.com/", "/path", "ftp://example.com/", "ws://example.com/", "file:///etc/passwd",
        "http://", "http:///path", "http://:80/", "https:example.com", "http://example.com:0/",
        "http://example.com:65536/", "http://example.com:-1/", "http://example.com:http/", "http://[::1", "http://[]/",
        "gopher://example.com/", "javascript:alert(1)", "http://[v1.a]/", "http://example.com:８０/",
    ],
)  # fmt: skip
def test_what_is_no_url_of_http_with_a_host_is_refused(url: str) -> None:
    assert "this is no URL" in refusal(url) or "the URL's host" in refusal(url)


@pytest.mark.parametrize(
    "url", ["http://a.example/ b", "http://a.example/\n", "http://a.exam\tple/", "http://a.example\\@b.example/",
            "http://a.example/\x00", "http://a.example/\u200b", "http://a.example/\ud800"]
)  # fmt: skip
def test_a_url_with_what_parsers_read_in_two_ways_is_refused(url: str) -> None:
    assert "percent-encode them" in refusal(url)


@pytest.mark.parametrize(
    "url", ["http://user:password@a.example/", "http://user@a.example/", "http://@a.example/", "http://:@127.0.0.1/"]
)
def test_a_user_or_a_password_is_refused(url: str) -> None:
    assert "user name or password" in refusal(url, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://例子.example/", "http://ⓛocalhost/", "http://a..b/", "http://.a/", "http://a%2eb/",
        f"http://{'a' * 64}.example/", "http://[fe80::1%25eth0]/", "http://a!b.example/",
    ],
)  # fmt: skip
def test_a_host_that_dns_cannot_spell_is_refused(url: str) -> None:
    assert "the URL's host is no plain ASCII name" in refusal(url)


PRIVATE = [
    "http://127.0.0.1/", "http://0.0.0.0/", "http://10.1.2.3/", "http://172.16.0.1/", "http://192.168.1.1:8080/",
    "http://169.254.169.254/", "http://100.64.0.1/", "http://224.0.0.1/", "http://240.0.0.1/", "http://127.0.0.1./",
    "http://255.255.255.255/", "http://168.63.129.16/",
    "http://[::]/", "http://[::1]/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[ff02::1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::10.0.0.1]/", "http://[64:ff9b:1::808:808]/",
    "http://[2002:7f00:1::]/", "http://[2001:db8::1]/", "http://[::ffff:0:10.0.0.1]/",
]  # fmt: skip
ODD = ["http://127.1/", "http://2130706433/", "http://0x7f.1/", "http://017700000001/", "http://0177.0.0.1/"]


@pytest.mark.parametrize("url", [*PRIVATE, *ODD])
def test_an_address_inside_is_refused_in_every_spelling(url: str) -> None:
    assert "callbacks.allow_private" in refusal(url)


@pytest.mark.parametrize("url", PRIVATE)
def test_an_address_inside_passes_where_the_operator_allows_it(url: str) -> None:
    assert receiver(url, allow_private=True)


@pytest.mark.parametrize("url", ODD)
def test_an_address_in_an_odd_spelling_is_refused_with_the_plain_one(url: str) -> None:
    assert "write 127.0.0.1" in refusal(url, allow_private=True)


def test_only_hosts_the_operator_named_may_be_posted_to() -> None:
    hosts = ["hooks.example", "*.corp.example", "8.8.*"]
    for url in ("https://HOOKS.example/", "https://a.b.corp.example/", "http://8.8.8.8/"):
        assert receiver(url, hosts=hosts)
    for url in ("https://corp.example/", "https://hooks.example.evil.example/", "https://evil.example/hooks.example"):
        assert "callbacks.hosts" in refusal(url, hosts=hosts)


def test_without_a_secret_nothing_can_be_signed_and_so_nothing_is_promised() -> None:
    assert "callbacks.secrets is empty" in refusal("https://example.com/", secrets=[])
