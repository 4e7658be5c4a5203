//! Who asks, and what the contract says that they are answered.

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::ask::Ask;
use super::operations::{Door, OPERATIONS, Operation};
use super::stage::{Side, Stage};
use showreport_testkit::Answer;

/// Who asks for what belongs to `acme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Without a token.
    Nobody,
    /// With a text in place of a token.
    Garbage,
    /// With a token that was taken back.
    Revoked,
    /// With a token for the other door.
    WrongScope,
    /// With the right token, while naming the other organisation.
    WrongName,
    /// With a token of the other organisation that may do everything there.
    Other,
    /// With the right token.
    Right,
}

/// The right one comes last: whatever the others did, it finds everything in its place.
const CALLERS: [Caller; 7] = [
    Caller::Nobody,
    Caller::Garbage,
    Caller::Revoked,
    Caller::WrongScope,
    Caller::WrongName,
    Caller::Other,
    Caller::Right,
];

/// Everybody asks everything; how many answers that were.
pub(super) fn ask(stage: &mut Stage) -> anyhow::Result<usize> {
    for operation in &OPERATIONS {
        for caller in CALLERS {
            let answer = ask_as(stage, operation, caller)?;
            let what = || {
                let (method, path) = (operation.method, operation.path);
                format!(
                    "{method} {path}, asked by {caller:?}: {} {}",
                    answer.head,
                    answer.text()
                )
            };
            check(operation, caller, &answer).with_context(what)?;
        }
    }
    Ok(OPERATIONS.len() * CALLERS.len())
}

fn ask_as(stage: &mut Stage, operation: &Operation, caller: Caller) -> anyhow::Result<Answer> {
    let (acme, globex) = (stage.tenant(Side::Acme), stage.tenant(Side::Globex));
    let mut ask = operation.ask(&acme.ids, &stage.day);
    let (right, wrong) = if operation.door == Door::Collect {
        (&acme.collector, &acme.reader)
    } else {
        (&acme.reader, &acme.collector)
    };
    let (side, token) = match caller {
        Caller::Nobody => (None, None),
        Caller::Garbage => (None, Some("garbage".to_owned())),
        Caller::Revoked => (None, Some(acme.revoked.clone())),
        Caller::WrongScope => (None, Some(wrong.clone())),
        Caller::WrongName => {
            ask = ask.with("x-bv-org-id", globex.name);
            (None, Some(right.clone()))
        }
        Caller::Other => (Some(Side::Globex), Some(globex.admin.clone())),
        Caller::Right => (Some(Side::Acme), Some(right.clone())),
    };
    // Behind an open door everybody is told the same, and a link is its holder's.
    let side = if is_link(&ask) {
        Some(Side::Acme)
    } else {
        side
    };
    stage.ask(side, token.as_deref(), &ask)
}

fn is_link(ask: &Ask) -> bool {
    ask.path.starts_with("/downloads/")
}

fn check(operation: &Operation, caller: Caller, answer: &Answer) -> anyhow::Result<()> {
    let expected = match (operation.door, caller) {
        (Door::Open, _) | (_, Caller::Right) => operation.right,
        (_, Caller::Nobody | Caller::Garbage | Caller::Revoked) => 401,
        (_, Caller::WrongScope | Caller::WrongName) => 403,
        (_, Caller::Other) => operation.foreign,
    };
    ensure!(answer.status == expected, "{expected} would be right");
    let challenge = answer.header("www-authenticate");
    let is_challenged = challenge == "Bearer realm=\"showreport\"";
    ensure!(
        is_challenged == (expected == 401),
        "the challenge is {challenge:?}"
    );
    if expected >= 400 && operation.method != "HEAD" {
        let refusal: Value = serde_json::from_slice(&answer.body).context("read a refusal")?;
        check_form(operation, expected, &refusal)?;
    }
    Ok(())
}

/// A google.rpc.Status, on the paths of `YouTube` in Google's form.
fn check_form(operation: &Operation, status: u16, refusal: &Value) -> anyhow::Result<()> {
    let (rpc, name) = match status {
        401 => (16, "UNAUTHENTICATED"),
        403 => (7, "PERMISSION_DENIED"),
        404 => (5, "NOT_FOUND"),
        _ => bail!("no caller should be refused with {status}"),
    };
    let details = if operation.path.starts_with("/v1/") {
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
