//! Sockets for other processes, WSADuplicateSocketW: what one process writes, and hands over by any
//! means, the other makes a descriptor of the same socket from.

use std::mem::MaybeUninit;
use std::ptr;

use windows_sys::Win32::Networking::WinSock::{self, SOCKET, WSAPROTOCOL_INFOW};

use super::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd, c};
use crate::descriptor::SocketSpec;
use crate::{Errno, Result, descriptor};

/// The length of what describes a socket.
pub const LEN: usize = size_of::<WSAPROTOCOL_INFOW>();

/// Describes a socket for the process of this number, which may adopt it once.
pub fn share(fd: BorrowedFd<'_>, process: u32) -> Result<[u8; LEN]> {
    let mut description = [0_u8; LEN];
    let mut info = WSAPROTOCOL_INFOW::default();
    // SAFETY: the call fills the structure, which is made of nothing but numbers without gaps.
    unsafe {
        if WinSock::WSADuplicateSocketW(fd.as_raw_fd() as SOCKET, process, &mut info) != 0 {
            return Err(Errno::last());
        }
        ptr::copy_nonoverlapping((&raw const info).cast(), description.as_mut_ptr(), LEN);
    }
    Ok(description)
}

/// Makes a descriptor of the socket that another process has described for this one, and says of
/// what kind it is.
pub fn adopt(description: &[u8; LEN]) -> Result<(OwnedFd, SocketSpec)> {
    c::startup();
    let mut info = MaybeUninit::<WSAPROTOCOL_INFOW>::uninit();
    // SAFETY: a structure of numbers, for which any bits are valid; the new descriptor is nobody
    // else's.
    let (socket, info) = unsafe {
        let start = info.as_mut_ptr().cast::<u8>();
        ptr::copy_nonoverlapping(description.as_ptr(), start, LEN);
        let info = info.assume_init();
        let any = WinSock::FROM_PROTOCOL_INFO;
        let socket = WinSock::WSASocketW(any, any, any, &info, 0, WinSock::WSA_FLAG_OVERLAPPED);
        if socket == WinSock::INVALID_SOCKET {
            return Err(Errno::last());
        }
        (OwnedFd::from_raw_fd(socket as RawFd), info)
    };
    descriptor::set_inheritable(super::system::borrow(&socket), false)?;
    let spec = SocketSpec {
        family: info.iAddressFamily,
        kind: info.iSocketType,
        protocol: info.iProtocol,
    };
    Ok((socket, spec))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::descriptor::{PAIR, open_pair};
    use crate::system::borrow;
    use crate::{Region, io};

    fn send(fd: &OwnedFd, text: &[u8]) -> Result<usize> {
        // SAFETY: memory that is only read.
        let region = unsafe { Region::new(text.as_ptr().cast_mut(), text.len()) };
        io::send(borrow(fd), region, 0)
    }

    fn receive(fd: &OwnedFd) -> Result<Vec<u8>> {
        let mut memory = [0; 16];
        // SAFETY: memory of our own.
        let region = unsafe { Region::new(memory.as_mut_ptr(), memory.len()) };
        let count = io::recv(borrow(fd), region, 0)?;
        Ok(memory[..count].to_vec())
    }

    #[test]
    fn a_shared_socket_is_the_same_socket() {
        let (one, two) = open_pair(PAIR, false).expect("a pair");
        let description = share(borrow(&one), std::process::id()).expect("a description");
        let (copy, spec) = adopt(&description).expect("a descriptor");
        assert_eq!(
            (spec.family, spec.kind, spec.protocol),
            (c::AF_INET, c::SOCK_STREAM, 6)
        );
        assert_ne!(copy.as_raw_fd(), one.as_raw_fd());
        assert_eq!(descriptor::is_inheritable(borrow(&copy)), Ok(false));
        drop(one);
        assert_eq!(send(&copy, b"shared"), Ok(6));
        assert_eq!(receive(&two).as_deref(), Ok(&b"shared"[..]));
    }

    #[test]
    fn what_describes_no_socket_is_refused() {
        assert!(adopt(&[0; LEN]).is_err());
    }

    /// What the child of the test below does, which runs this test alone.
    #[test]
    fn child() {
        if std::env::var_os("OXISOCK_SHARED").is_none() {
            return;
        }
        let mut description = [0; LEN];
        std::io::stdin()
            .read_exact(&mut description)
            .expect("a description");
        let (socket, _) = adopt(&description).expect("a descriptor");
        send(&socket, b"from a child").expect("a peer");
    }

    #[test]
    fn another_process_takes_a_socket_over() {
        let (one, two) = open_pair(PAIR, false).expect("a pair");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "windows::share::tests::child"])
            .env("OXISOCK_SHARED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        let description = share(borrow(&one), child.id()).expect("a description");
        let mut pipe = child.stdin.take().expect("its input");
        pipe.write_all(&description).expect("a reader");
        assert_eq!(receive(&two).as_deref(), Ok(&b"from a child"[..]));
        assert!(child.wait().expect("its end").success());
    }
}
