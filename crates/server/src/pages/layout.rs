//! [`Layout`]: what every page has around its content, and the response that a page becomes.

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use showreport_meta::Role;

use super::assets::{SCRIPT_PATH, STYLE_PATH};
use crate::auth::Visitor;
use crate::error::ApiError;

/// Nothing inline, and nothing from other hosts. The icon is an empty `data:` address, without
/// which browsers ask for `/favicon.ico`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// A part of the dashboard, as in its navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Shows,
    Reports,
    Jobs,
    Install,
    Organisation,
    Status,
    /// It is no link of the navigation.
    Account,
}

/// The caller as the header of a page names it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) org: String,
    pub(crate) role: Role,
}

/// What every page has around its content. Templates begin with `{% extends "layout.html" %}` and
/// have it as the field `layout`.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) title: String,
    section: Option<Section>,
    pub(crate) identity: Option<Identity>,
    /// The page is loaded again after so many seconds, if it has no script.
    pub(crate) refresh_seconds: Option<u32>,
    /// The figures fill the screen.
    pub(crate) is_wall: bool,
    pub(crate) version: &'static str,
    pub(crate) style: &'static str,
    pub(crate) script: &'static str,
}

/// A link of the navigation.
#[derive(Debug)]
pub(crate) struct NavigationLink {
    pub(crate) text: &'static str,
    pub(crate) path: &'static str,
    pub(crate) is_current: bool,
}

impl Section {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Shows, "Shows", "/"),
        (Self::Reports, "Reports", "/reports"),
        (Self::Jobs, "Jobs", "/jobs"),
        (Self::Install, "Install", "/install"),
        (Self::Organisation, "Organisation", "/organisation"),
        (Self::Status, "Status", "/status"),
    ];

    fn is_for_admins(self) -> bool {
        matches!(self, Self::Organisation | Self::Status)
    }
}

impl From<&Visitor> for Identity {
    fn from(visitor: &Visitor) -> Self {
        Self {
            org: visitor.org.to_string(),
            role: visitor.role,
        }
    }
}

impl Layout {
    /// The layout for a caller that is signed in.
    pub(crate) fn new(title: impl Into<String>, section: Section, identity: Identity) -> Self {
        Self {
            section: Some(section),
            identity: Some(identity),
            ..Self::without_caller(title)
        }
    }

    /// The layout without navigation: for signing in, for errors, and for shared pages.
    pub(crate) fn without_caller(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: None,
            identity: None,
            refresh_seconds: None,
            is_wall: false,
            version: env!("CARGO_PKG_VERSION"),
            style: STYLE_PATH,
            script: SCRIPT_PATH,
        }
    }

    /// The sections that the caller may see.
    pub(crate) fn links(&self) -> Vec<NavigationLink> {
        let identity = self.identity.as_ref();
        let is_admin = identity.is_some_and(|it| it.role == Role::Admin);
        let shown = Section::ALL
            .into_iter()
            .filter(|(section, ..)| is_admin || !section.is_for_admins());
        shown
            .map(|(section, text, path)| NavigationLink {
                text,
                path,
                is_current: self.section == Some(section),
            })
            .collect()
    }
}

/// The response of a page.
pub(crate) fn respond(status: StatusCode, page: &impl Template) -> Result<Response, ApiError> {
    let html = page.render().map_err(ApiError::internal)?;
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // With `no-referrer`, browsers would send forms without their origin.
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        // Pages have names and addresses of people; a shared computer must not keep them.
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((status, headers, html).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(role: Role) -> Vec<&'static str> {
        let identity = Identity {
            org: "acme".to_owned(),
            role,
        };
        let layout = Layout::new("Jobs", Section::Jobs, identity);
        let current: Vec<bool> = layout.links().iter().map(|link| link.is_current).collect();
        assert_eq!(current.iter().filter(|it| **it).count(), 1);
        layout.links().iter().map(|link| link.text).collect()
    }

    #[test]
    fn administration_is_shown_to_admins_alone() {
        assert_eq!(texts(Role::Reader), ["Shows", "Reports", "Jobs", "Install"]);
        assert_eq!(texts(Role::Admin)[4..], ["Organisation", "Status"]);
    }
}
