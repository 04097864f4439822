//! `millstream jobmaster`: Dispatcher, ResourceManager and a JobMaster for each job, in one process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use millstream_jobmaster::job_manager::{self, JobManagerEnd, Settings};
use millstream_jobmaster::job_store::JobStore;
use millstream_jobmaster::resource::driver::{Driver, Standalone};
use millstream_jobmaster::resource::process::{ProcessDriver, ProcessSettings};
use millstream_jobmaster::resource::{self, Workers};
use millstream_jobmaster::rest;
use millstream_protocol::message::Heartbeats;
use millstream_storage::{self as storage, Storage};
use millstream_worker::io::Io;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::manifest::now_ms;
use crate::worker::duration;
use crate::{exit, signals};

/// The shortest `--heartbeat-interval`, in which workers are told it.
const HEARTBEAT_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Take jobs over REST and run them on the workers that register, until a signal says to end.
#[derive(Debug, Args)]
pub(crate) struct JobMaster {
    /// Where REST is answered, HOST:PORT. There is no authentication: keep it on a network that you trust.
    #[arg(long, env = "MILLSTREAM_REST", default_value = "127.0.0.1:8081")]
    rest: String,
    /// Where workers register, HOST:PORT.
    #[arg(long, env = "MILLSTREAM_RPC", default_value = "127.0.0.1:6123")]
    rpc: String,
    /// Where submitted jobs are kept: a jobmaster that is started again takes them up. `memory:` keeps nothing.
    #[arg(long, value_name = "URL", default_value_t = default_storage())]
    storage: String,
    /// Where workers come from.
    #[arg(long, value_enum, default_value_t = WorkerKind::Standalone)]
    workers: WorkerKind,
    /// With `--workers process`: how many slots each worker has.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    worker_slots: u32,
    /// With `--workers process`: how many workers there are at most.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    max_workers: u32,
    /// With `--workers process`: how long a worker may have nothing to do before it is ended.
    #[arg(long, default_value = "30 s", value_parser = duration)]
    idle_timeout: Duration,
    /// How long nothing may be heard of a worker before it is given up.
    #[arg(long, default_value = "10 s", value_parser = duration)]
    heartbeat_timeout: Duration,
    /// How often both sides say that they are there.
    #[arg(long, default_value = "1 s", value_parser = duration)]
    heartbeat_interval: Duration,
}

/// Where workers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WorkerKind {
    /// They are started by somebody else.
    Standalone,
    /// They are started on this machine when slots are short, and ended when they are idle.
    Process,
}

/// A folder of the user's state.
fn default_storage() -> String {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or(home);
    let folder = state.unwrap_or_else(std::env::temp_dir).join("millstream");
    format!("file://{}", folder.display())
}

impl JobMaster {
    pub(crate) fn run(&self) -> ExitCode {
        let io = match Io::start() {
            Ok(io) => io,
            Err(error) => return exit::fail(&error),
        };
        let ended = io.handle().block_on(self.serve());
        io.shut_down();
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Settings(why)) => exit::refuse(&why),
            Err(Failure::Fenced(why)) => exit::fail(&why),
        }
    }

    async fn serve(&self) -> Result<(), Failure> {
        let heartbeats = self.heartbeats().map_err(|why| Failure::Settings(why.to_owned()))?;
        let rest = listen("--rest", &self.rest).await?;
        let rpc = listen("--rpc", &self.rpc).await?;
        let storage = Storage::open(&self.storage, storage::Settings::default());
        let storage = storage.map_err(|error| Failure::Settings(format!("--storage: {error}")))?;
        let store = JobStore::new(storage);
        let settings = Settings { heartbeats, resources: self.resources(), ..Settings::new(store, Arc::new(now_ms)) };
        let rpc_address = rpc.local_addr().map_err(|error| Failure::Settings(format!("--rpc: {error}")))?;
        let rest_address = rest.local_addr().map_err(|error| Failure::Settings(format!("--rest: {error}")))?;
        let (handle, jobmaster) = job_manager::start(settings, self.driver(&on_this_machine(rpc_address))?);
        let jobmaster = tokio::spawn(jobmaster);
        let (connected, mut links) = mpsc::channel(16);
        tokio::spawn(millstream_protocol::serve(rpc, connected));
        let taker = handle.clone();
        tokio::spawn(async move {
            while let Some(link) = links.recv().await {
                taker.take_link(link).await;
            }
        });
        tokio::spawn(rest::serve(rest, handle.clone(), rest::Settings::default(), std::future::pending()));
        tracing::info!(rest = %rest_address, rpc = %rpc_address, storage = %self.storage, "the jobmaster is ready");
        tokio::select! {
            ended = jobmaster => match ended {
                Ok(JobManagerEnd::Fenced(why)) => Err(Failure::Fenced(why)),
                Ok(JobManagerEnd::Dropped) | Err(_) => Err(Failure::Fenced("the jobmaster's loop has ended".to_owned())),
            },
            signal = signals::terminated() => {
                tracing::info!("{signal} came; jobs are kept and go on when a jobmaster is started again");
                Ok(())
            }
        }
    }

    fn heartbeats(&self) -> Result<Heartbeats, &'static str> {
        let (interval, timeout) = (self.heartbeat_interval, self.heartbeat_timeout);
        if interval < HEARTBEAT_INTERVAL_MIN {
            return Err("--heartbeat-interval should be at least 1 ms");
        }
        if timeout < interval.saturating_mul(2) {
            return Err("--heartbeat-timeout should be at least twice --heartbeat-interval");
        }
        Ok(Heartbeats { interval, timeout })
    }

    fn resources(&self) -> resource::Settings {
        let workers = match self.workers {
            WorkerKind::Standalone => Workers::Standalone,
            WorkerKind::Process => Workers::Active {
                slots: self.worker_slots,
                most: usize::try_from(self.max_workers).unwrap_or(usize::MAX),
            },
        };
        let idle_timeout_ms = i64::try_from(self.idle_timeout.as_millis()).unwrap_or(i64::MAX);
        resource::Settings { workers, idle_timeout_ms, ..resource::Settings::default() }
    }

    fn driver(&self, rpc: &str) -> Result<Box<dyn Driver>, Failure> {
        match self.workers {
            WorkerKind::Standalone => Ok(Box::new(Standalone)),
            WorkerKind::Process => {
                let program = std::env::current_exe()
                    .map_err(|error| Failure::Settings(format!("this program's own path is not known: {error}")))?;
                let Some(folder) = self.storage.strip_prefix("file://") else {
                    let why =
                        "--workers process keeps its workers' logs in the storage, which must be file:///a/folder";
                    return Err(Failure::Settings(why.to_owned()));
                };
                let slots = self.worker_slots.to_string();
                let arguments = ["worker", "--jobmaster", rpc, "--slots", &slots].map(str::to_owned).to_vec();
                let settings = ProcessSettings::new(program, arguments, PathBuf::from(folder).join("workers"));
                Ok(Box::new(ProcessDriver::new(settings)))
            }
        }
    }
}

/// Where a process on this machine reaches what listens at `address`.
fn on_this_machine(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("127.0.0.1:{}", v4.port()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("[::1]:{}", v6.port()),
        SocketAddr::V4(_) | SocketAddr::V6(_) => address.to_string(),
    }
}

async fn listen(option: &str, address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => "; another process listens there, perhaps another jobmaster",
            _ => "",
        };
        Failure::Settings(format!("{option} {address}: {error}{hint}"))
    })
}

/// Why the process ends.
enum Failure {
    /// A setting cannot be used.
    Settings(String),
    /// Another jobmaster has taken over, or this one cannot go on.
    Fenced(String),
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        jobmaster: JobMaster,
    }

    #[test]
    fn heartbeats_that_cannot_be_are_refused() {
        let heartbeats = |interval: &str, timeout: &str| {
            let options = ["jobmaster", "--heartbeat-interval", interval, "--heartbeat-timeout", timeout];
            Line::parse_from(options).jobmaster.heartbeats()
        };
        let of_ms = Duration::from_millis;
        assert_eq!(heartbeats("1 ms", "2 ms"), Ok(Heartbeats { interval: of_ms(1), timeout: of_ms(2) }));
        assert_eq!(heartbeats("0 s", "10 s"), Err("--heartbeat-interval should be at least 1 ms"));
        let too_short = "--heartbeat-timeout should be at least twice --heartbeat-interval";
        assert_eq!(heartbeats("1 s", "1999 ms"), Err(too_short));
        assert_eq!(heartbeats("10000000 d", "1 s"), Err(too_short));
    }
}
