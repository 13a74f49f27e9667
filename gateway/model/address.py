"""IP addresses: which ones a host spells literally, and which lie inside."""

import ipaddress
import re

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_GLOBAL = ipaddress.ip_network("2000::/3")
_WIRE_SERVER = ipaddress.IPv4Address("168.63.129.16")  # a public address that only machines in Azure reach
_EMBEDDING = tuple(map(ipaddress.ip_network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""IPv6 networks whose last 32 bits are an IPv4 address: compatible, translated (SIIT) and NAT64. In
that of local NAT64 (64:ff9b:1::/48) it may be anywhere, so all of it lies inside."""
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


def is_inside(address: IPAddress) -> bool:
    """Return whether ADDRESS is none of the public internet, or leads to one that is not.

    That is: private, loopback, link-local, shared, multicast, reserved or unspecified, or an IPv6 form of such an IPv4
    address.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _EMBEDDING):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address not in _GLOBAL:
            return True
        address = inner or address
    return not address.is_global or address.is_multicast or address == _WIRE_SERVER


def literal_address(host: str) -> IPAddress | None:
    """Return the address a host spells literally, None for a name; raise ValueError for a broken address."""
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("the URL's host is no IPv6 address; write it in full") from None
    labels = host.split(".")
    if not _NUMBER.fullmatch(labels[-1]):
        return None
    *leading, last = (_octets(label) for label in labels)
    if len(leading) > 3 or any(octet > 255 for octet in leading) or last >= 256 ** (4 - len(leading)):
        raise ValueError("the URL's host is no IPv4 address; write four numbers from 0 to 255")
    return ipaddress.IPv4Address(sum(octet << 8 * (3 - i) for i, octet in enumerate(leading)) + last)


def _octets(label: str) -> int:
    """Read one number of an IPv4 address as URL parsers do (0x hexadecimal, 0 octal); 2^32 when it is none."""
    try:
        if _NUMBER.fullmatch(label[:25]):
            return int(label[2:] or "0", 16) if label[1:2] == "x" else int(label, 8 if label[0] == "0" else 10)
    except ValueError:
        pass
    return 2**32
