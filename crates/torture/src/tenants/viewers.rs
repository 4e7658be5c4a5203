//! Viewer tokens that are changed, foreign, expired or revoked. None is accepted.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::mutants::{bent, spliced};
use super::request::{Request, list};
use super::site::{OTHER, Side, Site};
use crate::scenario::Control;
use showreport_testkit::{ORG, Random, now_ms, output};

/// What docs/guarantees.md promises for a change by the command line.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(1);

/// Records of a request.
const BATCH: usize = 100;

const CHARACTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.=+/ ";

/// What was tried.
pub(super) struct Tried {
    pub(super) tokens: u64,
    /// The longest time until a change of the command line was in force.
    pub(super) slowest: Duration,
    pub(super) control: Control,
}

/// Tries this many tokens that are not valid, where viewer tokens are required.
pub(super) fn attempt(site: &mut Site, random: &mut Random, count: u64) -> anyhow::Result<Tried> {
    let good = good_tokens(site);
    let before = accepts(site, None)?;
    let mut slowest = require(site, "on")?;
    let mut known = Vec::new();
    for (side, token) in [Side::Acme, Side::Globex].into_iter().zip(&good) {
        known.push(accepts_of(site, side, Some(token))?);
    }
    slowest = slowest.max(revoke_secret(site)?);
    for (what, token) in wrong_tokens(site)? {
        ensure!(!accepts(site, Some(&token))?, "a token {what} was accepted");
        let request = Request::post(&address_of(&token), record(site, None));
        ensure!(
            refused(site, &request, 1)?,
            "a token {what} was accepted in the address"
        );
    }
    let mut tokens = 0;
    while tokens < count {
        let batch: Vec<String> = std::iter::repeat_with(|| changed(random, &good))
            .filter(|token| *token != good[0])
            .take(BATCH)
            .collect();
        let records = batch.iter().map(|token| record(site, Some(token)));
        let body: String = records.map(|record| record + "\n").collect();
        ensure!(
            refused(site, &Request::post("/collect", body), batch.len())?,
            "a changed token was accepted, or refused for another reason"
        );
        tokens += batch.len() as u64;
    }
    slowest = slowest.max(require(site, "off")?);
    let control = Control::noticed(
        before && known == [true, true],
        "valid viewer tokens, which were accepted",
    )?;
    site.viewer_tokens.extend(good);
    Ok(Tried {
        tokens,
        slowest,
        control,
    })
}

/// A valid token of each organisation.
fn good_tokens(site: &Site) -> [String; 2] {
    [Side::Acme, Side::Globex].map(|side| {
        let secret = &site.tenant(side).viewer_secret;
        signed(secret, &claims(site, side))
    })
}

fn claims(site: &Site, owner: Side) -> Value {
    let tenant = site.tenant(owner);
    let customer = format!("customer-{}", tenant.canary);
    json!({"event_id": tenant.ids.event, "customer_id": customer, "exp": now_ms() / 1000 + 86_400})
}

fn signed(secret: &str, claims: &Value) -> String {
    with_signature(secret, &URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn with_signature(secret: &str, payload: &str) -> String {
    let text = format!("sr_v.{payload}");
    let mut code = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    code.update(text.as_bytes());
    format!(
        "{text}.{}",
        URL_SAFE_NO_PAD.encode(code.finalize().into_bytes())
    )
}

/// Tokens of `acme` that are wrong in one way each.
fn wrong_tokens(site: &Site) -> anyhow::Result<Vec<(&'static str, String)>> {
    let (acme, globex) = (site.tenant(Side::Acme), site.tenant(Side::Globex));
    let secret = &acme.viewer_secret;
    let with = |field: &str, value: Value| {
        let mut claims = claims(site, Side::Acme);
        claims[field] = value;
        signed(secret, &claims)
    };
    let claims = claims(site, Side::Acme);
    let good = signed(secret, &claims);
    let (text, signature) = good.rsplit_once('.').context("a signature")?;
    let payload = text.trim_start_matches("sr_v.");
    let other = with("customer_id", json!("customer-another"));
    let (other_text, _) = other.rsplit_once('.').context("a signature")?;
    Ok(vec![
        (
            "of another organisation",
            signed(&globex.viewer_secret, &claims),
        ),
        (
            "signed with the collect token",
            signed(&acme.collector, &claims),
        ),
        (
            "signed with a revoked token",
            signed(&acme.revoked, &claims),
        ),
        ("signed with nothing", signed("", &claims)),
        (
            "of another event",
            with("event_id", json!(globex.ids.event)),
        ),
        ("that has expired", with("exp", json!(now_ms() / 1000 - 1))),
        ("without an expiry", with("exp", Value::Null)),
        ("without a customer", with("customer_id", json!(""))),
        ("that expires in milliseconds", with("exp", json!(now_ms()))),
        (
            "with the signature of another",
            format!("{other_text}.{signature}"),
        ),
        ("without a signature", format!("{text}.")),
        ("without its prefix", format!("{payload}.{signature}")),
        (
            "with padding",
            with_signature(secret, &format!("{payload}=")),
        ),
        ("that is the secret", secret.clone()),
    ])
}

/// A token with changes, or parts of two.
fn changed(random: &mut Random, good: &[String; 2]) -> String {
    let [ours, theirs] = good;
    if random.u32(..4) == 0 {
        spliced(random, ours, theirs)
    } else {
        bent(random, ours, CHARACTERS)
    }
}

/// A record of `acme` that names no customer.
fn record(site: &Site, token: Option<&str>) -> String {
    record_of(site, Side::Acme, token)
}

fn record_of(site: &Site, owner: Side, token: Option<&str>) -> String {
    let event = &site.tenant(owner).ids.event;
    let mut record = json!({
        "type": "chat", "event_id": event, "message_id": "by-a-page", "sent_at": now_ms(), "text": "",
    });
    if let Some(token) = token {
        record["viewer_token"] = json!(token);
    }
    record.to_string()
}

/// A request with a token in its address. Every character is one that an address can have.
fn address_of(token: &str) -> String {
    let token = percent_encoding::utf8_percent_encode(token, percent_encoding::NON_ALPHANUMERIC);
    format!("/collect?viewer={token}")
}

/// Whether a record of `acme` with this token is accepted.
fn accepts(site: &mut Site, token: Option<&str>) -> anyhow::Result<bool> {
    accepts_of(site, Side::Acme, token)
}

fn accepts_of(site: &mut Site, owner: Side, token: Option<&str>) -> anyhow::Result<bool> {
    let request = Request::post("/collect", record_of(site, owner, token));
    let collector = site.tenant(owner).collector.clone();
    let response = site.send(Some(owner), Some(&collector), &request)?;
    Ok(response.status == 202)
}

/// Whether all records of a request are refused because of their viewer tokens.
fn refused(site: &mut Site, request: &Request, records: usize) -> anyhow::Result<bool> {
    let collector = site.tenant(Side::Acme).collector.clone();
    let response = site.send(Some(Side::Acme), Some(&collector), request)?;
    let body: Value = serde_json::from_slice(&response.body).context("read a refusal")?;
    let rejected = list(&body["rejected"])?;
    let all_wrong = rejected
        .iter()
        .all(|it| it["reason"] == "INVALID_VIEWER_TOKEN");
    Ok(response.status == 400 && rejected.len() == records && all_wrong)
}

/// Requires viewer tokens of both organisations, or ends it. Returns when it is in force.
fn require(site: &mut Site, switch: &str) -> anyhow::Result<Duration> {
    for org in [OTHER, ORG] {
        let set = ["org", "set", org, "--require-viewer-tokens", switch];
        output(&mut site.product.command(&set))?;
    }
    in_force(site, |site| Ok(accepts(site, None)? == (switch == "off")))
}

/// Revokes a secret while its tokens are accepted.
fn revoke_secret(site: &mut Site) -> anyhow::Result<Duration> {
    let secret = site.product.token_of(ORG, "viewer")?;
    let listed = output(&mut site.product.command(&["token", "list", "--org", ORG]))?;
    let last = listed
        .lines()
        .last()
        .and_then(|line| line.split_whitespace().next());
    let id = last.context("the id of a new token")?.to_owned();
    let token = signed(&secret, &claims(site, Side::Acme));
    in_force(site, |site| accepts(site, Some(&token)))?;
    output(&mut site.product.command(&["token", "revoke", &id]))?;
    let revoked = in_force(site, |site| Ok(!accepts(site, Some(&token))?))?;
    ensure!(
        !accepts(site, Some(&token))?,
        "a revoked secret verified again"
    );
    site.viewer_tokens.push(token);
    Ok(revoked)
}

/// Waits until a change of the command line is in force.
fn in_force(
    site: &mut Site,
    is_so: impl Fn(&mut Site) -> anyhow::Result<bool>,
) -> anyhow::Result<Duration> {
    let changed = Instant::now();
    while !is_so(site)? {
        ensure!(
            changed.elapsed() <= IN_FORCE_WITHIN,
            "a change of the command line was not in force after {} ms",
            changed.elapsed().as_millis()
        );
    }
    Ok(changed.elapsed())
}
