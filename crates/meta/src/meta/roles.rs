//! What a person or a session may do.

use std::fmt;
use std::str::FromStr;

use super::tokens::{Scope, Scopes};

/// A role. A later one may do everything that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// To see events, figures and finished reports.
    Reader,
    /// To make reports and share links too.
    Analyst,
    /// Everything in the organisation.
    Admin,
}

/// The text is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role; the roles are reader, analyst and admin")]
pub struct RoleError(String);

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Analyst, Self::Admin];

    /// The name on the command line, on pages and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
        }
    }

    /// The role of a session that was begun with an API token. `None`: such a token begins none.
    pub fn of_scopes(scopes: &Scopes) -> Option<Self> {
        if scopes.allows(Scope::Admin) {
            Some(Self::Admin)
        } else if scopes.allows(Scope::Report) {
            Some(Self::Analyst)
        } else {
            None
        }
    }

    /// The scope that reads of the API need and that a session of this role has.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Reader | Self::Analyst => Scope::Report,
            Self::Admin => Scope::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let role = Self::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| RoleError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_by_token_has_a_role_of_its_scopes() {
        for (scopes, role) in [
            ("admin", Some(Role::Admin)),
            ("report", Some(Role::Analyst)),
            ("collect,report", Some(Role::Analyst)),
            ("collect,admin", Some(Role::Admin)),
            ("collect", None),
            ("viewer", None),
        ] {
            let scopes = Scopes::parse(scopes).unwrap();
            assert_eq!(Role::of_scopes(&scopes), role, "{scopes}");
        }
    }

    #[test]
    fn a_role_is_parsed_by_its_name() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("owner".parse::<Role>().is_err());
        assert!(Role::Reader < Role::Analyst && Role::Analyst < Role::Admin);
    }
}
