"""Where a long text is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.convert.text import cut, length
from tests.trials import TRIALS

CUTS = {
    "after a paragraph": ("aa. bb\n\ncc. dd ee", 14, ["aa. bb\n\n", "cc. dd ee"]),
    "after a line": ("aa. bb\ncc. dd ee", 12, ["aa. bb\n", "cc. dd ee"]),
    "not after a line that would stand nearly alone": ("a\nbcdefghijklmnop", 12, ["a\nbcdefghijk", "lmnop"]),
    "after a sentence": ("第一句。第二句！第三句", 10, ["第一句。第二句！", "第三句"]),
    "after an English sentence": ("One. Two? Three 3.5 four", 20, ["One. Two? ", "Three 3.5 four"]),
    "after the quotation of a sentence": ("他说：“好。”然后走了", 8, ["他说：“好。”", "然后走了"]),
    "between words": ("https://a.b/c and https://d.e/f", 20, ["https://a.b/c and ", "https://d.e/f"]),
    "between characters": ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    "not where words would leave next to nothing": ("a bcdefghij", 8, ["a bcdefg", "hij"]),
    "not within a surrogate pair": ("abc😀def", 4, ["abc", "😀de", "f"]),
    "not within an accent": ("abce\u0301f", 4, ["abc", "e\u0301f"]),
    "not within a family": ("ab👨\u200d👩\u200d👧c", 9, ["ab", "👨\u200d👩\u200d👧c"]),
    "not within a flag": ("🇨🇳🇨🇳", 6, ["🇨🇳", "🇨🇳"]),
    "not within a line end": ("abc\r\nd", 4, ["abc", "\r\nd"]),
    "so that no piece is blank": ("abcd   ", 4, ["abc", "d   "]),
    "not at all": ("abcd", 4, ["abcd"]),
}


@pytest.mark.parametrize("case", CUTS)
def test_a_text_is_cut(case: str) -> None:
    text, limit, pieces = CUTS[case]
    assert cut(text, limit, limit, 50) == pieces


def test_the_first_piece_fills_the_room_that_is_left() -> None:
    assert cut("abcdefgh", 3, 5, 50) == ["abc", "defgh"]


def test_the_first_piece_is_empty_when_only_blanks_would_fit() -> None:
    assert cut("   abcdef", 2, 6, 50) == ["", "   abc", "def"]


@pytest.mark.parametrize("text", ["     a", "a         b", "     "])
def test_a_stretch_of_blanks_no_piece_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="blanks in a row"):
        cut(text, 4, 4, 50)


def test_more_pieces_than_allowed_are_refused_before_they_are_made() -> None:
    with pytest.raises(ValueError, match="more than 3 messages"):
        cut("a" * 8_000_000, 4, 4, 3)


TEXTS = st.text(alphabet="ab 。.!\n\r\u0301\u200d😀👧🇨🇳字", max_size=80)


@settings(max_examples=200 * TRIALS, deadline=None)
@given(TEXTS, st.integers(1, 12), st.integers(4, 12))
def test_cutting_loses_no_character_and_keeps_the_order(text: str, room: int, limit: int) -> None:
    try:
        pieces = cut(text, room, limit, 100)
    except ValueError:
        return
    assert "".join(pieces) == text
    assert all(length(piece) <= limit for piece in pieces)
    assert length(pieces[0]) <= room or len(pieces) == 1
    if text.strip():
        assert all(piece.strip() for piece in pieces[1:])
