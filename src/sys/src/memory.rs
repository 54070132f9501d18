//! Memory that a system call borrows.

use std::marker::PhantomData;

/// A piece of memory that is valid for `'a`: an address and a length.
///
/// It is no slice, because Python's buffers may be written by other threads while a system
/// call works on them; Rust code only ever hands it to the kernel.
#[derive(Clone, Copy)]
pub struct Region<'a> {
    start: *mut u8,
    len: usize,
    borrowed: PhantomData<&'a ()>,
}

// SAFETY: a region is an address and a length, valid for its lifetime in any thread.
unsafe impl Send for Region<'_> {}
// SAFETY: as above; no memory is touched through a shared region in Rust.
unsafe impl Sync for Region<'_> {}

impl Region<'_> {
    /// # Safety
    /// `len` bytes at `start` must stay allocated for `'a`, and be writable if the region is
    /// given to a call that receives.
    #[inline]
    pub const unsafe fn new(start: *mut u8, len: usize) -> Self {
        Region {
            start,
            len,
            borrowed: PhantomData,
        }
    }

    #[inline]
    pub fn len(self) -> usize {
        self.len
    }

    #[inline]
    pub fn as_ptr(self) -> *mut u8 {
        self.start
    }

    /// What is left behind the first `count` bytes.
    #[inline]
    pub fn skip(self, count: usize) -> Self {
        let count = count.min(self.len);
        Region {
            start: self.start.wrapping_add(count),
            len: self.len - count,
            ..self
        }
    }

    /// At most the first `len` bytes.
    #[inline]
    pub fn first(self, len: usize) -> Self {
        Region {
            len: len.min(self.len),
            ..self
        }
    }
}

/// Where a byte first stands, memchr(3).
#[inline]
pub fn find_byte(byte: u8, bytes: &[u8]) -> Option<usize> {
    let start = bytes.as_ptr();
    // SAFETY: the call reads no more than the slice, and what it finds is in there.
    unsafe {
        let found = libc::memchr(start.cast(), byte.into(), bytes.len()).cast::<u8>();
        (!found.is_null()).then(|| found.cast_const().offset_from_unsigned(start))
    }
}
