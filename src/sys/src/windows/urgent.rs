//! Urgent data among the others.

use windows_sys::Win32::Networking::WinSock::{self, SOCKET};

use super::{AsRawFd, BorrowedFd};

/// Whether urgent data wait somewhere in the stream, SIOCATMARK, which is as much as Winsock tells:
/// a read stops where they were sent.
pub fn at_mark(fd: BorrowedFd<'_>) -> bool {
    let mut none_waits = 1;
    // SAFETY: the request writes one number.
    let done = unsafe {
        WinSock::ioctlsocket(
            fd.as_raw_fd() as SOCKET,
            WinSock::SIOCATMARK,
            &mut none_waits,
        )
    };
    done == 0 && none_waits == 0
}
