//! What the system says of a descriptor, and what receiving depends on: asked once, when it is
//! first needed, and again where it may have changed.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pyo3::prelude::*;

use crate::engine::Channel;
use crate::sys::{BorrowedFd, c, descriptor, option};

const KNOWN: u32 = 1;
const STREAM: u32 = 2;
const LOW_WATER: u32 = 4;
const RECORDS: u32 = 8;
/// One more each time that all is forgotten, so that no answer of before is kept.
const VERSION: u32 = 16;

/// What is known of a descriptor.
pub(super) struct CachedTraits(AtomicU32);

/// What the system said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Traits {
    pub(super) is_stream: bool,
    /// Whether it is a connection of records, whose end is an empty one that never ceases.
    pub(super) has_records: bool,
    /// Whether `SO_RCVLOWAT` is more than one byte.
    pub(super) waits_for_more: bool,
}

impl CachedTraits {
    pub(super) const fn unknown() -> Self {
        CachedTraits(AtomicU32::new(0))
    }

    /// Notes what a descriptor is that was just made, of that type.
    pub(super) fn is_new(&self, kind: i32) {
        let version = self.forget();
        self.0.store(version | bits(kind), Relaxed);
    }

    /// Asks again next time.
    pub(super) fn forget(&self) -> u32 {
        let next = |before: u32| Some((before & !(VERSION - 1)).wrapping_add(VERSION));
        let before = self.0.fetch_update(Relaxed, Relaxed, next);
        before.ok().and_then(next).unwrap_or_default()
    }

    #[inline]
    pub(super) fn of(&self, py: Python<'_>, channel: &Channel) -> Traits {
        let mut bits = self.0.load(Relaxed);
        if bits & KNOWN == 0 {
            bits = self.learn(py, channel);
        }
        Traits {
            is_stream: bits & STREAM != 0,
            has_records: bits & RECORDS != 0,
            waits_for_more: bits & LOW_WATER != 0,
        }
    }

    #[cold]
    fn learn(&self, py: Python<'_>, channel: &Channel) -> u32 {
        // What fails here makes the operation itself fail, which says how.
        channel.lend(py, |fd| self.ask(fd)).unwrap_or_default()
    }

    fn ask(&self, fd: BorrowedFd<'_>) -> u32 {
        let before = self.0.load(Relaxed);
        let Ok(kind) = descriptor::kind(fd) else {
            return 0;
        };
        let mark = option::get::<i32>(fd, c::SOL_SOCKET, c::SO_RCVLOWAT).unwrap_or(1);
        let bits = bits(kind) | if mark > 1 { LOW_WATER } else { 0 };
        // Unless an option was set meanwhile.
        let known = before & !(VERSION - 1) | bits;
        self.0
            .compare_exchange(before, known, Relaxed, Relaxed)
            .ok();
        bits
    }
}

/// What the type alone says.
fn bits(kind: i32) -> u32 {
    KNOWN
        | match kind {
            c::SOCK_STREAM => STREAM,
            c::SOCK_SEQPACKET => RECORDS,
            _ => 0,
        }
}
