//! Calls every operation as seven kinds of callers, and compares the responses with the contract.

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::operations::{Access, OPERATIONS, Operation};
use super::request::Request;
use super::site::{Side, Site};
use showreport_testkit::Response;

/// A caller of operations on what belongs to `acme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Without a token.
    Anonymous,
    /// With a text in place of a token.
    Garbage,
    /// With a revoked token.
    Revoked,
    /// With a token of another scope.
    WrongScope,
    /// With the right token and a header that names the other organisation.
    WrongName,
    /// With a token of the other organisation that has every scope.
    Other,
    /// With the right token.
    Right,
}

/// The right one is last: it finds everything in its place, whatever the others tried.
const CALLERS: [Caller; 7] = [
    Caller::Anonymous,
    Caller::Garbage,
    Caller::Revoked,
    Caller::WrongScope,
    Caller::WrongName,
    Caller::Other,
    Caller::Right,
];

/// Calls every operation as every caller; the number of calls.
pub(super) fn call(site: &mut Site) -> anyhow::Result<usize> {
    for operation in OPERATIONS {
        for caller in CALLERS {
            let response = call_as(site, operation, caller)?;
            let what = || {
                let (method, path) = (operation.method, operation.path);
                format!(
                    "{method} {path}, called by {caller:?}: {} {}",
                    response.head(),
                    response.text()
                )
            };
            check(operation, caller, &response).with_context(what)?;
        }
    }
    Ok(OPERATIONS.len() * CALLERS.len())
}

fn call_as(site: &mut Site, operation: &Operation, caller: Caller) -> anyhow::Result<Response> {
    let (acme, globex) = (site.tenant(Side::Acme), site.tenant(Side::Globex));
    let mut request = operation.request(&acme.ids, &site.day);
    let (right, wrong) = if operation.access == Access::Collect {
        (&acme.collector, &acme.reader)
    } else {
        (&acme.reader, &acme.collector)
    };
    let (reader, token) = match caller {
        Caller::Anonymous => (None, None),
        Caller::Garbage => (None, Some("garbage".to_owned())),
        Caller::Revoked => (None, Some(acme.revoked.clone())),
        Caller::WrongScope => (None, Some(wrong.clone())),
        Caller::WrongName => {
            request = request.with("x-bv-org-id", globex.name);
            (None, Some(right.clone()))
        }
        Caller::Other => (Some(Side::Globex), Some(globex.admin.clone())),
        Caller::Right => (Some(Side::Acme), Some(right.clone())),
    };
    // A link is the right to open its file, without a token.
    let reader = if is_link(&request) {
        Some(Side::Acme)
    } else {
        reader
    };
    site.send(reader, token.as_deref(), &request)
}

fn is_link(request: &Request) -> bool {
    request.path.starts_with("/downloads/")
}

fn check(operation: &Operation, caller: Caller, response: &Response) -> anyhow::Result<()> {
    let expected = match (operation.access, caller) {
        (Access::Open | Access::Page, _) | (_, Caller::Right) => operation.right,
        // It ends the reports of a player.
        (_, Caller::Revoked) if operation.path.starts_with("/collect/cmcd") => 410,
        (_, Caller::Anonymous | Caller::Garbage | Caller::Revoked) => 401,
        (_, Caller::WrongScope | Caller::WrongName) => 403,
        (_, Caller::Other) => operation.foreign,
    };
    ensure!(response.status == expected, "{expected} would be right");
    let challenge = response.header("www-authenticate");
    let is_challenged = challenge == "Bearer realm=\"showreport\"";
    ensure!(
        is_challenged == (expected == 401),
        "the challenge is {challenge:?}"
    );
    if expected >= 400 && operation.method != "HEAD" && operation.access != Access::Page {
        let refusal: Value = serde_json::from_slice(&response.body).context("read a refusal")?;
        check_form(operation, expected, &refusal)?;
    }
    Ok(())
}

/// A google.rpc.Status, on the paths of `YouTube` in Google's form.
fn check_form(operation: &Operation, status: u16, refusal: &Value) -> anyhow::Result<()> {
    let (rpc, name) = match status {
        401 => (16, "UNAUTHENTICATED"),
        403 => (7, "PERMISSION_DENIED"),
        404 | 410 => (5, "NOT_FOUND"),
        _ => bail!("no caller should be refused with {status}"),
    };
    let is_youtube = operation.path.starts_with("/v1/") && operation.access != Access::Collect;
    let details = if is_youtube {
        let error = &refusal["error"];
        ensure!(error["code"] == status, "the code is not that of HTTP");
        ensure!(error["status"] == name, "the status is not {name}");
        &error["details"]
    } else {
        ensure!(refusal["code"] == rpc, "the code is not {rpc}");
        &refusal["details"]
    };
    ensure!(
        details[0]["domain"] == "showreport" && details[0]["reason"].is_string(),
        "there is no ErrorInfo"
    );
    Ok(())
}
