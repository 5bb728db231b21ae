//! Edits written as closures.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tch::Tensor;

use crate::error::Result;
use crate::hook::{Edit, Mixing, Part};

/// A closure with a name, which stands for it in errors and in the ledger.
///
/// Threads that share it call it one after the other, so that it may hold tensors. It must not, from within, run
/// a model with the very hooks that it stands in.
pub struct Function<F> {
    name: String,
    function: Mutex<F>,
}

impl<F: Fn(&Tensor, &Part<'_>) -> Result<Tensor> + Send> Function<F> {
    /// An edit that replaces what is selected by what `function` makes of it.
    pub fn new(name: impl Into<String>, function: F) -> Self {
        Self { name: name.into(), function: Mutex::new(function) }
    }
}

impl<F> fmt::Debug for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl<F: Fn(&Tensor, &Part<'_>) -> Result<Tensor> + Send + 'static> Edit for Function<F> {
    fn mixing(&self, _part: &Part<'_>) -> Result<Mixing> {
        Ok(Mixing::Perhaps)
    }

    fn apply(&self, selected: &Tensor, part: &Part<'_>) -> Result<Tensor> {
        // Whoever panicked in it before holds nothing that this call needs.
        let function = self.function.lock().unwrap_or_else(PoisonError::into_inner);
        // The closure gets a copy: should it write into its argument, nothing else changes.
        function(&selected.f_alias_copy()?, part)
    }
}
