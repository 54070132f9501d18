//! What the hosts file answers, hosts(5): the lookups that end there need no network.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::IpAddr;
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

use crate::{c, system};

/// Larger ones are lists of blocked names more than of hosts, and not worth the memory.
const LIMIT: u64 = 1 << 20;

/// Which names and addresses a hosts file has. The C library reads the file itself and gives the
/// answers; this only foretells whether it will find one there.
#[derive(Default)]
pub struct Hosts {
    /// In lower case, with the families of their addresses.
    names: HashMap<Vec<u8>, Families>,
    addresses: HashSet<IpAddr>,
}

#[derive(Clone, Copy, Default)]
struct Families {
    v4: bool,
    v6: bool,
}

impl Hosts {
    /// Reads the text of a hosts file; what is no entry is left out.
    pub fn parse(text: &[u8]) -> Self {
        let mut hosts = Hosts::default();
        for line in text.split(|byte| *byte == b'\n') {
            let entry = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let mut words = entry
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            let Some(address) = words.next().and_then(address) else {
                continue;
            };
            hosts.addresses.insert(address);
            for name in words {
                let families = hosts.names.entry(name.to_ascii_lowercase()).or_default();
                families.v4 |= address.is_ipv4();
                families.v6 |= address.is_ipv6();
            }
        }
        hosts
    }

    /// Whether there is an address of the family (`AF_UNSPEC`: of any) for the name.
    pub fn has_name(&self, name: &[u8], family: i32) -> bool {
        self.names
            .get(&name.to_ascii_lowercase())
            .is_some_and(|families| match family {
                c::AF_INET => families.v4,
                c::AF_INET6 => families.v6,
                _ => true,
            })
    }

    /// Whether there is a name for the address.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }
}

fn address(word: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The machine's file as it was when it was last read.
#[derive(Default)]
struct HostsFile {
    checked: Option<Instant>,
    stamp: Option<(u64, system::FileStamp)>,
    hosts: Hosts,
}

/// Whether the file has an address of the family (`AF_UNSPEC`: of any) for the name.
pub fn has_name(name: &[u8], family: i32) -> bool {
    with_current(|hosts| hosts.has_name(name, family))
}

/// Whether the file has a name for the address.
pub fn has_address(address: IpAddr) -> bool {
    with_current(|hosts| hosts.has_address(address))
}

/// How long the file is taken to be as it was. A forecast that is wrong costs a thread, or
/// makes one lookup deaf to signals, but changes no answer; a system call each time would
/// cost every lookup.
const TRUST: Duration = Duration::from_secs(1);

fn with_current(ask: impl FnOnce(&Hosts) -> bool) -> bool {
    static FILE: Mutex<Option<HostsFile>> = Mutex::new(None);
    let now = Instant::now();
    // Never waits: another thread may have held the lock when this process was forked.
    let mut file = match FILE.try_lock() {
        Ok(file) => file,
        Err(TryLockError::Poisoned(file)) => file.into_inner(),
        Err(TryLockError::WouldBlock) => return false,
    };
    let file = file.get_or_insert_default();
    if file
        .checked
        .is_none_or(|checked| now.duration_since(checked) > TRUST)
    {
        file.refresh();
        file.checked = Some(now);
    }
    ask(&file.hosts)
}

impl HostsFile {
    /// Reads the file again when it is no longer the same.
    fn refresh(&mut self) {
        let path = system::hosts_path();
        let stamp = fs::metadata(path).ok();
        let stamp = stamp.map(|data| (data.len(), system::file_stamp(&data)));
        if stamp != self.stamp {
            self.stamp = stamp;
            let readable = stamp.is_some_and(|(size, _)| size <= LIMIT);
            let text = if readable {
                fs::read(path)
            } else {
                Ok(Vec::new())
            };
            self.hosts = Hosts::parse(&text.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_hosts_5_has_them() {
        let hosts = Hosts::parse(
            b"127.0.0.1 localhost\n\
              ::1\tlocalhost ip6-localhost # 192.0.2.9 commented\n\
              # 192.0.2.8 commented\n\
              192.0.2.7 Name.Example alias\r\n\
              1.2.3 short\n\
              name without address\n\
              192.0.2.6#directly\n\
              192.0.2.5 last",
        );
        let families = |name: &[u8]| {
            [c::AF_UNSPEC, c::AF_INET, c::AF_INET6].map(|family| hosts.has_name(name, family))
        };
        assert_eq!(families(b"localhost"), [true, true, true]);
        assert_eq!(families(b"ip6-localhost"), [true, false, true]);
        assert_eq!(families(b"NAME.example"), [true, true, false]);
        assert_eq!(families(b"alias"), [true, true, false]);
        assert_eq!(families(b"last"), [true, true, false]);
        for name in [&b"commented"[..], b"short", b"without", b"directly", b""] {
            assert_eq!(families(name), [false; 3]);
        }
        for (address, found) in [
            ("192.0.2.7", true),
            ("192.0.2.6", true),
            ("192.0.2.8", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(hosts.has_address(address), found);
        }
    }
}
