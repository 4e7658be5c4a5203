//! Splits JSON arrays and objects without parsing them.
//!
//! Only strings and brackets are examined. So an element that a parser refuses (half of a surrogate
//! pair, a number out of range) has an end too, and the next element is found.

use memchr::memchr2;

/// The parts of an array or an object between its commas, without white space around them.
///
/// A comma before the closing bracket makes one more part, which is empty.
pub(crate) struct Parts<'a> {
    text: &'a [u8],
    next: usize,
    close: u8,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Inside,
    /// The closing bracket was found. Holds the index after it.
    Closed(usize),
    /// The text ended before it, or a bracket of the other kind closes.
    Cut,
}

impl<'a> Parts<'a> {
    /// The elements of the array that the text begins with.
    pub(crate) fn of_array(text: &'a [u8]) -> Option<Self> {
        Self::of(text, b'[', b']')
    }

    /// The members of the object that the text begins with.
    pub(crate) fn of_object(text: &'a [u8]) -> Option<Self> {
        Self::of(text, b'{', b'}')
    }

    fn of(text: &'a [u8], open: u8, close: u8) -> Option<Self> {
        let text = text.trim_ascii_start();
        (text.first() == Some(&open)).then_some(Self {
            text,
            next: 1,
            close,
            state: State::First,
        })
    }

    /// What follows the closing bracket; `None` if there is no such bracket.
    pub(crate) fn end(mut self) -> Option<&'a [u8]> {
        self.by_ref().for_each(drop);
        match self.state {
            State::Closed(end) => Some(&self.text[end..]),
            _ => None,
        }
    }

    /// Whether nothing but white space follows the array or object.
    pub(crate) fn are_all(self) -> bool {
        self.end().is_some_and(|rest| rest.trim_ascii().is_empty())
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let is_first = self.state == State::First;
        if !is_first && self.state != State::Inside {
            return None;
        }
        let Some(end) = part_end(self.text, self.next) else {
            self.state = State::Cut;
            return None;
        };
        let part = self.text[self.next..end].trim_ascii();
        self.next = end + 1;
        self.state = match self.text[end] {
            b',' => State::Inside,
            byte if byte == self.close => State::Closed(end + 1),
            _ => State::Cut,
        };
        let is_none = self.state == State::Cut
            || (is_first && part.is_empty() && self.state != State::Inside);
        (!is_none).then_some(part)
    }
}

/// The key and the value of a member, not unescaped.
pub(crate) fn key_and_value(member: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = member.strip_prefix(b"\"")?;
    let end = string_end(rest, 0)?;
    let value = rest[end + 1..].trim_ascii_start().strip_prefix(b":")?;
    Some((&rest[..end], value.trim_ascii()))
}

/// The end of the part that begins at `start`: a comma or a closing bracket outside of strings and
/// of nested brackets.
fn part_end(text: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' | b',' if depth == 0 => return Some(at),
            b']' | b'}' => depth -= 1,
            b'"' => at = string_end(text, at + 1)?,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The closing quote of the string with its first character at `start`.
pub(crate) fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            r#"[\[\]{},:"\\ aé\n]{0,6}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let key = r#"[{},:"\\a]{0,3}"#;
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_parts_are_what_a_reader_of_json_finds(
            elements in prop::collection::vec(value(), 0..5), is_pretty: bool,
        ) {
            let array = Value::from(elements.clone());
            let text = if is_pretty { format!("{array:#}") } else { array.to_string() };
            let mut parts = Parts::of_array(text.as_bytes()).expect("an array");
            let found: Vec<Value> = parts
                .by_ref()
                .map(|part| serde_json::from_slice(part).expect("an element"))
                .collect();
            prop_assert_eq!(found, elements);
            prop_assert_eq!(parts.end(), Some(&b""[..]));
        }

        #[test]
        fn any_bytes_have_parts_that_lie_in_them(bytes in prop::collection::vec(
            prop::sample::select(b"[]{},:\"\\ a".to_vec()), 0..40,
        )) {
            for parts in [Parts::of_array(&bytes), Parts::of_object(&bytes)].into_iter().flatten() {
                let lengths: Vec<usize> = parts.map(<[u8]>::len).collect();
                prop_assert!(lengths.iter().map(|length| length + 1).sum::<usize>() <= bytes.len());
            }
        }
    }

    fn elements(text: &str) -> (Vec<&str>, Option<&str>) {
        let mut parts = Parts::of_array(text.as_bytes()).expect("an array");
        let utf8 = |bytes| str::from_utf8(bytes).expect("UTF-8");
        let found = parts.by_ref().map(utf8).collect();
        (found, parts.end().map(utf8))
    }

    #[test]
    fn elements_end_at_commas_outside_of_strings_and_brackets() {
        for (text, found, rest) in [
            ("[]", vec![], ""),
            (" [ ] \n", vec![], " \n"),
            ("[1]x", vec!["1"], "x"),
            (
                r#"[{"a":[1,2]}, "],\"," ,nope]"#,
                vec![r#"{"a":[1,2]}"#, r#""],\",""#, "nope"],
                "",
            ),
            ("[1,]", vec!["1", ""], ""),
            ("[,1]", vec!["", "1"], ""),
            (r#"["\\",2]"#, vec![r#""\\""#, "2"], ""),
        ] {
            assert_eq!(elements(text), (found, Some(rest)), "{text}");
        }
    }

    #[test]
    fn an_array_that_is_cut_short_has_no_end() {
        let whole = r#"[{"a":[1,"]\""]},{},"b"]"#;
        for end in 1..whole.len() {
            assert_eq!(elements(&whole[..end]).1, None, "{end}");
        }
        assert_eq!(elements("[1}").1, None);
        assert!(Parts::of_array(b"{}").is_none());
    }

    #[test]
    fn a_member_is_a_key_and_a_value() {
        let mut members = Parts::of_object(br#"{"a" : "b:c", "d\"":{"e":1}, f:2}"#).expect("one");
        let mut next = || members.next().map(key_and_value);
        assert_eq!(next(), Some(Some((&b"a"[..], &br#""b:c""#[..]))));
        assert_eq!(next(), Some(Some((&br#"d\""#[..], &br#"{"e":1}"#[..]))));
        assert_eq!(next(), Some(None));
        assert_eq!(next(), None);
    }
}
