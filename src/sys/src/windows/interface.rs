//! Network interfaces by name and by index, of the IP helper.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, WIN32_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ConvertInterfaceLuidToNameW, FreeMibTable, GetIfTable2Ex, MIB_IF_ROW2, MIB_IF_TABLE2,
    MibIfTableRaw, if_indextoname, if_nametoindex,
};
use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;

use crate::{Errno, Result};

/// The longest name, and its end.
const ROOM: usize = 257;

/// The network interfaces, with their index; GetIfTable2Ex.
pub fn all() -> Result<Vec<(u32, CString)>> {
    let mut table: *mut MIB_IF_TABLE2 = ptr::null_mut();
    // SAFETY: the call writes a table, which is freed once, behind its last use, and has as many
    // rows as it says.
    unsafe {
        check(GetIfTable2Ex(MibIfTableRaw, &mut table))?;
        let first = (&raw const (*table).Table).cast::<MIB_IF_ROW2>();
        let rows = std::slice::from_raw_parts(first, (*table).NumEntries as usize);
        let named = |row: &MIB_IF_ROW2| Ok((row.InterfaceIndex, name(&row.InterfaceLuid)?));
        let interfaces = rows.iter().map(named).collect();
        FreeMibTable(table.cast());
        interfaces
    }
}

/// The name of an interface, such as `ethernet_32768`; ConvertInterfaceLuidToNameW.
fn name(luid: &NET_LUID_LH) -> Result<CString> {
    let mut name = [0_u16; ROOM];
    // SAFETY: the memory is writable for the length given.
    check(unsafe { ConvertInterfaceLuidToNameW(luid, name.as_mut_ptr(), ROOM) })?;
    let text = name.split(|unit| *unit == 0).next().unwrap_or_default();
    CString::new(String::from_utf16_lossy(text)).map_err(|_| Errno::INVAL)
}

fn check(code: WIN32_ERROR) -> Result<()> {
    match code {
        ERROR_SUCCESS => Ok(()),
        code => Err(Errno::new(code as i32)),
    }
}

/// The index of the interface with this name.
pub fn by_name(name: &CStr) -> Result<u32> {
    // SAFETY: the name is terminated.
    match unsafe { if_nametoindex(name.as_ptr().cast()) } {
        0 => Err(Errno::NODEV),
        index => Ok(index),
    }
}

/// The name of an interface, as the system writes it.
pub struct Name([c_char; ROOM]);

impl Name {
    /// Its bytes.
    pub fn to_bytes(&self) -> &[u8] {
        // SAFETY: it is terminated, or empty.
        unsafe { CStr::from_ptr(self.0.as_ptr()) }.to_bytes()
    }
}

/// The name of the interface with this index.
pub fn by_index(index: u32) -> Result<Name> {
    let mut name = Name([0; ROOM]);
    // SAFETY: the buffer has the size that the call asks for, and is terminated by it.
    match unsafe { if_indextoname(index, name.0.as_mut_ptr().cast()) }.is_null() {
        true => Err(Errno::NODEV),
        false => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_lead_to_each_other() {
        let interfaces = all().expect("a table");
        assert!(!interfaces.is_empty());
        for (index, name) in &interfaces {
            assert_eq!(by_name(name), Ok(*index));
            let found = by_index(*index).expect("a name");
            assert_eq!(found.to_bytes(), name.to_bytes());
        }
    }

    #[test]
    fn what_is_no_interface_is_an_error() {
        assert_eq!(by_name(c"none such"), Err(Errno::NODEV));
        assert_eq!(by_index(0).err(), Some(Errno::NODEV));
        assert_eq!(by_index(u32::MAX).err(), Some(Errno::NODEV));
    }
}
