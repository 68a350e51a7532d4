"""What a visitor has decided, as far as it is to be written down: the proof of it, and what it takes back."""

from __future__ import annotations

from proxy.collector.visit import Visit
from proxy.config.load import Config
from proxy.event import Purpose, replace
from proxy.identity.cookie_header import read_cookies
from proxy.privacy.consent import may_identify, signalled, withdraws_identity
from proxy.privacy.proof import RECEIPT_CHARS, Proof, due, proof
from proxy.privacy.refusal import Refusal, taken_back
from proxy.privacy.terms import TermsByRegion


class Decisions:
    def __init__(self, config: Config, terms: TermsByRegion) -> None:
        consent = config.settings.consent
        self._version = config.version
        self._terms = terms
        self._writes_proof = consent.log
        self._receipts = frozenset(consent.receipts)

    def refusal(self, visit: Visit) -> Refusal | None:
        """What a visitor we know takes back. Nothing of it is told twice: the answer's cookie remembers it, or goes."""
        kept, consent = visit.identity.kept, visit.identity.consent
        if kept is None or consent is None or not (may_identify(consent) or withdraws_identity(consent)):
            return None
        signals: frozenset[Purpose] = frozenset()
        if visit.has_gpc or visit.has_dnt:
            signals = signalled(self._terms.of(visit.client.region), gpc=visit.has_gpc, dnt=visit.has_dnt)
        purposes = taken_back(kept.consent, consent, visit.received_ms, signals)
        return Refusal(kept.visitor.id, purposes) if purposes else None

    def proof(self, visit: Visit) -> Proof | None:
        """What is to be written down of the visitor's decision; the cookie of the answer remembers it."""
        identity = visit.identity
        if not self._writes_proof or identity.visitor is None or identity.consent is None:
            return None
        if (logged := due(identity.consent, identity.logged, visit.received_ms)) is None:
            return None
        visit.identity = replace(identity, logged=logged)
        return proof(
            identity.consent,
            visitor=identity.visitor.id,
            now_ms=visit.received_ms,
            config=self._version,
            origin=visit.origin,
            ip=visit.client.ip,
            user_agent=visit.client.user_agent,
            region=visit.client.region,
            receipts=self._receipts_in(visit.cookies) if self._receipts else {},
        )

    def _receipts_in(self, cookies: str) -> dict[str, str]:
        """The banner's own record, as its cookies hold it. A cut one proves nothing, so it is whole or left out."""
        came = read_cookies(cookies, self._receipts)
        return {
            name: values[0]
            for name, values in came.items()
            if values and len(values[0]) <= RECEIPT_CHARS and values[0].isascii() and values[0].isprintable()
        }
