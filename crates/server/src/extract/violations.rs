//! The wrong fields of a request, so that one response names all of them.

use crate::error::{ApiError, Violation};

/// Collects wrong fields: of each the first problem.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<Violation>);

/// A body may hold any number of wrong fields; this bounds the size of the response.
const VIOLATIONS_MAX: usize = 200;

impl Violations {
    pub(crate) fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        let field = field.into();
        if !self.contains(&field) && self.0.len() < VIOLATIONS_MAX {
            self.0.push(Violation {
                field,
                description: description.into(),
            });
        }
    }

    /// Whether the field is already known to be wrong.
    pub(crate) fn contains(&self, field: &str) -> bool {
        self.0.iter().any(|violation| violation.field == field)
    }

    /// The value, or an error with all violations if there are any or the value is missing.
    pub(crate) fn into_result<T>(self, value: Option<T>) -> Result<T, ApiError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(ApiError::violations(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_problem_of_each_field_is_kept() {
        let mut violations = Violations::default();
        assert_eq!(Violations::default().into_result(Some(1)).unwrap(), 1);
        violations.add("b", "is missing");
        violations.add("a", "is missing");
        violations.add("b", "must be a string");
        assert!(violations.contains("a") && !violations.contains("c"));
        let error = violations.into_result(Some(1)).unwrap_err();
        assert_eq!(error.violated_fields(), ["b", "a"]);
    }

    #[test]
    fn the_number_of_violations_is_bounded() {
        let mut violations = Violations::default();
        for index in 0..1_000 {
            violations.add(format!("options[{index}]"), "must be a string");
        }
        let error = violations.into_result(Some(())).unwrap_err();
        assert_eq!(error.violated_fields().len(), VIOLATIONS_MAX);
    }
}
