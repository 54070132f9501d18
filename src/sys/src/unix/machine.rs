//! This machine's name, gethostname(2).

use std::ffi::{CStr, CString, c_char};

use crate::{Result, syscall};

/// The machine's name.
pub fn host_name() -> Result<CString> {
    let mut name = [0 as c_char; 1024];
    // SAFETY: the last byte is kept out of the call, so that the name is terminated even
    // where it was cut.
    unsafe {
        syscall!(gethostname(name.as_mut_ptr(), name.len() - 1))?;
        Ok(CStr::from_ptr(name.as_ptr()).to_owned())
    }
}

/// Changes the machine's name, which takes CAP_SYS_ADMIN.
pub fn set_host_name(name: &[u8]) -> Result<()> {
    // SAFETY: the bytes are valid for the length.
    unsafe { syscall!(sethostname(name.as_ptr().cast(), name.len() as _))? };
    Ok(())
}
