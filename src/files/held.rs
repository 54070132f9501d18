//! Bytes that a file has received and not yet given.

use std::convert::Infallible;

use crate::sys::Region;

/// Memory that an emptied file keeps for its next bytes.
const KEPT: usize = 64 * 1024;

pub(super) struct Held {
    data: Vec<u8>,
    /// Where what was not yet given begins.
    start: usize,
    /// Whether an error has ended a read, whose bytes are here.
    pub(super) interrupted: bool,
}

impl Held {
    pub(super) const fn new() -> Self {
        Held {
            data: Vec::new(),
            start: 0,
            interrupted: false,
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.data[self.start..]
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.data.len() - self.start
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives up to `count` bytes to `give`, and forgets them unless that fails.
    #[inline]
    pub(super) fn take<T, E>(
        &mut self,
        count: usize,
        give: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<T, E> {
        let count = count.min(self.len());
        let given = give(&self.data[self.start..self.start + count])?;
        self.start += count;
        if self.start == self.data.len() {
            self.clear();
        }
        Ok(given)
    }

    /// Moves as many bytes into a region as it has room for; returns their number.
    pub(super) fn copy(&mut self, into: Region<'_>) -> usize {
        let taken = self.take(into.len(), |bytes| {
            // SAFETY: the region is writable, and no Rust reference to it exists.
            unsafe {
                into.as_ptr()
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
            };
            Ok::<_, Infallible>(bytes.len())
        });
        match taken {
            Ok(count) => count,
        }
    }

    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.data.clear();
        self.data.shrink_to(KEPT);
    }

    /// Room behind the bytes, for [`Held::received`].
    pub(super) fn room(&mut self, size: usize) -> Region<'_> {
        if self.start > 0 && self.data.capacity() - self.data.len() < size {
            self.data.drain(..self.start);
            self.start = 0;
        }
        self.data.reserve(size);
        let room = self.data.spare_capacity_mut();
        // SAFETY: the room belongs to the vector, which is borrowed as long as the region.
        unsafe { Region::new(room.as_mut_ptr().cast(), room.len()) }.first(size)
    }

    /// Adds what was written to the room.
    ///
    /// # Safety
    /// So many bytes at its beginning were written since [`Held::room`].
    pub(super) unsafe fn received(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.data.set_len(self.data.len() + count) };
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    /// Puts bytes that were taken back to the front.
    pub(super) fn unread(&mut self, bytes: &[u8]) {
        if bytes.len() <= self.start {
            self.start -= bytes.len();
            self.data[self.start..self.start + bytes.len()].copy_from_slice(bytes);
        } else {
            self.data.splice(..self.start, bytes.iter().copied());
            self.start = 0;
        }
    }
}
