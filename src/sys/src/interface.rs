//! Network interfaces and their addresses.

use std::ffi::CString;
use std::net::IpAddr;

#[cfg(not(linux))]
use super::BorrowedFd;
use super::{Errno, Result, numeric};

pub use super::adapters::{Name, addresses, all, by_index, by_name};
#[cfg(linux)]
pub use super::adapters::{index, name};

/// One address of an interface.
pub struct Address {
    pub name: CString,
    /// `IFF_*`, netdevice(7).
    pub flags: u32,
    pub family: i32,
    pub address: Option<String>,
    pub netmask: Option<String>,
    /// The broadcast address, or that of the other end of a point-to-point link.
    pub broadcast: Option<String>,
}

/// The index of the interface that has this address.
pub fn by_address(host: IpAddr) -> Result<u32> {
    let text = numeric::text(host);
    let interfaces = addresses()?;
    let found = interfaces
        .iter()
        .find(|found| found.address.as_deref() == Some(&*text));
    by_name(&found.ok_or(Errno::NODEV)?.name)
}

/// The index of an interface as a socket sees it: any socket, where there are no network
/// namespaces.
#[cfg(not(linux))]
pub fn index(_socket: Option<BorrowedFd<'_>>, name: &[u8]) -> Result<i32> {
    let name = CString::new(name).map_err(|_| Errno::NODEV)?;
    Ok(by_name(&name)? as i32)
}
