"""Firsthand: a self-hosted, first-party tracking proxy. Start reading at `proxy/event.py`."""

__version__ = "0.2.0"
