"""`limits`: how much one sender may ask of this server, and how long it may take.

Generous by default: whole offices and mobile networks share one address, and a visitor who is told "later" must be a
rare thing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from proxy.config.section import Section

Rate = Annotated[float, Field(gt=0, le=1_000_000)]
Burst = Annotated[int, Field(ge=1, le=10_000_000)]
Seconds = Annotated[float, Field(gt=0, le=600)]


class LimitsSettings(Section):
    address_per_s: Rate | None = 30
    """Events, and other requests, a second from one address (IPv6: one /64); beyond it 429. null: no limit."""
    address_burst: Burst = 1_000
    """How many it may send at once after a quiet while."""
    site_per_s: Rate | None = 1_000
    """Events a second from all browsers together in the long run. null: no limit for the site."""
    site_burst: Burst = 60_000
    """How many they may send at once after a quiet while. The last fifth is kept for addresses that sent little."""
    connections: Annotated[int, Field(ge=10)] = 20_000
    """Connections a process keeps open at once; more are closed with 503. The machine must allow the open files."""
    connections_per_address: Annotated[int, Field(ge=1)] | None = 2_000
    """How many of them may come from one address; reverse proxies of yours are not bound. null: no limit."""
    head_s: Seconds = 20
    """How long a connection may take to bring the head of a request."""
    body_s: Seconds = 20
    """How long the body may take, and how long an answer may wait for the other end to take it."""
    idle_s: Annotated[float, Field(gt=0, le=75)] = 75
    """How long a connection may be idle between two requests: longer than your reverse proxy keeps its, 60 mostly."""
