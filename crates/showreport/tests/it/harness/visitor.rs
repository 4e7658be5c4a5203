//! Pages as a browser opens them: signed in, with forms, and what a page shows.

use axum::body::Body;
use axum::http::Request;
use showreport_meta::Role;

use super::{Org, Response, TestApp};

const FORM: &str = "application/x-www-form-urlencoded";

/// A browser that is signed in.
pub(crate) struct Visitor<'a> {
    app: &'a TestApp,
    cookie: String,
}

impl TestApp {
    /// Signs in with a new token of these scopes.
    pub(crate) async fn visitor(&self, org: &Org, scopes: &str) -> Visitor<'_> {
        let token = self.token(&org.id, scopes).await;
        let signed_in = self.send(form("/sign-in", &[("token", &token)])).await;
        signed_in.is(303);
        Visitor {
            app: self,
            cookie: cookie(&signed_in),
        }
    }
}

impl TestApp {
    /// Invites a person with this role, and signs the person in.
    pub(crate) async fn person(&self, org: &Org, role: Role) -> Visitor<'_> {
        const PASSWORD: &str = "correct+horse+battery";
        let email = "person@example.com".parse().expect("an address");
        let invited = self.parts.meta.invite_person(&org.id, &email, role).await;
        let (_, secret) = invited.expect("invite");
        let path = format!("/invitations/{}", secret.expose());
        let fields = [("password", PASSWORD), ("again", PASSWORD)];
        let accepted = self.send(form(&path, &fields)).await;
        accepted.is(303);
        Visitor {
            app: self,
            cookie: cookie(&accepted),
        }
    }
}

impl Visitor<'_> {
    pub(crate) async fn get(&self, path: &str) -> Response {
        let request = Request::get(path).header("cookie", &self.cookie);
        let request = request.header("accept", "text/html").body(Body::empty());
        self.app.send(request.expect("a request")).await
    }

    /// A page with the status 200.
    pub(crate) async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        response.is(200).text().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut request = form(path, fields);
        let cookie = self.cookie.parse().expect("a cookie");
        request.headers_mut().insert("cookie", cookie);
        self.app.send(request).await
    }
}

/// The cookie that a response sets, as a browser sends it back.
fn cookie(response: &Response) -> String {
    let cookie = response.header("set-cookie").split(';').next();
    cookie.expect("a cookie").to_owned()
}

/// A form as a browser sends it from a page of this server.
fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    Request::post(path)
        .header("content-type", FORM)
        .header("accept", "text/html")
        .header("origin", "http://showreport.test")
        .body(Body::from(pairs.collect::<Vec<_>>().join("&")))
        .expect("a request")
}

/// A text as a part of a form.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The part of a page between the element with this id and the next section.
#[track_caller]
pub(crate) fn section<'h>(html: &'h str, id: &str) -> &'h str {
    let begin = html.find(&format!("id=\"{id}\""));
    let begin = begin.unwrap_or_else(|| panic!("no {id} in {html}"));
    let rest = &html[begin..];
    rest.find("</section>").map_or(rest, |end| &rest[..end])
}

/// The cells of the rows of the first table, without its head.
#[track_caller]
pub(crate) fn cells(html: &str) -> Vec<Vec<String>> {
    let (_, body) = html.split_once("<tbody>").expect("a table");
    let (body, _) = body.split_once("</tbody>").expect("its end");
    let rows = body.split("<tr").skip(1);
    rows.map(|row| {
        let cells = row.split("<td").skip(1);
        let cell = |cell: &str| {
            let (_, cell) = cell.split_once('>').expect("the end of a tag");
            let (cell, _) = cell.split_once("</td>").expect("the end of a cell");
            text(cell)
        };
        cells.map(cell).collect()
    })
    .collect()
}

/// The value of a figure, as JSON.
#[track_caller]
pub(crate) fn figure(html: &str, name: &str) -> String {
    let begin = format!("data-figure=\"{name}\" data-value=\"");
    let found = html.split_once(&begin);
    let (_, rest) = found.unwrap_or_else(|| panic!("no {name} in {html}"));
    unescaped(rest.split('"').next().expect("a value"))
}

/// The text of a piece of HTML.
fn text(html: &str) -> String {
    let mut text = String::new();
    for (place, part) in html.split('<').enumerate() {
        let shown = if place == 0 {
            part
        } else {
            part.split_once('>').map_or("", |(_, shown)| shown)
        };
        text.push_str(shown);
    }
    unescaped(text.trim())
}

fn unescaped(html: &str) -> String {
    let entities = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    let mut text = html.to_owned();
    for (entity, character) in entities {
        text = text.replace(entity, character);
    }
    text
}
