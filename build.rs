//! Names the groups of platforms once, so that the sources say `#[cfg(linux)]`
//! instead of repeating target lists.

fn main() {
    // `Py_GIL_DISABLED` and the like, for the interpreter that is built for.
    pyo3_build_config::use_pyo3_cfgs();

    cfg_aliases::cfg_aliases! {
        // Kernels with the Linux socket interface.
        linux: { any(target_os = "linux", target_os = "android") },
        // BSD sockets with `sa_len` at the front of every address.
        bsd: { any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd", target_os = "dragonfly") },
    }
}
