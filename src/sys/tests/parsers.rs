//! The properties that the fuzz targets check, on inputs that a stable toolchain can make: random
//! ones, random ones of the right form, and those that fuzzing has kept.

// Of what is parsed nothing but numeric hosts is known elsewhere.
#![cfg(unix)]

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

#[path = "../fuzz/properties.rs"]
mod properties;

/// Control messages in a row, some with a length that is not theirs, maybe cut at the end.
fn control_messages() -> impl Strategy<Value = Vec<u8>> {
    let message = (
        vec(any::<u8>(), 0..40),
        any::<[i32; 2]>(),
        prop_oneof![4 => Just(None), 1 => any::<usize>().prop_map(Some), 1 => (0..80usize).prop_map(Some)],
    );
    (vec(message, 0..6), 0..32usize).prop_map(|(messages, cut)| {
        let mut bytes = Vec::new();
        for (data, [level, kind], length) in messages {
            let header = oxisock_sys::ancillary::length(0).expect("no data");
            let length = length.unwrap_or(header + data.len());
            bytes.extend(length.to_ne_bytes());
            bytes.resize(bytes.len() + header - size_of::<usize>() - 8, 0);
            bytes.extend(level.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(&data);
            bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes
    })
}

fn text_of_host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-fx.:%]{0,45}",
        any::<IpAddr>().prop_map(|host| host.to_string()),
        (any::<IpAddr>(), "[ .:0-9a-z%]{0,4}").prop_map(|(host, end)| format!("{host}{end}")),
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a:#x}.{b:o}.{c}.{d:02}")),
        any::<u32>().prop_map(|number| number.to_string()),
    ]
}

/// How long inputs of any bytes are: Miri takes some milliseconds for each byte that is made.
const LONG: usize = if cfg!(miri) { 24 } else { 256 };

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 2048 },
        // What fails here goes into the corpus, which is committed.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ancillary_data_of_any_bytes(bytes in vec(any::<u8>(), 0..LONG)) {
        properties::ancillary(&bytes);
    }

    #[test]
    fn ancillary_data_of_the_right_form(bytes in control_messages()) {
        properties::ancillary(&bytes);
    }

    #[test]
    fn sizes_of_control_messages(data in prop_oneof![0..200usize, any::<usize>(), usize::MAX - 32..=usize::MAX, 0x7fff_ff00..0x8000_0100usize]) {
        properties::sizes(data);
    }

    #[test]
    fn hosts_file_of_any_bytes(text in vec(any::<u8>(), 0..LONG)) {
        properties::hosts_file(&text);
    }

    #[test]
    fn hosts_file_of_the_right_form(lines in vec((text_of_host(), "[ \ta-zA-Z.#-]{0,30}"), 0..8)) {
        let lines = lines.into_iter().map(|(host, names)| format!("{host} {names}\n"));
        properties::hosts_file(lines.collect::<String>().as_bytes());
    }

    #[test]
    fn numeric_host_of_any_bytes(text in vec(any::<u8>(), 0..LONG / 4)) {
        properties::numeric_host(&text);
    }

    #[test]
    fn numeric_host_of_the_right_form(text in text_of_host()) {
        properties::numeric_host(text.as_bytes());
    }

    #[test]
    fn text_of_an_address(host in any::<IpAddr>(), zeros in any::<u8>()) {
        properties::numeric_text(host);
        // Runs of zeros are what the forms differ in.
        if let IpAddr::V6(host) = host {
            let mut groups = host.segments();
            for (index, group) in groups.iter_mut().enumerate() {
                if zeros & 1 << index != 0 {
                    *group = 0;
                }
            }
            properties::numeric_text(IpAddr::V6(groups.into()));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "files are out of reach")]
fn what_fuzzing_has_kept() {
    type Property = fn(&[u8]);
    let targets: [(&str, Property); 3] = [
        ("ancillary", properties::ancillary),
        ("hosts_file", properties::hosts_file),
        ("numeric_host", properties::numeric_host),
    ];
    for (name, property) in targets {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let entries = fs::read_dir(corpus).expect("a corpus for each target");
        let mut count = 0;
        for entry in entries {
            property(&fs::read(entry.expect("an entry").path()).expect("a file"));
            count += 1;
        }
        assert!(count > 0, "{name}");
    }
}
