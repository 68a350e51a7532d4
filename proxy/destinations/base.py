"""What a destination is: frozen events in, requests out, a reply read back. Adding a platform is adding one file.

A destination never opens a socket, sleeps, retries, reads a clock or logs: the relay does (`proxy/relay/`), obeying
the `limits` declared here. A platform's file holds: its `Settings`, its `Limits`, its table of event names and

    payload(event, now_ms)  one event as the platform's row, or a `Refusal` with the platform's rule
    request(rows)           rows that share a `group` as one HTTP request
    judge(reply)            status, headers and body as a `Verdict`
    probe(now_ms)           a harmless request that proves the credentials

and, where requests need an access token that is bought and expires (`Request.needs_token`),

    token_request(now_ms)   the request that buys one
    read_token(reply, …)    its answer as a `Token`, or why there is none

and, where the platform says only later what became of events (`Delivered.receipt`),

    receipt_request(id)     the request that asks
    read_receipt(reply)     its answer as `Processed`, or why there is none yet

All pure: same input, same bytes.
"""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from proxy.destinations.verdict import AuthBroken, RetryLater, Verdict
from proxy.event import Event, Purpose, encode_json
from proxy.identity import phone
from proxy.privacy import address

Secret = SecretStr
"""A credential: its `repr` is dots; `.get_secret_value()` is called where a header is built, and nowhere else."""

CallingCode = Annotated[str, AfterValidator(phone.calling_code)]
"""A country's telephone code, for a setting: digits such as 44."""


class DestinationSettings(BaseModel):
    """What every destination understands; a platform's `Settings` adds its own fields, each with a help text."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True)

    kind: str
    """The platform: the name of a file in proxy/destinations/."""
    enabled: bool = True
    """false: nothing is sent and the place in the log is kept."""
    consent: tuple[Purpose, ...] = (Purpose.MARKETING,)
    """Purposes that must all be granted before an event goes here."""
    sale_refused: Literal["skip", "limit"] = "skip"
    """Sale or sharing was refused (Sec-GPC counts): send nothing, or send with the platform's limited-use flag."""
    fields: dict[str, Any] | None = None
    """What of an event goes here, in the words of rules: {remove: [user.*]}, {only: […]} or {hash_only: […]}."""
    client_ip: address.Part | dict[address.Place, address.Part] = "full"
    """The visitor's IP address: full, truncated (its network) or none; or by region: {EEA: none, other: full}."""
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Events per request; never above the platform's own limit. Default: what suits the platform."""
    max_age_hours: Annotated[float, Field(gt=0)] | None = None
    """Events older than this become dead letters `expired`; at most the platform's limit. Default: what suits it."""
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0
    """How long to wait for an answer."""
    base_url: str | None = None
    """Another address than the platform's own: a local stand-in, a relay of yours."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform allows; the relay obeys."""

    batch: int  # events per request, at most
    batch_default: int  # what we use unless the operator says otherwise
    max_age_s: int  # older events are refused, whatever the operator says
    max_age_default_s: int | None = None  # what we use unless the operator says otherwise; None: max_age_s
    body_bytes: int = 5_000_000
    requests_per_minute: int | None = None  # None: the platform names no rate, or answers 429 well


class Refusal(msgspec.Struct, frozen=True):
    """Why this event cannot go to this platform, known before sending."""

    why: str  # short, stable, bounded: a metric label such as "no_identifier"
    detail: str  # the platform's rule in words
    routine: bool = False  # the platform has no such event at all: counted as skipped, no dead letter


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, ready to send. `rows` are the positions (in the list given to `build`) it carries."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    rows: tuple[int, ...] = ()
    public_only: bool = False  # never to a private address, whatever its host resolves to (`proxy/reach.py`)
    needs_token: bool = False  # goes out with `Authorization: Bearer …` of a bought token (`Destination.token_request`)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access token and when it ends. The relay keeps it in memory only."""

    value: Secret
    expires_at_ms: int


class Processed(msgspec.Struct, frozen=True):
    """What a platform did with the events of one accepted request. Nothing is sent again because of it."""

    counts: Mapping[str, int]  # events by outcome: "processed", else the platform's reason, short and bounded


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `status` 0 means: no complete answer (timeout, reset, refused); `error` then says which."""

    status: int
    headers: Mapping[str, str] = {}  # names in lower case
    body: bytes = b""
    error: str = ""
    sent: int | None = None  # rows of the request this answers, 0 for a probe's; None: nobody counted

    def json(self) -> Any:
        """The body as JSON values, or None when it is not JSON (an HTML error page, a cut answer)."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class Refused(msgspec.Struct, frozen=True):
    row: int  # position in the list given to `build`
    refusal: Refusal


class Built(msgspec.Struct, frozen=True):
    requests: tuple[Request, ...]
    refused: tuple[Refused, ...]


Row = dict[str, Any]


class Destination(abc.ABC):
    """One configured account on one platform."""

    kind: ClassVar[str]
    Settings: ClassVar[type[DestinationSettings]]
    limits: ClassVar[Limits]
    essential: ClassVar[tuple[str, ...]] = ()
    """Fields without which the platform refuses the events of a website, such as `client.user_agent`."""
    deletion: ClassVar[str] = "ask its operator"
    """How data that was sent is deleted there, for whoever answers a request for erasure."""

    def __init_subclass__(cls, *, kind: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = kind
        registry[kind] = cls

    def __init__(self, name: str, settings: DestinationSettings) -> None:
        self.name = name
        self.settings = settings

    @abc.abstractmethod
    def payload(self, event: Event, now_ms: int) -> Row | Refusal:
        """One event as the platform's row. `now_ms` only bounds times; never raises for any valid Event."""

    @abc.abstractmethod
    def request(self, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        """Rows of one group as one request; `positions` go into `Request.rows` unchanged."""

    @abc.abstractmethod
    def judge(self, reply: Reply) -> Verdict:
        """Never raises, whatever came back."""

    @abc.abstractmethod
    def probe(self, now_ms: int) -> Request:
        """A harmless request that proves the credentials; `judge` reads its answer."""

    def group(self, event: Event) -> Hashable:  # noqa: ARG002 - a hook
        """Events with different groups never share a request. Default: all may."""
        return None

    def token_request(self, now_ms: int) -> Request | None:  # noqa: ARG002 - a hook
        """Buys the access token for requests with `needs_token`; None: this destination needs none."""
        return None

    def read_token(self, reply: Reply, now_ms: int) -> Token | RetryLater | AuthBroken:
        """The answer to `token_request`; `now_ms` is when that was sent. Never raises where tokens are bought."""
        raise NotImplementedError(f"{self.kind} buys no tokens")

    def receipt_request(self, receipt: str) -> Request | None:  # noqa: ARG002 - a hook
        """Asks what became of an accepted request; None: this platform never says."""
        return None

    def read_receipt(self, reply: Reply) -> Processed | RetryLater:
        """The answer to `receipt_request`. Never raises where there are receipts."""
        raise NotImplementedError(f"{self.kind} gives no receipts")

    def repair(self, event: Event, why: str) -> Event | None:  # noqa: ARG002 - a hook
        """A changed event worth one more try after a lone event was rejected with `why`; None: dead letter."""
        return None

    def warnings(self, now_ms: int) -> tuple[str, ...]:  # noqa: ARG002 - a hook
        """What the operator should know although it works: test code set, API version near its end. Full sentences."""
        return ()

    def build(self, events: Sequence[Event], now_ms: int) -> Built:
        """Events (already through the rules, at most a batch) as requests. Pure; same input, same bytes."""
        groups: dict[Hashable, tuple[list[Row], list[int]]] = {}
        refused = []
        for position, event in enumerate(events):
            row = self.payload(event, now_ms)
            if isinstance(row, Refusal):
                refused.append(Refused(position, row))
                continue
            rows, positions = groups.setdefault(self.group(event), ([], []))
            rows.append(row)
            positions.append(position)
        size = self.batch_size
        requests = [
            self.request(rows[start : start + size], tuple(positions[start : start + size]))
            for rows, positions in groups.values()
            for start in range(0, len(rows), size)
        ]
        return Built(tuple(requests), tuple(refused))

    @property
    def batch_size(self) -> int:
        return min(self.settings.batch_size or self.limits.batch_default, self.limits.batch)

    @property
    def max_age_s(self) -> float:
        hours = self.settings.max_age_hours
        if hours is None:
            return self.limits.max_age_default_s or self.limits.max_age_s
        return min(hours * 3600, self.limits.max_age_s)

    def max_age_s_of(self, event: Event) -> float:  # noqa: ARG002 - a hook
        """How old this event may be; for platforms whose limit depends on where the event happened."""
        return self.max_age_s

    def secrets(self) -> tuple[str, ...]:
        """Every credential of this destination, for redaction; longest first."""
        values = (getattr(self.settings, name) for name in type(self.settings).model_fields)
        found = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
        return tuple(sorted(filter(None, found), key=len, reverse=True))


registry: dict[str, type[Destination]] = {}
"""kind -> class; filled by importing the platform files (`proxy.destinations.load_all`)."""


def json_request(
    url: str,
    payload: Any,
    *,
    headers: Mapping[str, str] | None = None,
    rows: tuple[int, ...] = (),
    needs_token: bool = False,
) -> Request:
    """A JSON POST, the shape nearly every platform takes."""
    return Request(
        method="POST",
        url=url,
        headers={"Content-Type": "application/json", **(headers or {})},
        body=encode_json(payload),
        rows=rows,
        needs_token=needs_token,
    )
