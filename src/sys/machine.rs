//! This machine: its name, gethostname(2), and its network interfaces, if_nameindex(3).

use std::ffi::{CStr, CString, c_char};
use std::io;

use super::syscall;

/// The machine's name.
pub(crate) fn host_name() -> io::Result<CString> {
    let mut name = [0 as c_char; 1024];
    // SAFETY: the last byte is kept out of the call, so that the name is terminated even
    // where it was cut.
    unsafe {
        syscall!(gethostname(name.as_mut_ptr(), name.len() - 1))?;
        Ok(CStr::from_ptr(name.as_ptr()).to_owned())
    }
}

/// Changes the machine's name, which takes CAP_SYS_ADMIN.
pub(crate) fn set_host_name(name: &[u8]) -> io::Result<()> {
    // SAFETY: the bytes are valid for the length.
    unsafe { syscall!(sethostname(name.as_ptr().cast(), name.len()))? };
    Ok(())
}

/// The network interfaces, with their index.
pub(crate) fn interfaces() -> io::Result<Vec<(u32, CString)>> {
    // SAFETY: the list ends with an index of zero and is freed once, behind its last use.
    unsafe {
        let list = libc::if_nameindex();
        if list.is_null() {
            return Err(io::Error::last_os_error());
        }
        let interfaces = (0..)
            .map(|index| &*list.add(index))
            .take_while(|interface| interface.if_index != 0)
            .map(|interface| {
                (
                    interface.if_index,
                    CStr::from_ptr(interface.if_name).to_owned(),
                )
            })
            .collect();
        libc::if_freenameindex(list);
        Ok(interfaces)
    }
}

/// The index of the interface with this name.
pub(crate) fn interface_index(name: &CStr) -> Option<u32> {
    // SAFETY: the name is terminated.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index),
    }
}

/// The name of the interface with this index.
pub(crate) fn interface_name(index: u32) -> io::Result<CString> {
    let mut name = [0 as c_char; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the size that the call asks for, and is terminated by it.
    unsafe {
        if libc::if_indextoname(index, name.as_mut_ptr()).is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(CStr::from_ptr(name.as_ptr()).to_owned())
    }
}
