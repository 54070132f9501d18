//! Kernel controls of Apple's systems, `<sys/kern_control.h>`.

use std::os::fd::AsRawFd;

use libc::ctl_info;

use crate::{BorrowedFd, Errno, Result, syscall};

/// The identifier that the system gave to the control of this name.
pub fn id(socket: BorrowedFd<'_>, name: &[u8]) -> Result<u32> {
    // SAFETY: a C structure for which all zeros are valid.
    let mut info: ctl_info = unsafe { std::mem::zeroed() };
    if name.len() > info.ctl_name.len() {
        return Err(Errno::NAMETOOLONG);
    }
    for (to, from) in info.ctl_name.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    // SAFETY: the structure is the one that this request reads and fills.
    unsafe { syscall!(ioctl(socket.as_raw_fd(), libc::CTLIOCGINFO, &raw mut info))? };
    Ok(info.ctl_id)
}
