//! `millstream bench latency`: how long a row takes from a source through a keyed count to a sink, across processes.
//!
//! It starts a jobmaster and two workers as processes on loopback. Rows `key,number` go through a socket to the source, which
//! has one worker; the count and the sink have the other. The sink prints each count with the number of the row that made it,
//! and the time of a row is from when it was *due* at the rate that is asked for until its line was read here. What a
//! stalled job delays is counted with the delay, and so is our own lateness in sending (a millisecond's rows at a time).

use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use millstream_api::{Client, ClientError, JobState};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::exit;

/// The time of each row from a source through a keyed count to a sink, across processes.
#[derive(Debug, Args)]
pub(crate) struct Latency {
    /// Rows per second.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=2_000_000))]
    rate: u64,
    /// For how long they are sent. The first fifth is not counted.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How many keys there are.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
}

/// How long anything but the sending itself may take.
const PATIENCE: Duration = Duration::from_secs(30);

type Result<T> = std::result::Result<T, String>;

impl Latency {
    #[expect(clippy::print_stdout, reason = "the figures are the result of this command")]
    pub(crate) fn run(&self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return exit::fail(&error),
        };
        match runtime.block_on(self.measure()) {
            Ok(figures) => {
                println!("{figures}");
                ExitCode::SUCCESS
            }
            Err(error) => exit::fail(&error),
        }
    }

    async fn measure(&self) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let (mut jobmaster, rest, rpc) = start_jobmaster().await?;
        let mut workers = [start("worker", &["--jobmaster", &rpc])?, start("worker", &["--jobmaster", &rpc])?];
        let client = Client::new(&rest).map_err(|error| error.to_string())?;
        let job = client.submit(&manifest(port)).await.map_err(|error| error.to_string())?.jid;
        let (rows, _) = within("the job's source does not connect", listener.accept()).await?;
        wait_for(&client, &job, JobState::Running).await?;

        let began = Instant::now() + Duration::from_millis(100);
        let readers: Vec<JoinHandle<Result<Vec<u64>>>> = workers
            .iter_mut()
            .filter_map(|worker| worker.stdout.take())
            .map(|output| tokio::spawn(arrivals(output, began, self.rate)))
            .collect();
        send(rows, began, self.rate, self.rate * self.seconds, self.keys).await?;
        wait_for(&client, &job, JobState::Finished).await?;
        // Their outputs end when they do.
        for process in workers.iter_mut().chain([&mut jobmaster]) {
            process.kill().await.map_err(|error| error.to_string())?;
        }
        let mut times = Vec::new();
        for reader in readers {
            times.extend(reader.await.map_err(|error| error.to_string())??);
        }
        self.figures(times)
    }

    fn figures(&self, mut times: Vec<u64>) -> Result<String> {
        let sent = self.rate * self.seconds;
        if times.len() as u64 != sent {
            return Err(format!("{sent} rows were sent, and {} came back", times.len()));
        }
        // Of two workers one prints, and it prints in the order of the rows.
        let mut counted = times.split_off(times.len() / 5);
        counted.sort_unstable();
        let at = |share: usize| counted[(counted.len() - 1) * share / 1000];
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let ms = |micros: u64| micros as f64 / 1000.0;
        Ok(format!(
            "latency: {} rows/s for {} s, {} keys, source to keyed count to sink across two workers\n  p50 {:.2} ms   p90 \
             {:.2} ms   p99 {:.2} ms   p99.9 {:.2} ms   most {:.2} ms",
            self.rate,
            self.seconds,
            self.keys,
            ms(at(500)),
            ms(at(900)),
            ms(at(990)),
            ms(at(999)),
            ms(at(1000)),
        ))
    }
}

/// Starts this binary again. It is killed when it is dropped.
fn start(command: &str, arguments: &[&str]) -> Result<Child> {
    let binary = std::env::current_exe().map_err(|error| format!("cannot find this binary: {error}"))?;
    let mut process = Command::new(binary);
    process.arg(command).args(arguments).env("RUST_LOG", "info").stdout(Stdio::piped()).kill_on_drop(true);
    // The log of the jobmaster says where it is; that of workers is of no use here.
    process.stderr(if command == "jobmaster" { Stdio::piped() } else { Stdio::null() });
    process.spawn().map_err(|error| format!("cannot start `{command}`: {error}"))
}

/// The jobmaster, and where it answers REST and takes workers.
async fn start_jobmaster() -> Result<(Child, String, String)> {
    let arguments = ["--rest", "127.0.0.1:0", "--rpc", "127.0.0.1:0", "--storage", "memory:"];
    let mut process = start("jobmaster", &arguments)?;
    let log = process.stderr.take().ok_or("the jobmaster has no standard error")?;
    let mut lines = BufReader::new(log).lines();
    let ready = within("the jobmaster is not ready", async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("is ready") {
                return Ok(line);
            }
        }
        Err(std::io::Error::other("its log ended"))
    })
    .await?;
    // Nobody else reads its log, and a full pipe would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let value = |key: &str| {
        let field = ready.split_whitespace().find_map(|word| word.strip_prefix(key));
        field.map(str::to_owned).ok_or_else(|| format!("no `{key}` in the jobmaster's line: {ready}"))
    };
    Ok((process, value("rest=")?, value("rpc=")?))
}

async fn within<T>(what: &str, waited_for: impl Future<Output = std::io::Result<T>>) -> Result<T> {
    match timeout(PATIENCE, waited_for).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("{what}: {error}")),
        Err(_) => Err(format!("{what} within {} s", PATIENCE.as_secs())),
    }
}

async fn wait_for(client: &Client, job: &str, state: JobState) -> Result<()> {
    let mut look = interval(Duration::from_millis(20));
    let deadline = Instant::now() + PATIENCE;
    loop {
        look.tick().await;
        let found = client.job_status(job).await.map_err(|error: ClientError| error.to_string())?.status;
        if found == state {
            return Ok(());
        }
        if found.is_terminal() || Instant::now() > deadline {
            return Err(format!("the job is {found:?} where it should be {state:?}"));
        }
    }
}

/// The source in one slot, the count and the sink in another.
fn manifest(port: u16) -> String {
    format!(
        "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata: {{name: latency}}\nspec:\n  parallelism: 1\n  \
         program:\n    pipeline:\n      sources:\n        - name: rows\n          connector: socket\n          format: csv\n          \
         options: {{hostname: 127.0.0.1, port: {port}}}\n          schema: [key BIGINT, number BIGINT]\n      \
         transformations:\n        - name: counts\n          from: rows\n          keyBy: key\n          \
         window: {{global: {{}}}}\n          trigger: {{count: 1}}\n          \
         aggregate: [count(*) AS n, max(number) AS number]\n          slotSharingGroup: second\n      \
         sinks:\n        - {{name: out, from: counts, connector: print}}\n"
    )
}

/// Sends rows numbered from 0 as they come due, `rate` a second from `began` on.
async fn send(mut to: TcpStream, began: Instant, rate: u64, rows: u64, keys: u64) -> Result<()> {
    let lost = |error: std::io::Error| format!("the job's source does not take rows any more: {error}");
    to.set_nodelay(true).map_err(lost)?;
    let mut clock = interval(Duration::from_millis(1));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sent, mut text) = (0, String::new());
    while sent < rows {
        clock.tick().await;
        let passed = Instant::now().saturating_duration_since(began).as_micros();
        let due = u64::try_from(passed * u128::from(rate) / 1_000_000).unwrap_or(u64::MAX).min(rows);
        text.clear();
        for number in sent..due {
            // An odd multiplier far from 1 spreads neighbours over all keys.
            let key = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys;
            text.push_str(&format!("{key},{number}\n"));
        }
        to.write_all(text.as_bytes()).await.map_err(lost)?;
        sent = due;
    }
    Ok(())
}

/// For each line that a worker prints, in order: microseconds from when its row was due until it was read.
async fn arrivals(mut output: ChildStdout, began: Instant, rate: u64) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    let (mut waiting, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let read = output.read(&mut chunk).await.map_err(|error| format!("cannot read a worker's output: {error}"))?;
        if read == 0 {
            return Ok(times);
        }
        let now = u64::try_from(Instant::now().saturating_duration_since(began).as_micros()).unwrap_or(u64::MAX);
        waiting.extend_from_slice(&chunk[..read]);
        let whole = waiting.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        for line in waiting[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let number = row_number(line)
                .ok_or_else(|| format!("a worker printed `{}`, which is no count", String::from_utf8_lossy(line)))?;
            times.push(now.saturating_sub(number * 1_000_000 / rate));
        }
        waiting.drain(..whole);
    }
}

/// The last number of `+I[key, count, number]`.
fn row_number(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix(']')?;
    text.rsplit_once(", ")?.1.parse().ok()
}
