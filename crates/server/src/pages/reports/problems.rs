//! [`Problems`]: why a form was refused, beside the fields that are wrong.

use axum::http::StatusCode;

use crate::error::{ApiError, Reason};
use crate::pages::failure::sentence;

/// Why a form was refused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems {
    /// Of the response: 200 without a problem.
    pub(crate) status: StatusCode,
    /// Problems that belong to no field.
    pub(crate) general: Vec<String>,
    fields: Vec<(&'static str, String)>,
}

impl Problems {
    /// The problems of an error. `field_of` gives the field of the form for a field of the request.
    /// An error that is no mistake of the visitor is returned.
    pub(crate) fn of(
        error: ApiError,
        field_of: fn(&str) -> Option<&'static str>,
    ) -> Result<Self, ApiError> {
        if error.status().is_server_error() {
            return Err(error);
        }
        let mut problems = Self {
            status: error.status(),
            ..Self::default()
        };
        for violation in error.wrong_fields() {
            match field_of(&violation.field) {
                Some(field) => problems
                    .fields
                    .push((field, sentence(&violation.description))),
                None => problems.general.push(error.message().to_owned()),
            }
        }
        if error.reason() == Reason::EventNotFound {
            problems
                .fields
                .push(("event_id", sentence(error.message())));
        } else if error.wrong_fields().is_empty() {
            problems.general.push(sentence(error.message()));
        }
        Ok(problems)
    }

    /// The first problem of a field.
    pub(crate) fn of_field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(field, _)| *field == name);
        found.map(|(_, problem)| problem.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Violation;

    #[test]
    fn a_problem_is_shown_beside_its_field() {
        let violation = |field: &str| Violation {
            field: field.to_owned(),
            description: "must be another".to_owned(),
        };
        let error = ApiError::violations(vec![violation("id"), violation("strange")]);
        let field_of = |name: &str| (name == "id").then_some("event_id");
        let problems = Problems::of(error, field_of).unwrap();
        assert_eq!(problems.status, StatusCode::BAD_REQUEST);
        assert_eq!(problems.of_field("event_id"), Some("Must be another."));
        assert_eq!(problems.general.len(), 1);
        assert!(problems.of_field("strange").is_none());
        assert_eq!(Problems::default().status, StatusCode::OK);
    }

    #[test]
    fn a_defect_of_the_server_is_no_problem_of_the_form() {
        assert!(Problems::of(ApiError::internal("broken"), |_| None).is_err());
    }
}
