//! Names what the sources choose by: the interpreter's build, and the groups of platforms.

#[path = "src/platforms.rs"]
mod platforms;

fn main() {
    // `Py_GIL_DISABLED` and the like, for the interpreter that is built for.
    pyo3_build_config::use_pyo3_cfgs();
    platforms::main();
    link_interpreter();
}

/// On Windows PyO3 links the functions that it declares itself. A few are declared here, and come
/// out of the interpreter's import library.
fn link_interpreter() {
    let interpreter = pyo3_build_config::get();
    let named = interpreter.lib_name().map(str::to_owned);
    let (true, Some(library)) = (std::env::var_os("CARGO_CFG_WINDOWS").is_some(), named) else {
        return;
    };
    if let Some(directory) = interpreter.lib_dir() {
        println!("cargo:rustc-link-search=native={directory}");
    }
    println!("cargo:rustc-link-lib={library}");
}
