//! Reading JSON that may spell each name in several ways, naming all that is wrong.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::extract::{Violations, lower_camel_case, read_json};

/// An object and where it stands.
#[derive(Debug)]
pub(super) struct Object<'a> {
    fields: &'a Map<String, Value>,
    path: String,
}

impl<'a> Object<'a> {
    /// The whole body.
    pub(super) fn root(body: &'a [u8], value: &'a mut Value) -> Result<Self, ApiError> {
        *value = read_json(body, "a JSON object")?;
        match value {
            Value::Object(fields) => Ok(Self {
                fields,
                path: String::new(),
            }),
            _ => Err(ApiError::bad_request(
                "MALFORMED_JSON",
                "the body must be a JSON object",
            )),
        }
    }

    /// The object that a value is.
    pub(super) fn of(value: &'a Value, path: String, violations: &mut Violations) -> Option<Self> {
        if let Value::Object(fields) = value {
            return Some(Self { fields, path });
        }
        violations.add(path, "must be an object");
        None
    }

    /// The path of a field, by its first spelling.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// A field under any of its spellings; `null` is the same as absent.
    /// Each spelling is read in `lowerCamelCase` too.
    pub(super) fn get(&self, spellings: &[&str], violations: &mut Violations) -> Option<&'a Value> {
        let mut found: Option<&Value> = None;
        for spelling in spellings {
            let camel = lower_camel_case(spelling);
            let names = [Some(*spelling), (camel != *spelling).then_some(&*camel)];
            for name in names.into_iter().flatten() {
                let value = self.fields.get(name).filter(|value| !value.is_null());
                match (found, value) {
                    (Some(first), Some(second)) if first != second => {
                        violations.add(
                            self.path(spellings[0]),
                            format!("is given twice, with another value as `{name}`"),
                        );
                        return None;
                    }
                    (None, value) => found = value,
                    _ => {}
                }
            }
        }
        found
    }

    /// A field that is a list; absent is empty.
    pub(super) fn list(&self, spellings: &[&str], violations: &mut Violations) -> &'a [Value] {
        match self.get(spellings, violations) {
            None => &[],
            Some(Value::Array(elements)) => elements,
            Some(_) => {
                violations.add(self.path(spellings[0]), "must be an array");
                &[]
            }
        }
    }

    /// A field that is a string; absent and `""` are the same.
    pub(super) fn text(&self, spellings: &[&str], violations: &mut Violations) -> Option<&'a str> {
        match self.get(spellings, violations)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text),
            _ => {
                violations.add(self.path(spellings[0]), "must be a string");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The field `id`, or the wrong fields.
    fn get(value: &Value) -> Result<Option<Value>, Vec<String>> {
        let mut violations = Violations::default();
        let object = Object::of(value, String::new(), &mut violations).unwrap();
        let found = object.get(&["id", "event_id"], &mut violations).cloned();
        let found = violations.into_result(Some(found));
        found.map_err(|error| error.violated_fields())
    }

    #[test]
    fn a_field_has_several_spellings() {
        for value in [
            json!({"id": "e"}),
            json!({"event_id": "e"}),
            json!({"eventId": "e"}),
            json!({"id": "e", "eventId": "e", "event_id": null}),
        ] {
            assert_eq!(get(&value), Ok(Some(json!("e"))), "{value}");
        }
        let twice = get(&json!({"id": "a", "eventId": "b"}));
        assert_eq!(twice, Err(vec!["id".to_owned()]));
        assert_eq!(get(&json!({"id": null})), Ok(None));
    }
}
