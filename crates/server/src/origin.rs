//! Where a request of a player comes from: its system and its region.
//!
//! The address and the user agent are looked up and forgotten: nothing here keeps or logs them.

mod forwarded;

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use showreport_origins::Origin;

use crate::app::App;
use forwarded::client_address;

/// The system of a browser, as a text in quotes. Browsers send it without being asked, on https.
const PLATFORM: HeaderName = HeaderName::from_static("sec-ch-ua-platform");

/// The system and the region of a request that its player sends itself.
pub(crate) fn origin_of(parts: &Parts, app: &App) -> Origin {
    let headers = &parts.headers;
    let origins = app.origins();
    let address = address_of(parts, app);
    Origin {
        system: origins.system_of_player(text(headers, &PLATFORM), text(headers, &USER_AGENT)),
        region: address.and_then(|address| origins.region(address)),
    }
}

/// The address of the client of a request. `None` if proxies do not say it.
pub(crate) fn address_of(parts: &Parts, app: &App) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    client_address(peer.ip(), &parts.headers, &app.config().trusted_proxies)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
