//! Which process it is. A process id is used again when its process has ended; together with the time at which the process
//! started and the boot of the machine it is not.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

/// How often a process is looked at whose end nobody tells of. (The kernel would, at the handle, but a runtime can only be given
/// that by unsafe code. The end of a worker's connection is noticed at once anyway.)
const LOOK: Duration = Duration::from_millis(250);

/// A process of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessIdentity {
    /// Its id.
    pub(super) pid: u32,
    /// When it started, in clock ticks since the boot (field 22 of `/proc/PID/stat`).
    pub(super) start_time: u64,
    /// The boot (`/proc/sys/kernel/random/boot_id`).
    pub(super) boot_id: String,
}

impl ProcessIdentity {
    /// The process that has this id now.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let unreadable = || io::Error::other(format!("/proc/{pid}/stat is not as expected: {stat}"));
        let (_, start_time) = state_and_start_time(&stat).ok_or_else(unreadable)?;
        Ok(Self { pid, start_time, boot_id: boot_id()? })
    }

    /// Whether it has not ended.
    pub(super) fn runs(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let runs = |(state, start_time)| start_time == self.start_time && !matches!(state, 'Z' | 'X');
        state_and_start_time(&stat).is_some_and(runs) && boot_id().is_ok_and(|boot| boot == self.boot_id)
    }
}

fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Fields 3 and 22. The second one, the program's name, is in parentheses and may have anything in it.
fn state_and_start_time(stat: &str) -> Option<(char, u64)> {
    let (_, from_third) = stat.rsplit_once(") ")?;
    let mut fields = from_third.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// A process that is not a child of this one, or may not be.
#[derive(Debug)]
pub(super) struct FoundProcess {
    identity: ProcessIdentity,
    /// Refers to this process and no other; kernels before 5.3 have none.
    handle: Option<OwnedFd>,
}

impl FoundProcess {
    /// `None` if it has ended.
    pub(super) fn of(identity: ProcessIdentity) -> Option<Self> {
        let handle = process_id(identity.pid).and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?)).ok();
        // Looked at when the handle is there, so that it is known to be this process's.
        identity.runs().then_some(Self { identity, handle })
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.identity.runs() {
            looks.tick().await;
        }
    }

    pub(super) fn signal(&self, to_send: Signal) -> io::Result<()> {
        match &self.handle {
            Some(handle) => Ok(pidfd_send_signal(handle, to_send)?),
            None if self.identity.runs() => signal(self.identity.pid, to_send),
            None => Ok(()),
        }
    }
}

/// Sends a signal to whatever process has this id.
pub(super) fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    Ok(kill_process(process_id(pid)?, signal)?)
}

fn process_id(pid: u32) -> io::Result<Pid> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is no process id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_whatever_the_program_is_called() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 102 0 0 0 0 0 0 0 20 0 1 0 4312689 3133440 410 1844";
        assert_eq!(state_and_start_time(stat), Some(('S', 4_312_689)));
        assert_eq!(state_and_start_time(""), None);
        assert_eq!(state_and_start_time("42 (a) S 1 42"), None);
    }

    #[test]
    fn a_process_is_known_by_its_id_its_start_and_the_boot() {
        let this = ProcessIdentity::of(std::process::id()).unwrap();
        assert!(this.runs());
        assert_eq!(this, ProcessIdentity::of(this.pid).unwrap());
        let others = [
            ProcessIdentity { start_time: this.start_time + 1, ..this.clone() },
            ProcessIdentity { boot_id: "another".to_owned(), ..this.clone() },
            ProcessIdentity { pid: 0, ..this },
        ];
        assert!(others.iter().all(|other| !other.runs()));
    }

    #[tokio::test]
    async fn a_found_process_is_signalled_and_its_end_is_seen() {
        for with_handle in [true, false] {
            let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
            let mut found = FoundProcess::of(ProcessIdentity::of(child.id()).unwrap()).unwrap();
            assert!(found.handle.is_some());
            if !with_handle {
                found.handle = None;
            }
            assert!(tokio::time::timeout(Duration::from_millis(1), found.ended()).await.is_err(), "it runs");
            found.signal(Signal::TERM).unwrap();
            tokio::time::timeout(Duration::from_secs(30), found.ended()).await.expect("it has ended");
            child.wait().unwrap();
            assert!(FoundProcess::of(found.identity).is_none());
        }
    }
}
