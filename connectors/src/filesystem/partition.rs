//! Folders that are columns: `/dt=2020-01-01/hour=7/`, as Hive lays them out and Flink reads and writes them.

use std::fmt::Write;

/// Appends `value` as a part of a path: characters that a path or a file system could take for its own become `%XX`.
pub(crate) fn append_escaped(value: &str, path: &mut String) {
    for character in value.chars() {
        if needs_escape(character) {
            // Writing to a string cannot fail.
            let _ = write!(path, "%{:02X}", u32::from(character));
        } else {
            path.push(character);
        }
    }
}

/// What Hive escapes in a partition's folder.
fn needs_escape(character: char) -> bool {
    character.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(character)
}

/// The text whose escaped form is `part`. A `%` that begins no escape stands for itself.
pub(crate) fn unescaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let mut rest = part;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                text.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                text.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    text.push_str(rest);
    text
}

/// The value that the folders of `path` give to the partition column `key`; the innermost folder wins.
pub(crate) fn value_in_path(path: &str, key: &str) -> Option<String> {
    let folders = path.rsplit('/').skip(1);
    let mut named = folders.filter_map(|folder| folder.split_once('='));
    named.find(|(name, _)| unescaped(name) == key).map(|(_, value)| unescaped(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_from_its_escaped_form() {
        for text in ["2020-01-01", "a/b", "100%", "%2F", "x=y", "tab\tnew\nline", "Zürich", "", "10:30", "%é%", "^[]"]
        {
            let mut path = String::new();
            append_escaped(text, &mut path);
            assert!(!path.contains(['/', '\n', '=']), "{path}");
            assert_eq!(unescaped(&path), text, "{path}");
        }
    }

    #[test]
    fn a_percent_sign_that_begins_no_escape_stands_for_itself() {
        assert_eq!(unescaped("100%"), "100%");
        assert_eq!(unescaped("%zz%4"), "%zz%4");
        assert_eq!(unescaped("%FF"), "%FF");
    }

    #[test]
    fn folders_give_values_and_the_file_name_does_not() {
        let path = "/data/dt=2020-01-01/hour=07%3A30/part=1.csv";
        assert_eq!(value_in_path(path, "dt").as_deref(), Some("2020-01-01"));
        assert_eq!(value_in_path(path, "hour").as_deref(), Some("07:30"));
        assert_eq!(value_in_path(path, "part"), None);
    }
}
