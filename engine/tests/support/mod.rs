//! Runs the cases under `cases/`.

pub(crate) mod arithmetic;
pub(crate) mod clocks;
pub(crate) mod timers;
pub(crate) mod windows;
