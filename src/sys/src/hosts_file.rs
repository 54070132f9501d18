//! What `/etc/hosts` answers, hosts(5): the lookups that end there need no network.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

const PATH: &str = "/etc/hosts";

/// Larger ones are lists of blocked names more than of hosts, and not worth the memory.
const LIMIT: u64 = 1 << 20;

/// Says which names and addresses the file has. The C library reads the file itself and
/// gives the answers; this only foretells whether it will find one there.
#[derive(Default)]
struct HostsFile {
    checked: Option<Instant>,
    stamp: Stamp,
    /// In lower case, with the families of their addresses.
    names: HashMap<Vec<u8>, Families>,
    addresses: HashSet<IpAddr>,
}

#[derive(Clone, Copy, Default)]
struct Families {
    v4: bool,
    v6: bool,
}

/// What changes when the file does.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// Whether the file has an address of the family (`AF_UNSPEC`: of any) for the name.
pub fn has_name(name: &[u8], family: i32) -> bool {
    with_current(|file| {
        file.names
            .get(&name.to_ascii_lowercase())
            .is_some_and(|families| match family {
                libc::AF_INET => families.v4,
                libc::AF_INET6 => families.v6,
                _ => true,
            })
    })
}

/// Whether the file has a name for the address.
pub fn has_address(address: IpAddr) -> bool {
    with_current(|file| file.addresses.contains(&address))
}

/// How long the file is taken to be as it was. A forecast that is wrong costs a thread, or
/// makes one lookup deaf to signals, but changes no answer; a system call each time would
/// cost every lookup.
const TRUST: Duration = Duration::from_secs(1);

fn with_current(ask: impl FnOnce(&HostsFile) -> bool) -> bool {
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
    ask(file)
}

impl HostsFile {
    /// Reads the file again when it is no longer the same.
    fn refresh(&mut self) {
        let stamp = fs::metadata(PATH).ok().map(|data| {
            (
                data.dev(),
                data.ino(),
                data.size(),
                data.mtime(),
                data.mtime_nsec(),
            )
        });
        if stamp != self.stamp {
            *self = HostsFile {
                stamp,
                ..HostsFile::default()
            };
            if stamp.is_some_and(|(_, _, size, ..)| size <= LIMIT) {
                self.read();
            }
        }
    }

    fn read(&mut self) {
        let text = fs::read(PATH).unwrap_or_default();
        for line in text.split(|byte| *byte == b'\n') {
            let entry = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let mut words = entry
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            let Some(address) = words.next().and_then(address) else {
                continue;
            };
            self.addresses.insert(address);
            for name in words {
                let families = self.names.entry(name.to_ascii_lowercase()).or_default();
                families.v4 |= address.is_ipv4();
                families.v6 |= address.is_ipv6();
            }
        }
    }
}

fn address(word: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
