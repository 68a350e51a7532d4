"""Answers of which only the HTTP status is known."""

import pytest

from proxy.destinations._answer import LONGEST, by_status, one_line, retry_after_s
from proxy.destinations.base import Reply
from proxy.destinations.verdict import AuthBroken, Rejected, RetryLater


@pytest.mark.parametrize("status", [0, 100, 204, 301, 408, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(status):
    assert isinstance(by_status(Reply(status=status, error="timeout")), RetryLater)


@pytest.mark.parametrize("status", [401, 403])
def test_what_a_human_must_mend_pauses(status):
    assert by_status(Reply(status=status), "denied", "Ask.") == AuthBroken("token_refused", "denied", "Ask.")


@pytest.mark.parametrize(
    ("status", "why"), [(400, "http_4xx"), (404, "http_4xx"), (413, "too_large"), (422, "http_4xx")]
)
def test_what_blames_the_request_is_not_sent_again(status, why):
    assert by_status(Reply(status=status)) == Rejected(why, f"HTTP {status}")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("999999", 999999.0),
        ("1e9", None),
        ("9999999", None),
        ("-1", None),
        ("٣", None),
        ("Wed, 21 Oct 2026", None),
        ("", None),
    ],
)
def test_only_plain_seconds_are_believed(value, seconds):
    assert retry_after_s(Reply(status=429, headers={"retry-after": value})) == seconds


def test_words_are_one_bounded_line():
    assert one_line("a\n b", None, "", 4, " ") == "a b: 4"
    assert len(one_line("x" * 10_000)) == LONGEST
