"""Gives an IP address one form, by which it is recorded and found."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_MAPPED = IPv6Network("::ffff:0:0/96")


def parse_address(text: str) -> IPv4Address | IPv6Address:
    """Return an address; an IPv4 client of an IPv6 socket, such as ::ffff:192.0.2.1, as IPv4 (RFC 4291, 2.5.5.2).

    The database does the same (sql/functions/20_identity/addresses.sql). It has no zones: that
    of fe80::1%eth0, which names an interface of this machine, is dropped.

    Raises:
        ValueError: It is not an address.
    """
    address = ip_address(text)
    return (address.ipv4_mapped or IPv6Address(address.packed)) if isinstance(address, IPv6Address) else address


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return an address or a network in CIDR notation, mapped ones as IPv4; bits beyond the prefix are ignored.

    Raises:
        ValueError: It is neither.
    """
    network = ip_network(text, strict=False)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network
