//! Pages: every one called by every kind of caller, and what attackers of sessions try.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use showreport_testkit::{ORG, Response, output};

use super::operations::{Access, OPERATIONS};
use super::request::{Request, list};
use super::site::{Ids, Side, Site};
use crate::scenario::Control;

const FORM: &str = "application/x-www-form-urlencoded";

const PASSWORD: &str = "correct+horse+battery";

/// What docs/guarantees.md promises.
const ENDED_WITHIN: Duration = Duration::from_secs(1);

/// Pages that only admins open.
const FOR_ADMINS: [&str; 2] = ["/organisation", "/status"];

/// Pages that every caller writes to: only the caller's own session and password.
const OWN: [&str; 4] = ["/sign-in", "/sign-out", "/invitations/", "/account/"];

/// A caller of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Without a session, and with a token that collects.
    Stranger,
    Reader,
    Analyst,
    /// An admin of the other organisation.
    Other,
    Admin,
}

/// The cookies of all callers.
struct Cookies {
    reader: String,
    analyst: String,
    other: String,
    admin: String,
}

/// Tries everything; the number of calls.
pub(super) fn attempt(site: &mut Site) -> anyhow::Result<(usize, Control)> {
    let cookies = sign_in_all(site)?;
    let ids = site.tenant(Side::Acme).ids.clone();
    let (mut calls, mut opened) = (0, 0);
    for operation in OPERATIONS.iter().filter(|it| it.access == Access::Page) {
        let path = filled(operation.path, &ids);
        let is_by_id = operation.path.contains('{');
        let is_for_admins = FOR_ADMINS.iter().any(|it| path.starts_with(it));
        let is_own = OWN.iter().any(|it| path.starts_with(it)) || path.starts_with("/s/");
        for caller in [
            Caller::Stranger,
            Caller::Reader,
            Caller::Analyst,
            Caller::Other,
            Caller::Admin,
        ] {
            // They would change what the next callers look for.
            let may_write = match caller {
                Caller::Admin => operation.method == "POST",
                Caller::Analyst => path.ends_with("/delete") || path.ends_with("/revoke"),
                _ => false,
            };
            if is_own || may_write {
                continue;
            }
            let response = call(site, caller, &cookies, operation.method, &path)?;
            calls += 1;
            let is_right = match (caller, operation.method) {
                (Caller::Stranger, _) => leads_to_sign_in(&response),
                (Caller::Reader | Caller::Analyst, _) if is_for_admins => response.status >= 400,
                (Caller::Reader, "POST") => response.status >= 400,
                (Caller::Other, _) if is_by_id => (400..500).contains(&response.status),
                // Most forms are empty, so nothing is made.
                (Caller::Analyst | Caller::Other, "POST") => response.status < 500,
                (Caller::Admin | Caller::Other, _) => {
                    matches!(response.status, 200 | 303) && !leads_to_sign_in(&response)
                }
                _ => response.status < 500 && !leads_to_sign_in(&response),
            };
            ensure!(
                is_right,
                "{} {path} as {caller:?}: {}",
                operation.method,
                response.head()
            );
            opened += usize::from(response.status == 200);
        }
        if operation.method == "POST" {
            refuse_other_origins(site, &cookies.admin, &path)?;
            calls += 2;
        }
    }
    check_redirects(site)?;
    check_fixation(site)?;
    check_endings(site, &cookies)?;
    check_share(site, &cookies)?;
    let control = Control::noticed(opened > 10, "pages that open for callers that may see them")?;
    Ok((calls, control))
}

/// A path with the ids of an organisation.
fn filled(path: &str, ids: &Ids) -> String {
    let id = match path.split('/').nth(1).unwrap_or_default() {
        "events" => &ids.event,
        "reports" => &ids.report,
        "jobs" => &ids.job,
        _ if path.starts_with("/organisation/people") => &ids.person,
        _ => &ids.token,
    };
    let path = path
        .replace("{id}", id)
        .replace("{report}", &ids.bulk_report)
        .replace("{share}", &ids.share)
        .replace("{rows}", "polls");
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn call(
    site: &mut Site,
    caller: Caller,
    cookies: &Cookies,
    method: &'static str,
    path: &str,
) -> anyhow::Result<Response> {
    let request = Request::new(method, path).with("content-type", FORM);
    let (owner, cookie) = match caller {
        Caller::Stranger => {
            let collector = site.tenant(Side::Acme).collector.clone();
            return site.send(None, Some(&collector), &request);
        }
        Caller::Reader => (Side::Acme, &cookies.reader),
        Caller::Analyst => (Side::Acme, &cookies.analyst),
        Caller::Other => (Side::Globex, &cookies.other),
        Caller::Admin => (Side::Acme, &cookies.admin),
    };
    site.send(Some(owner), None, &request.with("cookie", cookie))
}

fn leads_to_sign_in(response: &Response) -> bool {
    response.status == 303 && response.header("location").starts_with("/sign-in")
}

/// Every write of a page that another site sends with the visitor's cookie.
fn refuse_other_origins(site: &mut Site, cookie: &str, path: &str) -> anyhow::Result<()> {
    for (header, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let request = Request::post(path, String::new())
            .with("content-type", FORM)
            .with("cookie", cookie)
            .with(header, value);
        let response = site.send(Some(Side::Acme), None, &request)?;
        ensure!(
            response.status == 403 && response.text().contains("CROSS_ORIGIN"),
            "{path} took a form of another site: {}",
            response.head()
        );
    }
    Ok(())
}

fn sign_in_all(site: &mut Site) -> anyhow::Result<Cookies> {
    let acme = site.tenant(Side::Acme);
    let (report, admin) = (acme.reader.clone(), acme.admin.clone());
    let email = acme.email();
    let other = site.tenant(Side::Globex).admin.clone();
    Ok(Cookies {
        reader: join(site, &email)?,
        analyst: by_token(site, &report, None)?,
        other: by_token(site, &other, None)?,
        admin: by_token(site, &admin, None)?,
    })
}

/// Accepts a new invitation of a reader, twice. Returns the cookie of the first.
fn join(site: &mut Site, email: &str) -> anyhow::Result<String> {
    let invite = ["person", "invite", email, "--org", ORG, "--role", "reader"];
    let link = output(&mut site.product.command(&invite))?;
    let place = link.find("/invitations/").context("a link")?;
    let path = link[place..].trim_end().to_owned();
    let secret = path.rsplit('/').next().unwrap_or_default().to_owned();
    site.page_secrets.push(secret);
    let body = format!("password={PASSWORD}&again={PASSWORD}");
    let request = Request::post(&path, body).with("content-type", FORM);
    let first = site.send(Some(Side::Acme), None, &request)?;
    let cookie = cookie_of(site, &first)?;
    let again = site.send(None, None, &request)?;
    ensure!(again.status == 404, "an invitation was accepted twice");
    Ok(cookie)
}

/// Signs in with a token, with a cookie that an attacker has chosen if there is one.
fn by_token(site: &mut Site, token: &str, chosen: Option<&str>) -> anyhow::Result<String> {
    let mut request =
        Request::post("/sign-in", format!("token={token}")).with("content-type", FORM);
    if let Some(chosen) = chosen {
        request = request.with("cookie", chosen);
    }
    let response = site.send(None, None, &request)?;
    cookie_of(site, &response)
}

fn cookie_of(site: &mut Site, response: &Response) -> anyhow::Result<String> {
    let header = response.header("set-cookie").to_owned();
    ensure!(
        response.status == 303 && header.contains("HttpOnly") && header.contains("SameSite=Lax"),
        "no session began: {}",
        response.head()
    );
    let cookie = header.split(';').next().unwrap_or_default().to_owned();
    let secret = cookie.rsplit('=').next().unwrap_or_default().to_owned();
    site.page_secrets.push(secret);
    Ok(cookie)
}

/// The status of a read of the API with a cookie.
fn status(site: &mut Site, cookie: &str) -> anyhow::Result<u16> {
    let request = Request::get("/api/v1/events").with("cookie", cookie);
    Ok(site.send(Some(Side::Acme), None, &request)?.status)
}

/// After signing in, no visitor is sent to another host.
fn check_redirects(site: &mut Site) -> anyhow::Result<()> {
    let token = site.tenant(Side::Acme).admin.clone();
    for next in [
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%2F%09%2Fevil.example",
        "%2F%0D%0Aset-cookie%3Aa%3Db",
        "https%3A%2F%2Fevil.example",
        "javascript%3Aalert(1)",
        "%5C%5Cevil.example",
    ] {
        let body = format!("token={token}&next={next}");
        let request = Request::post("/sign-in", body).with("content-type", FORM);
        let response = site.send(None, None, &request)?;
        cookie_of(site, &response)?;
        let location = response.header("location");
        ensure!(location == "/", "{next} leads to {location}");
    }
    Ok(())
}

/// A cookie that was there before signing in opens nothing afterwards.
fn check_fixation(site: &mut Site) -> anyhow::Result<()> {
    let token = site.tenant(Side::Acme).admin.clone();
    let before = by_token(site, &token, None)?;
    ensure!(status(site, &before)? == 200, "a session does not open");
    let after = by_token(site, &token, Some(&before))?;
    ensure!(before != after, "signing in keeps the session before");
    ensure!(
        status(site, &before)? == 401,
        "the session before still opens"
    );
    let made_up = format!("showreport_session={token}");
    ensure!(status(site, &made_up)? == 401, "a token is a session");
    let (_, secret) = after.split_once('=').context("a secret")?;
    let events = Request::get("/api/v1/events");
    let as_token = site.send(None, Some(secret), &events)?;
    ensure!(as_token.status == 401, "a session is a token");
    Ok(())
}

/// A copy of a cookie opens nothing after signing out, nor soon after its token is revoked or its
/// person removed by another process.
fn check_endings(site: &mut Site, cookies: &Cookies) -> anyhow::Result<()> {
    let out = Request::post("/sign-out", String::new()).with("cookie", &cookies.analyst);
    site.send(Some(Side::Acme), None, &out)?;
    ensure!(
        status(site, &cookies.analyst)? == 401,
        "a cookie opens after signing out"
    );
    let email = site.tenant(Side::Acme).email();
    let remove = ["person", "remove", &email, "--org", ORG];
    output(&mut site.product.command(&remove))?;
    ends_soon(site, &cookies.reader)?;

    let token = site.product.token_of(ORG, "report")?;
    let listed = output(&mut site.product.command(&["token", "list", "--org", ORG]))?;
    let last = listed.lines().last().context("a token")?;
    let id = last
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned();
    let cookie = by_token(site, &token, None)?;
    ensure!(status(site, &cookie)? == 200, "a session does not open");
    output(&mut site.product.command(&["token", "revoke", &id]))?;
    ends_soon(site, &cookie)
}

fn ends_soon(site: &mut Site, cookie: &str) -> anyhow::Result<()> {
    let ended = Instant::now();
    while status(site, cookie)? == 200 {
        if ended.elapsed() > ENDED_WITHIN {
            bail!(
                "a session still opens after {} ms",
                ended.elapsed().as_millis()
            );
        }
    }
    ensure!(status(site, cookie)? == 401, "a session opened again");
    Ok(())
}

/// A share link opens its page, is no token and no session, and opens nothing when it is revoked.
fn check_share(site: &mut Site, cookies: &Cookies) -> anyhow::Result<()> {
    let event = site.tenant(Side::Acme).ids.event.clone();
    let path = format!("/api/v1/events/{event}/shares");
    let made = site.read(Side::Acme, &Request::post(&path, "{}".to_owned()))?;
    let uri = made["uri"].as_str().context("a link")?.to_owned();
    let secret = uri.rsplit('/').next().unwrap_or_default().to_owned();
    site.page_secrets.push(secret.clone());
    let page = Request::get(&format!("/s/{secret}"));
    let shown = site.send(Some(Side::Acme), None, &page)?;
    ensure!(shown.status == 200, "a share link: {}", shown.head());
    ensure!(
        shown.header("referrer-policy") == "no-referrer",
        "the address of a share link is told to others"
    );
    let as_session = format!("showreport_session={secret}");
    ensure!(
        status(site, &as_session)? == 401,
        "a share link is a session"
    );
    let as_token = site.send(None, Some(&secret), &Request::get(&path))?;
    ensure!(as_token.status == 401, "a share link is a token");
    let id = made["id"].as_str().context("an id")?;
    let revoke = Request::new("DELETE", &format!("{path}/{id}"));
    let other = site.tenant(Side::Globex).admin.clone();
    let foreign = site.send(Some(Side::Globex), Some(&other), &revoke)?;
    ensure!(foreign.status == 404, "another organisation revoked a link");
    let form = format!("/events/{event}/shares/{id}/revoke");
    let form = Request::post(&form, String::new()).with("cookie", &cookies.admin);
    let revoked = site.send(Some(Side::Acme), None, &form)?;
    ensure!(revoked.status == 303, "revoke: {}", revoked.head());
    let after = site.send(None, None, &page)?;
    ensure!(after.status == 404, "a revoked share link opens");
    let listed = site.read(Side::Acme, &Request::get(&path))?;
    ensure!(
        list(&listed["shares"])?.iter().all(|it| it["id"] != id),
        "a revoked share link is listed"
    );
    Ok(())
}
