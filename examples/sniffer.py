"""Print the IPv4 packets that pass an interface: ``python sniffer.py [COUNT [INTERFACE]]``.

What SIO_RCVALL does on Windows, a packet socket does on Linux (packet(7)). It needs root or the
capability CAP_NET_RAW. On the loopback interface, the default, the program sends itself datagrams,
so that there is something to see.
"""

import socket
import struct
import sys

ETH_P_IP = 0x0800  # <linux/if_ether.h>
# <linux/if_packet.h>
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_MR_PROMISC = 1

count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
interface = sys.argv[2] if len(sys.argv) > 2 else "lo"

try:
    # SOCK_DGRAM: packets come without their link-layer header.
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
except PermissionError:
    sys.exit("packet sockets need root or the capability CAP_NET_RAW")

with s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
    try:
        s.bind((interface, ETH_P_IP))
        # Everything on the wire, not only what is for this host; ends when the socket is closed.
        request = struct.pack("iHH8x", socket.if_nametoindex(interface), PACKET_MR_PROMISC, 0)
        s.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
    except OSError as error:
        sys.exit(f"{interface}: {error}")

    if interface == "lo":
        target.bind(("127.0.0.1", 0))
        for number in range(count):
            target.sendto(b"datagram %d" % number, target.getsockname())

    while count > 0:
        packet, address = s.recvfrom(65565)
        if address[2] == socket.PACKET_OUTGOING and interface == "lo":
            continue  # loopback shows each packet twice, as it leaves and as it arrives
        protocol, source, destination = struct.unpack_from("!9xB2x4s4s", packet)
        print(
            f"{address[0]}: {socket.inet_ntoa(source)} > {socket.inet_ntoa(destination)}"
            f" protocol {protocol}, {len(packet)} bytes: {packet[:48].hex()}"
        )
        count -= 1
