def run(steps: list[tuple[str, list[int]]], rounds: int, /) -> float:
    """Repeat system calls and return the seconds that all rounds together took.

    `steps` are pairs of a name and its integers: `("send", [fd, 64])`. Steps that make a descriptor
    push it on a stack; a negative descriptor counts from its top (-1 is the latest) and
    `("close", [])` closes the top. Descriptors must be in blocking mode.

    Raises ValueError for a malformed step and OSError when a system call fails.
    """

def run_pair(
    ours: list[tuple[str, list[int]]], theirs: list[tuple[str, list[int]]], rounds: int, /
) -> float:
    """Repeat `ours` in this thread and `theirs` as often in a second one, and return the seconds
    that ours took.

    When one thread fails, the other may wait for it forever unless the caller closes or shuts down
    the sockets: meant for steps that succeed.

    Raises ValueError for a malformed step and OSError when a system call fails.
    """

def batch(kind: str, sender: int, receiver: int, count: int, size: int, rounds: int, /) -> float:
    """Move batches of `count` datagrams of `size` bytes from one descriptor to another and return
    the seconds that the calls of that kind took; what the other end did is not timed.

    Kinds are "recvmmsg", "recvmmsg-from" (with addresses), "recvfrom-one", "sendmmsg",
    "sendmmsg-to" (the receiver's address), "cut" (UDP_SEGMENT) and "joined" (UDP_GRO).

    Raises ValueError for an unknown kind, or where the system has none of them, and OSError when a
    system call fails.
    """
