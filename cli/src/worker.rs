//! `millstream worker`: a TaskManager that offers its slots to a jobmaster.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use millstream_connectors::options::{parse_bytes, parse_duration};
use millstream_graph::WorkerId;
use millstream_planner::resolved::{build, plan};
use millstream_worker::clock::SystemClock;
use millstream_worker::exchange::remote::{Exchange, ExchangeSettings};
use millstream_worker::io::Io;
use millstream_worker::task_manager::{self, Registration, Settings, WorkerError};

use crate::manifest::now_ms;
use crate::{exit, signals};

/// Offer slots to a jobmaster and run what it sends, until it or a signal says to leave.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// Where the jobmaster takes workers, HOST:PORT.
    #[arg(long, env = "MILLSTREAM_RPC", default_value = "127.0.0.1:6123")]
    jobmaster: String,
    /// How many slots it has: each runs on a thread of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    slots: u32,
    /// The memory of each slot, such as `512 mb`; a task that needs more fails. Unlimited if it is not given.
    #[arg(long, value_parser = memory)]
    slot_memory: Option<u64>,
    /// Where it takes rows of other workers, HOST:PORT; the others must reach it there. Port 0 is any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    exchange: String,
    /// Where other workers reach `--exchange`, HOST:PORT, if that is elsewhere: behind a proxy, or with a name.
    #[arg(long)]
    exchange_advertised: Option<String>,
    /// What it is called; a random name if it is not given.
    #[arg(long)]
    worker_id: Option<String>,
    /// How long it goes on without a jobmaster.
    #[arg(long, default_value = "5 min", value_parser = duration)]
    registration_timeout: Duration,
}

/// A duration as options have it: `30 s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is no duration such as `30 s` or `5 min`"))
}

fn memory(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| format!("`{text}` is no amount of memory such as `512 mb`"))
}

impl Worker {
    pub(crate) fn run(&self) -> ExitCode {
        match self.serve() {
            Ok(why) => {
                tracing::info!("leaving: {why}");
                ExitCode::SUCCESS
            }
            Err(Failure::Settings(why)) => exit::refuse(&why),
            Err(Failure::Worker(why)) => exit::fail(&why),
        }
    }

    fn serve(&self) -> Result<String, Failure> {
        let io = Io::start().map_err(|error| Failure::Worker(error.to_string()))?;
        let worker = WorkerId::new(self.worker_id.clone().unwrap_or_else(|| format!("worker-{:08x}", random())));
        let left = io.handle().block_on(async {
            let exchange = self.exchange(&worker).await?;
            let settings = Settings {
                worker: worker.clone(),
                build: build().to_owned(),
                slots: self.slots,
                slot_memory: self.slot_memory,
                planner: Arc::new(|program| match plan(program, Arc::new(now_ms)) {
                    Ok(plan) => Ok(Arc::new(plan.graph)),
                    Err(problems) => Err(problems.to_string()),
                }),
                clock: Arc::new(SystemClock::default()),
                exchange: Some(exchange),
            };
            let registration = Registration { jobmaster: self.jobmaster.clone(), timeout: self.registration_timeout };
            tracing::info!(%worker, slots = self.slots, jobmaster = %self.jobmaster, "looking for the jobmaster");
            tokio::select! {
                left = task_manager::register_and_serve(&settings, &io, &registration) => {
                    left.map_err(|error: WorkerError| Failure::Worker(error.to_string()))
                }
                signal = signals::terminated() => Ok(format!("{signal} came")),
            }
        });
        io.shut_down();
        left
    }

    /// Listens for other workers.
    async fn exchange(&self, worker: &WorkerId) -> Result<(Exchange, String), Failure> {
        let wrong = |why: String| Failure::Settings(format!("--exchange {}: {why}", self.exchange));
        let Some((host, _)) = self.exchange.rsplit_once(':') else {
            return Err(wrong("it should be HOST:PORT".to_owned()));
        };
        let mut addresses = tokio::net::lookup_host(&self.exchange).await.map_err(|error| wrong(error.to_string()))?;
        let address: SocketAddr = addresses.next().ok_or_else(|| wrong("the host has no address".to_owned()))?;
        let exchange = Exchange::bind(
            worker.clone(),
            address,
            ExchangeSettings { build: build().into(), ..ExchangeSettings::default() },
        );
        let exchange = exchange.await.map_err(|error| wrong(error.to_string()))?;
        let here = format!("{host}:{}", exchange.address().port());
        let reached_at = self.exchange_advertised.clone().unwrap_or(here);
        Ok((exchange, reached_at))
    }
}

/// Why the process ends.
enum Failure {
    /// A setting cannot be used.
    Settings(String),
    /// The worker could not go on.
    Worker(String),
}

fn random() -> u32 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let bits = RandomState::new().build_hasher().finish();
    u32::try_from(bits >> 32).unwrap_or_default()
}
