"""Whatever is posted, the answer is never a 5xx and what is stored can be read back."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = ("id", "time", "page", "user", "data", "custom", "click_ids", "browser_ids", "client", "visitor")
likely_event = st.fixed_dictionaries(
    {"consent": st.just({"marketing": "granted"}), "name": st.text(max_size=5)},
    optional=dict.fromkeys((*names, "events", "sent_at", "items"), json_values),
)
page = st.fixed_dictionaries(
    {"url": st.text(max_size=40) | st.just("https://www.shop.example/?fbclid=") | st.just("//[")}
)
event_of_a_page = st.fixed_dictionaries(
    {
        "name": st.just("lead"),
        "consent": st.fixed_dictionaries({"marketing": st.sampled_from(["granted", "denied"])}),
        "page": page,
        "click_ids": st.dictionaries(st.sampled_from(["fbclid", "gclid", "x"]), st.text(max_size=20), max_size=3),
        "browser_ids": st.dictionaries(st.sampled_from(["fbp", "_fbc", "x"]), st.text(max_size=30), max_size=3),
    }
)
bodies = st.one_of(
    st.binary(max_size=80),
    likely_event.map(lambda event: json.dumps(event).encode()),
    event_of_a_page.map(lambda event: json.dumps(event).encode()),
    st.lists(likely_event, max_size=3).map(lambda events: json.dumps({"events": events}).encode()),
)
header_text = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]), max_size=40
)
headers = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("Cookie", "Host", "Origin", "Sec-GPC", "User-Agent", "X-Forwarded-For", "Authorization", "Content-Type"),
        header_text,
    ),
)


@pytest.fixture
async def running(start):
    return await start("destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}")


async def test_anything_posted_is_answered_and_never_with_5xx(running, stored):
    loop = asyncio.get_running_loop()

    @settings(max_examples=250, suppress_health_check=list(HealthCheck))
    @given(body=bodies, header=headers)
    def posted(body, header):
        answer = asyncio.run_coroutine_threadsafe(running.post(body, headers=header), loop).result(60)
        assert answer.status < 500, (body, header)

    await asyncio.to_thread(posted)
    assert await stored()
