//! Reads JSON objects with fields that may be spelt in several ways.

use serde_json::{Map, Value};

use crate::error::{ApiError, Reason};
use crate::extract::{Violations, lower_camel_case, read_json};

/// A JSON object and its path in the body.
#[derive(Debug)]
pub(super) struct Object<'a> {
    fields: &'a Map<String, Value>,
    /// Empty for the whole body.
    path: String,
}

impl<'a> Object<'a> {
    /// The object that the whole body is. The caller keeps the value that it borrows from.
    pub(super) fn root(body: &'a [u8], value: &'a mut Value) -> Result<Self, ApiError> {
        *value = read_json(body, "a JSON object")?;
        match value {
            Value::Object(fields) => Ok(Self {
                fields,
                path: String::new(),
            }),
            _ => Err(ApiError::new(
                Reason::MalformedJson,
                "the body must be a JSON object",
            )),
        }
    }

    /// The value as an object.
    pub(super) fn from_value(
        value: &'a Value,
        path: String,
        violations: &mut Violations,
    ) -> Option<Self> {
        if let Value::Object(fields) = value {
            return Some(Self { fields, path });
        }
        violations.add(path, "must be an object");
        None
    }

    /// The path of a field in the body, such as `dimension_with_conditions[0].filter`.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// A field under any of its spellings, each also in `lowerCamelCase`; `null` is the same as
    /// absent. Two spellings with different values are a violation.
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

    /// A field with an array; empty if it is absent.
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

    /// A field with a string; `""` is the same as absent.
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
        let object = Object::from_value(value, String::new(), &mut violations).unwrap();
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
