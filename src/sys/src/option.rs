//! getsockopt(2) and setsockopt(2) in the forms that Python offers.

use std::ptr;

use super::c::{c_int, c_void, socklen_t};
use super::{AsRawFd, BorrowedFd, Errno, Region, Result, syscall, system};

/// An option that is a number: `c_int` as most are, `u64` as those of `AF_VSOCK`.
pub fn get<T: Number>(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> Result<T> {
    let mut value = T::default();
    let mut len = size_of::<T>() as socklen_t;
    // SAFETY: the value is writable for the length given, and any bits are a number.
    unsafe {
        syscall!(getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            ptr::from_mut(&mut value).cast(),
            &mut len
        ))
    }?;
    Ok(value)
}

/// What [`get`] and [`put`] take: numbers without bits that mean nothing.
pub trait Number: Copy + Default {}

impl Number for c_int {}
impl Number for u64 {}

/// Whether the options of a family are 64 bits wide.
pub fn are_wide(family: c_int) -> bool {
    system::FAMILIES_WITH_WIDE_OPTIONS.contains(&family)
}

/// An option of any form; the number of bytes that the kernel wrote.
pub fn get_bytes(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    buffer: &mut [u8],
) -> Result<usize> {
    let mut len = buffer.len() as socklen_t;
    // SAFETY: the buffer is writable for the length given.
    unsafe {
        syscall!(getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            buffer.as_mut_ptr().cast(),
            &mut len
        ))
    }?;
    Ok((len as usize).min(buffer.len()))
}

pub fn put<T: Number>(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: T) -> Result<()> {
    set(
        fd,
        level,
        name,
        ptr::from_ref(&value).cast(),
        size_of::<T>() as socklen_t,
    )
}

pub fn set_bytes(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Region<'_>) -> Result<()> {
    let len = socklen_t::try_from(value.len()).map_err(|_| Errno::INVAL)?;
    set(fd, level, name, value.as_ptr().cast_const().cast(), len)
}

/// No value, only a length: some options of `AF_ALG` are set so.
pub fn set_length(fd: BorrowedFd<'_>, level: c_int, name: c_int, len: u32) -> Result<()> {
    set(fd, level, name, ptr::null(), len as socklen_t)
}

fn set(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> Result<()> {
    // SAFETY: every caller above passes memory of the length that it names, or no memory.
    unsafe { syscall!(setsockopt(fd.as_raw_fd(), level, name, value, len)) }?;
    Ok(())
}
