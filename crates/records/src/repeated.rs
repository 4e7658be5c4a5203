//! Fields that are given twice.
//!
//! JSON allows them, and readers disagree on which one counts. So all levels of an object are
//! searched, also unknown fields: another reader may have a meaning for them.

use std::borrow::Cow;
use std::fmt::Write;

use memchr::memchr2;

/// Up to this many names are compared with each other. Among more, equal ones are found by sorting.
const FEW: usize = 32;

/// The path of the first field that an object has twice, such as `options[0].text`. The text must
/// be valid JSON.
pub fn repeated_field(text: &str) -> Option<String> {
    let mut scan = Scan::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => scan.levels.push(Level::of_object(scan.names.len())),
            b'[' => scan.levels.push(Level::of_list()),
            b'}' | b']' => {
                if let Some(path) = scan.close() {
                    return Some(path);
                }
            }
            b',' => scan.next(),
            b'"' => {
                let end = at + 1 + end_of_string(&bytes[at + 1..])?;
                if scan.takes_name() {
                    let path = scan.name(name(&text[at..=end]));
                    if path.is_some() {
                        return path;
                    }
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The closing quote of the string that begins before the first byte.
fn end_of_string(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = at + memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[found] == b'"' {
            return Some(found);
        }
        at = found + 2;
    }
}

/// The name in a quoted string. One with half of a surrogate pair is compared as it is written.
fn name(quoted: &str) -> Cow<'_, str> {
    let plain = &quoted[1..quoted.len() - 1];
    if plain.contains('\\')
        && let Ok(name) = serde_json::from_str::<String>(quoted)
    {
        return name.into();
    }
    plain.into()
}

/// The open objects and lists at a position of the text.
#[derive(Default)]
struct Scan<'a> {
    levels: Vec<Level>,
    /// The names of all open objects, the innermost last.
    names: Vec<Cow<'a, str>>,
}

/// An object or a list.
struct Level {
    /// The index of the first name of an object; `None` for a list.
    names_from: Option<usize>,
    /// Whether the next string is a name and not a value.
    takes_name: bool,
    /// The number of names at which they are sorted and compared next.
    check_at: usize,
    /// The number of the present element.
    index: usize,
    /// The index of the name of the present value. Sorting does not move it: names are only sorted
    /// when the next one comes.
    last: usize,
}

impl Level {
    fn of_object(names_from: usize) -> Self {
        Self {
            names_from: Some(names_from),
            takes_name: true,
            check_at: 2 * FEW,
            index: 0,
            last: names_from,
        }
    }

    fn of_list() -> Self {
        Self {
            names_from: None,
            takes_name: false,
            check_at: 0,
            index: 0,
            last: 0,
        }
    }
}

impl<'a> Scan<'a> {
    fn takes_name(&self) -> bool {
        self.levels.last().is_some_and(|level| level.takes_name)
    }

    fn next(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.takes_name = level.names_from.is_some();
            level.index += 1;
        }
    }

    /// Adds a name to the innermost object. Returns its path if it is found to be repeated.
    fn name(&mut self, name: Cow<'a, str>) -> Option<String> {
        let level = self.levels.last_mut()?;
        let from = level.names_from?;
        level.takes_name = false;
        let known = &self.names[from..];
        if known.len() < FEW && known.contains(&name) {
            return Some(self.path_to(&name));
        }
        if known.len() >= level.check_at {
            level.check_at *= 2;
            if let Some(path) = self.find_repeated(from) {
                return Some(path);
            }
        }
        self.names.push(name);
        let last = self.names.len() - 1;
        self.levels.last_mut()?.last = last;
        None
    }

    /// Closes the innermost object or list. Returns the path of a repeated name.
    fn close(&mut self) -> Option<String> {
        let from = self.levels.last().and_then(|level| level.names_from);
        if let Some(from) = from {
            if self.names.len() - from > FEW {
                let path = self.find_repeated(from);
                if path.is_some() {
                    return path;
                }
            }
            self.names.truncate(from);
        }
        self.levels.pop();
        None
    }

    /// Sorts the names of the innermost object, and returns the path of a repeated one.
    fn find_repeated(&mut self, from: usize) -> Option<String> {
        let names = &mut self.names[from..];
        names.sort_unstable();
        let mut pairs = names.windows(2);
        let twice = pairs.find(|pair| pair[0] == pair[1])?[0].clone();
        Some(self.path_to(&twice))
    }

    /// The path of a name of the innermost object.
    fn path_to(&self, name: &str) -> String {
        let mut path = String::new();
        let outer = self.levels.len().saturating_sub(1);
        for level in &self.levels[..outer] {
            match level.names_from {
                Some(_) => add_name(&mut path, &self.names[level.last]),
                None => write!(path, "[{}]", level.index).expect("writing to a string cannot fail"),
            }
        }
        add_name(&mut path, name);
        path
    }
}

/// Adds a name to a path. Names come from the client and may be long, so each is cut.
fn add_name(path: &mut String, name: &str) {
    const CHARACTERS_MAX: usize = 64;
    const PATH_BYTES_MAX: usize = 512;
    if path.len() > PATH_BYTES_MAX {
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.extend(name.chars().take(CHARACTERS_MAX));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_field_given_twice_is_found_at_every_level() {
        for (text, path) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"a":1,"b":{"c":[{},{"d":1,"e":2,"d":3}]}}"#, "b.c[1].d"),
            (r#"[{"a":1},[2,{"b":1,"b":1}]]"#, "[1][1].b"),
            (r#"{"a":1,"\u0061":2}"#, "a"),
            (r#"{"\"":1,"\"":2}"#, "\""),
            (r#"{"\ud83d":1,"\ud83d":2}"#, r"\ud83d"),
            (r#" { "x" : "y" , "x" : null } "#, "x"),
            (r#"{"":0,"":0}"#, ""),
        ] {
            assert_eq!(repeated_field(text).as_deref(), Some(path), "{text}");
        }
    }

    #[test]
    fn values_and_fields_of_other_objects_are_not_repetitions() {
        for text in [
            r#"{"a":"a","b":["a","a",{"a":1}],"c":{"a":{"a":1}}}"#,
            r#"[{"a":1},{"a":1}]"#,
            r#"{"a":"\"a\":1,\"a\":","b":"\\","c":"}{,"}"#,
            r#""a""#,
            "1e999",
            "{}",
            "[]",
        ] {
            assert_eq!(repeated_field(text), None, "{text}");
        }
    }

    #[test]
    fn one_of_many_is_found_wherever_it_is() {
        for count in [31, 32, 33, 63, 64, 65, 1_000] {
            let names: Vec<String> = (0..count)
                .map(|n| format!("\"n{n}\":{{\"x\":0}}"))
                .collect();
            assert_eq!(repeated_field(&format!("{{{}}}", names.join(","))), None);
            for n in [0, count / 2, count - 1] {
                let text = format!("{{{},\"n{n}\":1,\"z\":1}}", names.join(","));
                assert_eq!(repeated_field(&text), Some(format!("n{n}")), "{count}");
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[a-c\"\\\\{}\\[\\],:é]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"\\\\é]{0,2}", inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_a_writer_writes_has_no_field_twice(value in value()) {
            prop_assert_eq!(repeated_field(&value.to_string()), None);
            prop_assert_eq!(repeated_field(&serde_json::to_string_pretty(&value).unwrap()), None);
        }
    }
}
