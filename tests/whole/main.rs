//! Tests of the whole: the binary run as a person would run it, over real files.

mod cli;
mod flights;
mod tidy;
