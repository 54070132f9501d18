//! The databases of hosts and services, through the calls that write into the caller's memory:
//! gethostbyname_r(3), getservbyname_r(3). What an answer points to is gone behind `copy`.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use libc::{hostent, servent, size_t, socklen_t};

unsafe extern "C" {
    // The libc crate leaves these out.
    fn gethostbyname_r(
        name: *const c_char,
        entry: *mut hostent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut hostent,
        code: *mut c_int,
    ) -> c_int;
    fn gethostbyaddr_r(
        address: *const c_void,
        address_len: socklen_t,
        family: c_int,
        entry: *mut hostent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut hostent,
        code: *mut c_int,
    ) -> c_int;
    fn getservbyname_r(
        name: *const c_char,
        protocol: *const c_char,
        entry: *mut servent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut servent,
    ) -> c_int;
    fn getservbyport_r(
        port: c_int,
        protocol: *const c_char,
        entry: *mut servent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut servent,
    ) -> c_int;
}

/// Fails with the `h_errno` code.
pub(crate) fn host_by_name<T>(name: &CStr, copy: impl FnOnce(&hostent) -> T) -> Result<T, i32> {
    let mut code = 0;
    // SAFETY: the name is terminated, and the rest comes from `answer`.
    let found = unsafe {
        answer(
            |entry, buffer, len, result| {
                gethostbyname_r(name.as_ptr(), entry, buffer, len, result, &mut code)
            },
            copy,
        )
    };
    found.ok_or(code)
}

/// Fails with the `h_errno` code.
pub(crate) fn host_by_address<T>(
    address: &[u8],
    family: c_int,
    copy: impl FnOnce(&hostent) -> T,
) -> Result<T, i32> {
    let mut code = 0;
    // SAFETY: the address is as long as it says, and the rest comes from `answer`.
    let found = unsafe {
        answer(
            |entry, buffer, len, result| {
                gethostbyaddr_r(
                    address.as_ptr().cast(),
                    address.len() as socklen_t,
                    family,
                    entry,
                    buffer,
                    len,
                    result,
                    &mut code,
                )
            },
            copy,
        )
    };
    found.ok_or(code)
}

pub(crate) fn service_by_name<T>(
    name: &CStr,
    protocol: Option<&CStr>,
    copy: impl FnOnce(&servent) -> T,
) -> Option<T> {
    let protocol = protocol.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the names are terminated, and the rest comes from `answer`.
    unsafe {
        answer(
            |entry, buffer, len, result| {
                getservbyname_r(name.as_ptr(), protocol, entry, buffer, len, result)
            },
            copy,
        )
    }
}

pub(crate) fn service_by_port<T>(
    port: u16,
    protocol: Option<&CStr>,
    copy: impl FnOnce(&servent) -> T,
) -> Option<T> {
    let protocol = protocol.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the name is terminated, and the rest comes from `answer`.
    unsafe {
        answer(
            |entry, buffer, len, result| {
                getservbyport_r(
                    c_int::from(port.to_be()),
                    protocol,
                    entry,
                    buffer,
                    len,
                    result,
                )
            },
            copy,
        )
    }
}

/// getprotobyname_r(3), which musl lacks.
#[cfg(not(target_env = "musl"))]
pub(crate) fn protocol_by_name<T>(
    name: &CStr,
    copy: impl FnOnce(&libc::protoent) -> T,
) -> Option<T> {
    unsafe extern "C" {
        fn getprotobyname_r(
            name: *const c_char,
            entry: *mut libc::protoent,
            buffer: *mut c_char,
            len: size_t,
            result: *mut *mut libc::protoent,
        ) -> c_int;
    }
    // SAFETY: the name is terminated, and the rest comes from `answer`.
    unsafe {
        answer(
            |entry, buffer, len, result| {
                getprotobyname_r(name.as_ptr(), entry, buffer, len, result)
            },
            copy,
        )
    }
}

/// Makes a database call, again with more memory while it says `ERANGE`, and copies out of
/// that memory what is wanted. None where there is no entry.
///
/// # Safety
/// The call must fill the entry and point the result at it, or leave the result null, and
/// keep what the entry points to inside the buffer.
unsafe fn answer<E, T>(
    mut call: impl FnMut(*mut E, *mut c_char, size_t, *mut *mut E) -> c_int,
    copy: impl FnOnce(&E) -> T,
) -> Option<T> {
    /// As malloc(3) aligns it: the C library takes a third longer to split a line elsewhere.
    #[repr(align(16))]
    struct Aligned([MaybeUninit<c_char>; 2048]);
    let mut first = Aligned([MaybeUninit::uninit(); 2048]);
    let mut memory: &mut [MaybeUninit<c_char>] = &mut first.0;
    let mut more = Vec::new();
    loop {
        let mut entry = MaybeUninit::<E>::uninit();
        let mut result = ptr::null_mut();
        let code = call(
            entry.as_mut_ptr(),
            memory.as_mut_ptr().cast(),
            memory.len(),
            &mut result,
        );
        if code == libc::ERANGE && memory.len() < 1 << 24 {
            let len = memory.len() * 4;
            more.resize(len, MaybeUninit::uninit());
            memory = &mut more;
            continue;
        }
        // SAFETY: null, or the entry above, which the call has filled then.
        return unsafe { result.as_ref() }.map(copy);
    }
}
