//! WSAIoctl, with the requests that Python offers.

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::Networking::WinSock::{self, SOCKET, tcp_keepalive};

use super::{AsRawFd, BorrowedFd};
use crate::{Errno, Result};

pub use WinSock::{SIO_KEEPALIVE_VALS, SIO_LOOPBACK_FAST_PATH, SIO_RCVALL};

/// What [`SIO_RCVALL`] takes: receive what was sent to others, too, or not.
pub const RCVALL_OFF: u32 = WinSock::RCVALL_OFF as u32;
/// Everything that comes to the network interface, which needs an administrator.
pub const RCVALL_ON: u32 = WinSock::RCVALL_ON as u32;
/// Everything that other sockets of this machine receive.
pub const RCVALL_SOCKETLEVELONLY: u32 = WinSock::RCVALL_SOCKETLEVELONLY as u32;
/// Everything that comes to this machine, the network interface being left as it is.
pub const RCVALL_IPLEVEL: u32 = WinSock::RCVALL_IPLEVEL as u32;
/// The largest of these.
pub const RCVALL_MAX: u32 = RCVALL_IPLEVEL;

/// A request, and what it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// [`SIO_RCVALL`], for a raw socket: one of `RCVALL_*`.
    ReceiveAll(u32),
    /// [`SIO_LOOPBACK_FAST_PATH`]: whether a connection within this machine takes a shorter path.
    LoopbackFastPath(u32),
    /// [`SIO_KEEPALIVE_VALS`]: whether keepalive probes are sent, after how many milliseconds of
    /// silence the first, and so many between two.
    Keepalive { on: u32, time: u32, interval: u32 },
}

/// Makes a request; the number of bytes of its answer, of which none of these has any.
pub fn ioctl(fd: BorrowedFd<'_>, request: Request) -> Result<u32> {
    match request {
        Request::ReceiveAll(mode) => control(fd, SIO_RCVALL, &mode),
        Request::LoopbackFastPath(on) => control(fd, SIO_LOOPBACK_FAST_PATH, &on),
        Request::Keepalive { on, time, interval } => {
            let values = tcp_keepalive {
                onoff: on,
                keepalivetime: time,
                keepaliveinterval: interval,
            };
            control(fd, SIO_KEEPALIVE_VALS, &values)
        }
    }
}

fn control<T>(fd: BorrowedFd<'_>, code: u32, given: &T) -> Result<u32> {
    let mut answered = 0;
    // SAFETY: what is given is readable for its length, and there is no room for an answer.
    let result = unsafe {
        WinSock::WSAIoctl(
            fd.as_raw_fd() as SOCKET,
            code,
            ptr::from_ref(given).cast::<c_void>(),
            size_of::<T>() as u32,
            ptr::null_mut(),
            0,
            &mut answered,
            ptr::null_mut(),
            None,
        )
    };
    match result {
        0 => Ok(answered),
        _ => Err(Errno::last()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::{self, PAIR};
    use crate::system::borrow;
    use crate::{SocketSpec, c, keepalive};

    #[test]
    fn constants_are_those_of_the_headers() {
        // <mstcpip.h>
        assert_eq!(SIO_RCVALL, 0x9800_0001);
        assert_eq!(SIO_KEEPALIVE_VALS, 0x9800_0004);
        assert_eq!(SIO_LOOPBACK_FAST_PATH, 0x9800_0010);
        assert_eq!(
            [RCVALL_OFF, RCVALL_ON, RCVALL_SOCKETLEVELONLY, RCVALL_MAX],
            [0, 1, 2, 3]
        );
    }

    #[test]
    fn keepalive_probes_are_switched_on_and_off() {
        let socket = descriptor::open(PAIR, false).expect("a socket");
        assert_eq!(keepalive::is_on(borrow(&socket)), Ok(false));
        for on in [1, 0] {
            let request = Request::Keepalive {
                on,
                time: 10_000,
                interval: 3_000,
            };
            assert_eq!(ioctl(borrow(&socket), request), Ok(0));
            assert_eq!(keepalive::is_on(borrow(&socket)), Ok(on != 0));
        }
    }

    #[test]
    fn what_a_socket_cannot_do_is_an_error() {
        let datagrams = SocketSpec {
            kind: c::SOCK_DGRAM,
            ..PAIR
        };
        for spec in [PAIR, datagrams] {
            let socket = descriptor::open(spec, false).expect("a socket");
            assert!(ioctl(borrow(&socket), Request::ReceiveAll(RCVALL_ON)).is_err());
        }
    }

    #[test]
    fn the_shorter_path_is_taken_or_there_is_none() {
        let socket = descriptor::open(PAIR, false).expect("a socket");
        let result = ioctl(borrow(&socket), Request::LoopbackFastPath(1));
        // Wine has none.
        assert!(
            [Ok(0), Err(Errno::OPNOTSUPP)].contains(&result),
            "{result:?}"
        );
    }
}
