//! [`Address`]: the address of a page or of an operation of the API. All state of a page is in it.

use std::fmt;

/// A text as one part of an address.
pub(crate) use crate::downloads::percent_encoded as encoded;

/// A path with query parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    path: String,
    parameters: Vec<(&'static str, String)>,
}

impl Address {
    /// The address of a path whose parts are encoded already.
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            parameters: Vec::new(),
        }
    }

    /// With a parameter; without it, if there is no value or an empty one.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        self.parameters.retain(|(it, _)| *it != name);
        let value = value
            .map(Into::into)
            .filter(|value: &String| !value.is_empty());
        self.parameters.extend(value.map(|value| (name, value)));
        self
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        for (index, (name, value)) in self.parameters.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            write!(f, "{mark}{name}={}", encoded(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_can_be_replaced() {
        let address = Address::new(format!("/events/{}", encoded("a/b ü")))
            .with("q", Some("x&y"))
            .with("from", Some("2026-11-22T10:00"))
            .with("to", None::<&str>);
        assert_eq!(
            address.to_string(),
            "/events/a%2Fb%20%C3%BC?q=x%26y&from=2026-11-22T10%3A00"
        );
        let address = address.with("q", Some("")).with("from", Some("z"));
        assert_eq!(address.to_string(), "/events/a%2Fb%20%C3%BC?from=z");
    }
}
