//! This machine's name, GetComputerNameExW.

use std::ffi::CString;
use std::ptr;

use windows_sys::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, GetComputerNameExW,
};

use crate::{Errno, Result};

/// The machine's name, in UTF-8.
pub fn host_name() -> Result<CString> {
    let mut len = 0;
    // SAFETY: without memory the call says how much it wants, the end of the text included.
    unsafe { GetComputerNameExW(ComputerNamePhysicalDnsHostname, ptr::null_mut(), &mut len) };
    // One that has grown meanwhile is an error.
    let mut name = vec![0_u16; len as usize];
    // SAFETY: the memory is writable for the length given.
    let done =
        unsafe { GetComputerNameExW(ComputerNamePhysicalDnsHostname, name.as_mut_ptr(), &mut len) };
    if done == 0 {
        return Err(Errno::last());
    }
    // Now it is the text's alone.
    name.truncate(len as usize);
    CString::new(String::from_utf16_lossy(&name)).map_err(|_| Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Networking::WinSock;

    use super::*;

    #[test]
    fn is_the_name_that_winsock_tells() {
        crate::c::startup();
        let mut name = [0_u8; 256];
        // SAFETY: the memory is writable for the length given.
        let result = unsafe { WinSock::gethostname(name.as_mut_ptr(), name.len() as i32) };
        assert_eq!(result, 0);
        let theirs = std::ffi::CStr::from_bytes_until_nul(&name).expect("terminated");
        let ours = host_name().expect("a name");
        assert!(!ours.is_empty());
        assert!(ours.to_bytes().eq_ignore_ascii_case(theirs.to_bytes()));
    }
}
