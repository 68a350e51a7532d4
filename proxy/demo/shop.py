"""The demo shop's server: one page for every path of the single-page app, and its two files."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

_PAGES = files("proxy.demo") / "pages"
_ASSETS = {"shop.js": "text/javascript", "shop.css": "text/css"}


def make_app(proxy_url: str, sandbox_url: str) -> web.Application:
    """`proxy_url`, `sandbox_url`: as the visitor's browser reaches them, without a trailing slash."""
    page = _PAGES.joinpath("shop.html").read_text().replace("__PROXY__", proxy_url).replace("__SANDBOX__", sandbox_url)
    assets = {name: _PAGES.joinpath(name).read_text() for name in _ASSETS}

    async def asset(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in assets:
            raise web.HTTPNotFound
        return web.Response(text=assets[name], content_type=_ASSETS[name])

    async def any_page(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "no-store"})

    app = web.Application()
    app.router.add_get("/assets/{name}", asset)
    app.router.add_get("/{path:.*}", any_page)
    return app
