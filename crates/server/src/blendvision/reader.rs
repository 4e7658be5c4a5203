//! Reading JSON that may spell each name in several ways, naming all that is wrong.

use serde_json::{Map, Value};

use crate::error::{ApiError, Violation};
use crate::extract::{lower_camel_case, read_json};

/// Everything that is wrong with a request: of each field the first problem.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<Violation>);

/// A body can hold any number of wrong fields; nobody reads more than these.
const VIOLATIONS_MAX: usize = 200;

impl Violations {
    pub(super) fn add(&mut self, path: impl Into<String>, description: impl Into<String>) {
        let field = path.into();
        if !self.names(&field) && self.0.len() < VIOLATIONS_MAX {
            self.0.push(Violation {
                field,
                description: description.into(),
            });
        }
    }

    /// Whether something is wrong with a field.
    pub(super) fn names(&self, field: &str) -> bool {
        self.0.iter().any(|violation| violation.field == field)
    }

    /// The value, unless anything was wrong.
    pub(super) fn check<T>(self, value: Option<T>) -> Result<T, ApiError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(ApiError::violations(self.0)),
        }
    }
}

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
    pub(super) fn of(value: &'a Value, path: String, wrong: &mut Violations) -> Option<Self> {
        if let Value::Object(fields) = value {
            return Some(Self { fields, path });
        }
        wrong.add(path, "must be an object");
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
    pub(super) fn get(&self, spellings: &[&str], wrong: &mut Violations) -> Option<&'a Value> {
        let mut found: Option<&Value> = None;
        for spelling in spellings {
            let camel = lower_camel_case(spelling);
            let names = [Some(*spelling), (camel != *spelling).then_some(&*camel)];
            for name in names.into_iter().flatten() {
                let value = self.fields.get(name).filter(|value| !value.is_null());
                match (found, value) {
                    (Some(first), Some(second)) if first != second => {
                        wrong.add(
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
    pub(super) fn list(&self, spellings: &[&str], wrong: &mut Violations) -> &'a [Value] {
        match self.get(spellings, wrong) {
            None => &[],
            Some(Value::Array(elements)) => elements,
            Some(_) => {
                wrong.add(self.path(spellings[0]), "must be an array");
                &[]
            }
        }
    }

    /// A field that is a string; absent and `""` are the same.
    pub(super) fn text(&self, spellings: &[&str], wrong: &mut Violations) -> Option<&'a str> {
        match self.get(spellings, wrong)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text),
            _ => {
                wrong.add(self.path(spellings[0]), "must be a string");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn get(value: &Value) -> (Option<Value>, usize) {
        let mut wrong = Violations::default();
        let object = Object::of(value, String::new(), &mut wrong).unwrap();
        let found = object.get(&["id", "event_id"], &mut wrong).cloned();
        (found, wrong.0.len())
    }

    #[test]
    fn a_field_has_several_spellings() {
        for value in [
            json!({"id": "e"}),
            json!({"event_id": "e"}),
            json!({"eventId": "e"}),
            json!({"id": "e", "eventId": "e", "event_id": null}),
        ] {
            assert_eq!(get(&value), (Some(json!("e")), 0), "{value}");
        }
        assert_eq!(get(&json!({"id": "a", "eventId": "b"})).1, 1);
        assert_eq!(get(&json!({"id": null})), (None, 0));
    }
}
