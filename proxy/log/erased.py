"""Which visitors were erased, as one process knows it: a small set, looked up again and again, usually empty.

`firsthand erase` writes into the log's file, from whichever process it runs in; everyone else learns of it within
`LOOK_S`. Asking costs a truth test while nobody was ever erased, and one keyed digest otherwise.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NoReturn

from proxy.errors import LogUnavailable
from proxy.log.view import LogView

LOOK_S = 2.0


class Erased:
    def __init__(self, view: LogView) -> None:
        self._view = view
        self._digests: frozenset[int] = frozenset()
        self._seen: tuple[int, int] | None = None

    def __contains__(self, visitor: str) -> bool:
        return bool(self._digests) and self._view.sealing.visitor(visitor) in self._digests

    async def look(self) -> None:
        """Raises `LogUnavailable`; then what was known counts on."""
        ((count, newest),) = await self._view.rows("SELECT count(*), coalesce(max(id), 0) FROM erased")
        if (count, newest) != self._seen:
            self._digests = frozenset(digest for (digest,) in await self._view.rows("SELECT visitor FROM erased"))
            self._seen = (count, newest)

    async def keep_looking(self) -> NoReturn:
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(LogUnavailable):
                await self.look()
