//! The cookie that holds the secret of a session.

use axum::http::HeaderValue;
use showreport_meta::SESSION_LIFETIME_MS;

use crate::app::App;

pub(super) const NAME: &str = "showreport_session";

/// `Set-Cookie` of a new session.
pub(crate) fn session_cookie(app: &App, secret: &str) -> HeaderValue {
    cookie(app, secret, SESSION_LIFETIME_MS / 1000)
}

/// `Set-Cookie` that removes it.
pub(crate) fn removed_cookie(app: &App) -> HeaderValue {
    cookie(app, "", 0)
}

/// No script of a page can read it, and no request from another site that writes has it. With a
/// public URL of `https`, browsers never send it over plain `http`.
fn cookie(app: &App, value: &str, seconds: i64) -> HeaderValue {
    let secure = if app.config().base_url().starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    let text = format!("{NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut header = HeaderValue::try_from(text).expect("secrets have letters and digits");
    header.set_sensitive(true);
    header
}
