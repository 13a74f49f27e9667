"""A veil over words of others: secrets, and whatever logs in, do not show through."""

from gateway.model.veil import Veil


def test_a_veil_takes_secrets_and_what_logs_in_out_of_words() -> None:
    veil = Veil(["hunter2", "hunter2-and-more", ""])
    assert veil("no secrets here") == "no secrets here"
    assert veil("token hunter2-and-more, hunter2!") == "token ***, ***!"
    assert veil("see https://u:p@a.example:8/b/c?token=x#y. and ws://h") == "see https://a.example:8/b/c?… and ws://h"
    assert veil("(redis://:pw@h/0)") == "(redis://h/0)"
