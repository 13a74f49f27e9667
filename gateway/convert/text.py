"""Where a text that is too long for one message may be cut: nothing is lost, and it still reads well."""

import re
import unicodedata

MAX_TEXT = 4_000
"""UTF-16 units in one message. QQ is said to take 4,500 (mirai) or 5,000 (MiraiGo) of what nobody counts alike."""

_PARAGRAPH = re.compile(r"(?<=\n)(?=[^\n])")
_SENTENCE = re.compile(r"(?<![。！？…])[。！？…]++[”’」』）)\"']*+|(?<![.!?])[.!?]++[\"')”’]*+\s")
_WORD = re.compile(r"(?<=\s)(?=\S)")
_LONGEST_CHARACTER = 32  # code points; families of emoji have about ten
_JOINER = "\u200d"


def length(text: str) -> int:
    """Return how many UTF-16 units a text has: characters outside the basic plane, such as emoji, are two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def cut(text: str, room: int, limit: int, most: int) -> list[str]:
    """Return a text as pieces that together are the text: the first within `room` units, the others within `limit`.

    Cut is after a line, best one before a blank line, else after a sentence, else between words, where that leaves no
    small piece; else between characters as a reader sees them: never within a surrogate pair, an accented letter or an
    emoji of several code points. The first piece is empty when nothing to be seen fits into `room`. Raises ValueError
    when there would be more than `most` pieces, and when there are more blanks in a row than a piece can have: QQ does
    not send a blank message, so one of the pieces would be lost.
    """
    pieces: list[str] = []
    start, size = 0, min(room, limit)
    last = len(text.rstrip()) - 1  # what is left must have something to see
    while len(text) - start > size or length(text[start:]) > size:
        if len(pieces) == most:
            raise ValueError(f"the text makes more than {most} messages of {limit} characters; send several jobs")
        end = min(_reach(text, start, size), last)
        border = _border(text, start, end) if end > start else start
        if not text[start:border].strip():
            if size == limit:
                raise ValueError(f"the text has more than {limit} blanks in a row; leave some out")
            border = start
        pieces.append(text[start:border])
        start, size = border, limit
    return [*pieces, text[start:]]


def _reach(text: str, start: int, size: int) -> int:
    """Return how far a piece of `size` units from `start` may go."""
    window = text[start : start + size]
    if window.isascii():
        return start + len(window)
    return start + len(window.encode("utf-16-le")[: size * 2].decode("utf-16-le", "ignore"))


def _border(text: str, start: int, end: int) -> int:
    """Return the best place for a cut in (start, end] that leaves something to see before it."""
    first = start + len(text[start:end]) - len(text[start:end].lstrip())
    half, quarter = (max(first, start + (end - start) // part) for part in (2, 4))
    blank_line = text.rfind("\n\n", half, end)
    if blank_line > first:
        return blank_line + 2
    for kind, least in ((_PARAGRAPH, quarter), (_SENTENCE, quarter), (_WORD, half)):
        borders = [found.end() for found in kind.finditer(text, least, end + 1) if first < found.end() <= end]
        if borders:
            return borders[-1]
    return _between_characters(text, first, end)


def _between_characters(text: str, first: int, end: int) -> int:
    """Return the last place up to `end` that is not within what a reader sees as one character."""
    for place in range(end, max(first, end - _LONGEST_CHARACTER), -1):
        if not _joined(text, place):
            return place
    return end


def _joined(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    if _is_flag(after) and _is_flag(before):
        run = place
        while run > 0 and _is_flag(text[run - 1]):
            run -= 1
        return (place - run) % 2 == 1  # two regional letters are one flag
    return (
        _JOINER in (before, after)
        or (before == "\r" and after == "\n")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags, as in the flag of Scotland
        or unicodedata.category(after).startswith("M")  # accents and variation selectors
    )


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
