//! Gradients on and off, for the time of a call: restored even where a hook of the user's panics.

/// Runs `f` without gradients.
pub(crate) fn without_gradients<T>(f: impl FnOnce() -> T) -> T {
    let _restored_on_drop = tch::no_grad_guard();
    f()
}

/// Runs `f` with gradients, wherever the caller stands.
pub(crate) fn with_gradients<T>(f: impl FnOnce() -> T) -> T {
    // `tch::with_grad` alone does not restore what was before when `f` panics.
    let _restored_on_drop = tch::no_grad_guard();
    tch::with_grad(f)
}
