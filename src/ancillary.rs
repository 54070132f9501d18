//! Ancillary data as Python programs see them: `(level, type, data)`; RFC 3542 section 20,
//! cmsg(3).

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::python::args::{self, Size};
use crate::python::buffer::BufferSlot;
use crate::python::buffers::snapshot;
use crate::python::error::{Error, Result};
use crate::python::make::{self, Made, Make};
use crate::sys::ancillary::{self, Control, Full, Message, Messages};
#[cfg(linux)]
use crate::sys::c;

/// The size of a C int.
const INT: usize = size_of::<i32>();

/// Return the length of a control message without the padding behind it; CMSG_LEN(3).
///
/// That is the room that a single or the last message needs in a receive buffer.
///
/// Args:
///     length: the number of bytes of data in the message.
///
/// Raises:
///     OverflowError: the length is negative, or makes the result too large.
#[pyfunction]
#[pyo3(name = "CMSG_LEN", signature = (length, /))]
pub(crate) fn cmsg_len(length: Size) -> Result<Made<usize>> {
    sized(
        length,
        ancillary::length,
        "CMSG_LEN() argument out of range",
    )
}

/// Return the length of a control message with the padding behind it; CMSG_SPACE(3).
///
/// That is the room that a message takes in a buffer; add it up for several.
///
/// Args:
///     length: the number of bytes of data in the message.
///
/// Raises:
///     OverflowError: the length is negative, or makes the result too large.
#[pyfunction]
#[pyo3(name = "CMSG_SPACE", signature = (length, /))]
pub(crate) fn cmsg_space(length: Size) -> Result<Made<usize>> {
    sized(
        length,
        ancillary::space,
        "CMSG_SPACE() argument out of range",
    )
}

fn sized(
    length: Size,
    size: fn(usize) -> Option<usize>,
    message: &'static str,
) -> Result<Made<usize>> {
    usize::try_from(length.0)
        .ok()
        .and_then(size)
        .map(Made)
        .ok_or_else(|| Error::overflow_error(message))
}

/// Control messages from an iterable of `(level, type, data)`, copied one after the other:
/// nothing that a callback does can change what was taken before it.
pub(crate) fn encode(iterable: &Bound<'_, PyAny>, caller: &str) -> Result<Control> {
    let items = snapshot(iterable, || {
        format!("{caller}() argument 2 must be an iterable")
    })?;
    let mut control = Control::new();
    for item in &items {
        let [level, kind, data] = triple(&item, caller)?;
        let level = args::int(&level)?;
        let kind = args::int(&kind)?;
        let mut slot = BufferSlot::new();
        let data = slot.readable(&data)?;
        let room = control.message(level, kind, data.len()).map_err(full)?;
        data.copy_to(room);
    }
    Ok(control)
}

/// The control messages of an `AF_ALG` operation: `ALG_SET_OP`, `ALG_SET_IV` and
/// `ALG_SET_AEAD_ASSOCLEN` as far as they are given; `<linux/if_alg.h>`.
#[cfg(linux)]
pub(crate) fn encode_alg(
    op: Option<&Bound<'_, PyAny>>,
    iv: Option<&Bound<'_, PyAny>>,
    assoclen: Option<&Bound<'_, PyAny>>,
) -> Result<Control> {
    let op = match op.map(alg_number).transpose()? {
        Some(Some(op)) if op >= 0 => op,
        _ => {
            return Err(Error::type_error("Invalid or missing argument 'op'"));
        }
    };
    let assoclen = match assoclen.map(alg_number).transpose()? {
        None => None,
        Some(Some(length)) if length >= 0 => Some(length),
        Some(Some(_)) => return Err(Error::type_error("assoclen must be positive")),
        Some(None) => {
            return Err(Error::overflow_error("assoclen does not fit into a C int"));
        }
    };
    let mut control = Control::new();
    alg_message(&mut control, c::ALG_SET_OP, 4)?.copy_from_slice(&op.to_ne_bytes());
    if let Some(iv) = iv {
        let mut slot = BufferSlot::new();
        let iv = slot.readable(iv)?;
        let length = u32::try_from(iv.len()).map_err(|_| full(Full::Item))?;
        // struct af_alg_iv: the length, then the bytes.
        let room = alg_message(&mut control, c::ALG_SET_IV, 4 + iv.len())?;
        let (front, bytes) = room.split_at_mut(4);
        front.copy_from_slice(&length.to_ne_bytes());
        iv.copy_to(bytes);
    }
    if let Some(length) = assoclen {
        alg_message(&mut control, c::ALG_SET_AEAD_ASSOCLEN, 4)?
            .copy_from_slice(&length.to_ne_bytes());
    }
    Ok(control)
}

#[cfg(linux)]
fn alg_message(control: &mut Control, kind: i32, data: usize) -> Result<&mut [u8]> {
    control.message(c::SOL_ALG, kind, data).map_err(full)
}

/// An argument that must be an int object; none where it does not fit.
#[cfg(linux)]
fn alg_number(object: &Bound<'_, PyAny>) -> Result<Option<i32>> {
    use pyo3::types::PyInt;
    if !object.is_instance_of::<PyInt>() {
        return Err(Error::type_error(format!(
            "'op' and 'assoclen' must be int, not {}",
            object.get_type().name()?
        )));
    }
    match args::int(object) {
        Ok(number) => Ok(Some(number)),
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyOverflowError>(object.py()) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A buffer for the ancillary data of a message, of the size that the caller asked for.
pub(crate) fn buffer(size: isize) -> Result<Control> {
    Control::with_capacity(checked_size(size)?).ok_or_else(Error::memory_error)
}

/// The size of a buffer for ancillary data.
pub(crate) fn checked_size(size: isize) -> Result<usize> {
    let size = usize::try_from(size).ok();
    size.filter(|size| *size <= ancillary::LIMIT)
        .ok_or_else(|| Error::value_error("invalid ancillary data buffer length"))
}

/// The list of `(level, type, data)` for received control messages.
///
/// A message that was cut comes with the data that are there, and a RuntimeWarning, as does
/// one that makes no sense, which ends the list.
pub(crate) fn decode<'py>(py: Python<'py>, messages: Messages<'_>) -> PyResult<Bound<'py, PyList>> {
    decode_some(py, messages, |_| true)
}

/// The same for those messages that `wanted` says.
pub(crate) fn decode_some<'py>(
    py: Python<'py>,
    messages: Messages<'_>,
    mut wanted: impl FnMut(&Message<'_>) -> bool,
) -> PyResult<Bound<'py, PyList>> {
    let list = make::list(py)?;
    for message in messages {
        let complete = message.as_ref().is_ok_and(|message| message.complete);
        if !complete {
            let text = c"received malformed or improperly-truncated ancillary data";
            PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), text, 1)?;
        }
        let Ok(message) = message else { break };
        if !wanted(&message) {
            continue;
        }
        let data = make::bytes(py, message.data)?;
        list.append(make::tuple!(py, message.level, message.kind, data)?)?;
    }
    Ok(list)
}

/// The three parts of an item, a snapshot before the first one is converted.
fn triple<'py>(item: &Bound<'py, PyAny>, caller: &str) -> Result<[Bound<'py, PyAny>; 3]> {
    let wrong = |what: String| {
        Error::type_error(format!(
            "{caller}() ancillary data item must be (level, type, data), not {what}"
        ))
    };
    if !args::is_sequence(item) || item.is_instance_of::<PyBytes>() {
        return Err(wrong(item.get_type().name()?.to_string()));
    }
    match item.len()? {
        3 => Ok([item.get_item(0)?, item.get_item(1)?, item.get_item(2)?]),
        len => Err(wrong(format!("a sequence of length {len}"))),
    }
}

pub(crate) fn full(reason: Full) -> Error {
    match reason {
        Full::Item => Error::os_error("ancillary data item too large"),
        Full::Total => Error::os_error("too much ancillary data"),
        Full::Memory => Error::memory_error(),
    }
}

/// Encode ``(level, type, data)`` items as ``sendmsg`` does, without sending them.
///
/// Private: for tests, and to see what would be sent.
#[pyfunction]
#[pyo3(signature = (items, /))]
pub(crate) fn encode_ancillary<'py>(items: &Bound<'py, PyAny>) -> Result<Bound<'py, PyBytes>> {
    let control = encode(items, "encode_ancillary")?;
    Ok(make::bytes(items.py(), control.as_bytes())?)
}

/// Encode the control messages of an ``AF_ALG`` operation as ``sendmsg_afalg`` does.
///
/// Private: for tests.
#[cfg(linux)]
#[pyfunction]
#[pyo3(signature = (*, op=None, iv=None, assoclen=None))]
pub(crate) fn encode_ancillary_alg<'py>(
    py: Python<'py>,
    op: Option<&Bound<'py, PyAny>>,
    iv: Option<&Bound<'py, PyAny>>,
    assoclen: Option<&Bound<'py, PyAny>>,
) -> Result<Bound<'py, PyBytes>> {
    let control = encode_alg(op, iv, assoclen)?;
    Ok(make::bytes(py, control.as_bytes())?)
}

/// Decode control messages as ``recvmsg`` does. Descriptors among them stay what they are.
///
/// Private: for tests, and for buffers that came from elsewhere.
#[pyfunction]
#[pyo3(signature = (control, /))]
pub(crate) fn decode_ancillary<'py>(control: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyList>> {
    decode(control.py(), Messages::new(control.as_bytes()))
}

/// Pack numbers as C ints, one behind the other, as the data of ``SCM_RIGHTS`` are.
///
/// Private: for ``send_fds``.
#[pyfunction]
#[pyo3(signature = (numbers, /))]
pub(crate) fn pack_ints<'py>(numbers: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let items = snapshot(numbers, || {
        "send_fds() argument 3 must be an iterable of integers".into()
    })?;
    PyBytes::new_with(numbers.py(), items.len() * INT, |room| {
        for (place, number) in room.chunks_exact_mut(INT).zip(&items) {
            place.copy_from_slice(&args::int(&number)?.to_ne_bytes());
        }
        Ok(())
    })
}

/// Unpack C ints. Bytes behind the last whole one are left out.
///
/// Private: for ``recv_fds``.
#[pyfunction]
#[pyo3(signature = (data, /))]
pub(crate) fn unpack_ints<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let py = data.py();
    let mut slot = BufferSlot::new();
    let list = make::list(py)?;
    for number in slot.readable(data)?.to_vec().as_chunks::<INT>().0 {
        list.append(i32::from_ne_bytes(*number).make(py)?)?;
    }
    Ok(list)
}
