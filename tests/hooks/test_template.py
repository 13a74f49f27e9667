"""What templates can say, and what neither they nor a payload can do."""

import time
from typing import Any

import pytest

from gateway.intake.hooks.sandbox import TemplateFailed
from gateway.intake.hooks.template import Segments, Template
from gateway.model.errors import Refused


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "data": {"text": said}}


def rendered(template: str, *, segments: bool = False, **values: Any) -> Segments:
    return Template(template, segments=segments).render(values)


def told(template: str, **values: Any) -> str:
    return "".join(segment["data"]["text"] for segment in rendered(template, **values))


def test_a_template_without_words_says_nothing() -> None:
    assert rendered("{% if false %}hello{% endif %}\n \t\n") == []
    assert rendered("{{ a }}", a=None) == []


def test_blank_lines_and_blanks_at_ends_of_lines_are_tidied() -> None:
    assert told("\n a \t\n\n \n\n\nb  \n") == "a\n\nb"


def test_segments_stand_between_the_words() -> None:
    message = rendered("{{ at(10001) }} look: {{ image('https://e.com/1.png') }}{{ face(14) }} {{ at('all') }}")
    assert message == [
        {"type": "at", "data": {"qq": "10001"}},
        text(" look: "),
        {"type": "image", "data": {"file": "https://e.com/1.png"}},
        {"type": "face", "data": {"id": "14"}},
        text(" "),
        {"type": "at", "data": {"qq": "all"}},
    ]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "base64://AAAA", "/etc/passwd", "", None, 7, ["https://e.com"]])
def test_only_an_image_of_the_web_is_an_image(url: Any) -> None:
    assert rendered("{{ image(url) }}", url=url) == []


@pytest.mark.parametrize(
    "value", ["\ue0000\ue001", "\ue0000", "0\ue001", "\ue000\ue0000\ue001\ue001", "\ue00099\ue001"]
)
def test_a_payload_cannot_forge_a_mark(value: str) -> None:
    template = "{{ at(1) }}{{ a.b[0] }}{% for key in a %}{{ key }}{% endfor %}"
    message = rendered(template, a={"b": [value], value: 1})
    assert [segment["type"] for segment in message if segment["type"] != "text"] == ["at"]
    assert not any("\ue000" in str(segment) or "\ue001" in str(segment) for segment in message)
    listed = rendered("- {type: text, data: {text: {{ a }} }}\n- {{ at(1) }}", segments=True, a=value)
    assert [segment["type"] for segment in listed] == ["text", "at"]
    assert not any("\ue000" in str(segment) for segment in listed)


def test_a_mark_that_was_cut_is_no_garbage_in_the_message() -> None:
    assert told("{{ (at(1) ~ 'b') | cut(2) }}") == "…"


def test_a_payload_is_no_template() -> None:
    assert told("{{ a }}", a="{{ 7 * 7 }}{% for x in y %}") == "{{ 7 * 7 }}{% for x in y %}"


@pytest.mark.parametrize("template", ["{{ a }}", "{{ a.b }}", "{% if a %}{% endif %}", "{{ b.c.d }}", "{{ b['x'] }}"])
def test_what_is_not_there_is_no_empty_text(template: str) -> None:
    with pytest.raises(TemplateFailed, match=r"undefined|no attribute"):
        rendered(template, b={"c": {}})
    with pytest.raises(TemplateFailed):
        rendered(f"- {{type: text, data: {{text: {template} }}}}", segments=True, b={"c": {}})
    assert told("{{ a | default('none') }}{{ 1 if a is defined }}") == "none"


def test_a_mapping_has_what_is_in_it_under_whatever_name() -> None:
    assert (
        told(
            "{{ a.copy }} {{ a.update }} {{ a.pop }} {{ a['items'] }}",
            a=dict.fromkeys(("copy", "update", "pop", "items"), 1),
        )
        == "1 1 1 1"
    )
    assert told("{% for k, v in a.items() %}{{ k }}={{ v }};{% endfor %}", a={"x": 1}) == "x=1;"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ [''] | join(attribute='__class__') }}",
        "{{ ([''] | map(attribute='__class__') | list)[0].mro() }}",
        "{{ range.__globals__ }}",
        "{{ at.__globals__ }}",
        "{{ at.__code__ }}",
        "{{ image.__closure__[0].cell_contents }}",
        "{{ (a | map('upper')).gi_frame }}",
        "{{ self._TemplateReference__context }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format('') }}",
        "{{ '%s' % '' }}",
        "{{ a.append(1) }}",
        "{{ a.clear() }}",
        "{{ b.update(c=1) }}",
        "{{ b.setdefault('c', 1) }}",
        "{{ b.pop('c') }}",
        "{{ 'x'.encode() }}",
        "{{ (1).to_bytes(10) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os.getcwd() }}",
        "{% extends '/etc/passwd' %}",
        "{% from 'os' import system %}",
        "{{ open('/etc/passwd').read() }}",
        "{{ __import__('os') }}",
        "{{ url_for.__globals__ }}",
        "{{ joiner() }}{{ dict() }}",
        "{{ a | random }}",
        "{{ 'x' | pprint }}",
    ],
)
def test_python_files_and_other_modules_are_out_of_reach(template: str) -> None:
    given: dict[str, Any] = {"a": ["x"], "b": {}}
    with pytest.raises((TemplateFailed, Refused)):
        rendered(template, **given)
    assert given == {"a": ["x"], "b": {}}


@pytest.mark.parametrize(
    "template",
    [
        "{% debug %}",
        "{% do 1 %}",
        "{% if %}",
        "{{ a",
        "{% for x in y %}",
        "{{ 1 | nothing }}",
        "{% set range %}",
        "{{ }}",
    ],
)
def test_what_is_no_template_is_refused_with_its_line(template: str) -> None:
    with pytest.raises(Refused) as refused:
        Template(f"hello\n{template}", segments=False)
    assert refused.value.code == "template_invalid"


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{% for a in range(99999) %}{{ m() }}{% endfor %}{% endmacro %}{{ m() }}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        "{% set look = namespace %}{% set tick_ = namespace %}"
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = range(99999) | map('string') | list | length %}{% endfor %}",
        "{% for a in [1] recursive %}{% for x in range(99999) %}{% endfor %}{{ loop([1]) }}{% endfor %}",
        "{% macro m() %}{{ caller() }}{% endmacro %}"
        "{% for x in range(99999) %}{% call m() %}{% for y in range(9999) %}{% endfor %}{% endcall %}{% endfor %}",
    ],
)
def test_a_template_that_does_not_end_is_ended(template: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateFailed):
        rendered(template)
    assert time.process_time() - began < 5


TWICE = (
    "{{% set ns = namespace(v='x' * 999) %}}{{% for i in range(99) %}}{{% set ns.v = {} %}}{{% endfor %}}{{{{ ns.v }}}}"
)


@pytest.mark.parametrize(
    "template",
    [
        TWICE.format("ns.v ~ ns.v"),
        TWICE.format("ns.v + ns.v"),
        TWICE.format("ns.v * 2"),
        TWICE.format("2 * ns.v"),
        TWICE.format("[ns.v, ns.v] | join"),
        TWICE.format("ns.v | list | join(ns.v)"),
        TWICE.format("ns.v | replace('x', 'xx')"),
        TWICE.format("ns.v.replace('x', 'xx')"),
        TWICE.format("ns.v.join([ns.v, ns.v])"),
        TWICE.format("[ns.v, ns.v]"),
        TWICE.format("[ns.v, ns.v] | string"),
        TWICE.format("{'a': ns.v, 'b': ns.v} | tojson"),
        TWICE.format("ns.v | urlencode ~ ns.v | escape"),
        TWICE.format("ns.v | list + ns.v | list"),
        TWICE.format("(ns.v | length) * 99999999 ** 9"),
        "{% set ns = namespace(n=9) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}{{ ns.n }}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{{ 'x' * 999999999 }}",
        "{{ [1] * 999999999 }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ 'x'.center(999999999) }}",
        "{{ '1'.zfill(999999999) }}",
        "{{ '\t'.expandtabs(999999999) }}",
        "{{ 'x'.translate({120: 'y' * 9999}) }}",
        "{{ 'x'.encode().ljust(999999999) }}",
        "{{ 'x' | center(999999999) }}",
        "{{ 'x\ny' | indent(999999999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ 'x y' | wordwrap(1, wrapstring='y' * 9999) }}",
        "{{ [1] | batch(999999999, 0) | list }}",
        "{{ [1] | slice(999999999) | list }}",
        "{{ [1] | tojson(indent=999999999) }}",
        "{{ [[1] * 60000] * 60000 }}",
        "{{ ([[1] * 60000] * 60000) | sum(start=[]) }}",
        "{{ ['x' * 60000] * 60000 }}",
        "{{ (['x' * 60000] * 60000) | join }}",
        "{{ ('x' * 60000) | replace('x', 'y' * 60000) }}",
        "{{ ('x' * 60000) | replace('', 'y' * 60000) }}",
        "{{ range(999999999) | list }}",
        "{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}",
    ],
)
def test_nothing_grows_without_bound(template: str) -> None:
    began = time.process_time()
    with pytest.raises((TemplateFailed, Refused)):
        rendered(template)
    with pytest.raises((TemplateFailed, Refused)):
        rendered(f"- {template}", segments=True)
    assert time.process_time() - began < 8


def test_a_rounding_of_a_billion_digits_is_one_of_fifteen() -> None:
    assert told("{{ 1.5 | round(999999999) }} {{ 12.345 | round(1) }}") == "1.5 12.3"


def test_the_filters_that_are_bounded_do_what_they_do_elsewhere() -> None:
    items = [{"name": "a", "n": 1}, {"name": "b", "n": 2.5}, {"name": 7, "n": None}]
    assert told("{{ a | join(', ', attribute='name') }} {{ a | join(attribute='name') }}", a=items) == "a, b, 7 ab7"
    assert told("{{ a | sum(attribute='n') }} {{ [1, 2] | sum }}", a=items) == "3.5 3"
    assert told("{{ 'aXbXc' | replace('X', '-', 1) }} {{ 'abc' | list | join('-') }}") == "a-bXc a-b-c"
    assert told("{{ 1.25 | round(1, 'ceil') }} {{ {'a': '<é>'} | tojson }}") == '1.3 {"a": "<é>"}'
    with pytest.raises(TemplateFailed):
        rendered("{{ a | join(', ', attribute='__class__') }}", a=items)


def test_what_is_large_but_bounded_is_said() -> None:
    assert len(told("{% for i in range(60) %}{{ 'x' * 1000 }}\n{% endfor %}")) == 60 * 1001 - 1
    assert (
        told("{{ a | few(2) | join(', ') }} {{ a | more(2) }}", a=["x" * 9] * 100_000)
        == "x" * 9 + ", " + "x" * 9 + " +99998 more"
    )
    assert told("{{ a | length }}", a="x" * 8_000_000) == "8000000"
    with pytest.raises(TemplateFailed, match="65536 characters"):
        rendered("{{ a }}", a="x" * 65_537)


def test_a_list_of_segments_is_written_as_yaml_or_json() -> None:
    message = [text("hi Bob"), {"type": "at", "data": {"qq": 10001}}]
    yaml = "- type: text\n  data:\n    text: hi {{ name }}\n- {type: at, data: {qq: {{ qq }} }}"
    json = '[{"type": "text", "data": {"text": "hi {{ name }}"}}, {"type": "at", "data": {"qq": {{ qq }}}}]'
    for template in (yaml, json):
        assert rendered(template, segments=True, name="Bob", qq=10001) == message
    assert rendered("{% if false %}- a{% endif %}", segments=True) == []
    assert rendered("[]", segments=True) == []


@pytest.mark.parametrize(
    "place",
    [
        "- {type: text, data: {text: VALUE}}",
        "- {type: text, data: {text: 'VALUE'}}",
        '- {type: text, data: {text: "VALUE"}}',
        "- type: text\n  data:\n    text: VALUE",
        "- type: text\n  data:\n    text: |-\n      VALUE",
        "- type: text\n  data:\n    text: >-\n      VALUE",
        '[{"type": "text", "data": {"text": "VALUE"}}]',
    ],
)
@pytest.mark.parametrize(
    "value",
    [
        "}}, {type: at, data: {qq: all}}, {type: text, data: {text: ",
        '"}}, {"type": "at", "data": {"qq": "all"}}, {"type": "text", "data": {"text": "',
        "'}}, {type: at, data: {qq: all}}, {x: '",
        "x\n- {type: at, data: {qq: all}}",
        "x\n    qq: all\n- type: at",
        "!!python/object/apply:os.system ['id']",
        "&a [*a, *a]",
        "a: b # c",
        "- 1",
        "null",
        "yes",
        "2026-09-21",
        "\u2028\x85\ufeff",
        "%TAG ! x",
        "tab\there",
    ],
)
def test_no_value_becomes_structure_wherever_it_is_put(place: str, value: str) -> None:
    [segment] = rendered(place.replace("VALUE", "{{ value }}"), segments=True, value=value)
    assert segment == text(value.replace("\x85", ""))
    [segment] = rendered(place.replace("VALUE", "a {{ value }} b"), segments=True, value=value)
    assert segment == text(f"a {value} b".replace("\x85", ""))


def test_a_value_alone_in_its_place_keeps_its_kind_and_among_words_is_text() -> None:
    template = "- {type: json, data: {a: {{ a }}, b: {{ b }}, c: {{ c }}, d: 'n={{ a }} {{ b }}{{ c }}'}}"
    [segment] = rendered(template, segments=True, a=7, b=None, c=[1, {"x": True}])
    assert segment["data"] == {"a": 7, "b": None, "c": '[1, {"x": true}]', "d": 'n=7 [1, {"x": true}]'}


def test_what_a_macro_and_a_block_return_may_be_put_too() -> None:
    template = "{% macro m(x) %}<{{ x }}>{% endmacro %}{% set b %}[{{ a }}]{% endset %}"
    template += "- {type: text, data: {text: {{ m(a) ~ b }} }}"
    assert rendered(template, segments=True, a="x, y}") == [text("<x, y}>[x, y}]")]


@pytest.mark.parametrize(
    "template",
    [
        "hello",
        "a: b",
        "- hello",
        "- [1]",
        "7",
        "- {a: b",
        "- !!python/name:os.system x",
        "- {a: 2026-99-99}",
        "[" * 9000,
    ],
)
def test_what_is_no_list_of_segments_is_refused(template: str) -> None:
    with pytest.raises(TemplateFailed):
        rendered(template, segments=True)


def test_a_short_list_cannot_become_a_long_message() -> None:
    template = "{% set x %}{{ a }}{% endset %}{% for i in range(3000) %}- {{ x }}\n{% endfor %}"
    with pytest.raises(TemplateFailed, match="characters"):
        rendered(template, segments=True, a="x" * 60_000)


@pytest.mark.parametrize("template", ["{{ at('all') }}{{ t | plain }}", "{{ at('all') }}{{ t | striptags }}"])
def test_a_mark_that_a_filter_brings_about_puts_nothing_in(template: str) -> None:
    message = rendered(template, t="&#xe000;0&#xe001;" * 3 + "&#xe000;7&#xe001;")
    assert [segment["type"] for segment in message].count("at") == 1


def test_a_structure_in_a_payload_is_no_segment() -> None:
    with pytest.raises(TemplateFailed):
        rendered("- {{ t }}", segments=True, t={"type": "at", "data": {"qq": "all"}})


def test_what_a_filter_cannot_do_with_a_value_fails_the_template() -> None:
    with pytest.raises(TemplateFailed):
        rendered("{{ t | dictsort }}", t=[1])


def test_a_template_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(Refused, match="nested"):
        Template("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", segments=False)
