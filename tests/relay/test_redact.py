import pytest

from proxy.event import ClickId, Client, Event, User, Visitor
from proxy.relay.redact import redact, redact_url, redact_value, redact_visitors


def test_every_form_a_secret_takes_is_masked():
    secret = 'a/b+c "d'
    text = f"{secret} a%2Fb%2Bc%20%22d a/b%2Bc%20%22d a%2Fb%2Bc+%22d " + r"a/b+c \"d"
    assert redact(text, (secret,)) == "*** *** *** *** ***"


def test_a_secret_inside_a_longer_one_leaves_no_rest():
    assert redact("tok-long tok", ("tok-long", "tok")) == "*** ***"


def test_without_secrets_text_stays():
    assert redact("plain", ()) == "plain"


def test_a_short_secret_is_masked_as_a_word_only():
    assert redact("access_token=token&engagement_time_msec=1", ("token", "sec")) == (
        "access_token=***&engagement_time_msec=1"
    )
    assert redact("Bearer tok, tiktok took it", ("tok",)) == "Bearer ***, tiktok took it"


def test_a_long_secret_is_masked_wherever_it_stands():
    assert redact("xEAABsbCS1234567890ZZZy", ("EAABsbCS1234567890ZZZ",)) == "x***y"


def test_the_host_of_an_address_is_no_secret():
    url = "https://api.pinterest.com/v5/events?key=pinterest"
    assert redact_url(url, ("pinterest",)) == "https://api.pinterest.com/v5/events?key=***"
    assert redact_url("https://shop.example", ("shop",)) == "https://shop.example"


def test_a_text_somebody_wrote_is_masked_whole_or_for_a_real_credential():
    assert redact_value("Men's Mug", ("s",)) == "Men's Mug"
    assert redact_value("s", ("s",)) == "***"
    assert redact_value("id EAABsbCS1234567890ZZZ", ("EAABsbCS1234567890ZZZ",)) == "id ***"


ANN = Event(
    id="o-1",
    name="purchase",
    time=1,
    user=User(email=("ann@shop.example",), phone=("+32470123456",), first_name="Ann", country="be", gender="f"),
    click_ids={"gclid": ClickId(value="Cj0KCQjw", clicked_at=1)},
    browser_ids={"fbp": "fb.1.1790000000000.42"},
    client=Client(ip="203.0.113.9", user_agent="Mozilla/5.0 (X11) Firefox/150.0"),
    visitor=Visitor(id="v_ann", first_seen=1),
)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("gclid Cj0KCQjw is too old", "gclid *** is too old"),
        ("bad client_ip_address: 203.0.113.9", "bad client_ip_address: ***"),
        ("user agent 'Mozilla/5.0 (X11) Firefox/150.0' is a bot", "user agent '***' is a bot"),
        ("em=ann@shop.example, ph=+32470123456", "em=***, ph=***"),
        ("somebody.else%40mail.example is no hash", "*** is no hash"),
        ("hash " + "0a" * 32, "hash ***"),
        ("Annotation of Ann be f", "Annotation of *** be f"),
        ("fbp fb.1.1790000000000.42 of v_ann", "fbp *** of ***"),
        ("currency must be set (100)", "currency must be set (100)"),
    ],
)
def test_what_a_platform_quotes_of_an_event_is_masked(words, kept):
    assert redact_visitors(words, [Event(id="o-0", name="lead", time=1), ANN]) == kept
