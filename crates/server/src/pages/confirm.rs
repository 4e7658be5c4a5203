//! A page that asks before something is deleted.

use askama::Template;

use super::layout::Layout;

/// What is asked. The title of the layout is the question.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct ConfirmPage {
    pub(super) layout: Layout,
    /// What is lost.
    pub(super) consequence: String,
    /// The path that the form is sent to.
    pub(super) action: String,
    pub(super) button: &'static str,
    /// The path that leads back.
    pub(super) back: String,
}
