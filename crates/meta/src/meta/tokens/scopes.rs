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
    /// To sign viewer tokens, and nothing else. Its secret opens no request.
    Viewer,
}

impl Scope {
    const ALL: [Self; 4] = [Self::Collect, Self::Report, Self::Admin, Self::Viewer];

    /// The name on the command line and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Report => "report",
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }
}

/// Why a text is no list of scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    #[error("{0:?} is no scope; the scopes are collect, report, admin and viewer")]
    Unknown(String),
    #[error(
        "a token with the scope viewer has no other scope: it signs viewer tokens and opens \
         nothing; create two tokens"
    )]
    ViewerWithOthers,
}

/// The rights of a token, at least one. [`Scope::Viewer`] is there alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Reads a comma list such as `collect,report`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let scopes = text.split(',').map(|name| {
            let name = name.trim();
            Scope::ALL
                .into_iter()
                .find(|scope| scope.name() == name)
                .ok_or_else(|| ScopeError::Unknown(name.to_owned()))
        });
        Self::checked(scopes.collect::<Result<_, _>>()?)
    }

    /// The rights of both.
    pub fn union(mut self, other: &Self) -> Result<Self, ScopeError> {
        self.0.extend(&other.0);
        Self::checked(self.0)
    }

    fn checked(scopes: BTreeSet<Scope>) -> Result<Self, ScopeError> {
        if scopes.contains(&Scope::Viewer) && scopes.len() > 1 {
            return Err(ScopeError::ViewerWithOthers);
        }
        Ok(Self(scopes))
    }

    /// [`Scope::Admin`] allows everything.
    pub fn allows(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// Whether the token signs viewer tokens, and opens nothing.
    pub fn is_viewer(&self) -> bool {
        self.0.contains(&Scope::Viewer)
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
        assert!(!collect.union(&admin).unwrap().is_only_collect());
    }

    #[test]
    fn the_scope_viewer_is_alone() {
        let viewer = Scopes::parse("viewer, viewer").unwrap();
        assert_eq!(viewer.to_string(), "viewer");
        assert!(viewer.is_viewer() && !viewer.is_only_collect());
        assert!(!viewer.allows(Scope::Collect) && !viewer.allows(Scope::Report));
        assert!(!Scopes::from(Scope::Admin).is_viewer());
        let collect = Scopes::from(Scope::Collect);
        for wrong in [
            Scopes::parse("viewer,admin"),
            Scopes::parse("collect,viewer"),
            viewer.union(&collect),
            collect.union(&Scope::Viewer.into()),
        ] {
            assert_eq!(wrong, Err(ScopeError::ViewerWithOthers));
        }
    }
}
