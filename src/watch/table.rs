//! What calls add up to, by thread, method, place and peer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use pyo3::prelude::*;

use super::site::{Kind, Place};

/// Counters of one entry, in the order of `_recorder`.
pub(super) type Counters = [u64; 9];
pub(super) const CALLS: usize = 0;
pub(super) const BYTES: usize = 1;
pub(super) const TOOK: usize = 2;
pub(super) const NETWORK: usize = 3;
pub(super) const LOCK: usize = 4;
pub(super) const WAITED: usize = 5;
pub(super) const LONGEST: usize = 6;
pub(super) const TIMEOUTS: usize = 7;
pub(super) const ERRORS: usize = 8;

/// A call that takes longer, in nanoseconds, has waited for something.
const LONG: u64 = 50_000;

/// A hash of some numbers, none of which anybody chooses.
#[derive(Default)]
pub(super) struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_i32(&mut self, number: i32) {
        self.write_u64(number as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        // The low bits of a product know nothing of the high ones.
        self.0.rotate_left(26)
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mixed>>;

/// Under which label the calls on an object count.
#[derive(Clone, Copy)]
pub(super) enum Label {
    /// Not asked for yet.
    Unknown,
    Fixed(u32),
    /// Each call that takes or gives an address has the label of that, the others this one.
    ByAddress(u32),
}

/// What is known of an object that lives at some address.
struct Known {
    /// Its class: what else comes to live there later need not be told of.
    class: usize,
    label: Label,
    /// Where it was made; sockets only.
    made: Option<u32>,
    /// Of a socket to find it by, of anything else to hear of its end.
    weak: Option<Py<PyAny>>,
}

#[derive(PartialEq, Eq, Hash, Clone, Copy)]
pub(super) struct Key {
    pub(super) thread: u32,
    pub(super) method: u32,
    pub(super) site: u32,
    pub(super) label: u32,
}

/// What one call has come to.
pub(super) struct Called {
    pub(super) bytes: u64,
    pub(super) took: u64,
    pub(super) network: u64,
    pub(super) lock: u64,
    pub(super) timeouts: u64,
    pub(super) errors: u64,
}

/// An entry as the Python half gets it: thread, method, site, label, counters.
pub(super) type Told = (u32, String, Option<Py<PyAny>>, String, Counters);

pub(super) struct Table {
    methods: Vec<String>,
    pub(super) threads: Vec<String>,
    /// The code objects are kept: their addresses stand for them.
    kinds: Map<usize, (Kind, Py<PyAny>)>,
    own: Map<Place, u32>,
    fallbacks: Map<Place, u32>,
    sites: Vec<Py<PyAny>>,
    labels: Vec<String>,
    label_numbers: HashMap<String, u32>,
    known: Map<usize, Known>,
    entries: Map<Key, Counters>,
    /// Calls that were counted without asking.
    pub(super) counted: u64,
    /// Nanoseconds that all else took.
    pub(super) asking: u64,
}

fn address_of(object: &Bound<'_, PyAny>) -> usize {
    object.as_ptr() as usize
}

fn class_of(object: &Bound<'_, PyAny>) -> usize {
    object.get_type_ptr() as usize
}

impl Table {
    pub(super) fn new() -> Self {
        Table {
            methods: Vec::new(),
            threads: Vec::new(),
            kinds: Map::default(),
            own: Map::default(),
            fallbacks: Map::default(),
            sites: Vec::new(),
            // The first is that of calls without a peer.
            labels: vec![String::new()],
            label_numbers: HashMap::from([(String::new(), 0)]),
            known: Map::default(),
            entries: Map::default(),
            counted: 0,
            asking: 0,
        }
    }

    /// An empty one, for the calls that are wrapped already.
    pub(super) fn anew(&self) -> Self {
        Table {
            methods: self.methods.clone(),
            ..Table::new()
        }
    }

    pub(super) fn method(&mut self, name: &str) -> u32 {
        let found = self.methods.iter().position(|known| known == name);
        found.unwrap_or_else(|| {
            self.methods.push(name.to_owned());
            self.methods.len() - 1
        }) as u32
    }

    pub(super) fn thread(&mut self, name: String) -> u32 {
        self.threads.push(name);
        self.threads.len() as u32 - 1
    }

    /// The site of a place of the program's own, and else what sort of code it is in.
    #[inline]
    pub(super) fn place(&self, place: Place) -> (Option<u32>, Option<Kind>) {
        match self.own.get(&place) {
            Some(site) => (Some(*site), None),
            None => (None, self.kinds.get(&place.code).map(|(kind, _)| *kind)),
        }
    }

    #[inline]
    pub(super) fn own(&self, place: Place) -> Option<u32> {
        self.own.get(&place).copied()
    }

    pub(super) fn fallback(&self, place: Place) -> Option<u32> {
        self.fallbacks.get(&place).copied()
    }

    pub(super) fn classified(&mut self, place: Place, kind: Kind, code: Py<PyAny>) {
        self.kinds.insert(place.code, (kind, code));
    }

    pub(super) fn site(&mut self, place: Place, own: bool, object: Py<PyAny>) -> u32 {
        let places = if own {
            &mut self.own
        } else {
            &mut self.fallbacks
        };
        *places.entry(place).or_insert_with(|| {
            self.sites.push(object);
            self.sites.len() as u32 - 1
        })
    }

    pub(super) fn site_object(&self, py: Python<'_>, site: u32) -> Option<Py<PyAny>> {
        let site = self.sites.get(site as usize);
        site.map(|object| object.clone_ref(py))
    }

    pub(super) fn label(&mut self, text: &str) -> u32 {
        if let Some(number) = self.label_numbers.get(text) {
            return *number;
        }
        self.labels.push(text.to_owned());
        let number = self.labels.len() as u32 - 1;
        self.label_numbers.insert(text.to_owned(), number);
        number
    }

    /// Notes a socket that is made; returns what was there before, to be dropped later.
    pub(super) fn made(
        &mut self,
        sock: &Bound<'_, PyAny>,
        site: u32,
        weak: Py<PyAny>,
    ) -> Option<impl Sized + use<>> {
        let known = Known {
            class: class_of(sock),
            label: Label::Unknown,
            made: Some(site),
            weak: Some(weak),
        };
        self.known.insert(address_of(sock), known)
    }

    pub(super) fn keep(
        &mut self,
        subject: &Bound<'_, PyAny>,
        label: Label,
        weak: Option<Py<PyAny>>,
    ) -> bool {
        let class = class_of(subject);
        match (self.known.entry(address_of(subject)), weak) {
            (Entry::Occupied(mut known), None) if known.get().class == class => {
                known.get_mut().label = label;
                true
            }
            (_, None) => false,
            (entry, weak) => {
                entry.insert_entry(Known {
                    class,
                    label,
                    made: None,
                    weak,
                });
                true
            }
        }
    }

    pub(super) fn forget(&mut self, subject: usize) -> Option<impl Sized + use<>> {
        self.known.remove(&subject)
    }

    pub(super) fn made_at(&self, sock: &Bound<'_, PyAny>) -> Option<u32> {
        let known = self.known.get(&address_of(sock))?;
        known.made.filter(|_| known.class == class_of(sock))
    }

    /// What calls on the object of that address and class count under.
    #[inline]
    pub(super) fn label_of(&self, subject: &Bound<'_, PyAny>) -> Label {
        match self.known.get(&address_of(subject)) {
            Some(known) if known.class == class_of(subject) => known.label,
            _ => Label::Unknown,
        }
    }

    #[inline]
    pub(super) fn count(&mut self, key: Key, called: &Called) {
        let counters = self.entries.entry(key).or_default();
        counters[CALLS] += 1;
        counters[BYTES] += called.bytes;
        counters[TOOK] += called.took;
        counters[NETWORK] += called.network;
        counters[LOCK] += called.lock;
        counters[TIMEOUTS] += called.timeouts;
        counters[ERRORS] += called.errors;
        if called.took > LONG {
            counters[WAITED] += 1;
            counters[LONGEST] = counters[LONGEST].max(called.took);
        }
    }

    pub(super) fn sockets(&self, py: Python<'_>) -> Vec<(Py<PyAny>, Option<Py<PyAny>>)> {
        let sockets = self.known.values().filter_map(|known| {
            let made = known.made?;
            let weak = known.weak.as_ref()?.clone_ref(py);
            Some((weak, self.site_object(py, made)))
        });
        sockets.collect()
    }

    pub(super) fn entries(&self, py: Python<'_>) -> Vec<Told> {
        let entries = self.entries.iter().map(|(key, counters)| {
            let method = self.methods[key.method as usize].clone();
            let label = self.labels[key.label as usize].clone();
            (
                key.thread,
                method,
                self.site_object(py, key.site),
                label,
                *counters,
            )
        });
        entries.collect()
    }
}
