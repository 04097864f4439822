//! Random JSON, compared with another parser.
