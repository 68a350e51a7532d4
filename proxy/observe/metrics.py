"""Every metric, in one place. Names and labels are a public interface: docs/metrics.md lists them, a test compares.

Labels are bounded sets. The hot path keeps its child objects (`.labels()` costs more than `.inc()`).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter, which nobody asks for
registry = CollectorRegistry(auto_describe=True)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, namespace="firsthand", registry=registry)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, namespace="firsthand", registry=registry)


events_stored = _counter("events_stored_total", "Events made durable.", "source")
events_duplicate = _counter("events_duplicate_total", "Events whose id was stored before.")
events_dropped = _counter("events_dropped_total", "Well-formed events not kept, by reason.", "reason")
events_refused = _counter("events_refused_total", "Events that could not be read, by reason.", "reason")
requests_refused = _counter("requests_refused_total", "Requests answered 4xx or 503, by reason.", "reason")
consents_logged = _counter("consents_logged_total", "Decisions written to the consent log.")
fields_ignored = _counter("fields_ignored_total", "Unknown or unusable fields of browser events left out.", "field")
personal_removed = _counter(
    "personal_removed_total", "Events out of whose field an e-mail address or phone number was taken.", "field"
)
cookies_rejected = _counter("cookies_rejected_total", "Cookies that were not ours or not well-formed.", "cookie")
orders_found = _counter("orders_found_total", "Orders in servers' events whose visitor was looked for.", "outcome")
redirects_followed = _counter("redirects_total", "Click redirects that visitors followed.", "code")
landings = _counter("landings_total", "Documents the site's own reverse proxy asked about, by outcome.", "outcome")

deliveries = _counter("deliveries_total", "Events accepted by a destination.", "destination")
dead_letters = _counter("dead_letters_total", "Events a destination will never get.", "destination", "reason")
skipped = _counter("skipped_total", "Events not meant for a destination, by reason.", "destination", "reason")
attempts = _counter("attempts_total", "HTTP requests to a destination, by verdict.", "destination", "verdict")
attempt_seconds = Histogram(
    "attempt_seconds", "Time to a destination's answer.", ["destination"], namespace="firsthand", registry=registry
)
destination_paused = _gauge("destination_paused", "1 while a destination is paused.", "destination")
destination_set_aside = _gauge(
    "destination_set_aside_events", "Events tried again on their own, because the others go through.", "destination"
)
destination_waiting = _gauge(
    "destination_waiting_events", "Events between a destination's cursor and the head.", "destination"
)
destination_lag_seconds = _gauge("destination_lag_seconds", "Age of the oldest waiting event.", "destination")
process_restarts = _counter("process_restarts_total", "Processes that ended by themselves and were replaced.", "role")
log_bytes = _gauge("log_bytes", "Size of the log's files.")
log_used_bytes = _gauge("log_used_bytes", "What the log holds: its size without free pages.")
log_max_bytes = _gauge("log_max_bytes", "log.max_bytes; 0: no limit.")
log_dropped = _counter("log_dropped_total", "Events deleted to make room (log.when_full).")
log_dropped_undelivered = _counter(
    "log_dropped_undelivered_total", "Of these, what a destination had not settled.", "destination"
)
