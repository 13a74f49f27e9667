"""What `redis.url` takes, and what it says to who wrote it wrong."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import Settings
from gateway.settings.redis_url import Node, passwords_in, read_redis_url
from gateway.settings.secret_values import secrets_of


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://:secret@127.0.0.1:6379/0",
        "rediss://user:p%40ss@redis.example:6380/3?ssl_cert_reqs=none",
        "redis://[::1]:6379/1",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_a_url_of_one_server_stays_as_it_is(url: str) -> None:
    assert read_redis_url(url).kind == "server"
    assert read_redis_url(url).text == url


def test_a_url_of_sentinels_says_where_they_are_and_how_to_come_to_the_master() -> None:
    url = read_redis_url("redis+sentinel://user:p%40ss@a:1,b,[::1]:3/my%20master/2?ssl_cert_reqs=none")
    assert url.nodes == (Node("a", 1), Node("b", 26379), Node("::1", 3))
    assert url.service == "my master"
    assert url.of(Node("10.0.0.1", 6379)) == "redis://user:p%40ss@10.0.0.1:6379/2?ssl_cert_reqs=none"
    assert url.of_sentinel(url.nodes[2]) == "redis://[::1]:3/?ssl_cert_reqs=none"


def test_sentinels_have_a_password_of_their_own_or_none() -> None:
    url = read_redis_url("rediss+sentinel://:one@a/s?sentinel_password=t%26wo&sentinel_username=u")
    assert url.of(Node("m", 1)) == "rediss://:one@m:1/0"
    assert url.of_sentinel(Node("a", 26379)) == "rediss://u:t%26wo@a:26379/"


def test_a_url_of_a_cluster_names_some_of_its_nodes() -> None:
    url = read_redis_url("rediss+cluster://user:secret@a:7000,b:7001/?ssl_ca_certs=/ca.pem")
    assert url.nodes == (Node("a", 7000), Node("b", 7001))
    assert url.of(Node("c", 7002)) == "rediss://user:secret@c:7002/?ssl_ca_certs=%2Fca.pem"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("127.0.0.1:6379", "redis://host:port/0"),
        ("http://:secret@127.0.0.1", "redis://host:port/0"),
        ("redis+ring://:secret@127.0.0.1", "redis+cluster://"),
        ("redis://:secret@a:1,b:2", "redis+cluster://"),
        ("redis://:secret@a:1/main", "database number"),
        ("redis://:secret@a:port", "host:port"),
        ("redis://:se/cret@a:1", "%2F"),
        ("redis://:secret@a:99999", "1 to 65535"),
        ("redis+cluster://:secret@a:1/3", "no database numbers"),
        ("redis+cluster://:secret@a:1?db=3", "no database numbers"),
        ("redis+cluster://:secret@a:1,,b:2", "host:port"),
        ("redis+cluster://", "host:port"),
        ("redis+sentinel://:secret@a:1", "name of the master"),
        ("redis+sentinel://:secret@a:1/main/x", "name of the master"),
        ("redis://default:2024#secret@host", "%23"),
        ("redis://default:2024?secret@host", "%3F"),
        ("redis+cluster://default:2024/secret@host", "%2F"),
        ("redis+cluster://:secret@[::1", "redis://host:port/0"),
        ("redis+cluster://:secret@℀.example:1", "redis://host:port/0"),
    ],
)
def test_a_wrong_one_is_refused_with_the_remedy_and_without_the_password(url: str, remedy: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"redis": {"url": url}})
    (fault,) = caught.value.errors(include_input=False)
    assert fault["loc"] == ("redis", "url")
    assert remedy in fault["msg"]
    assert "secret" not in fault["msg"]
    assert "cret" not in fault["msg"]


@pytest.mark.parametrize(
    "url", ["redis+cluster://u:p%40ss@a:1,b:2", "redis+sentinel://u:p%40ss@a:1,b:2/main?sentinel_password=p%40ss"]
)
def test_passwords_are_known_as_secrets_and_shown_nowhere(url: str) -> None:
    settings = Settings.model_validate({"redis": {"url": url}})
    assert {"p%40ss", "p@ss"} <= passwords_in(url)
    assert secrets_of(settings) == {"p%40ss", "p@ss"}
    shown: Any = settings.model_dump(mode="json")["redis"]["url"]
    assert "ss@" not in shown
    assert "p%40" not in shown
    assert "p%40ss" not in repr(settings)
