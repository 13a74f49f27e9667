"""Tokens: drawn many at once, each given once."""

import re

from gateway.clock import Clock


def test_no_token_is_given_twice() -> None:
    tokens = [Clock().token() for _ in range(1_000)]
    assert len(set(tokens)) == len(tokens)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", token) for token in tokens)
