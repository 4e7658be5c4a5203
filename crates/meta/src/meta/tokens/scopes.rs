//! The rights that a token gives.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// To send records.
    Collect,
    /// To read events, and to make and read reports.
    Report,
    /// Everything in the organisation.
    Admin,
}

impl Scope {
    const ALL: [Self; 3] = [Self::Collect, Self::Report, Self::Admin];

    /// The name on the command line and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Report => "report",
            Self::Admin => "admin",
        }
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scope; the scopes are collect, report and admin")]
pub struct ScopeError(String);

/// The rights of a token, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Reads a comma list such as `collect,report`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        text.split(',')
            .map(|name| {
                let name = name.trim();
                Scope::ALL
                    .into_iter()
                    .find(|scope| scope.name() == name)
                    .ok_or_else(|| ScopeError(name.to_owned()))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The rights of both.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.0.extend(&other.0);
        self
    }

    /// [`Scope::Admin`] allows everything.
    pub fn allows(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// Whether the token may be published in a web page.
    pub fn is_only_collect(&self) -> bool {
        self.0.iter().all(|scope| *scope == Scope::Collect)
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(BTreeSet::from([scope]))
    }
}

impl FromStr for Scopes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(scope.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_parsed_and_printed_in_one_form() {
        let scopes = Scopes::parse("report, collect,report").unwrap();
        assert_eq!(scopes.to_string(), "collect,report");
        assert!(Scopes::parse("").is_err());
        assert!(Scopes::parse("collect,root").is_err());
    }

    #[test]
    fn admin_allows_all_and_is_not_safe_in_a_page() {
        let admin = Scopes::from(Scope::Admin);
        assert!(admin.allows(Scope::Collect) && admin.allows(Scope::Report));
        assert!(!admin.is_only_collect());
        let collect = Scopes::from(Scope::Collect);
        assert!(!collect.allows(Scope::Report) && !collect.allows(Scope::Admin));
        assert!(collect.is_only_collect());
        assert!(!collect.union(&admin).is_only_collect());
    }
}
