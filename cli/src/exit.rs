//! How the process ends: 0 finished, 1 the job failed, 2 the manifest or the command line cannot be used, 130 interrupted
//! twice.

use std::fmt::Display;
use std::process::ExitCode;

/// The job failed.
pub(crate) const FAILED: u8 = 1;
/// The manifest or the command line cannot be used.
pub(crate) const BAD_MANIFEST: u8 = 2;
/// Ended at once by a second Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// Says why the manifest or the command line cannot be used.
pub(crate) fn refuse(why: &dyn Display) -> ExitCode {
    say(why);
    ExitCode::from(BAD_MANIFEST)
}

/// Says why the job failed.
pub(crate) fn fail(why: &dyn Display) -> ExitCode {
    say(why);
    ExitCode::from(FAILED)
}

#[expect(clippy::print_stderr, reason = "the last word of a command is for the person at the terminal")]
fn say(what: &dyn Display) {
    eprintln!("error: {what}");
}
