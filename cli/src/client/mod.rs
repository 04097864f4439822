//! The commands that ask a jobmaster: `submit`, `list`, `status`, `cancel`, `stop`.

mod show;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use millstream_api::{Client, ClientError, JobOverview, JobState, StopRequest};

use crate::{exit, manifest};

/// How often a job is looked at while a command waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Which jobmaster is asked.
#[derive(Debug, Args)]
pub(crate) struct JobMasterAddress {
    /// Where the jobmaster answers REST, HOST:PORT.
    #[arg(long, env = "MILLSTREAM_REST", default_value = "127.0.0.1:8081")]
    rest: String,
}

/// A command for a jobmaster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Hand a job to a jobmaster and print its id.
    Submit {
        #[command(flatten)]
        jobmaster: JobMasterAddress,
        /// The manifest of a StreamJob.
        manifest: PathBuf,
        /// Wait until the job has ended; the exit code says how, as with `run`.
        #[arg(long)]
        wait: bool,
    },
    /// List the jobs of a jobmaster.
    List {
        #[command(flatten)]
        jobmaster: JobMasterAddress,
        /// Print what REST answers.
        #[arg(long)]
        json: bool,
    },
    /// Show a job: its state, its tasks, what has failed.
    Status {
        #[command(flatten)]
        jobmaster: JobMasterAddress,
        /// The job's id, the beginning of it, or the job's name.
        job: String,
        /// Print what REST answers.
        #[arg(long)]
        json: bool,
    },
    /// End a job at once. What a bounded job has written does not become visible.
    Cancel {
        #[command(flatten)]
        jobmaster: JobMasterAddress,
        /// The job's id, the beginning of it, or the job's name.
        job: String,
    },
    /// End the sources of a job and wait until what was read is worked on. Windows that are open give no result.
    Stop {
        #[command(flatten)]
        jobmaster: JobMasterAddress,
        /// The job's id, the beginning of it, or the job's name.
        job: String,
    },
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Job(String),
}

impl ClientCommand {
    pub(crate) fn run(&self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return exit::fail(&error),
        };
        match runtime.block_on(self.ask()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Usage(why)) => exit::refuse(&why),
            Err(failure @ Failure::Client(ClientError::Refused { .. } | ClientError::BadAddress { .. })) => {
                exit::refuse(&failure)
            }
            Err(failure @ (Failure::Client(_) | Failure::Job(_))) => exit::fail(&failure),
        }
    }

    async fn ask(&self) -> Result<(), Failure> {
        match self {
            Self::Submit { jobmaster, manifest, wait } => submit(&jobmaster.client()?, manifest, *wait).await,
            Self::List { jobmaster, json } => {
                let jobs = jobmaster.client()?.jobs_overview().await?;
                show::list(&jobs, *json)
            }
            Self::Status { jobmaster, job, json } => {
                let client = jobmaster.client()?;
                let id = find(&client, job).await?.jid;
                let (details, failures) =
                    (client.job(&id).await?, client.job_exceptions(&id, &Default::default()).await?);
                show::status(&details, &failures, *json)
            }
            Self::Cancel { jobmaster, job } => {
                let client = jobmaster.client()?;
                let id = find(&client, job).await?.jid;
                client.cancel(&id).await?;
                ended(&client, &id, &[JobState::Canceled]).await
            }
            Self::Stop { jobmaster, job } => {
                let client = jobmaster.client()?;
                let id = find(&client, job).await?.jid;
                client.stop(&id, &StopRequest::default()).await?;
                ended(&client, &id, &[JobState::Finished]).await
            }
        }
    }
}

impl JobMasterAddress {
    fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.rest)?)
    }
}

async fn submit(client: &Client, path: &std::path::Path, wait: bool) -> Result<(), Failure> {
    let text = manifest::read(path).map_err(Failure::Usage)?;
    let submitted = match client.submit(&text).await {
        Ok(submitted) => submitted,
        Err(ClientError::Refused { status: 400, errors }) => {
            return Err(Failure::Usage(manifest::in_file(path, &errors)));
        }
        Err(error) => return Err(error.into()),
    };
    submitted.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    show::line(&submitted.jid);
    if wait { ended(client, &submitted.jid, &[JobState::Finished, JobState::Canceled]).await } else { Ok(()) }
}

/// The job that a person means by `wanted`.
async fn find(client: &Client, wanted: &str) -> Result<JobOverview, Failure> {
    let jobs = client.jobs_overview().await?.jobs;
    let by_id = |job: &&JobOverview| !wanted.is_empty() && job.jid.starts_with(wanted);
    // Of jobs of one name the one that has not ended is meant, or else the last.
    let named = jobs.iter().filter(|job| job.name == wanted).max_by_key(|job| (job.end_time < 0, job.start_time));
    if let Some(job) = named {
        return Ok(job.clone());
    }
    match jobs.iter().filter(by_id).collect::<Vec<_>>().as_slice() {
        [job] => Ok((*job).clone()),
        [] => Err(Failure::Usage(format!(
            "the jobmaster at {} has no job `{wanted}`; `millstream list` shows them",
            client.address()
        ))),
        several => Err(Failure::Usage(format!("{} jobs begin with `{wanted}`; give more of the id", several.len()))),
    }
}

/// Waits until a job has ended, and says if it did not end as wanted.
async fn ended(client: &Client, id: &str, wanted: &[JobState]) -> Result<(), Failure> {
    loop {
        let state = client.job_status(id).await?.status;
        if wanted.contains(&state) {
            return Ok(());
        }
        if state.is_terminal() {
            let failures = client.job_exceptions(id, &Default::default()).await?;
            let why = failures.exception_history.entries.first().map(show::failure);
            return Err(Failure::Job(format!("job {id} is {}: {}", show::word(state), why.unwrap_or_default())));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
