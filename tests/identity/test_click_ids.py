"""Finding, remembering and removing click ids."""

import string

import pytest
from hypothesis import given, strategies as st

from proxy.clock import DAY_MS
from proxy.event import ClickId
from proxy.identity.click_ids import PARAMETERS, Aliases, harvest, merge, strip_click_ids, valid

NOW = 1_700_000_000_123
NAMES = sorted(PARAMETERS.values())
names = st.sampled_from(NAMES)
values = st.text(string.ascii_letters + string.digits + "_-.", min_size=1, max_size=60)
parameters = st.lists(
    st.tuples(st.sampled_from([*NAMES, "ScCid", "FBCLID", "yclid", "utm_source", "q", ""]), st.text(max_size=20)),
    max_size=6,
)


def found(url):
    return {name: click.value for name, click in harvest(url, NOW).items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_platforms_parameter_is_found_with_its_time(name):
    assert harvest(f"https://shop.example/p?a=1&{name}=AbC-1_2&b=2#top", NOW) == {
        name: ClickId(value="AbC-1_2", clicked_at=NOW)
    }


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.example/?fbclid=A&fbclid=B", {"fbclid": "A"}),
        ("https://x.example/?fbclid=&fbclid=B", {"fbclid": "B"}),
        ("https://x.example/?fbclid=", {}),
        ("https://x.example/?fbclid", {}),
        ("https://x.example/?FBCLID=A&Gclid=B", {}),
        ("https://x.example/?ScCid=Ab-C", {"sccid": "Ab-C"}),
        ("https://x.example/?SCCID=x", {"sccid": "x"}),
        ("https://x.example/?xfbclid=A", {}),
        ("https://x.example/#fbclid=HASH", {"fbclid": "HASH"}),
        ("https://x.example/#/land?a=1&fbclid=HASH", {"fbclid": "HASH"}),
        ("https://x.example/#gclid=HASH", {}),
        ("https://x.example/?fbclid=Q#fbclid=HASH", {"fbclid": "Q"}),
        ("https://x.example/?gclid={gclid}", {}),
        ("https://x.example/?gclid=%7Bgclid%7D", {}),
        ("https://x.example/?gclid=%257Bgclid%257D", {}),
        ("https://x.example/?ttclid=__CLICKID__", {}),
        ("https://x.example/?gclid=undefined&msclkid=null", {}),
        ("https://x.example/?ttclid=E.C.P.abc", {"ttclid": "E.C.P.abc"}),
        ("https://x.example/?fbclid=E.C", {}),
        ("https://x.example/?epik=dj0yJnU9%3D", {"epik": "dj0yJnU9="}),
        ("https://x.example/?gclid=a%0d%0aSet-Cookie:%20x=1", {}),
        ("https://x.example/?gclid=a;b&wbraid=a%3Bb&gbraid=a%22b", {}),
        ("https://x.example/?fbclid=A.AQICAQMC", {"fbclid": "A"}),
        ("https://x.example/?fbclid=" + "x" * 500, {"fbclid": "x" * 500}),
        ("https://x.example/?fbclid=" + "x" * 501, {}),
        ("https://x.example/?gclid=" + "x" * 512, {"gclid": "x" * 512}),
        ("https://x.example/?gclid=" + "x" * 513, {}),
        ("https://x.example/?gclid=%C3%A9&fbclid=\ud800", {}),
        ("https://x.example/fbclid=A", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_only_usable_values_are_taken_and_exactly_as_they_stand(url, expected):
    assert found(url) == expected


@given(st.text())
def test_no_text_makes_harvest_or_strip_raise(text):
    harvest(text, NOW)
    strip_click_ids(text)


@given(names, values)
def test_a_harvested_value_is_always_valid_and_unchanged(name, value):
    taken = found(f"https://x.example/?{name}={value}")
    assert taken == ({name: value} if valid(name, value) else {})


def url_of(path, query, fragment):
    tail = "&".join(f"{name}={value}" for name, value in query)
    end = "&".join(f"{name}={value}" for name, value in fragment)
    return f"https://x.example/{path}?{tail}#{end}"


@given(parameters, parameters)
def test_a_stripped_url_holds_no_click_id_and_stripping_again_changes_nothing(query, fragment):
    stripped = strip_click_ids(url_of("p", query, fragment))
    assert harvest(stripped, NOW) == {}
    assert strip_click_ids(stripped) == stripped


@given(st.lists(st.tuples(st.sampled_from(["utm_source", "q", "page"]), st.text(string.ascii_letters)), max_size=5))
def test_a_url_without_click_ids_is_left_alone(query):
    url = url_of("p", query, [])
    assert strip_click_ids(url) is url


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://x.example/p?fbclid=A", "https://x.example/p"),
        ("https://x.example/p?fbclid=A&b=%20+2&GCLID=z&c", "https://x.example/p?b=%20+2&c"),
        ("https://x.example/p?a=1&fbclid=A#top", "https://x.example/p?a=1#top"),
        ("https://x.example/p?fbclid=A#top", "https://x.example/p#top"),
        ("https://x.example/p#fbclid=A&x=1", "https://x.example/p#x=1"),
        ("https://x.example/p#fbclid=A?x=1", "https://x.example/p#?x=1"),
        ("https://x.example/p&fbclid=A", "https://x.example/p"),
        ("https://x.example/p?u=https%3A%2F%2Fy.example%2F%3Ffbclid%3DA&k=1", "https://x.example/p?k=1"),
        ("https://x.example/p?u=https%253A%252F%252Fy.example%252F%253Fgclid%253DA", "https://x.example/p"),
        ("https://x.example/p?%66bclid=A&k=1", "https://x.example/p?k=1"),
        ("https://x.example/p?yclid=1&srsltid=2&k=1", "https://x.example/p?k=1"),
        ("https://x.example/p?q=gclid", "https://x.example/p?q=gclid"),
    ],
)
def test_stripping_removes_whole_parameters_and_nothing_else(url, stripped):
    assert strip_click_ids(url) == stripped


def click(value, at):
    return ClickId(value=value, clicked_at=at)


def test_the_same_click_keeps_its_time():
    assert merge({"gclid": click("a", NOW - 5)}, {"gclid": click("a", NOW)}, NOW) == {"gclid": click("a", NOW - 5)}


def test_an_earlier_time_for_the_same_click_is_believed():
    assert merge({"gclid": click("a", NOW)}, {"gclid": click("a", NOW - 5)}, NOW) == {"gclid": click("a", NOW - 5)}


def test_a_click_differing_only_in_case_replaces_the_stored_one():
    assert merge({"gclid": click("a", NOW - 5)}, {"gclid": click("A", NOW)}, NOW) == {"gclid": click("A", NOW)}


def test_platforms_do_not_replace_each_other_and_old_clicks_are_dropped():
    stored = {"gclid": click("a", NOW - 90 * DAY_MS), "ttclid": click("t", NOW - 90 * DAY_MS - 1)}
    assert merge(stored, {"fbclid": click("f", NOW)}, NOW) == {
        "gclid": stored["gclid"],
        "fbclid": click("f", NOW),
    }


def test_an_old_click_seen_again_keeps_its_old_time():
    stored = {"gclid": click("a", NOW - 400 * DAY_MS)}
    assert merge(stored, {"gclid": click("a", NOW)}, NOW) == stored


stores = st.dictionaries(
    names, st.builds(ClickId, value=values, clicked_at=st.integers(NOW - 200 * DAY_MS, NOW)), max_size=4
)


@given(stores, stores)
def test_merging_is_idempotent_and_never_invents(stored, fresh):
    once = merge(stored, fresh, NOW)
    assert merge(once, fresh, NOW) == once
    assert set(fresh) <= set(once) <= set(fresh) | set(stored)
    assert all(once[name].value == fresh[name].value for name in fresh)


# Parameters of the site's own

ALIASES = Aliases({"g_id": "gclid", "t.id": "ttclid", "g2": "gclid"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?g_id=AbC-1_2&a=1", {"gclid": "AbC-1_2"}),
        ("?a=1&t.id=E.C.P.x#top", {"ttclid": "E.C.P.x"}),
        ("?g2=first&g_id=second", {"gclid": "first"}),
        ("?g_id={gclid}&g2=real", {"gclid": "real"}),
        ("?g_id=%7Bgclid%7D", {}),
        ("?t.id=__CLICKID__", {}),
        ("?g_id={{click_id}}&t.id=undefined", {}),
        ("?G_ID=x&txid=y&xg_id=z", {}),
        ("#g_id=x", {}),
        ("", {}),
    ],
)
def test_an_alias_is_read_when_a_macro_has_filled_it(query, expected):
    read = ALIASES.harvest(f"https://x.example/{query}", NOW)
    assert {name: click.value for name, click in read.items()} == expected
    assert all(click.clicked_at == NOW for click in read.values())


def test_an_alias_means_nothing_where_it_is_not_configured():
    assert harvest("https://x.example/?g_id=AbC", NOW) == {}


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://x.example/p?g_id=A&b=%20+2", "https://x.example/p?b=%20+2"),
        ("https://x.example/p?b=1&t.id=A#g2=x", "https://x.example/p?b=1"),
        ("https://x.example/p?u=https%3A%2F%2Fy.example%2F%3Fg_id%3DA&k=1", "https://x.example/p?k=1"),
        ("https://x.example/p?fbclid=A&txid=1", "https://x.example/p?fbclid=A&txid=1"),
    ],
)
def test_aliases_are_taken_out_of_urls_and_nothing_else(url, stripped):
    assert ALIASES.strip(url) == stripped


@given(st.text())
def test_no_text_makes_aliases_raise(text):
    ALIASES.harvest(text, NOW)
    ALIASES.strip(text)
