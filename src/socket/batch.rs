//! Datagrams by the batch: several by one system call, `recvmmsg(2)` and `sendmmsg(2)`.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::exceptions::{PyMemoryError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView, PyTuple};

use super::Socket;
use crate::engine::{Attempt, AttemptMode, Counted, Plan, drive};
use crate::python::args::{Int, Size, nonnegative};
use crate::python::audit::audit;
use crate::python::buffer::BufferSlot;
use crate::python::buffers::{BuffersSlot, snapshot};
use crate::python::bytes::bytes_of;
use crate::python::error::{Error, Result, exception};
use crate::python::make::{self, Made};
use crate::sys::batch::{Datagram, LIMIT, Outgoing, Slots};
use crate::sys::message::IoVec;
use crate::sys::{BorrowedFd, Errno, Region, SockAddr, c};

/// A number of datagrams, and their bytes.
struct Datagrams {
    count: usize,
    bytes: usize,
}

impl Counted for Datagrams {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What a socket has learned of its batches.
#[derive(Default)]
pub(super) struct Hints {
    /// Whether the system has refused to cut a buffer into datagrams, UDP_SEGMENT of udp(7).
    pub(super) segmentation_refused: AtomicBool,
    /// Whether the last batch that was received was of one datagram.
    lone: AtomicBool,
}

/// The largest datagram of UDP over IPv4, with its headers.
pub(super) const LARGEST: isize = 65_535;
/// What a thread keeps for the datagrams of a batch: as many of the largest as one system call
/// takes. Pages that none has reached cost nothing.
const ROOM: usize = LIMIT * ((LARGEST as usize + 1) | CACHE_LINE);
/// What the kernel's way through one send costs, in bytes that it could copy meanwhile.
const CALL: usize = 2048;
const CACHE_LINE: usize = 64;

/// What a batch is received into.
struct Room {
    slots: Box<Slots>,
    memory: Box<[MaybeUninit<u8>]>,
}

thread_local! {
    static KEPT: Cell<Option<Room>> = const { Cell::new(None) };
}

/// This thread's room, for one call: what is built of it may run code that receives as well. It is
/// given back when the call ends, however it does.
struct Lent(Option<Room>);

impl Lent {
    /// Room with at least `len` bytes.
    fn new(len: usize) -> PyResult<Self> {
        let mut room = KEPT.take().unwrap_or_else(|| Room {
            slots: Slots::new(),
            memory: Box::default(),
        });
        if room.memory.len() < len {
            let mut memory = Vec::new();
            memory
                .try_reserve_exact(len)
                .map_err(|_| PyMemoryError::new_err(()))?;
            // SAFETY: the elements need no initial value.
            unsafe { memory.set_len(len) };
            room.memory = memory.into_boxed_slice();
        }
        Ok(Lent(Some(room)))
    }

    /// The slots, with room for that much ancillary data in each of `count`, and `len` bytes of memory.
    fn parts(
        &mut self,
        control: usize,
        count: usize,
        len: usize,
    ) -> PyResult<(&mut Slots, Region<'_>)> {
        let no_memory = || PyMemoryError::new_err(());
        let room = self.0.as_mut().ok_or_else(no_memory)?;
        if !room.slots.control(control, count) {
            return Err(no_memory());
        }
        let memory = room.memory.get_mut(..len).ok_or_else(no_memory)?;
        // SAFETY: the memory is this call's alone, for as long as the room is borrowed.
        let region = unsafe { Region::new(memory.as_mut_ptr().cast(), len) };
        Ok((&mut room.slots, region))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut room) = self.0.take() else {
            return;
        };
        // Those that nobody has adopted: they are closed.
        drop(room.slots.take_descriptors());
        if room.memory.len() <= ROOM {
            KEPT.set(Some(room));
        }
    }
}

/// What is asked for: up to `count` datagrams, each into `stride` bytes of the region.
#[derive(Clone, Copy)]
struct Batch<'a> {
    region: Region<'a>,
    stride: usize,
    count: usize,
    flags: i32,
    /// Whether a system call writes behind what the one before it has written. Otherwise what it
    /// has written is taken meanwhile, and it writes there again.
    keeps: bool,
    /// Whether the senders' addresses are wanted.
    named: bool,
    /// Whether a datagram's length says all else that is wanted of it: then recvfrom(2) will do
    /// for one.
    plain: bool,
}

/// Where the datagrams of at most `len` bytes stand in this thread's memory.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    region: Region<'a>,
    stride: usize,
    len: usize,
}

impl Places<'_> {
    /// What was received in one of them, of a datagram of that length.
    pub(super) fn bytes<'py>(
        self,
        py: Python<'py>,
        index: usize,
        received: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let slot = self.region.skip(index * self.stride);
        bytes_of(py, slot, received.min(self.len))
    }
}

impl<'a> Batch<'a> {
    /// Where the next system call writes, behind `done` datagrams.
    fn rest(&self, done: usize) -> Region<'a> {
        if self.keeps {
            self.region.skip(done * self.stride)
        } else {
            self.region
        }
    }

    /// How many datagrams one system call may bring there.
    fn fit(&self, region: Region<'_>) -> usize {
        if self.flags & c::MSG_PEEK != 0 {
            return 1;
        }
        region.len().checked_div(self.stride).unwrap_or(LIMIT)
    }
}

/// The addresses of a batch: those that come one after the other from the same sender are one
/// object.
pub(super) struct Senders<'a, 'py> {
    socket: &'a Socket,
    last: Option<(SockAddr, Bound<'py, PyAny>)>,
}

impl<'a, 'py> Senders<'a, 'py> {
    pub(super) fn new(socket: &'a Socket) -> Self {
        Senders { socket, last: None }
    }

    pub(super) fn build(
        &mut self,
        py: Python<'py>,
        address: &SockAddr,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some((last, object)) = &self.last
            && last == address
        {
            return Ok(object.clone());
        }
        let object = self.socket.build_sender(py, address)?;
        self.last = Some((*address, object.clone()));
        Ok(object)
    }
}

/// The length that tells of a datagram whether it was cut.
fn told_length(datagram: &Datagram<'_>, stride: usize) -> u32 {
    let len = if datagram.flags & c::MSG_TRUNC != 0 {
        datagram.len.max(stride + 1)
    } else {
        datagram.len
    };
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Numbers as a view of memory: no object for each of them.
fn array<'py>(py: Python<'py>, lengths: &[u32]) -> PyResult<Bound<'py, PyAny>> {
    let bytes = PyBytes::new_with(py, size_of_val(lengths), |bytes| {
        for (place, length) in bytes.chunks_exact_mut(4).zip(lengths) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        Ok(())
    })?;
    PyMemoryView::from(&bytes)?.call_method1(intern!(py, "cast"), make::tuple!(py, "I")?)
}

impl Socket {
    /// Streams have no datagrams: pieces of them would be taken for some.
    pub(super) fn check_datagrams(&self, py: Python<'_>) -> Result<()> {
        if self.is_stream(py) {
            Err(Error::Os(Errno::OPNOTSUPP))
        } else {
            Ok(())
        }
    }

    /// Receives a batch: waits for the first datagram in the mode of the socket, and takes then
    /// what is there. `take` gets the datagrams of each system call.
    fn receive_batch(
        &self,
        py: Python<'_>,
        slots: &mut Slots,
        batch: Batch<'_>,
        mut take: impl FnMut(&mut Slots) -> PyResult<()>,
    ) -> PyResult<()> {
        let plan = self.receive_plan(py, batch.stride.saturating_mul(batch.count), batch.flags);
        // The end of a connection of records is an empty one, as often as it is asked for: each is
        // received alone. Where the last batch was of one datagram, two calls of recvfrom(2), of
        // which the second finds nothing, take less time than recvmmsg(2) does to say the same.
        let has_records = self.traits.of(py, &self.channel).has_records;
        let singly = if has_records {
            batch.count
        } else if batch.plain && self.hints.lone.load(Relaxed) {
            2
        } else {
            0
        };
        let mut done = 0;
        while done < batch.count {
            let region = batch.rest(done);
            let wanted = if done < singly {
                1
            } else {
                (batch.count - done).min(LIMIT).min(batch.fit(region))
            };
            let mut receive = |fd: BorrowedFd<'_>, flags| {
                let flags = batch.flags | flags;
                // SAFETY: the callers' regions are writable.
                let count = unsafe {
                    if wanted == 1 && batch.plain {
                        slots.receive_one(fd, region.first(batch.stride), batch.named, flags)
                    } else {
                        slots.receive(fd, region, batch.stride, wanted, batch.named, flags)
                    }
                }?;
                let lengths = slots.received().map(|datagram| datagram.len);
                let bytes = lengths.map(|len| len.min(batch.stride)).sum();
                crate::sys::Result::Ok(Datagrams { count, bytes })
            };
            let received = if done == 0 {
                drive(py, &self.channel, plan, |fd, mode| {
                    receive(fd, mode.flags()).into()
                })?
            } else {
                match self.channel.lend(py, |fd| receive(fd, c::MSG_DONTWAIT)) {
                    Ok(Ok(received)) => {
                        self.channel.received_more(received.bytes);
                        received
                    }
                    Ok(Err(errno)) if errno.is_would_block() || errno.is_interrupted() => break,
                    Ok(Err(errno)) => {
                        self.channel.defer(errno);
                        break;
                    }
                    // Closed meanwhile: what was received is there all the same.
                    Err(_) => break,
                }
            };
            self.channel.received(received.bytes);
            take(slots)?;
            done += received.count;
            // A look at what stays there would be at the same again.
            let stays = batch.flags & c::MSG_PEEK != 0;
            if received.count < wanted || stays || (has_records && received.bytes == 0) {
                break;
            }
        }
        if batch.count > 1 {
            self.hints.lone.store(done == 1, Relaxed);
        }
        Ok(())
    }

    /// Receives a batch into this thread's memory, with room for that much ancillary data of each
    /// datagram; None where its flags are not wanted either. `take` gets those of each system
    /// call, and where they stand.
    pub(super) fn receive_batch_here(
        &self,
        py: Python<'_>,
        count: usize,
        len: usize,
        control: Option<usize>,
        flags: i32,
        mut take: impl FnMut(&mut Slots, Places<'_>) -> PyResult<()>,
    ) -> PyResult<()> {
        // Slots that all begin at the same place of a page would share a few cache lines.
        let stride = len
            .checked_next_multiple_of(CACHE_LINE)
            .map(|len| len | CACHE_LINE)
            .ok_or_else(|| PyMemoryError::new_err(()))?;
        let fit = count.min(LIMIT).min((ROOM / stride).max(1));
        let mut room = Lent::new(stride * fit)?;
        let (slots, region) = room.parts(control.unwrap_or(0), fit, stride * fit)?;
        let places = Places {
            region,
            stride,
            len,
        };
        let batch = Batch {
            region,
            stride,
            count,
            flags,
            keeps: false,
            named: true,
            plain: control.is_none(),
        };
        self.receive_batch(py, slots, batch, |slots| take(slots, places))
    }

    /// Receives a batch into the caller's buffer.
    fn receive_batch_into<'py>(
        &self,
        buffer: &Bound<'py, PyAny>,
        stride: Size,
        flags: Int,
        caller: &str,
        mut senders: Option<&Bound<'py, PyList>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = buffer.py();
        self.check_datagrams(py)?;
        let mut slot = BufferSlot::new();
        let buffer = slot.writable(buffer, "argument 'buffer'")?;
        let stride = usize::try_from(stride.0).unwrap_or(0);
        if stride == 0 || buffer.len() < stride {
            return Err(exception::<PyValueError>(format!(
                "{caller}() stride must be between 1 and the buffer's length"
            )));
        }
        let mut known = Senders::new(self);
        let mut lengths = Vec::with_capacity((buffer.len() / stride).min(LIMIT));
        let mut room = Lent::new(0)?;
        let (room, _) = room.parts(0, 0, 0)?;
        let batch = Batch {
            region: buffer.region(),
            stride,
            count: buffer.len() / stride,
            flags: flags.0 | c::MSG_TRUNC,
            keeps: true,
            named: senders.is_some(),
            plain: self.has_segments() || (cfg!(linux) && self.family() == c::AF_UNIX),
        };
        self.receive_batch(py, room, batch, |slots| {
            for datagram in slots.received() {
                lengths.push(told_length(&datagram, stride));
                if let Some(senders) = &mut senders {
                    senders.append(known.build(py, datagram.address)?)?;
                }
            }
            Ok(())
        })?;
        array(py, &lengths)
    }

    /// Sends messages until all have gone: one operation for the driver, with one deadline.
    /// Returns how many have gone; an error behind the first is kept for the next operation.
    pub(super) fn send_batch(
        &self,
        py: Python<'_>,
        mut outgoing: Outgoing<'_>,
        bytes: usize,
        flags: i32,
    ) -> Result<usize> {
        let count = outgoing.len();
        if count == 0 {
            self.channel.enter()?;
            return Ok(0);
        }
        let mut sent = 0;
        let plan = Plan::send(bytes.saturating_add(count.saturating_mul(CALL)));
        let result = drive(py, &self.channel, plan, |fd, mode| {
            // SAFETY: the callers' pieces are readable.
            match unsafe { outgoing.send(fd, sent, flags | mode.flags()) }.into() {
                Attempt::Done(more) => sent += more,
                other => return other.map(|count| Datagrams { count, bytes }),
            }
            match mode {
                _ if sent >= count => Attempt::Done(Datagrams { count, bytes }),
                // It may be a signal that has ended the call.
                AttemptMode::Block => Attempt::Interrupted,
                AttemptMode::Try | AttemptMode::Ready => Attempt::Progressed,
            }
        });
        self.short(sent, result.map(drop))
    }

    /// How far sending came. Who has sent something hears of an error with the next operation.
    pub(super) fn short(&self, sent: usize, result: Result<()>) -> Result<usize> {
        match result {
            Ok(()) => Ok(sent),
            Err(error) if sent == 0 => Err(error),
            Err(Error::Os(Errno::AGAIN) | Error::TimedOut) => Ok(sent),
            Err(Error::Os(errno)) => {
                self.channel.defer(errno);
                Ok(sent)
            }
            Err(error) => Err(error),
        }
    }
}

#[pymethods]
impl Socket {
    /// Receive up to ``n`` datagrams that are there, at least one; recvmmsg(2).
    ///
    /// Args:
    ///     n: the largest number of datagrams to return.
    ///     bufsize: the largest number of bytes of each; what is longer is cut.
    ///     flags: ``MSG_*`` flags. With ``MSG_PEEK`` it is one datagram.
    ///
    /// Returns:
    ///     A list of ``(data, address)``, in the order of arrival.
    ///
    /// Raises:
    ///     ValueError: ``n`` is not positive, or ``bufsize`` is negative.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
    ///         closed.
    #[pyo3(signature = (n, bufsize = Size(LARGEST), flags = Int(0)), text_signature = "($self, n, bufsize=65535, flags=0)")]
    fn recvfrom_many<'py>(
        &self,
        py: Python<'py>,
        n: Size,
        bufsize: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyList>> {
        let count = positive(n, "n must be positive in recvfrom_many()")?;
        let len = nonnegative(bufsize.0, "negative buffersize in recvfrom_many")?;
        self.check_datagrams(py)?;
        let list = make::list(py)?;
        let mut senders = Senders::new(self);
        self.receive_batch_here(py, count, len, None, flags.0, |slots, places| {
            for (index, datagram) in slots.received().enumerate() {
                let data = places.bytes(py, index, datagram.len)?;
                let address = senders.build(py, datagram.address)?;
                list.append(make::tuple!(py, data, address)?)?;
            }
            Ok(())
        })?;
        Ok(list)
    }

    /// Receive datagrams into one buffer, each into a slot of ``stride`` bytes; recvmmsg(2).
    ///
    /// As many as are there, at least one, and no more than the buffer has whole slots.
    ///
    /// Args:
    ///     buffer: a writable bytes-like object.
    ///     stride: the length of a slot in bytes.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     The lengths, a memoryview of unsigned ints. A length above ``stride`` is that of a
    ///     datagram that was cut.
    ///
    /// Raises:
    ///     ValueError: ``stride`` is not positive, or larger than the buffer.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
    ///         closed.
    #[pyo3(signature = (buffer, stride, flags = Int(0)), text_signature = "($self, buffer, stride, flags=0)")]
    fn recv_many_into<'py>(
        &self,
        buffer: &Bound<'py, PyAny>,
        stride: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.receive_batch_into(buffer, stride, flags, "recv_many_into", None)
    }

    /// Receive datagrams into one buffer, and their senders' addresses; recvmmsg(2).
    ///
    /// Args:
    ///     buffer: a writable bytes-like object.
    ///     stride: the length of a slot in bytes.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     A tuple of the lengths, as of ``recv_many_into``, and a list of the addresses.
    ///
    /// Raises:
    ///     ValueError: ``stride`` is not positive, or larger than the buffer.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
    ///         closed.
    #[pyo3(signature = (buffer, stride, flags = Int(0)), text_signature = "($self, buffer, stride, flags=0)")]
    fn recvfrom_many_into<'py>(
        &self,
        buffer: &Bound<'py, PyAny>,
        stride: Size,
        flags: Int,
    ) -> PyResult<Made<(Bound<'py, PyAny>, Bound<'py, PyList>)>> {
        let senders = make::list(buffer.py())?;
        let lengths =
            self.receive_batch_into(buffer, stride, flags, "recvfrom_many_into", Some(&senders))?;
        Ok(Made((lengths, senders)))
    }

    /// Send datagrams to the connected peer, several by one system call; sendmmsg(2).
    ///
    /// Args:
    ///     datagrams: an iterable of bytes-like objects, a snapshot of which is sent.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     How many have gone. Fewer than there are where there was no more room, in
    ///     non-blocking mode or within the timeout, or where one was refused: the next operation
    ///     raises the error then.
    ///
    /// Raises:
    ///     TimeoutError: none has gone within the timeout.
    ///     BlockingIOError: there is no room for the first, in non-blocking mode.
    ///     OSError: the first was refused, the socket is a stream (EOPNOTSUPP), or it is closed.
    #[pyo3(signature = (datagrams, flags = Int(0)), text_signature = "($self, datagrams, flags=0)")]
    fn send_many(&self, datagrams: &Bound<'_, PyAny>, flags: Int) -> PyResult<Made<usize>> {
        let py = datagrams.py();
        self.check_datagrams(py)?;
        let mut slot = BuffersSlot::new();
        let buffers = slot.readable(datagrams, "send_many")?;
        let outgoing = outgoing(buffers.pieces(), |_| None)?;
        let sent = self.send_batch(py, outgoing, buffers.total_len(), flags.0)?;
        Ok(Made(sent))
    }

    /// Send datagrams to addresses, several by one system call; sendmmsg(2).
    ///
    /// Args:
    ///     items: an iterable of ``(data, address)``, a snapshot of which is sent.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     How many have gone, as for ``send_many``.
    ///
    /// Raises:
    ///     TimeoutError: none has gone within the timeout.
    ///     BlockingIOError: there is no room for the first, in non-blocking mode.
    ///     OSError: the first was refused, the socket is a stream (EOPNOTSUPP), or it is closed.
    #[pyo3(signature = (items, flags = Int(0)), text_signature = "($self, items, flags=0)")]
    fn sendto_many(
        slf: &Bound<'_, Self>,
        items: &Bound<'_, PyAny>,
        flags: Int,
    ) -> PyResult<Made<usize>> {
        let py = slf.py();
        let socket = slf.get();
        socket.check_datagrams(py)?;
        let no_pairs =
            || "sendto_many() argument 1 must be an iterable of (data, address)".to_owned();
        let items = snapshot(items, no_pairs)?;
        let count = items.len();
        let mut datagrams = Vec::with_capacity(count);
        let mut receivers = Vec::with_capacity(count);
        // Those next to each other that are the same stand here once.
        let mut addresses: Vec<SockAddr> = Vec::new();
        let mut last: Option<Bound<'_, PyAny>> = None;
        for item in items.iter_borrowed() {
            let pair = snapshot(&item, no_pairs)?;
            if pair.len() != 2 {
                return Err(exception::<PyTypeError>(no_pairs()));
            }
            datagrams.push(pair.get_item(0)?);
            let address = pair.get_borrowed_item(1)?;
            // A tuple does not change; nor does what it names, for as long as this takes.
            let known = last.as_ref().is_some_and(|last| last.is(address))
                && address.is_exact_instance_of::<PyTuple>();
            if !known {
                let to = socket.parse_receiver("sendto_many", &address)?;
                audit(py, c"socket.sendto", [slf.as_any(), &address])?;
                addresses.push(to);
                last = Some(address.to_owned());
            }
            receivers.push(addresses.len() - 1);
        }
        let mut slot = BuffersSlot::new();
        let buffers = slot.readable_items(make::tuple_from(py, datagrams)?, "sendto_many")?;
        let to = |index| {
            receivers
                .get(index)
                .and_then(|place: &usize| addresses.get(*place))
        };
        let outgoing = outgoing(buffers.pieces(), to)?;
        let sent = socket.send_batch(py, outgoing, buffers.total_len(), flags.0)?;
        Ok(Made(sent))
    }
}

pub(super) fn outgoing<'a>(
    pieces: &'a [IoVec],
    address: impl Fn(usize) -> Option<&'a SockAddr>,
) -> PyResult<Outgoing<'a>> {
    Outgoing::new(pieces, address).ok_or_else(|| PyMemoryError::new_err(()))
}

pub(super) fn positive(number: Size, message: &'static str) -> PyResult<usize> {
    match usize::try_from(number.0) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(exception::<PyValueError>(message)),
    }
}
