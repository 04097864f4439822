//! The routes, each named once, for the server and for the client.
//!
//! A constant is the template that a router and the OpenAPI document take; the function beside it is the path that a
//! client asks for. Parameters have the names that they have in Flink's documentation.

use std::fmt::Write;

/// Flink answers below this prefix too. It is for the server to nest all routes under.
pub const VERSION_1: &str = "/v1";

macro_rules! paths {
    ($($(#[$doc:meta])* $template:ident = $path:literal, $function:ident($($parameter:ident),*);)*) => {
        $($(#[$doc])* pub const $template: &str = $path;)*

        /// All templates.
        pub const ALL: &[&str] = &[$($template),*];

        /// The parameters of the functions, in the order of [`ALL`].
        #[cfg(test)]
        const ARGUMENTS: &[&[&str]] = &[$(&[$(stringify!($parameter)),*]),*];

        $(
            #[doc = concat!("The path of [`", stringify!($template), "`].")]
            pub fn $function($($parameter: &str),*) -> String {
                filled($template, &[$($parameter),*])
            }
        )*
    };
}

paths! {
    /// The cluster in numbers.
    OVERVIEW = "/overview", overview();
    /// What the web page asks for first.
    CONFIG = "/config", config();
    /// Ids and states of all jobs; a new job.
    JOBS = "/jobs", jobs();
    /// A line for each job.
    JOBS_OVERVIEW = "/jobs/overview", jobs_overview();
    /// A job.
    JOB = "/jobs/{jobid}", job(jobid);
    /// A job's state.
    JOB_STATUS = "/jobs/{jobid}/status", job_status(jobid);
    /// A job as a graph.
    JOB_PLAN = "/jobs/{jobid}/plan", job_plan(jobid);
    /// How a job is run.
    JOB_CONFIG = "/jobs/{jobid}/config", job_config(jobid);
    /// A job's failures.
    JOB_EXCEPTIONS = "/jobs/{jobid}/exceptions", job_exceptions(jobid);
    /// A job's metrics.
    JOB_METRICS = "/jobs/{jobid}/metrics", job_metrics(jobid);
    /// Ends a job with a savepoint.
    JOB_STOP = "/jobs/{jobid}/stop", job_stop(jobid);
    /// How far a savepoint is.
    JOB_SAVEPOINT = "/jobs/{jobid}/savepoints/{triggerid}", job_savepoint(jobid, triggerid);
    /// A vertex of a job with its subtasks.
    VERTEX = "/jobs/{jobid}/vertices/{vertexid}", vertex(jobid, vertexid);
    /// What holds the subtasks of a vertex up.
    VERTEX_BACKPRESSURE = "/jobs/{jobid}/vertices/{vertexid}/backpressure", vertex_backpressure(jobid, vertexid);
    /// The watermarks that the subtasks of a vertex have reached.
    VERTEX_WATERMARKS = "/jobs/{jobid}/vertices/{vertexid}/watermarks", vertex_watermarks(jobid, vertexid);
    /// The metrics of the subtasks of a vertex.
    VERTEX_METRICS = "/jobs/{jobid}/vertices/{vertexid}/metrics", vertex_metrics(jobid, vertexid);
    /// The metrics of a vertex over all of its subtasks.
    SUBTASK_METRICS = "/jobs/{jobid}/vertices/{vertexid}/subtasks/metrics", subtask_metrics(jobid, vertexid);
    /// A subtask and the tries to run it.
    SUBTASK = "/jobs/{jobid}/vertices/{vertexid}/subtasks/{subtaskindex}", subtask(jobid, vertexid, subtaskindex);
    /// The TaskManagers.
    TASKMANAGERS = "/taskmanagers", taskmanagers();
    /// A TaskManager.
    TASKMANAGER = "/taskmanagers/{taskmanagerid}", taskmanager(taskmanagerid);
    /// The settings of the JobMaster.
    JOBMANAGER_CONFIG = "/jobmanager/config", jobmanager_config();
}

/// The parameters of a template, in order.
pub fn parameters(template: &str) -> impl Iterator<Item = &str> {
    template.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// A template with its parameters replaced, in order.
fn filled(template: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let segments = template.split('/').map(|segment| match segment.starts_with('{') {
        true => values.next().map_or_else(String::new, |value| encoded(value)),
        false => segment.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

/// A text that can stand in a URI: all but letters, digits and `-._~` as `%` and two digits.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_filled_in_order() {
        assert_eq!(overview(), "/overview");
        assert_eq!(subtask("j", "v", "3"), "/jobs/j/vertices/v/subtasks/3");
        assert_eq!(parameters(SUBTASK).collect::<Vec<_>>(), ["jobid", "vertexid", "subtaskindex"]);
    }

    #[test]
    fn what_a_parameter_holds_does_not_change_the_route() {
        assert_eq!(job("a/../b?c#d"), "/jobs/a%2F..%2Fb%3Fc%23d");
        assert_eq!(taskmanager("127.0.0.1:44625-31901e"), "/taskmanagers/127.0.0.1%3A44625-31901e");
        assert_eq!(job("ü"), "/jobs/%C3%BC");
    }

    #[test]
    fn every_function_takes_what_its_template_has() {
        assert_eq!(ALL.len(), ARGUMENTS.len());
        for (template, arguments) in ALL.iter().zip(ARGUMENTS) {
            assert_eq!(parameters(template).collect::<Vec<_>>(), *arguments, "{template}");
        }
    }
}
