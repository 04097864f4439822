//! `StreamJob`: the manifest that describes a job, as a Rust type, as a schema and as a page of documentation.
//!
//! [`stream_job`] has the types. They are lenient, so that an old controller can read the objects of a newer one. A file
//! that a person hands over is checked strictly first: [`manifest::check_manifest`] compares it with the [`schema`] that is
//! generated from the types and names every field that is unknown or of the wrong type with its line. The pipeline inside
//! a manifest is opaque here; the planner checks it, with the same [`check`] and its own schema.

pub mod check;
pub mod manifest;
pub mod path;
pub mod reference;
pub mod schema;
pub mod stream_job;

pub use manifest::{Manifest, ManifestError, Position, check_manifest, read_manifest};
pub use path::Path;
pub use stream_job::{API_VERSION, KIND, StreamJob, StreamJobSpec};
