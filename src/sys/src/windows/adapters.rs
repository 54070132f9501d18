//! Network interfaces by name and by index, and their addresses, of the IP helper.

use std::ffi::{CStr, CString, c_char};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_BUFFER_OVERFLOW, ERROR_NO_DATA, ERROR_SUCCESS, WIN32_ERROR,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ConvertInterfaceLuidToNameW, FreeMibTable, GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_DNS_SERVER,
    GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses, GetIfTable2Ex, IF_TYPE_PPP,
    IF_TYPE_SOFTWARE_LOOPBACK, IP_ADAPTER_ADDRESSES_LH, IP_ADAPTER_NO_MULTICAST,
    IP_ADAPTER_UNICAST_ADDRESS_LH, MIB_IF_ROW2, MIB_IF_TABLE2, MibIfTableRaw, if_indextoname,
    if_nametoindex,
};
use windows_sys::Win32::NetworkManagement::Ndis::{IfOperStatusUp, NET_LUID_LH};
use windows_sys::Win32::Networking::WinSock::{
    self, IFF_BROADCAST, IFF_LOOPBACK, IFF_MULTICAST, IFF_POINTTOPOINT, IFF_UP,
};

use crate::interface::Address;
use crate::{Errno, Result, SockAddr, c, numeric};

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

/// The addresses of all interfaces, those of the hardware among them; GetAdaptersAddresses.
pub fn addresses() -> Result<Vec<Address>> {
    let memory = adapters()?;
    let mut found = Vec::new();
    let mut next = memory.as_ptr().cast::<IP_ADAPTER_ADDRESSES_LH>();
    if memory.is_empty() {
        return Ok(found);
    }
    // SAFETY: the call has written a list into the memory, which is aligned for it and is there
    // until the end; what its entries point to is in the same memory.
    unsafe {
        while let Some(adapter) = next.as_ref() {
            next = adapter.Next;
            let name = name(&adapter.Luid)?;
            let flags = flags(adapter);
            let hardware = &adapter.PhysicalAddress;
            let hardware =
                &hardware[..(adapter.PhysicalAddressLength as usize).min(hardware.len())];
            if !hardware.is_empty() {
                let pairs: Vec<_> = hardware.iter().map(|byte| format!("{byte:02x}")).collect();
                found.push(Address {
                    name: name.clone(),
                    flags,
                    family: WinSock::AF_LINK.into(),
                    address: Some(pairs.join(":")),
                    netmask: None,
                    broadcast: None,
                });
            }
            let mut next = adapter.FirstUnicastAddress.cast_const();
            while let Some(entry) = next.as_ref() {
                next = entry.Next;
                found.extend(address(entry, &name, flags));
            }
        }
    }
    Ok(found)
}

/// Memory with the list of adapters at its beginning; empty where there is none.
fn adapters() -> Result<Vec<u64>> {
    let flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    let any = c::AF_UNSPEC as u32;
    // What the documentation recommends to begin with; more where that is not enough.
    let mut memory = vec![0_u64; 15_000 / size_of::<u64>()];
    loop {
        let mut len = size_of_val(&*memory) as u32;
        // SAFETY: the memory is writable for the length given, and aligned for the structures.
        let code = unsafe {
            let start = memory.as_mut_ptr().cast();
            GetAdaptersAddresses(any, flags, ptr::null(), start, &mut len)
        };
        match code {
            ERROR_BUFFER_OVERFLOW => memory.resize(len as usize / size_of::<u64>() + 1, 0),
            ERROR_NO_DATA => return Ok(Vec::new()),
            code => return check(code).map(|()| memory),
        }
    }
}

/// What Unix would say of an interface, `IFF_*`.
fn flags(adapter: &IP_ADAPTER_ADDRESSES_LH) -> u32 {
    // SAFETY: any bits are a number.
    let own = unsafe { adapter.Anonymous2.Flags };
    let kind = adapter.IfType;
    let is_alone = kind == IF_TYPE_SOFTWARE_LOOPBACK || kind == IF_TYPE_PPP;
    [
        (adapter.OperStatus == IfOperStatusUp, IFF_UP),
        (own & IP_ADAPTER_NO_MULTICAST == 0, IFF_MULTICAST),
        (kind == IF_TYPE_SOFTWARE_LOOPBACK, IFF_LOOPBACK),
        (kind == IF_TYPE_PPP, IFF_POINTTOPOINT),
        (!is_alone, IFF_BROADCAST),
    ]
    .iter()
    .filter(|(is_set, _)| *is_set)
    .fold(0, |all, (_, flag)| all | flag)
}

/// One address of an interface; none where it is of another family than the internet's.
///
/// # Safety
/// The entry is one of the list, whose address is there.
unsafe fn address(
    entry: &IP_ADAPTER_UNICAST_ADDRESS_LH,
    name: &CStr,
    flags: u32,
) -> Option<Address> {
    let len = usize::try_from(entry.Address.iSockaddrLength).ok()?;
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(entry.Address.lpSockaddr.cast(), len) };
    let address = SockAddr::from_bytes(bytes)?;
    let host = address.ip()?;
    let prefix = u32::from(entry.OnLinkPrefixLength);
    let text = |host: IpAddr| numeric::text(host).to_string();
    let (netmask, broadcast) = match host {
        IpAddr::V4(host) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            let all = Ipv4Addr::from(u32::from(host) | !mask);
            let all = (flags & IFF_BROADCAST != 0).then(|| text(all.into()));
            (text(Ipv4Addr::from(mask).into()), all)
        }
        IpAddr::V6(_) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            (text(Ipv6Addr::from(mask).into()), None)
        }
    };
    Some(Address {
        name: name.to_owned(),
        flags,
        family: address.family()?,
        address: Some(text(host)),
        netmask: Some(netmask),
        broadcast,
    })
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
    fn the_address_of_loopback_leads_to_it() {
        let found = addresses().expect("a list");
        let loopback = found
            .iter()
            .find(|found| found.address.as_deref() == Some("127.0.0.1"))
            .expect("loopback");
        assert_eq!(loopback.family, c::AF_INET);
        assert_eq!(
            loopback.flags & (IFF_LOOPBACK | IFF_BROADCAST),
            IFF_LOOPBACK
        );
        assert_eq!(loopback.netmask.as_deref(), Some("255.0.0.0"));
        assert_eq!(loopback.broadcast, None);
        let host = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(crate::interface::by_address(host), by_name(&loopback.name));
    }

    #[test]
    fn what_is_no_interface_is_an_error() {
        assert_eq!(by_name(c"none such"), Err(Errno::NODEV));
        assert_eq!(by_index(0).err(), Some(Errno::NODEV));
        assert_eq!(by_index(u32::MAX).err(), Some(Errno::NODEV));
    }
}
