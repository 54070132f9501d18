//! Which arguments a function takes, as `pyo3::impl_::extract_argument` has it: puts those of a
//! call into their places, or says in PyO3's words what is wrong with them.

use std::{ptr, slice};

use original::ffi;
use original::impl_::extract_argument::KeywordOnlyParameterDescription;
use original::prelude::*;
use original::types::{PyString, PyTuple};

use crate::error::{type_error, unexpected};
use crate::rest::{Keywords, Positional};

pub(crate) type Argument<'py> = Borrowed<'py, 'py, PyAny>;

pub struct FunctionDescription {
    class: Option<&'static str>,
    function: &'static str,
    positional: &'static [&'static str],
    /// How many of these have no name for a call.
    nameless: usize,
    required: usize,
    keyword_only: &'static [KeywordOnlyParameterDescription],
}

impl FunctionDescription {
    pub const fn new(
        class: Option<&'static str>,
        function: &'static str,
        positional: &'static [&'static str],
        nameless: usize,
        required: usize,
        keyword_only: &'static [KeywordOnlyParameterDescription],
    ) -> Self {
        FunctionDescription {
            class,
            function,
            positional,
            nameless,
            required,
            keyword_only,
        }
    }

    /// The arguments of a call by vectorcall.
    ///
    /// # Safety
    /// `count` objects stand at `arguments`, and behind them one for each of `names`, a tuple of
    /// texts or null; all of them live as long as `'py`.
    #[inline]
    pub unsafe fn extract_arguments_fastcall<'py, V: Positional<'py>, K: Keywords<'py>>(
        &self,
        py: Python<'py>,
        arguments: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
        output: &mut [Option<Argument<'py>>],
    ) -> PyResult<(V::Rest, K::Rest)> {
        let count = count as usize;
        let named = match names.is_null() {
            true => 0,
            // SAFETY: the caller's promise.
            false => unsafe { ffi::PyTuple_GET_SIZE(names) },
        };
        let given: &[*mut ffi::PyObject] = match count + named as usize {
            0 => &[], // then there may be no memory
            // SAFETY: the caller's promise.
            all => unsafe { slice::from_raw_parts(arguments, all) },
        };
        // SAFETY: the caller's promise.
        let argument = |object: *mut ffi::PyObject| unsafe { Borrowed::from_ptr(py, object) };
        let (first, named) = given.split_at(count);
        for (place, object) in output.iter_mut().zip(first).take(self.positional.len()) {
            *place = Some(argument(*object));
        }
        let rest = match first.get(self.positional.len()..).unwrap_or_default() {
            [_, ..] if !V::TAKEN => return Err(self.too_many(py, count)),
            rest => V::of_slice(py, rest)?,
        };
        let named = (0..).zip(named).map(|(index, object)| {
            // SAFETY: the tuple has a name for each.
            let name = unsafe { ffi::PyTuple_GET_ITEM(names, index) };
            (argument(name), argument(*object))
        });
        Ok((rest, self.fill::<K>(py, named, output)?))
    }

    /// The arguments of any other call.
    ///
    /// # Safety
    /// `arguments` is a tuple, `keywords` a dictionary with texts as keys or null; both live as
    /// long as `'py`.
    #[inline]
    pub unsafe fn extract_arguments_tuple_dict<'py, V: Positional<'py>, K: Keywords<'py>>(
        &self,
        py: Python<'py>,
        arguments: *mut ffi::PyObject,
        keywords: *mut ffi::PyObject,
        output: &mut [Option<Argument<'py>>],
    ) -> PyResult<(V::Rest, K::Rest)> {
        // SAFETY: the caller's promise.
        let tuple = unsafe { Borrowed::from_ptr(py, arguments).cast_unchecked::<PyTuple>() };
        let count = tuple.len();
        for (place, index) in output.iter_mut().zip(0..count.min(self.positional.len())) {
            // SAFETY: the tuple has that item as long as `'py`.
            *place = Some(unsafe {
                let argument = ffi::PyTuple_GET_ITEM(arguments, index as ffi::Py_ssize_t);
                Borrowed::from_ptr(py, argument)
            });
        }
        if count > self.positional.len() && !V::TAKEN {
            return Err(self.too_many(py, count));
        }
        let rest = V::of_tuple(&tuple, self.positional.len())?;
        let mut at = 0;
        let named = std::iter::from_fn(|| {
            let (mut name, mut object) = (ptr::null_mut(), ptr::null_mut());
            // SAFETY: the dictionary, which nobody changes meanwhile, has both as long as `'py`.
            unsafe {
                let is_there = !keywords.is_null()
                    && ffi::PyDict_Next(keywords, &mut at, &mut name, &mut object) != 0;
                is_there.then(|| (Borrowed::from_ptr(py, name), Borrowed::from_ptr(py, object)))
            }
        });
        Ok((rest, self.fill::<K>(py, named, output)?))
    }

    /// Puts arguments with names into their places, beside those without that are there already.
    #[inline]
    fn fill<'py, K: Keywords<'py>>(
        &self,
        py: Python<'py>,
        named: impl Iterator<Item = (Argument<'py>, Argument<'py>)>,
        output: &mut [Option<Argument<'py>>],
    ) -> PyResult<K::Rest> {
        let mut rest = K::Rest::default();
        let mut nameless = Vec::new();
        for (name, argument) in named {
            match self.place(name) {
                Some(place) if place >= self.nameless => {
                    if output[place].replace(argument).is_some() {
                        return Err(self.twice(py, place));
                    }
                }
                _ if K::TAKEN => K::put(&mut rest, name, argument)?,
                Some(place) => nameless.push(self.positional[place]),
                None => return Err(unexpected(&self.name(), &name)),
            }
        }
        if !nameless.is_empty() {
            return Err(self.named(py, &nameless));
        }
        let (positional, keyword_only) = output.split_at(self.positional.len());
        if positional[..self.required].iter().any(Option::is_none) {
            let names = self.positional.iter().copied();
            return Err(self.missing(py, "positional", names.take(self.required), positional));
        }
        let mut both = self.keyword_only.iter().zip(keyword_only);
        if both.any(|(parameter, given)| parameter.required && given.is_none()) {
            let all = self.keyword_only.iter().zip(keyword_only);
            let (names, given): (Vec<_>, Vec<_>) = all
                .filter(|(parameter, _)| parameter.required)
                .map(|(parameter, given)| (parameter.name, *given))
                .unzip();
            return Err(self.missing(py, "keyword", names.into_iter(), &given));
        }
        Ok(rest)
    }

    /// The place of the parameter with that name.
    #[inline]
    fn place(&self, name: Argument<'_>) -> Option<usize> {
        // None of ours has a name without a form in UTF-8.
        let name = name.cast::<PyString>().ok()?;
        let name = name.to_str().ok()?;
        let mut keyword_only = self.keyword_only.iter();
        let keyword_only = keyword_only.position(|parameter| parameter.name == name);
        match keyword_only {
            Some(place) => Some(self.positional.len() + place),
            None => self.positional.iter().position(|one| *one == name),
        }
    }

    fn name(&self) -> String {
        let class = self.class.map(|class| format!("{class}."));
        format!("{}{}()", class.unwrap_or_default(), self.function)
    }

    #[cold]
    fn too_many(&self, py: Python<'_>, count: usize) -> PyErr {
        let (name, least, most) = (self.name(), self.required, self.positional.len());
        let takes = match least == most {
            true => most.to_string(),
            false => format!("from {least} to {most}"),
        };
        let were = if count == 1 { "was" } else { "were" };
        let text = format!("{name} takes {takes} positional arguments but {count} {were} given");
        type_error(py, text)
    }

    #[cold]
    fn twice(&self, py: Python<'_>, place: usize) -> PyErr {
        let keyword_only = self.keyword_only.iter().map(|parameter| parameter.name);
        let mut names = self.positional.iter().copied().chain(keyword_only);
        let (name, argument) = (self.name(), names.nth(place).unwrap_or_default());
        type_error(
            py,
            format!("{name} got multiple values for argument '{argument}'"),
        )
    }

    #[cold]
    fn named(&self, py: Python<'_>, names: &[&str]) -> PyErr {
        let what = "some positional-only arguments passed as keyword arguments";
        type_error(py, format!("{} got {what}: {}", self.name(), listed(names)))
    }

    #[cold]
    fn missing(
        &self,
        py: Python<'_>,
        kind: &str,
        names: impl Iterator<Item = &'static str>,
        given: &[Option<Argument<'_>>],
    ) -> PyErr {
        let names = names.zip(given).filter(|(_, given)| given.is_none());
        let names: Vec<_> = names.map(|(name, _)| name).collect();
        let (name, count) = (self.name(), names.len());
        let arguments = if count == 1 { "argument" } else { "arguments" };
        let names = listed(&names);
        let text = format!("{name} missing {count} required {kind} {arguments}: {names}");
        type_error(py, text)
    }
}

/// `'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    match quoted.as_slice() {
        [first, last] => format!("{first} and {last}"),
        [first @ .., last] if !first.is_empty() => format!("{}, and {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}
