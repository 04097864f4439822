//! Gives keys dense numbers.
