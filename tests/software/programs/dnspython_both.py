"""dnspython asks a name server of this program over UDP and TCP, also for what is cut off."""

import socket
import threading

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.resolver
import dns.rrset

TEXTS = [f'"{number:03d}{"x" * 200}"' for number in range(20)]


def answer(wire, over_tcp):
    query = dns.message.from_wire(wire)
    reply = dns.message.make_response(query)
    question = query.question[0]
    if question.rdtype == dns.rdatatype.A:
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "192.0.2.7"))
    elif over_tcp:
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", *TEXTS))
    else:
        reply.flags |= dns.flags.TC
    return reply.to_wire()


def over_udp():
    while True:
        wire, address = udp.recvfrom(65536)
        if wire == b"end":
            return
        udp.sendto(answer(wire, False), address)


def over_tcp():
    while True:
        sock, _ = tcp.accept()
        with sock:
            head = sock.recv(2, socket.MSG_WAITALL)
            if len(head) < 2:
                return
            wire = answer(sock.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL), True)
            sock.sendall(len(wire).to_bytes(2, "big") + wire)


tcp = socket.create_server(("127.0.0.1", 0))
port = tcp.getsockname()[1]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", port))
threads = [threading.Thread(target=target) for target in (over_udp, over_tcp)]
for thread in threads:
    thread.start()
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, 60
for number in range(300):
    found = resolver.resolve(f"host{number}.example.", "A")
    assert [record.address for record in found] == ["192.0.2.7"]
found = resolver.resolve("large.example.", "TXT")
assert sorted(record.to_text() for record in found) == TEXTS
query = dns.message.make_query("large.example.", "TXT")
reply, fell_back = dns.query.udp_with_fallback(query, "127.0.0.1", 60, port)
assert fell_back
assert len(reply.answer[0]) == 20
udp.sendto(b"end", ("127.0.0.1", port))
socket.create_connection(("127.0.0.1", port)).close()
for thread in threads:
    thread.join()
udp.close()
tcp.close()
print("done on", socket.__name__)
