"""The public listener as an aiohttp application: which path is answered by what.

`make_app` is the whole collector for tests and for `proxy/serve.py`; it starts nothing and owns nothing it is given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from proxy.clock import Clock, system_clock
from proxy.collector.answers import Answer, RequestRefusal, failure
from proxy.collector.compose import baked
from proxy.collector.documents import Documents
from proxy.collector.door import DOOR, Door
from proxy.collector.events import MAX_BODY, Events
from proxy.collector.express import LANE, Lane
from proxy.collector.health import Health
from proxy.collector.patience import PATIENCE, Patience
from proxy.collector.pixel import Pixel
from proxy.collector.reception import Mint, Reception, random_bits
from proxy.collector.redirects import Redirect
from proxy.collector.script import Script
from proxy.collector.standing import Standing
from proxy.collector.visit import connection_of
from proxy.config.consent import ConsentSettings
from proxy.config.load import Config
from proxy.event import encode_json
from proxy.log.base import EventLog
from proxy.observe.metrics import requests_refused
from proxy.privacy.keys import Keyring

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LINGERING_S = 2.0
"""For the rest of a body that was refused."""


def make_app(
    config: Config, log: EventLog, keyring: Keyring, clock: Clock = system_clock, mint: Mint = random_bits
) -> web.Application:
    reception = Reception(config, log, keyring, clock, mint)
    events, pixel, health = Events(reception), Pixel(reception), Health(reception.store, clock)
    links = {code: Redirect(reception, code, target) for code, target in config.settings.redirects.items()}
    script = Script(baked(config.settings))
    paths, limits = config.settings.paths, config.settings.limits

    def counted(handler: Handler) -> Handler:
        """For what brings no event and looks at nobody; the other ways in count themselves."""

        async def count(request: web.Request) -> web.StreamResponse:
            now_ms = clock()
            too_many = reception.asker(request.headers, connection_of(request)[0], now_ms)
            return await handler(request) if too_many is None else too_many.reply(now_ms)

        return count

    async def current_script(request: web.Request) -> web.StreamResponse:
        return _script_answer(script, request, lasting=False).reply(clock())

    async def lasting_script(request: web.Request) -> web.StreamResponse:
        return _script_answer(script, request, lasting=True).reply(clock())

    gpc = _gpc_statement(config.settings.consent)

    async def gpc_statement(_: web.Request) -> web.StreamResponse:
        return gpc.reply(clock())

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return _no_route(app, request).reply(clock())

    handling = {
        "auto_decompress": False,  # compressed bodies are refused, so none is opened: no bombs
        "keepalive_timeout": limits.idle_s,
        "lingering_time": _LINGERING_S,
    }
    app = web.Application(client_max_size=MAX_BODY, handler_args=handling)
    app[DOOR] = Door(limits.connections, limits.connections_per_address, reception.proxies)
    app[PATIENCE] = Patience(head_s=limits.head_s, answer_s=limits.body_s)
    at, prefix = app.router.add_route, paths.prefix
    at("POST", prefix + paths.events, events.post)
    app[LANE] = Lane(prefix + paths.events, events, config.settings.listen.client_ip_header)
    at("OPTIONS", prefix + paths.events, counted(events.preflight))
    for path, handler in (
        (prefix + paths.script, counted(current_script)),
        (script.hashed_path(prefix + paths.script), counted(lasting_script)),
        (prefix + paths.pixel, pixel.get),
        (prefix + paths.consent, Standing(reception).get),
        (prefix + paths.landing, Documents(reception).get),
        *((f"{prefix}{paths.redirect}/{code}", link.get) for code, link in links.items()),
        ("/.well-known/gpc.json", counted(gpc_statement)),
        ("/healthz", counted(health.alive)),
        ("/readyz", counted(health.ready)),
    ):
        at("GET", path, handler)
        at("HEAD", path, handler)
    at("*", "/{path:.*}", counted(elsewhere))
    return app


def _script_answer(script: Script, request: web.Request, *, lasting: bool) -> Answer:
    headers = request.headers
    return script.answer(headers.get(hdrs.ACCEPT_ENCODING), headers.get(hdrs.IF_NONE_MATCH), lasting=lasting)


def _gpc_statement(settings: ConsentSettings) -> Answer:
    """The GPC Support Resource of W3C's Global Privacy Control. The day is the operator's to know."""
    since = settings.gpc_last_update
    told = {"gpc": settings.gpc != "ignore"} | ({"lastUpdate": since.isoformat()} if since else {})
    return Answer(200, b"Cache-Control: max-age=86400\r\n", body=encode_json(told), content_type="application/json")


def _no_route(app: web.Application, request: web.Request) -> Answer:
    methods = sorted(
        route.method
        for route in app.router.routes()
        if route.method != "*" and route.resource is not None and route.resource.canonical == request.path
    )
    if not methods:
        requests_refused.labels(RequestRefusal.NOT_FOUND).inc()
        return failure(404, "there is nothing at this path")
    requests_refused.labels(RequestRefusal.METHOD).inc()
    allowed = ", ".join(methods)
    return failure(405, f"this path takes {allowed}", f"Allow: {allowed}\r\n".encode())
