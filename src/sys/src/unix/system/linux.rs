//! Linux.

use std::os::fd::AsRawFd;

use libc::{c_int, pthread_t, sockaddr};

use crate::{BorrowedFd, Errno, Result};

pub(crate) use super::flags::{
    KEEPALIVE_IDLE, KIND_FLAGS, NO_SIGNAL, NONBLOCK, accept, open, open_pair, protocol, room,
    set_no_sigpipe,
};
#[cfg(target_env = "musl")]
pub(crate) use super::one_answer::protocol_by_name;
#[cfg(not(target_env = "musl"))]
pub(crate) use super::reentrant::protocol_by_name;
pub(crate) use super::reentrant::{
    host_by_address, host_by_name, service_by_name, service_by_port,
};
pub(crate) use libc::__errno_location as errno_location;

/// Opens a connection on the way, tcp(7).
pub(crate) const FASTOPEN: c_int = libc::MSG_FASTOPEN;

/// Multicast memberships of any source, and of one; ip(7).
pub(crate) const JOIN: [c_int; 2] = [libc::MCAST_JOIN_GROUP, libc::MCAST_JOIN_SOURCE_GROUP];
pub(crate) const LEAVE: [c_int; 2] = [libc::MCAST_LEAVE_GROUP, libc::MCAST_LEAVE_SOURCE_GROUP];

/// Peers in these have no addresses that could be asked for.
pub(crate) const FAMILIES_WITHOUT_PEER_ADDRESSES: &[c_int] = &[libc::AF_ALG];

/// Options of these are 64 bits wide, vsock(7).
pub(crate) const FAMILIES_WITH_WIDE_OPTIONS: &[c_int] = &[libc::AF_VSOCK];

/// What bounds the time for which sent data may stay unacknowledged, tcp(7).
pub(crate) const UNACKNOWLEDGED_TIMEOUT: Option<c_int> = Some(libc::TCP_USER_TIMEOUT);

/// sendfile(2), from that place of the file.
pub(crate) fn sendfile(
    to: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: i64,
    count: usize,
) -> Result<usize> {
    let mut offset = offset;
    // SAFETY: the offset is writable during the call.
    let sent = unsafe { libc::sendfile64(to.as_raw_fd(), file.as_raw_fd(), &mut offset, count) };
    usize::try_from(sent).map_err(|_| Errno::last())
}

/// Whether this is the thread that the process began with.
pub(crate) fn in_main_thread() -> bool {
    // SAFETY: both calls only return a number.
    unsafe { libc::gettid() == libc::getpid() }
}

/// Signals that nobody has a use for, the best one first: the real-time ones, from the last on,
/// then one that is ignored by default.
pub(crate) fn unused_signals() -> impl Iterator<Item = c_int> {
    (libc::SIGRTMIN()..=libc::SIGRTMAX())
        .rev()
        .chain([libc::SIGURG])
}

/// The signals that a living thread blocks, bit n - 1 for signal n; proc_pid_status(5).
pub(crate) fn blocked_signals(thread: pthread_t) -> Option<u64> {
    let mut clock = 0;
    // SAFETY: the thread is alive, and the clock writable.
    if unsafe { libc::pthread_getcpuclockid(thread, &mut clock) } != 0 {
        return None;
    }
    // A thread's clock is made of the number that the kernel knows it by: CPUCLOCK_PID.
    let id = !(clock >> 3);
    blocked_in(&std::fs::read(format!("/proc/self/task/{id}/status")).ok()?)
}

/// The mask in the text of a thread's status.
fn blocked_in(status: &[u8]) -> Option<u64> {
    let mut lines = status.split(|byte| *byte == b'\n');
    let mask = lines.find_map(|line| line.strip_prefix(b"SigBlk:"))?;
    u64::from_str_radix(std::str::from_utf8(mask).ok()?.trim(), 16).ok()
}

/// The address of the other end, or the one for broadcasts.
pub(crate) fn other_address(entry: &libc::ifaddrs) -> *const sockaddr {
    entry.ifa_ifu
}

/// The bytes of a hardware address; packet(7).
///
/// # Safety
/// The address is as long as those of its family are.
pub(crate) unsafe fn hardware_address(address: *const sockaddr) -> Option<Vec<u8>> {
    // SAFETY: the caller's promise.
    unsafe {
        if c_int::from((*address).sa_family) != libc::AF_PACKET {
            return None;
        }
        let address = address.cast::<libc::sockaddr_ll>().read_unaligned();
        let len = usize::from(address.sll_halen).min(address.sll_addr.len());
        Some(address.sll_addr[..len].to_vec())
    }
}

/// Handlers that run when a thread is ended, in the order in which its frames are left: what
/// pthread_cleanup_push(3) was once made of. The Linux Standard Base has both functions.
#[cfg(unwinding_exit)]
pub(crate) mod cleanup {
    use std::ffi::{c_int, c_void};

    /// `struct _pthread_cleanup_buffer` of `<pthread.h>`.
    #[repr(C)]
    pub(crate) struct Buffer {
        routine: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
        cancel_type: c_int,
        previous: *mut Buffer,
    }

    unsafe extern "C" {
        #[link_name = "_pthread_cleanup_push"]
        pub(crate) fn push(
            buffer: *mut Buffer,
            routine: unsafe extern "C" fn(*mut c_void),
            argument: *mut c_void,
        );
        fn _pthread_cleanup_pop(buffer: *mut Buffer, execute: c_int);
    }

    /// Takes the handler away again, without running it.
    ///
    /// # Safety
    /// This thread has pushed it, as the last one.
    pub(crate) unsafe fn pop(buffer: *mut Buffer) {
        // SAFETY: the caller's promise.
        unsafe { _pthread_cleanup_pop(buffer, 0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_a_status_is_found() {
        let status =
            b"Name:\tx\nSigPnd:\t0000000000000001\nSigBlk:\t8000000000000200\nSigIgn:\t0\n";
        assert_eq!(blocked_in(status), Some(1 << 63 | 1 << 9));
        assert_eq!(blocked_in(b"Name:\tx\n"), None);
        assert_eq!(blocked_in(b"SigBlk:\tmask\n"), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "has signals")]
    fn a_thread_s_own_mask_is_found() {
        let mut set = std::mem::MaybeUninit::uninit();
        // SAFETY: the set is filled before it is read; only this test's thread blocks the signal.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR2);
            set.assume_init()
        };
        // SAFETY: as above.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
        // SAFETY: takes nothing and cannot fail.
        let blocked = blocked_signals(unsafe { libc::pthread_self() });
        let expected = 1 << (libc::SIGUSR2 - 1);
        assert_eq!(blocked.map(|blocked| blocked & expected), Some(expected));
        // SAFETY: as above.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut()) };
    }
}
