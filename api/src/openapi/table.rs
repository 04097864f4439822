//! The table of endpoints.

use super::Method::{Get, Patch, Post};
use super::{Endpoint, QueryParameter, QueryValue, RequestBody, schema_of};
use crate::paths;
use crate::submit::MANIFEST_CONTENT_TYPE;
use crate::{
    AggregatedMetric, ConfigEntry, DashboardConfig, Empty, JobConfig, JobDetails, JobExceptions, JobIds, JobPlan,
    JobStatus, JobsOverview, Metric, Overview, SavepointStatus, StopRequest, SubmitResponse, SubtaskDetails,
    TaskManagerDetails, TaskManagers, Triggered, VertexBackpressure, VertexDetails,
};

/// All endpoints.
pub static ENDPOINTS: &[Endpoint] = &[
    get(
        paths::OVERVIEW,
        "overview",
        "Says what there is to run on, and how many jobs there are.",
        schema_of::<Overview>,
    ),
    get(paths::CONFIG, "dashboard_config", "Says what the web page is set to.", schema_of::<DashboardConfig>),
    get(
        paths::JOBMANAGER_CONFIG,
        "jobmanager_config",
        "Lists the settings of the JobMaster.",
        schema_of::<Vec<ConfigEntry>>,
    ),
    get(paths::JOBS, "jobs", "Lists the ids and states of all jobs, those that have ended too.", schema_of::<JobIds>),
    Endpoint {
        method: Post,
        request: Some(RequestBody {
            content_type: MANIFEST_CONTENT_TYPE,
            meaning: "The manifest of a StreamJob, as a person writes it.",
            required: true,
            schema: schema_of::<String>,
        }),
        status: 202,
        errors: &[
            (400, "The manifest cannot be used; each error names the field and the line."),
            OTHER_SITE,
            TOO_SLOW,
            (409, "A job of that name has not ended."),
            TOO_LONG,
            (500, "The job could not be stored, and was not started."),
            (503, "Too many manifests are being read, or the jobmaster is ending; try again."),
        ],
        ..get(paths::JOBS, "submit", "Starts a job.", schema_of::<SubmitResponse>)
    },
    get(
        paths::JOBS_OVERVIEW,
        "jobs_overview",
        "Lists all jobs, each with its state and counts of its tasks.",
        schema_of::<JobsOverview>,
    ),
    of_job(get(paths::JOB, "job", "Shows a job with its vertices and its plan.", schema_of::<JobDetails>)),
    Endpoint {
        method: Patch,
        query: &[QueryParameter {
            name: "mode",
            meaning: "How the job is to end.",
            value: QueryValue::Word(&["cancel"]),
        }],
        status: 202,
        errors: &[
            UNREADABLE,
            OTHER_SITE,
            NO_JOB,
            (409, "The job has ended already, and not because it was cancelled, or its results are being published."),
            ENDING,
        ],
        ..get(paths::JOB, "cancel", "Ends a job at once and without a savepoint.", schema_of::<Empty>)
    },
    of_job(get(paths::JOB_STATUS, "job_status", "Says in which state a job is.", schema_of::<JobStatus>)),
    of_job(get(
        paths::JOB_PLAN,
        "job_plan",
        "Shows the vertices of a job and what flows between them.",
        schema_of::<JobPlan>,
    )),
    of_job(get(paths::JOB_CONFIG, "job_config", "Says how a job is run.", schema_of::<JobConfig>)),
    Endpoint {
        query: &[QueryParameter {
            name: "maxExceptions",
            meaning: "How many failures are wanted; all that are remembered unless set.",
            value: QueryValue::Number,
        }],
        ..of_job(get(
            paths::JOB_EXCEPTIONS,
            "job_exceptions",
            "Lists the failures of a job, the latest first.",
            schema_of::<JobExceptions>,
        ))
    },
    Endpoint {
        query: &[WANTED],
        ..of_job(get(
            paths::JOB_METRICS,
            "job_metrics",
            "Shows metrics of a job, or names them.",
            schema_of::<Vec<Metric>>,
        ))
    },
    Endpoint {
        method: Post,
        request: Some(RequestBody {
            content_type: "application/json",
            meaning: "Where the savepoint goes, and whether event time goes to its end first.",
            required: false,
            schema: schema_of::<StopRequest>,
        }),
        status: 202,
        errors: &[
            (400, "The request cannot be read, or it wants a savepoint or a drain, which there are not yet."),
            OTHER_SITE,
            NO_JOB,
            TOO_SLOW,
            (409, "The job does not run, or its results are being published."),
            TOO_LONG,
            ENDING,
        ],
        ..get(
            paths::JOB_STOP,
            "stop",
            "Ends the sources of a job; what was read is worked on to its end.",
            schema_of::<Triggered>,
        )
    },
    Endpoint {
        errors: &[UNREADABLE, (404, "There is no such job, or no operation with this id.")],
        ..get(paths::JOB_SAVEPOINT, "savepoint", "Says how far a savepoint is.", schema_of::<SavepointStatus>)
    },
    of_vertex(get(paths::VERTEX, "vertex", "Shows a vertex with its subtasks.", schema_of::<VertexDetails>)),
    of_vertex(get(
        paths::VERTEX_BACKPRESSURE,
        "vertex_backpressure",
        "Says what the subtasks of a vertex spend their time on.",
        schema_of::<VertexBackpressure>,
    )),
    of_vertex(get(
        paths::VERTEX_WATERMARKS,
        "vertex_watermarks",
        "Lists the watermarks that the subtasks of a vertex have reached.",
        schema_of::<Vec<Metric>>,
    )),
    Endpoint {
        query: &[WANTED],
        ..of_vertex(get(
            paths::VERTEX_METRICS,
            "vertex_metrics",
            "Shows metrics of the subtasks of a vertex, or names them.",
            schema_of::<Vec<Metric>>,
        ))
    },
    Endpoint {
        query: &[
            WANTED,
            QueryParameter {
                name: "agg",
                meaning: "The numbers that are wanted of each metric; all unless set.",
                value: QueryValue::Words(&["min", "max", "avg", "sum", "skew"]),
            },
        ],
        ..of_vertex(get(
            paths::SUBTASK_METRICS,
            "subtask_metrics",
            "Sums up metrics over the subtasks of a vertex, or names them.",
            schema_of::<Vec<AggregatedMetric>>,
        ))
    },
    Endpoint {
        errors: &[UNREADABLE, (404, "There is no such job, vertex or subtask.")],
        ..get(paths::SUBTASK, "subtask", "Shows a subtask and the tries to run it.", schema_of::<SubtaskDetails>)
    },
    get(paths::TASKMANAGERS, "taskmanagers", "Lists the TaskManagers.", schema_of::<TaskManagers>),
    Endpoint {
        errors: &[(404, "There is no such TaskManager.")],
        ..get(paths::TASKMANAGER, "taskmanager", "Shows a TaskManager.", schema_of::<TaskManagerDetails>)
    },
];

const OTHER_SITE: (u16, &str) = (403, "A page of another site has sent it.");
const TOO_SLOW: (u16, &str) = (408, "The body did not come in time.");
const TOO_LONG: (u16, &str) = (413, "The body is too long.");
const ENDING: (u16, &str) = (503, "The jobmaster is ending.");
const UNREADABLE: (u16, &str) = (400, "The path or the query cannot be read.");
const NO_JOB: (u16, &str) = (404, "There is no such job.");
const WANTED: QueryParameter = QueryParameter {
    name: "get",
    meaning: "The metrics whose values are wanted. If none is named, the answer is the names of all.",
    value: QueryValue::Texts,
};

const fn get(path: &'static str, name: &'static str, summary: &'static str, response: super::SchemaOf) -> Endpoint {
    Endpoint { method: Get, path, name, summary, query: &[], request: None, status: 200, response, errors: &[] }
}

const fn of_job(endpoint: Endpoint) -> Endpoint {
    Endpoint { errors: &[UNREADABLE, NO_JOB], ..endpoint }
}

const fn of_vertex(endpoint: Endpoint) -> Endpoint {
    Endpoint { errors: &[UNREADABLE, (404, "There is no such job or vertex.")], ..endpoint }
}
