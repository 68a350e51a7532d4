"""Judges what page and collector answered: script, cookies, CORS, caching, certificate, clock, CSP. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import msgspec

from proxy.clock import DAY_S
from proxy.doctor.fetch import Answer, Certificate
from proxy.doctor.finding import Finding, fault, note, ok, warning
from proxy.identity.cookie_domain import registrable

_SOON_DAYS = 14
_CLOCK_WARNING_MS = 30_000
_CLOCK_FAULT_MS = 600_000
_OK, _NO_CONTENT = 200, 204
_REDIRECTS = range(300, 400)


def script(answer: Answer) -> Iterator[Finding]:
    """`GET` of the tracker script, asked for with `Accept-Encoding: br, gzip`."""
    check = "script"
    if answer.status != _OK:
        yield _no_good(check, answer, "is the collector behind this host, and `paths.script` as configured?")
        return
    if "javascript" not in answer.header("content-type"):
        kind = answer.header("content-type") or "nothing"
        yield fault(
            check,
            f"{answer.url} is served as {kind}, browsers run no such script",
            "something else answers at this address: route it to the collector",
        )
        return
    yield ok(check, f"{answer.url} is served")
    cached = answer.header("cache-control")
    if "max-age=0" in cached or "no-store" in cached or not cached:
        yield warning(
            "script cache",
            f"the script arrives with Cache-Control {cached or '(none)'}: every page view loads it again",
            "let your proxy or CDN keep the Cache-Control the collector sends",
        )
    if answer.headers.get("set-cookie"):
        yield warning(
            "script cache",
            "something adds Set-Cookie to the script, a shared cache may hand one visitor's cookie to another",
            "switch that off for this path in your proxy or CDN",
        )


def probe(answer: Answer, *, origin: str, cookie: str, cross_origin: bool) -> Iterator[Finding]:
    """The answer to `POST /e` as our page sends it, with a refusal and the cookie named `cookie`, which it removes."""
    if answer.status not in (_OK, _NO_CONTENT):
        yield _no_good("events", answer, f"is {origin} among `site.origins`, and `paths.events` as configured?")
        return
    yield ok("events", f"{answer.url} takes events of {origin} ({answer.took_ms} ms)")
    if cross_origin:
        yield from _cors(answer, origin)
    yield from _set_cookie(answer, origin, cookie)
    caching = answer.header("cache-control")
    if "no-store" not in caching:
        yield fault(
            "cookie cache",
            f"an answer that sets cookies arrives with Cache-Control {caching or '(none)'}: caches may hand it on",
            "let your proxy or CDN keep `Cache-Control: no-store` and cache nothing on this path",
        )
    elif answer.header("age") or "hit" in answer.header("cf-cache-status").lower():
        yield fault(
            "cookie cache", "an answer that sets cookies came from a cache", "cache nothing on this path in your CDN"
        )
    else:
        yield ok("cookie cache", "answers that set cookies are stored by no cache")


def stranger(answer: Answer, origin: str) -> Finding:
    """The answer to the same post from the page of somebody else, `origin`."""
    allowed = answer.header("access-control-allow-origin")
    if allowed in ("*", origin):
        return fault(
            "foreign pages",
            f"pages of {origin} may read our answers",
            "something in front of the collector adds Access-Control-Allow-Origin: take that out",
        )
    return ok("foreign pages", "pages of other sites are refused")


def certificates(found: Iterable[Certificate], host: str, now_s: float) -> Iterator[Finding]:
    """One finding per address that has something to say, one for all that are fine."""
    fine = []
    for shown in found:
        if shown.unreachable:
            kind = "IPv6" if ":" in shown.address else "IPv4"
            yield warning(
                "tls",
                f"{host} at {shown.address} cannot be reached from here: {shown.error}",
                f"browsers that get this address lose their events; is {kind} served there? (this machine may lack it)",
            )
        elif shown.error:
            yield fault("tls", f"{host} at {shown.address}: {shown.error}", "install a certificate for this host name")
        elif (days := (shown.expires_s - now_s) / DAY_S) < _SOON_DAYS:
            yield warning(
                "tls", f"the certificate of {host} at {shown.address} ends in {days:.0f} days", "see to its renewal"
            )
        else:
            fine.append((shown, days))
    if fine:
        shown, days = min(fine, key=lambda pair: pair[1])
        yield ok("tls", f"{host}: {shown.version}, valid for {days:.0f} more days")


def clock(answer: Answer, whose: str) -> Finding | None:
    """Does the `Date` of an answer agree with this machine's clock? None when it tells none."""
    try:
        theirs_ms = int(parsedate_to_datetime(answer.header("date")).timestamp() * 1000) + 500
    except ValueError:
        return None
    off_ms = theirs_ms - answer.at_ms
    text = f"the clock of {whose} is {abs(off_ms) / 1000:.0f} s {'ahead of' if off_ms > 0 else 'behind'} this machine's"
    advice = "one of the two is wrong: run NTP on both; platforms refuse events from the future and expire old ones"
    if abs(off_ms) > _CLOCK_FAULT_MS:
        return fault("clock", text, advice)
    if abs(off_ms) > _CLOCK_WARNING_MS:
        return warning("clock", text, advice)
    return ok("clock", f"the clock of {whose} agrees with this machine's")


def page(answer: Answer, collector: str, script_path: str) -> Iterator[Finding]:
    """The page's own document: does it load the script, does its policy let it?"""
    if answer.status != _OK:
        yield warning("page", f"{answer.url} answered {answer.status or answer.error}", "name a page that visitors see")
        return
    if script_path.encode() in answer.body:
        yield ok("page", f"{answer.url} mentions {script_path}")
    else:
        yield note(
            "page",
            f"{answer.url} does not mention {script_path} in its HTML",
            "fine if a tag manager loads it; else add the two lines of docs/tracker.md",
        )
    policy = csp(answer.headers.get("content-security-policy", ()))
    blocked = [name for name, sources in _needed(policy).items() if not _permits(sources, collector, answer.url)]
    if blocked:
        yield fault(
            "csp",
            f"the page's Content-Security-Policy keeps {collector} out of {', '.join(blocked)}",
            f"add {collector} there (docs/tracker.md, CSP)",
        )
    elif policy:
        yield ok("csp", "the page's Content-Security-Policy lets the script load and send")


def csp(headers: Iterable[str]) -> dict[str, list[str]]:
    """The directives of a policy. Of several policies the sources all of them name: a browser asks every one."""
    merged: dict[str, list[str]] = {}
    for header in headers:
        directives: dict[str, list[str]] = {}
        for part in header.split(";"):
            name, *sources = part.split() or [""]
            if name:
                directives.setdefault(name.lower(), sources)
        for name, sources in directives.items():
            before = merged.get(name)
            merged[name] = sources if before is None else [source for source in before if source in sources]
    return merged


def _needed(policy: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The sources that decide about our script and our requests, where the policy says anything about them."""
    fallback = policy.get("default-src")
    found = {
        "script-src": policy.get("script-src-elem", policy.get("script-src", fallback)),
        "connect-src": policy.get("connect-src", fallback),
    }
    return {name: sources for name, sources in found.items() if sources is not None}


def _permits(sources: list[str], collector: str, page_url: str) -> bool:
    wanted, own = urlsplit(collector), urlsplit(page_url)
    host = wanted.hostname or ""
    for source in sources:
        if source == "*" or source.startswith(("'nonce-", "'sha")) or source == "'strict-dynamic'":
            return True  # a nonce or hash: whether the tag carries it is the page's business
        if source == "'self'" and wanted.netloc == own.netloc:
            return True
        if source == f"{wanted.scheme}:":
            return True
        name = (urlsplit(source if "://" in source else f"//{source}").hostname or "").lower()
        if name == host or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False


def _cors(answer: Answer, origin: str) -> Iterator[Finding]:
    allowed, credentials = (
        answer.header("access-control-allow-origin"),
        answer.header("access-control-allow-credentials"),
    )
    if allowed != origin or credentials != "true":
        yield fault(
            "cors",
            f"the answer allows {allowed or 'no origin'}{'' if credentials else ' and no credentials'}: "
            f"browsers keep no cookie of it for {origin}",
            "let nothing in front of the collector remove or add Access-Control headers",
        )
    elif "origin" not in answer.header("vary").lower():
        yield warning(
            "cors",
            "Vary: Origin is missing, a cache may mix up sites",
            "let your proxy keep the collector's Vary header",
        )
    else:
        yield ok("cors", f"{origin} may read answers and keep cookies, by name")


class _Seen(msgspec.Struct, frozen=True):
    domain: str
    secure: bool
    http_only: bool


def _set_cookie(answer: Answer, origin: str, cookie: str) -> Iterator[Finding]:
    seen = _seen(answer.headers.get("set-cookie", ()), cookie)
    host, page_host = urlsplit(answer.url).hostname or "", urlsplit(origin).hostname or ""
    if seen is None:
        yield fault(
            "cookie",
            f"the collector's Set-Cookie for {cookie} does not arrive",
            "something in front of it takes Set-Cookie away (a CDN that caches, a worker): let it pass on this path",
        )
        return
    where = seen.domain or f"{host} alone"
    if not seen.secure and answer.url.startswith("https:"):
        yield fault(
            "cookie",
            f"{cookie} is set without Secure although the browser spoke https",
            "name your reverse proxy in `listen.trusted_proxies` and let it send X-Forwarded-Proto",
        )
    if not seen.http_only:
        yield fault(
            "cookie", f"{cookie} is set without HttpOnly", "something rewrites Set-Cookie on the way: take it out"
        )
    if seen.domain and registrable(seen.domain) is None:
        yield fault("cookie", f"Domain={seen.domain} is a public suffix, browsers refuse it", "set `cookie.domain`")
    elif not seen.domain and host != page_host:
        yield warning(
            "cookie",
            f"cookies are set for {where}: {page_host} and its tags see none of them",
            "set `cookie.domain: auto`, or serve the collector on a path of the page's host",
        )
    elif seen.domain and not _covers(seen.domain, page_host):
        yield fault("cookie", f"cookies are set for {where}, not for {page_host}", "set `cookie.domain` to auto")
    else:
        yield ok("cookie", f"cookies are set for {where}: HttpOnly where they should be, Secure, SameSite=Lax")


def _covers(domain: str, host: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _seen(lines: Iterable[str], name: str) -> _Seen | None:
    for line in lines:
        jar = SimpleCookie()
        try:
            jar.load(line)
        except CookieError:
            continue
        if (morsel := jar.get(name)) is not None:
            return _Seen(morsel["domain"].removeprefix(".").lower(), bool(morsel["secure"]), bool(morsel["httponly"]))
    return None


def _no_good(check: str, answer: Answer, advice: str) -> Finding:
    if answer.status in _REDIRECTS:
        target = answer.header("location")
        return fault(
            check, f"{answer.url} redirects to {target}", "name the collector's final address with --collector"
        )
    said = answer.error or f"it answered {answer.status}"
    if 400 <= answer.status < 500 and answer.body:  # noqa: PLR2004 - our own refusals say what is wrong
        said += f": {answer.body[:200].decode('utf-8', 'replace').strip()}"
    return fault(check, f"{answer.url}: {said}", advice)
