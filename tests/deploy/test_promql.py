"""The reading of PromQL that the tests of alerts and board rest on."""

import pytest

from tests.deploy.promql import Selector, parse


@pytest.mark.parametrize(
    ("query", "selectors", "grouped"),
    [
        ("up == 0", [Selector("up", [], False, [])], set()),
        ('a{b="x)", c=~"y|z"}[5m]', [Selector("a", ["b", "c"], True, [])], set()),
        (
            'histogram_quantile(0.99, sum by (le) (rate(x_bucket{s="t"}[5m]))) > 0.1',
            [Selector("x_bucket", ["s"], True, ["rate", "sum", "histogram_quantile"])],
            {"le"},
        ),
        (
            "sum(rate(a_total[5m])) by (job) / 2 and on (job) group_left (v) (0 * max(b))",
            [Selector("a_total", [], True, ["rate", "sum"]), Selector("b", [], False, ["max"])],
            {"job", "v"},
        ),
        ("time() - a + on (i) group_left b", [Selector("a", [], False, []), Selector("b", [], False, [])], {"i"}),
        ("absent(a) or vector(0)", [Selector("a", [], False, ["absent"])], set()),
    ],
)
def test_a_query_is_told_apart_into_what_it_asks_for(query: str, selectors: list[Selector], grouped: set[str]) -> None:
    found = parse(query)
    assert (found.selectors, found.grouped) == (selectors, grouped)


@pytest.mark.parametrize("query", ["sum(a", "a)", "a{b='c'", "a ? b", 'a{b="c}'])
def test_what_is_no_query_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(query)
