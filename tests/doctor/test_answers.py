import pytest

from proxy.doctor.answers import certificates, clock, csp, page, probe, script, stranger
from proxy.doctor.fetch import Answer, Certificate

ORIGIN = "https://www.shop.example"
URL = "https://t.shop.example/e"
COOKIE = "_fh=; Domain=shop.example; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
GOOD = {
    "access-control-allow-origin": (ORIGIN,),
    "access-control-allow-credentials": ("true",),
    "vary": ("Origin",),
    "cache-control": ("no-store",),
    "set-cookie": (COOKIE,),
}


def answered(status=204, url=URL, body=b"", **headers):
    given = {name.replace("_", "-"): (value,) if isinstance(value, str) else value for name, value in headers.items()}
    merged = {name: value for name, value in (GOOD | given).items() if value is not None}
    return Answer(url=url, status=status, headers=merged, body=body)


def probed(answer, *, cross_origin=True):
    return {
        f.check: f for f in probe(answer, origin=ORIGIN, cookie="_fh", cross_origin=cross_origin) if f.level != "ok"
    }


def test_the_collectors_own_answer_is_fine():
    assert probed(answered()) == {}


@pytest.mark.parametrize(
    ("headers", "check", "level"),
    [
        ({"access_control_allow_origin": "*"}, "cors", "fault"),
        ({"access_control_allow_credentials": None}, "cors", "fault"),
        ({"vary": None}, "cors", "warning"),
        ({"cache_control": None}, "cookie cache", "fault"),
        ({"cache_control": "public, max-age=60"}, "cookie cache", "fault"),
        ({"age": "12"}, "cookie cache", "fault"),
        ({"cf_cache_status": "HIT"}, "cookie cache", "fault"),
        ({"set_cookie": None}, "cookie", "fault"),
        ({"set_cookie": COOKIE.replace("; Secure", "")}, "cookie", "fault"),
        ({"set_cookie": COOKIE.replace("; HttpOnly", "")}, "cookie", "fault"),
        ({"set_cookie": COOKIE.replace("Domain=shop.example; ", "")}, "cookie", "warning"),
        ({"set_cookie": COOKIE.replace("shop.example", "t.shop.example")}, "cookie", "fault"),
        ({"set_cookie": COOKIE.replace("shop.example", "co.uk")}, "cookie", "fault"),
    ],
)
def test_what_a_middleman_breaks_is_found(headers, check, level):
    found = probed(answered(**headers))
    assert found[check].level == level
    assert found[check].advice


def test_without_cross_origin_no_cors_is_asked_for():
    bare = answered(access_control_allow_origin=None, access_control_allow_credentials=None, vary=None)
    assert probed(bare, cross_origin=False) == {}


def test_a_host_only_cookie_is_fine_on_the_pages_own_host():
    own = answered(url=f"{ORIGIN}/fh/e", set_cookie=COOKIE.replace("Domain=shop.example; ", ""))
    assert probed(own, cross_origin=False) == {}


def test_a_refusal_tells_the_collectors_words():
    found = probed(answered(403, body=b'{"error":"this origin may not post"}'))
    assert "403" in found["events"].text
    assert "this origin may not post" in found["events"].text


def test_no_answer_tells_why():
    found = probed(Answer(url=URL, error="the certificate is not valid for this host"))
    assert "certificate" in found["events"].text


def test_a_redirecting_collector_is_named():
    found = probed(answered(301, location="https://t2.shop.example/e"))
    assert "redirects to https://t2.shop.example/e" in found["events"].text


@pytest.mark.parametrize(("headers", "level"), [({"access_control_allow_origin": "*"}, "fault"), ({}, "ok")])
def test_pages_of_strangers(headers, level):
    assert stranger(answered(**headers), "https://stranger.example").level == level


@pytest.mark.parametrize(
    ("status", "headers", "check", "level"),
    [
        (200, {"content_type": "text/javascript"}, "script", "ok"),
        (200, {"content_type": "text/html"}, "script", "fault"),
        (404, {"content_type": "text/plain"}, "script", "fault"),
        (200, {"content_type": "text/javascript", "cache_control": "no-store"}, "script cache", "warning"),
        (200, {"content_type": "text/javascript", "set_cookie": "a=b"}, "script cache", "warning"),
    ],
)
def test_the_script(status, headers, check, level):
    given = {"cache_control": "public, max-age=3600", "set_cookie": None} | headers
    found = {f.check: f.level for f in script(answered(status, "https://t.shop.example/tracker.js", **given))}
    assert found[check] == level


NOON = "Sat, 21 Sep 2026 12:00:00 GMT"
NOON_MS = 1_789_992_000_000


@pytest.mark.parametrize(
    ("at_ms", "level"),
    [(NOON_MS, "ok"), (NOON_MS + 20_000, "ok"), (NOON_MS - 60_000, "warning"), (NOON_MS + 3_600_000, "fault")],
)
def test_the_clock(at_ms, level):
    answer = Answer(url=URL, status=200, headers={"date": (NOON,)}, at_ms=at_ms)
    assert clock(answer, "t.shop.example").level == level


@pytest.mark.parametrize("headers", [{}, {"date": ("soon",)}])
def test_no_date_says_nothing_of_the_clock(headers):
    assert clock(Answer(url=URL, status=200, headers=headers), "t.shop.example") is None


def test_certificates_name_the_address_that_is_wrong():
    day = 86_400
    shown = [
        Certificate(address="198.51.100.1", version="TLSv1.3", expires_s=100 * day),
        Certificate(address="198.51.100.2", version="TLSv1.3", expires_s=110 * day),
        Certificate(address="198.51.100.3", error="certificate has expired"),
        Certificate(address="2001:db8::1", error="no answer within 10 s", unreachable=True),
    ]
    found = list(certificates(shown, "t.shop.example", 90 * day))
    told = [(finding.level, finding.text) for finding in found]
    assert told == [
        ("warning", "the certificate of t.shop.example at 198.51.100.1 ends in 10 days"),
        ("fault", "t.shop.example at 198.51.100.3: certificate has expired"),
        ("warning", "t.shop.example at 2001:db8::1 cannot be reached from here: no answer within 10 s"),
        ("ok", "t.shop.example: TLSv1.3, valid for 20 more days"),
    ]


@pytest.mark.parametrize(
    ("policy", "blocked"),
    [
        ([], ""),
        (["default-src 'self' https://t.shop.example"], ""),
        (["default-src https:"], ""),
        (["script-src 'nonce-abc'; connect-src https://*.shop.example"], ""),
        (["default-src 'self'"], "script-src, connect-src"),
        (["script-src 'self' https://t.shop.example; connect-src 'self'"], "connect-src"),
        (["script-src *; script-src-elem 'self'; connect-src *"], "script-src"),
        (["default-src *", "connect-src 'none'"], "connect-src"),  # a second policy narrows the first
        (["img-src 'self'"], ""),
    ],
)
def test_a_policy_lets_the_collector_in_or_is_named(policy, blocked):
    document = Answer(
        url=f"{ORIGIN}/", status=200, headers={"content-security-policy": tuple(policy)}, body=b"/tracker.js"
    )
    found = [f for f in page(document, "https://t.shop.example", "/tracker.js") if f.level == "fault"]
    assert [f.text for f in found] == (
        [f"the page's Content-Security-Policy keeps https://t.shop.example out of {blocked}"] if blocked else []
    )


def test_of_a_directive_said_twice_the_first_counts():
    assert csp(["connect-src 'self'; connect-src *"]) == {"connect-src": ["'self'"]}
