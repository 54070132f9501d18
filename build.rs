//! Names what the sources choose by: the interpreter's build, and the groups of platforms.

#[path = "src/platforms.rs"]
mod platforms;

fn main() {
    // `Py_GIL_DISABLED` and the like, for the interpreter that is built for.
    pyo3_build_config::use_pyo3_cfgs();
    platforms::main();
}
