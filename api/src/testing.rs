//! What the tests of the bodies share.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Checks that `body` is written as `text` says, and that `text` is read as `body`.
#[track_caller]
pub(crate) fn is_written_and_read_as<T>(body: &T, text: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let expected: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(body).unwrap(), expected);
    assert_eq!(&serde_json::from_str::<T>(text).unwrap(), body);
}
