"""One destination's access token: bought when a request needs it, renewed early, one purchase at a time.

Stands between a reader and the sender. Requests without `needs_token` pass straight through. The token lives in this
object's memory and nowhere else; an answer that quotes it is cleaned before anybody reads it.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from proxy.clock import SECOND_MS, Clock
from proxy.destinations.base import Destination, Reply, Request, Token
from proxy.destinations.verdict import AuthBroken, RetryLater
from proxy.event import replace
from proxy.relay.redact import MASK
from proxy.relay.sender import Sender

EARLY_MS = 300 * SECOND_MS  # renewed when this little is left
LAST_MS = 60 * SECOND_MS  # used until this little is left, when it cannot be renewed


class Tokens:
    def __init__(self, destination: Destination, sender: Sender, clock: Clock) -> None:
        self._destination, self._sender, self._clock = destination, sender, clock
        self._token: Token | None = None
        self._buying = asyncio.Lock()

    async def send(self, request: Request) -> Reply | RetryLater | AuthBroken:
        """The platform's answer; a verdict when there was no token to send with.

        A token the platform refuses (401) is replaced once; the second refusal is the answer.
        """
        if not request.needs_token:
            return await self._sender.send(request, self._destination.settings.timeout_s)
        token = await self._current()
        if not isinstance(token, Token):
            return token
        reply = await self._with(token, request)
        if reply.status != HTTPStatus.UNAUTHORIZED:
            return reply
        if self._token is token:
            self._token = None
        token = await self._current()
        return await self._with(token, request) if isinstance(token, Token) else token

    async def _current(self) -> Token | RetryLater | AuthBroken:
        async with self._buying:
            kept, left_ms = self._token, 0
            if kept is not None:
                left_ms = kept.expires_at_ms - self._clock()
                if left_ms > EARLY_MS:
                    return kept
            bought = await self._buy()
            if isinstance(bought, Token):
                self._token = bought
            elif kept is not None and left_ms > LAST_MS and isinstance(bought, RetryLater):
                return kept
            return bought

    async def _buy(self) -> Token | RetryLater | AuthBroken:
        now_ms = self._clock()
        request = self._destination.token_request(now_ms)
        if request is None:
            return AuthBroken("no_credentials", "it needs an access token and has nothing to buy one with")
        reply = await self._sender.send(request, self._destination.settings.timeout_s)
        return self._destination.read_token(reply, now_ms)

    async def _with(self, token: Token, request: Request) -> Reply:
        value = token.value.get_secret_value()
        headers = {**request.headers, "Authorization": f"Bearer {value}"}
        reply = await self._sender.send(replace(request, headers=headers), self._destination.settings.timeout_s)
        return replace(reply, body=reply.body.replace(value.encode(), MASK.encode()))
