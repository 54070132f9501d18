"""Datagram endpoints of asyncio that read and send by the batch.

They use nothing of the loop but ``add_reader`` and ``add_writer``, which the selector loops and
uvloop have alike. asyncio itself is imported with the first endpoint.
"""

from collections import deque
from errno import EAFNOSUPPORT
from itertools import islice
from os import stat, strerror, unlink
from stat import S_ISSOCK

import oxisock as _public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import (
        AbstractEventLoop,
        DatagramProtocol,
        DatagramTransport as _Transport,
        Future,
    )
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from _typeshed import ReadableBuffer

    P = TypeVar("P", bound=DatagramProtocol)
else:
    # The class of asyncio comes in by `_endpoint_class`.
    _Transport = object

# As many datagrams go by one call, and wait at most while a batch is being read.
_BATCH = 64
# What a datagram counts beside its data, so that empty ones have a limit, too.
_OVERHEAD = 8
_HIGH_WATER = 65536


class DatagramEndpoint(_Transport):
    """A datagram transport of asyncio that reads and sends by the batch.

    ``datagram_endpoint`` makes them. Beside the methods of ``asyncio.DatagramTransport`` it has
    those with which streams hold their reading up, and two that send several datagrams.
    """

    def __init__(
        self,
        loop: "AbstractEventLoop",
        sock: "_public.socket",
        protocol: "DatagramProtocol",
        peer: "Any",
        batch: int,
        bufsize: int,
    ) -> None:
        super().__init__()
        self._closed = False
        self._sock = sock
        self._loop = loop
        self._fd = sock.fileno()
        self._peer = peer
        self._batch = batch
        self._bufsize = bufsize
        self._names = {"socket": sock, "sockname": sock.getsockname(), "peername": peer}
        # Received and not delivered: the protocol has held the reading up in the middle of a batch.
        self._held: deque[tuple[bytes, Any]] = deque()
        # Not sent yet, with its size in bytes.
        self._queue: deque[tuple[ReadableBuffer, Any]] = deque()
        self._size = 0
        self._low, self._high = _HIGH_WATER // 4, _HIGH_WATER
        self._delivering = False
        self._halted = False  # paused, closing or closed: nothing is delivered
        self._paused = False
        self._closing = False
        self._writing = False
        self._protocol_paused = False
        self.set_protocol(protocol)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "closing" if self._closing else "open"
        return f"<{type(self).__name__} {state} fd={self._fd} queued={self._size}>"

    def __del__(self) -> None:
        if not self._closed and self._sock.fileno() != -1:
            from _warnings import warn

            warn(f"unclosed transport {self!r}", ResourceWarning, 2, self)
            self._sock.close()

    # What every transport has

    def get_extra_info(self, name: str, default: "Any" = None) -> "Any":
        """Return ``socket``, ``sockname`` or ``peername`` of the endpoint.

        Args:
            name: one of these names.
            default: what to return for other names.
        """
        return self._names.get(name, default)

    def set_protocol(self, protocol: "DatagramProtocol") -> None:  # type: ignore[override]
        """Have another protocol get what arrives.

        Args:
            protocol: an ``asyncio.DatagramProtocol``.
        """
        self._protocol = protocol
        self._receive_batch = getattr(protocol, "datagrams_received", None)

    def get_protocol(self) -> "DatagramProtocol":
        """Return the protocol that gets what arrives."""
        return self._protocol

    def is_closing(self) -> bool:
        """Tell whether the endpoint is closed, or going to be."""
        return self._closing

    def close(self) -> None:
        """Close the endpoint when everything in its queue has been sent."""
        if self._closing:
            return
        self._closing = self._halted = True
        self._held.clear()
        self._loop.remove_reader(self._fd)
        if not self._queue:
            self._loop.call_soon(self._end, None)

    def abort(self) -> None:
        """Close the endpoint at once; what is in its queue is lost."""
        self._break_off(None)

    # Reading

    def is_reading(self) -> bool:
        """Tell whether datagrams are being received."""
        return not self._halted

    def pause_reading(self) -> None:
        """Receive nothing, until ``resume_reading``; the system's buffer fills up meanwhile."""
        if not self._halted:
            self._paused = self._halted = True
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Receive again after ``pause_reading``."""
        if self._paused and not self._closing:
            self._paused = self._halted = False
            if self._held:
                self._loop.call_soon(self._deliver_held)
            else:
                self._loop.add_reader(self._fd, self._read)

    def _begin(self) -> None:
        if not self._halted:
            self._loop.add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            datagrams = self._sock.recvfrom_many(self._batch, self._bufsize)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._protocol.error_received(error)
            return
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._fail(error, "Fatal read error on datagram endpoint")
            return
        self._deliver(datagrams)

    def _deliver(self, datagrams: "list[tuple[bytes, Any]]") -> None:
        self._delivering = True
        try:
            if self._receive_batch is not None:
                self._receive_batch(datagrams)
            else:
                self._deliver_each(datagrams)
        finally:
            self._delivering = False
            if self._queue and not self._writing:
                self._flush()

    def _deliver_each(self, datagrams: "list[tuple[bytes, Any]]") -> None:
        received = self._protocol.datagram_received
        done = 0
        try:
            for data, address in datagrams:
                done += 1
                try:
                    received(data, address)
                except Exception as error:
                    # One that the protocol could not take does not stop those behind it.
                    self._report(error, "Exception in datagram_received()")
                if self._halted:
                    break
        finally:
            if done < len(datagrams) and not self._closing:
                self._hold(datagrams[done:])

    def _hold(self, datagrams: "list[tuple[bytes, Any]]") -> None:
        self._held.extend(datagrams)
        if not self._halted:
            # An exception that ends the loop came from the protocol: the loop may run again.
            self._loop.remove_reader(self._fd)
            self._loop.call_soon(self._deliver_held)

    def _deliver_held(self) -> None:
        if self._halted:
            return
        datagrams = list(self._held)
        self._held.clear()
        self._deliver(datagrams)
        if not self._halted and not self._held:
            self._loop.add_reader(self._fd, self._read)

    # Sending

    def sendto(self, data: "ReadableBuffer", addr: "Any" = None) -> None:
        """Send a datagram, or queue it where the system has no room; sendto(2).

        While a batch is being delivered to the protocol, what it sends is collected and goes by one
        system call.

        Args:
            data: a bytes-like object.
            addr: where to send; None, or the peer's address, where the endpoint has one.

        Raises:
            TypeError: ``data`` is no bytes-like object.
            ValueError: ``addr`` is missing, or is not the peer's.
        """
        if type(data) is not bytes:
            # The caller may go on and change what it has handed in.
            data = self._copy(data)
        if self._peer is None:
            if addr is None:
                raise ValueError("addr is missing: the endpoint has no peer")
        elif addr is not None and addr != self._peer:
            raise ValueError(f"Invalid address: must be None or {self._peer}")
        if self._closing:
            return
        self._queue.append((data, addr))
        self._size += len(data) + _OVERHEAD
        if self._writing or (self._delivering and len(self._queue) < _BATCH):
            self._maybe_pause()
        else:
            self._flush()

    def sendto_many(self, items: "Iterable[tuple[ReadableBuffer, Any]]") -> None:
        """Send datagrams to addresses, several by one system call; sendmmsg(2).

        Args:
            items: an iterable of ``(data, address)``.

        Raises:
            TypeError: one of ``data`` is no bytes-like object; nothing is sent then.
            ValueError: the endpoint has a peer.
        """
        if self._peer is not None:
            raise ValueError("the endpoint has a peer: use send_many")
        self._send_all([(self._copy(data), address) for data, address in items])

    def send_many(self, datagrams: "Iterable[ReadableBuffer]") -> None:
        """Send datagrams to the peer, several by one system call; sendmmsg(2).

        Args:
            datagrams: an iterable of bytes-like objects.

        Raises:
            TypeError: one of them is no bytes-like object; nothing is sent then.
            ValueError: the endpoint has no peer.
        """
        if self._peer is None:
            raise ValueError("the endpoint has no peer: use sendto_many")
        self._send_all([(self._copy(data), None) for data in datagrams])

    def _send_all(self, items: "list[tuple[bytes, Any]]") -> None:
        if self._closing:
            return
        self._queue.extend(items)
        self._size += sum(len(data) + _OVERHEAD for data, _ in items)
        if self._writing or self._delivering:
            self._maybe_pause()
        else:
            self._flush()

    @staticmethod
    def _copy(data: "ReadableBuffer") -> bytes:
        if type(data) is bytes:
            return data
        try:
            return bytes(memoryview(data))
        except TypeError:
            raise TypeError(
                f"data argument must be a bytes-like object, not {type(data).__name__!r}"
            ) from None

    def _flush(self) -> None:
        """Send what is queued, as far as there is room; then wait for more of it."""
        queue = self._queue
        count = _BATCH
        again = False
        while queue:
            chunk = list(islice(queue, count))
            try:
                if self._peer is None:
                    sent = self._sock.sendto_many(chunk)
                else:
                    sent = self._sock.send_many([data for data, _ in chunk])
            except (BlockingIOError, InterruptedError):
                break
            except (SystemExit, KeyboardInterrupt):
                raise
            except OSError as error:
                refused = isinstance(error, ConnectionRefusedError)
                if refused and not again:
                    # It tells of an earlier one, in most cases: nothing was sent now.
                    again = True
                    self._protocol.error_received(error)
                elif len(chunk) > 1:
                    count = 1  # to learn which of them it is
                else:
                    self._take(1)
                    if not refused:
                        self._protocol.error_received(error)
                    count, again = _BATCH, False
            except BaseException as error:
                if len(chunk) > 1:
                    count = 1
                    continue
                self._fail(error, "Fatal write error on datagram endpoint")
                return
            else:
                self._take(sent)
                count, again = _BATCH, False
        if self._closed:
            return
        if queue and not self._writing:
            self._writing = True
            self._loop.add_writer(self._fd, self._flush)
        elif not queue and self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)
        if queue:
            self._maybe_pause()
        else:
            self._maybe_resume()
            if self._closing:
                self._loop.call_soon(self._end, None)

    def _take(self, count: int) -> None:
        """Take datagrams out of the queue that are sent, or given up."""
        # A protocol that hears of an error may abort, which empties the queue.
        for _ in range(min(count, len(self._queue))):
            data, _ = self._queue.popleft()
            self._size -= len(data) + _OVERHEAD  # type: ignore[arg-type]

    # Back-pressure

    def get_write_buffer_size(self) -> int:
        """Return the size of what is queued, in bytes, each datagram with eight more."""
        return self._size

    def get_write_buffer_limits(self) -> "tuple[int, int]":
        """Return the sizes in bytes below and above which the protocol is told; low and high."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: "int | None" = None, low: "int | None" = None) -> None:
        """Set the sizes of the queue at which the protocol is to pause writing, and to go on.

        Args:
            high: bytes, above which writing pauses; four times ``low``, or 65,536, without it.
            low: bytes, at or below which it goes on; a quarter of ``high`` without it.

        Raises:
            ValueError: ``high`` is below ``low``, or one of them is negative.
        """
        if high is None:
            high = _HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._low, self._high = low, high
        if self._writing:
            self._maybe_pause()

    def _maybe_pause(self) -> None:
        if self._size > self._high and not self._protocol_paused:
            self._protocol_paused = True
            self._tell(self._protocol.pause_writing)

    def _maybe_resume(self) -> None:
        if self._protocol_paused and self._size <= self._low:
            self._protocol_paused = False
            self._tell(self._protocol.resume_writing)

    def _tell(self, method: "Callable[[], object]") -> None:
        try:
            method()
        except Exception as error:
            self._report(error, f"protocol.{method.__name__}() failed")

    # The end

    def _report(self, error: BaseException, message: str) -> None:
        context: dict[str, Any] = {
            "message": message,
            "exception": error,
            "transport": self,
            "protocol": self._protocol,
        }
        self._loop.call_exception_handler(context)

    def _fail(self, error: BaseException, message: str) -> None:
        self._report(error, message)
        self._break_off(error)

    def _break_off(self, error: "BaseException | None") -> None:
        if self._closed:
            return
        ended = self._closing and not self._queue
        self._closing = self._halted = True
        self._queue.clear()
        self._held.clear()
        self._size = 0
        self._loop.remove_reader(self._fd)
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)
        if not ended:
            self._loop.call_soon(self._end, error)

    def _end(self, error: "BaseException | None") -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._protocol.connection_lost(error)  # type: ignore[arg-type]
        finally:
            self._sock.close()


_classes: "list[type[DatagramEndpoint]]" = []


def _endpoint_class() -> "type[DatagramEndpoint]":
    """Return the class of the endpoints, which is one of asyncio's transports, too."""
    if not _classes:
        from asyncio import DatagramTransport

        names = {"__module__": __name__, "__doc__": DatagramEndpoint.__doc__}
        _classes.append(type("DatagramEndpoint", (DatagramEndpoint, DatagramTransport), names))
    return _classes[0]


async def datagram_endpoint(
    protocol_factory: "Callable[[], P]",
    local_addr: "tuple[str, int] | str | None" = None,
    remote_addr: "tuple[str, int] | str | None" = None,
    *,
    family: int = 0,
    proto: int = 0,
    flags: int = 0,
    reuse_port: "bool | None" = None,
    allow_broadcast: "bool | None" = None,
    sock: "_public.socket | None" = None,
    batch: int = _BATCH,
    bufsize: int = 65535,
) -> "tuple[DatagramEndpoint, P]":
    """Make a datagram endpoint of asyncio that reads and sends by the batch; recvmmsg(2).

    It is used like ``loop.create_datagram_endpoint``, in every event loop that has ``add_reader``.
    A protocol with a method ``datagrams_received`` gets each batch as a list of ``(data,
    address)``; others get the datagrams one after the other by ``datagram_received``. What a
    protocol sends meanwhile goes by one system call behind the batch.

    Args:
        protocol_factory: makes the protocol, an ``asyncio.DatagramProtocol``.
        local_addr: the address to bind to: host and port, or a path for AF_UNIX.
        remote_addr: the peer's address, to which the socket is connected.
        family: the address family; 0 leaves it to the addresses.
        proto: the protocol number.
        flags: ``AI_*`` flags for the lookup of the addresses.
        reuse_port: whether to set ``SO_REUSEPORT``.
        allow_broadcast: whether to set ``SO_BROADCAST``.
        sock: a datagram socket to use, instead of the arguments above. The endpoint closes it.
        batch: the largest number of datagrams that are read at once.
        bufsize: the largest number of bytes of each; what is longer is cut.

    Returns:
        A pair of the ``DatagramEndpoint``, which is the transport, and the protocol.

    Raises:
        ValueError: the arguments do not go together, ``batch`` is not positive, or ``bufsize`` is
            negative.
        TypeError: ``sock`` is no socket of oxisock.
        gaierror: a name cannot be resolved.
        OSError: no address can be bound or connected to.
    """
    from asyncio import get_running_loop

    loop = get_running_loop()
    if batch < 1:
        raise ValueError("batch must be positive")
    if bufsize < 0:
        raise ValueError("bufsize must not be negative")
    if sock is not None:
        options = (local_addr, remote_addr, family, proto, flags, reuse_port, allow_broadcast)
        if any(options):
            raise ValueError("sock goes with none of the addresses and options of a new socket")
        if not hasattr(sock, "recvfrom_many"):
            raise TypeError(f"sock must be a socket of oxisock, not {type(sock).__name__}")
        if sock.type != _public.SOCK_DGRAM:
            raise ValueError(f"A datagram socket was expected, got {sock!r}")
        sock.setblocking(False)
    else:
        candidates = await _candidates(loop, local_addr, remote_addr, family, proto, flags)
        sock = _open(candidates, reuse_port, allow_broadcast)
    try:
        try:
            peer = sock.getpeername()
        except OSError:
            peer = None
        protocol = protocol_factory()
        endpoint = _endpoint_class()(loop, sock, protocol, peer, batch, bufsize)
    except BaseException:
        sock.close()
        raise
    begun = loop.create_future()
    loop.call_soon(protocol.connection_made, endpoint)
    loop.call_soon(endpoint._begin)
    loop.call_soon(_finish, begun)
    try:
        await begun
    except BaseException:
        endpoint.close()
        raise
    return endpoint, protocol


def _finish(begun: "Future[None]") -> None:
    if not begun.done():
        begun.set_result(None)


async def _candidates(
    loop: "AbstractEventLoop", local: "Any", remote: "Any", family: int, proto: int, flags: int
) -> "list[tuple[int, int, Any, Any]]":
    """List what to try: family, protocol, address to bind to and address to connect to."""
    if local is None and remote is None:
        if family == _public.AF_UNSPEC:
            raise ValueError("unexpected address family")
        return [(family, proto, None, None)]
    if family == _public.AF_UNIX:
        for address in (local, remote):
            if address is not None and not isinstance(address, str | bytes):
                raise TypeError("string is expected")
        return [(family, proto, local, remote)]
    found: dict[tuple[int, int], list[Any]] = {}
    for place, address in enumerate((local, remote)):
        if address is None:
            continue
        if not (isinstance(address, tuple) and len(address) >= 2):
            raise TypeError("2-tuple is expected")
        host, port = address[:2]
        infos = await loop.getaddrinfo(
            host, port, family=family, type=_public.SOCK_DGRAM, proto=proto, flags=flags
        )
        for kind, _, protocol, _, resolved in infos:
            # Those of IPv6 have a scope, which only the program can have meant.
            if len(resolved) == len(address) == 4:
                resolved = (*resolved[:2], *address[2:])
            pair = found.setdefault((kind, protocol), [None, None])
            pair[place] = pair[place] or resolved
    wanted = [local is not None, remote is not None]
    both = [
        (kind, protocol, *pair)
        for (kind, protocol), pair in found.items()
        if [address is not None for address in pair] == wanted
    ]
    if not both:
        raise ValueError("can not get address information")
    return both


def _open(
    candidates: "list[tuple[int, int, Any, Any]]",
    reuse_port: "bool | None",
    allow_broadcast: "bool | None",
) -> "_public.socket":
    """Make the socket for the first of the addresses that can be had."""
    errors: list[OSError] = []
    for family, proto, local, remote in candidates:
        sock = None
        try:
            sock = _public.socket(family, _public.SOCK_DGRAM, proto)
            if reuse_port:
                sock.setsockopt(_public.SOL_SOCKET, _public.SO_REUSEPORT, 1)
            if allow_broadcast:
                sock.setsockopt(_public.SOL_SOCKET, _public.SO_BROADCAST, 1)
            sock.setblocking(False)
            if local is not None:
                if family == _public.AF_UNIX:
                    _remove_stale(local)
                sock.bind(local)
            if remote is not None:
                sock.connect(remote)
        except OSError as error:
            errors.append(error)
            if sock is not None:
                sock.close()
        except BaseException:
            if sock is not None:
                sock.close()
            raise
        else:
            return sock
    raise errors[0] if errors else OSError(EAFNOSUPPORT, strerror(EAFNOSUPPORT))


def _remove_stale(path: "str | bytes") -> None:
    """Remove the socket that an earlier program has left at a path."""
    if path[:1] in ("", b"", "\0", b"\0"):
        return
    try:
        if S_ISSOCK(stat(path).st_mode):
            unlink(path)
    except FileNotFoundError:
        pass
