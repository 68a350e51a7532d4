"""`POST /e` over HTTP: what is answered, what is stored, and in which order."""

import asyncio
import gzip
import json

import pytest

from proxy.clock import DAY_MS
from proxy.errors import LogUnavailable
from proxy.event import Client, ConsentState, Visitor

GRANTED = {"marketing": "granted"}
NOW = 1_790_000_000_000


def lead(**more):
    return {"name": "lead", "consent": GRANTED, **more}


async def test_an_event_is_stored_as_it_was_sent_and_answered_204(site, stored):
    answer = await site.post(lead(id="e-1", time=NOW - 5, data={"value": "12.50", "currency": "EUR"}))
    assert (answer.status, await answer.read()) == (204, b"")
    (event,) = await stored()
    assert (event.id, event.name, event.time, event.source) == ("e-1", "lead", NOW - 5, "browser")
    assert str(event.data.value) == "12.50"
    assert event.consent.marketing is ConsentState.GRANTED


async def test_names_of_other_tools_are_stored_as_ours(site, stored):
    await site.post([lead(name="Order Completed"), lead(name="begin_checkout"), lead(name="My Own")])
    assert [event.name for event in await stored()] == ["purchase", "initiate_checkout", "My Own"]


async def test_the_connection_says_who_the_client_is(site, stored):
    headers = {"X-Forwarded-For": "198.51.100.1", "Sec-CH-UA-Mobile": "?1", "Sec-CH-UA-Platform": '"Android"'}
    await site.post(lead(client={"ip": "192.0.2.1"}), headers=headers)
    (event,) = await stored()
    agent = event.client.user_agent
    assert agent.startswith("Mozilla/5.0")
    assert event.client == Client(ip="127.0.0.1", user_agent=agent, mobile=True, platform="Android")


async def test_behind_a_trusted_proxy_the_forwarded_address_counts(start, stored):
    site = await start("listen: {trusted_proxies: [127.0.0.0/8]}")
    await site.post(lead(), headers={"X-Forwarded-For": "192.0.2.66, 198.51.100.1"})
    (event,) = await stored()
    assert event.client.ip == "198.51.100.1"


async def test_the_configured_cdn_header_counts_before_it(start, stored):
    site = await start("listen: {trusted_proxies: [127.0.0.0/8], client_ip_header: CF-Connecting-IP}")
    await site.post(lead(), headers={"X-Forwarded-For": "198.51.100.1", "CF-Connecting-IP": "2001:db8::5"})
    (event,) = await stored()
    assert event.client.ip == "2001:db8::5"


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded", None])
async def test_the_content_type_does_not_matter(site, stored, content_type):
    answer = await site.post(lead(), headers={"Content-Type": content_type})
    assert answer.status == 204
    assert len(await stored()) == 1


async def test_an_id_is_made_for_an_event_without_one(site, stored):
    await site.post([lead(), lead()])
    ids = [event.id for event in await stored()]
    assert len(set(ids)) == 2
    assert all(made.startswith(f"{NOW:012x}") and len(made) == 32 for made in ids)


async def test_a_repeated_event_is_answered_alike_and_counted(site, stored, count):
    again = count("events_duplicate")
    assert [(await site.post(lead(id="e-1"))).status for _ in range(2)] == [204, 204]
    assert (len(await stored()), again()) == (1, 1)


# The answer comes after the disk


class SlowLog:
    """Durable only when told so."""

    def is_erased(self, visitor):
        return False

    def __init__(self):
        self.asked = asyncio.Event()
        self.durable = asyncio.Event()

    async def append(self, events, proofs=(), refusals=()):
        self.asked.set()
        await self.durable.wait()
        return len(events)


async def test_nothing_is_answered_before_the_event_is_durable(start):
    log = SlowLog()
    site = await start(the_log=log)
    posting = asyncio.create_task(site.post(lead()))
    await log.asked.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    assert not posting.done()
    log.durable.set()
    answer = await posting
    assert answer.status == 204
    assert "Set-Cookie" in answer.headers


async def test_when_the_log_takes_nothing_the_sender_is_told_to_keep_it(site, log, stored, count):
    log.broken = "disk full: /secret/path"
    refused = count("requests_refused", reason="log_unavailable")
    answer = await site.post(lead())
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.shop.example"
    assert "Set-Cookie" not in answer.headers
    assert "try again" in (await answer.json())["error"]
    assert "secret" not in await answer.text()
    assert refused() == 1
    log.broken = ""
    assert (await site.post(lead())).status == 204
    assert len(await stored()) == 1


# Faults of the sender


async def test_a_bad_event_is_named_and_the_good_ones_are_stored(site, stored, count):
    refused = count("events_refused", reason="wrong_type")
    answer = await site.post([lead(id="a"), lead(id="b", data={"value": "many"}), lead(id="c")])
    assert answer.status == 200
    body = await answer.json()
    assert body["accepted"] == 2
    (fault,) = body["refused"]
    assert (fault["index"], fault["where"]) == (1, "[1].data.value")
    assert "59.90" in fault["message"]
    assert [event.id for event in await stored()] == ["a", "c"]
    assert refused() == 1
    assert "Set-Cookie" in answer.headers


async def test_when_no_event_is_usable_the_answer_is_400_and_says_what_and_where(site, stored):
    answer = await site.post({"events": [lead(data={"items": [{"quantity": -1}]}), {"id": "x"}]})
    assert answer.status == 400
    body = await answer.json()
    assert "events[0].data.items[0].quantity" in body["error"]
    assert [fault["where"] for fault in body["refused"]] == ["events[0].data.items[0].quantity", "events[1].name"]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.shop.example"
    assert await stored() == []


@pytest.mark.parametrize(
    ("body", "words", "reason"),
    [
        (b'{"name": "lead"', "line 1", "malformed"),
        (b"", "empty body", "empty"),
        (b"[" * 10_000 + b"]" * 10_000, "nested too deeply", "too_deep"),
        (json.dumps([{"name": "lead"}] * 101).encode(), "101 events", "too_many"),
        (b'"hello"', "expected one event", "malformed"),
        (b"\xff\xfe\x00", "not JSON", "malformed"),
    ],
)
async def test_an_unusable_body_is_explained(site, count, body, words, reason):
    refused = count("requests_refused", reason=reason)
    answer = await site.post(body)
    assert answer.status == 400
    assert words in (await answer.json())["error"]
    assert refused() == 1


async def test_a_body_of_a_megabyte_is_refused(site, stored):
    answer = await site.post(lead(page={"title": "t" * 1_000_000}))
    assert answer.status == 413
    assert "512 KiB" in (await answer.json())["error"]
    assert answer.headers["Connection"] == "close"
    assert await stored() == []


async def test_a_body_just_below_the_limit_is_read(site, stored):
    body = json.dumps(lead(custom={"a": "x"}))
    assert (await site.post(body.encode().ljust(512 * 1024))).status == 204
    assert len(await stored()) == 1


async def test_a_megabyte_in_chunks_of_unknown_length_is_refused(site, stored):
    async def chunks():
        yield b'{"name": "lead", "page": {"title": "'
        for _ in range(16):
            yield b"t" * 65_536

    headers = {"Origin": "https://www.shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"}
    answer = await site.client.post("/e", data=chunks(), headers=headers)
    assert answer.status == 413
    assert await stored() == []


async def test_a_chunked_body_is_read(site, stored):
    async def chunks():
        yield b'{"name": "lead", '
        yield b'"consent": {"marketing": "granted"}}'

    headers = {"Origin": "https://www.shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"}
    assert (await site.client.post("/e", data=chunks(), headers=headers)).status == 204
    assert len(await stored()) == 1


async def test_a_compressed_body_is_not_opened(site, stored):
    answer = await site.post(gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"})
    assert answer.status == 415
    assert await stored() == []


async def test_a_body_that_ends_early_costs_only_its_connection(site, stored):
    head = (
        b"POST /e HTTP/1.1\r\nHost: t.shop.example\r\nOrigin: https://www.shop.example\r\n"
        b"User-Agent: Mozilla/5.0 (X11) Firefox/150.0\r\nContent-Length: 100\r\n\r\n{"
    )
    _, writer = await asyncio.open_connection(site.client.host, site.client.port)
    writer.write(head)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await site.post(lead())).status == 204
    assert len(await stored()) == 1


async def test_a_clock_two_days_wrong_is_corrected(site, stored):
    wrong = NOW - 2 * DAY_MS
    await site.post({"sent_at": wrong, "events": [lead(time=wrong - 3_000)]})
    (event,) = await stored()
    assert event.time == NOW - 3_000


async def test_header_injection_in_a_click_id_gets_nowhere(site, stored):
    answer = await site.post(
        lead(
            click_ids={"fbclid": "x\r\nSet-Cookie: a=b", "gclid": "ok"},
            page={"url": "https://www.shop.example/?fbclid=x%0d%0aSet-Cookie:%20a=b"},
        )
    )
    assert answer.status == 204
    assert all(header.startswith(("_fh=", "_fbp=", "_fbc=")) for header in answer.headers.getall("Set-Cookie"))
    (event,) = await stored()
    assert set(event.click_ids) == {"gclid"}


async def test_what_is_left_out_is_counted_under_bounded_names(site, stored, count):
    field, other, user = (count("fields_ignored", field=name) for name in ("visitor", "other", "user.other"))
    await site.post(lead(visitor="v", whatever=1, also=2, user={"emial": "a@example.com"}))
    assert (field(), other(), user()) == (1, 2, 1)


# Servers


async def test_a_server_with_a_key_needs_no_origin_and_is_believed(site, stored):
    answer = await site.post_as_server(
        lead(
            time=NOW - 3 * DAY_MS,
            client={"ip": "198.51.100.9", "user_agent": "Mozilla/5.0"},
            visitor={"id": "v_1", "first_seen": NOW - 9 * DAY_MS},
        )
    )
    assert answer.status == 204
    assert "Set-Cookie" not in answer.headers
    (event,) = await stored()
    assert event.source == "server"
    assert event.time == NOW - 3 * DAY_MS
    assert event.client == Client(ip="198.51.100.9", user_agent="Mozilla/5.0")
    assert event.visitor == Visitor(id="v_1", first_seen=NOW - 9 * DAY_MS)


async def test_a_servers_own_agent_and_privacy_signals_are_not_the_visitors(site, stored):
    headers = {"User-Agent": "curl/8.0", "Sec-GPC": "1"}
    assert (await site.post_as_server(lead(), headers=headers)).status == 204
    (event,) = await stored()
    assert event.client == Client()
    assert event.visitor is None
    assert event.consent.sale is not ConsentState.DENIED


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", "Basic abc", "an-ingest-key-of-some-length", "Bearer \xe9"]
)
async def test_a_wrong_key_is_refused_even_from_a_page_of_ours(site, stored, header):
    answer = await site.post(lead(), headers={"Authorization": header})
    assert answer.status == 401
    assert "ingest_keys" in (await answer.json())["error"]
    assert await stored() == []


async def test_a_server_is_told_about_fields_we_do_not_know(site, stored):
    answer = await site.post_as_server(lead(usr={"email": "a@example.com"}))
    assert answer.status == 400
    assert (await answer.json())["refused"] == [
        {"index": 0, "where": "usr", "message": "unknown field; did you mean user?"}
    ]


# Bots


HEADLESS = '"HeadlessChrome";v="156", "Not)A;Brand";v="24"'
BOTS = [
    ({"User-Agent": ""}, "no_user_agent"),
    ({"User-Agent": None}, "no_user_agent"),
    ({"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}, "crawler"),
    ({"User-Agent": "curl/8.5.0"}, "crawler"),
    ({"User-Agent": "facebookexternalhit/1.1"}, "crawler"),
    ({"Sec-CH-UA": HEADLESS}, "automation"),
    ({"Sec-Fetch-Dest": "document"}, "fetch_metadata"),
    ({"Sec-Fetch-Dest": "nonsense"}, "fetch_metadata"),
]


@pytest.mark.parametrize(("headers", "reason"), BOTS)
async def test_bots_are_answered_alike_not_stored_and_counted_by_reason(site, stored, count, headers, reason):
    dropped = count("events_dropped", reason=reason)
    skipped = ["User-Agent"] if headers.get("User-Agent", "") is None else []
    answer = await site.post(lead(), headers=headers, skip_auto_headers=skipped)
    assert answer.status == 204
    assert "Set-Cookie" not in answer.headers
    assert (await stored(), dropped()) == ([], 1)


async def test_a_browser_that_says_a_program_drives_it_is_a_bot(site, stored, count):
    dropped = count("events_dropped", reason="automation")
    await site.post({"webdriver": True, "events": [lead()]})
    await site.post({"webdriver": True, **lead()})
    assert (await stored(), dropped()) == ([], 2)
    await site.post({"webdriver": False, "events": [lead()]})
    assert len(await stored()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-CH-UA": '"Chromium";v="156"'},
        {"Sec-Fetch-Dest": None, "Sec-CH-UA": None},
        {
            "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/540.0]"
        },
    ],
)
async def test_people_are_not_taken_for_bots(site, stored, headers):
    await site.post(lead(), headers=headers)
    assert len(await stored()) == 1


@pytest.mark.parametrize(("headers", "reason"), BOTS[2:])
async def test_bots_can_be_marked_or_kept(start, stored, headers, reason):
    await (await start("bots: {action: mark}")).post(lead(), headers=headers)
    await (await start("bots: {action: keep}")).post({**lead(), "id": "kept"}, headers=headers)
    marked, kept = await stored()
    assert (marked.bot, kept.bot) == (reason, None)


async def test_a_browser_cannot_mark_and_a_server_can(site, stored):
    await site.post({**lead(), "bot": "crawler"})
    await site.post_as_server({**lead(), "id": "second", "bot": "crawler"})
    assert [event.bot for event in await stored()] == [None, "crawler"]


async def test_what_servers_say_is_not_judged(site, stored):
    await site.post_as_server(lead(), headers={"User-Agent": "curl/8.5.0", "Sec-Fetch-Dest": "document"})
    assert len(await stored()) == 1


async def test_what_a_browser_fetches_ahead_of_time_is_not_stored(site, stored):
    answer = await site.post(lead(), headers={"Sec-Purpose": "prefetch;prerender"})
    assert answer.status == 204
    assert "Set-Cookie" not in answer.headers
    assert await stored() == []


async def test_a_log_that_fails_in_another_way_than_announced_answers_500_without_a_trace(start):
    class Broken:
        def is_erased(self, visitor):
            return False

        async def append(self, events, proofs=(), refusals=()):
            raise RuntimeError("a secret of the implementation")

    site = await start(the_log=Broken())
    answer = await site.post(lead())
    assert answer.status == 500
    text = await answer.text()
    assert "secret" not in text
    assert "Traceback" not in text


async def test_log_unavailable_is_the_only_way_to_503():
    assert issubclass(LogUnavailable, Exception)
