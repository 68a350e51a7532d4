"""`limits`: how much one sender may ask of this server.

Generous by default: whole offices and mobile networks share one address, and a visitor who is told "later" must be a
rare thing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from proxy.config.section import Section

Rate = Annotated[float, Field(gt=0, le=1_000_000)]
Burst = Annotated[int, Field(ge=1, le=10_000_000)]


class LimitsSettings(Section):
    address_per_s: Rate | None = 30
    """Events a second from one address (IPv6: one /64) in the long run; beyond it 429. null: no limit per address."""
    address_burst: Burst = 1_000
    """How many it may send at once after a quiet while."""
    site_per_s: Rate | None = 1_000
    """Events a second from all browsers together in the long run. null: no limit for the site."""
    site_burst: Burst = 60_000
    """How many they may send at once after a quiet while. The last fifth is kept for addresses that sent little."""
