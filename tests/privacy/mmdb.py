"""Writes a tiny database in MaxMind's format: enough of it for tests to ask where an address is."""

import ipaddress
import struct

MARKER = b"\xab\xcd\xefMaxMind.com"


def database(networks):
    """`networks`: `{"203.0.113.0/24": {"country": {"iso_code": "DE"}}}`. The file's bytes."""
    nodes, data, places = [[None, None]], b"", {}
    for network, record in networks.items():
        places[network] = len(data)
        data += _value(record)
        _insert(nodes, network)
    count = len(nodes)

    def pointer(target):
        if target is None:
            return count
        return target if isinstance(target, int) else places[target] + count + 16

    tree = b"".join(pointer(target).to_bytes(3) for node in nodes for target in node)
    about = {
        "node_count": count,
        "record_size": 24,
        "ip_version": 6,
        "database_type": "Test",
        "languages": [],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_790_000_000,
        "description": {},
    }
    return tree + bytes(16) + data + MARKER + _value(about)


def _insert(nodes, network):
    """IPv4 lives at ::/96."""
    parsed = ipaddress.ip_network(network)
    number, length = int(parsed.network_address), parsed.prefixlen + (96 if parsed.version == 4 else 0)
    bits = [number >> (127 - at) & 1 for at in range(length)]
    at = 0
    for bit in bits[:-1]:
        if nodes[at][bit] is None:
            nodes.append([None, None])
            nodes[at][bit] = len(nodes) - 1
        at = nodes[at][bit]
    nodes[at][bits[-1]] = network


def _value(value):
    match value:
        case str():
            return bytes([2 << 5 | len(value.encode())]) + value.encode()
        case int():
            return bytes([6 << 5 | 4]) + struct.pack(">I", value)
        case list():
            return bytes([len(value), 11 - 7]) + b"".join(map(_value, value))
        case dict():
            return bytes([7 << 5 | len(value)]) + b"".join(_value(key) + _value(one) for key, one in value.items())
    raise TypeError(value)
