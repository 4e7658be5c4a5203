//! [`Reason`]: every reason of a refusal, with its status. `docs/api.md` lists them.

use axum::http::StatusCode;
use serde::{Serialize, Serializer};

macro_rules! reasons {
    ($($variant:ident = $status:ident, $name:literal, $when:literal;)*) => {
        /// Why a request is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Reason {
            $(#[doc = $when] $variant,)*
        }

        impl Reason {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in the body of the response.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// When a request is refused for this reason.
            #[cfg(test)]
            const fn when(self) -> &'static str {
                match self { $(Self::$variant => $when,)* }
            }
        }
    };
}

reasons! {
    AllRecordsRejected = BAD_REQUEST, "ALL_RECORDS_REJECTED",
        "No record of the body is valid; `rejected` says what is wrong with each.";
    BodiesFull = SERVICE_UNAVAILABLE, "BODIES_FULL",
        "The bodies that are being received fill their memory.";
    BodyCutShort = BAD_REQUEST, "BODY_CUT_SHORT",
        "The body ended before it was complete.";
    BodyTimeout = REQUEST_TIMEOUT, "BODY_TIMEOUT",
        "The body arrived too slowly.";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE",
        "The body, decompressed, has more bytes than a body may have.";
    BrokenBody = BAD_REQUEST, "BROKEN_BODY",
        "The body of `/collect` is not JSON of the announced type.";
    BrokenEncoding = BAD_REQUEST, "BROKEN_ENCODING",
        "The compressed body is damaged, cut short, or followed by something else.";
    Busy = SERVICE_UNAVAILABLE, "BUSY",
        "A limit of what is done at once is reached.";
    ClockBehind = SERVICE_UNAVAILABLE, "CLOCK_BEHIND",
        "The server's clock is behind the newest transaction; nothing is collected until it is right.";
    Conflict = CONFLICT, "CONFLICT",
        "The request contradicts what is stored.";
    ConnectionsFull = SERVICE_UNAVAILABLE, "CONNECTIONS_FULL",
        "There are too many connections, in all or from one address.";
    CrossOrigin = FORBIDDEN, "CROSS_ORIGIN",
        "A form of a page was sent from a page of another site.";
    DataDamaged = INTERNAL_SERVER_ERROR, "DATA_DAMAGED",
        "A file that is needed does not hold what was written to it; the message names it.";
    EmptyBody = BAD_REQUEST, "EMPTY_BODY",
        "The body of `/collect` has no record.";
    EventNotFound = NOT_FOUND, "EVENT_NOT_FOUND",
        "The organisation has no such event.";
    EventQuota = TOO_MANY_REQUESTS, "EVENT_QUOTA",
        "The organisation has as many events as it may have.";
    FileGone = GONE, "FILE_GONE",
        "The report's file is older than its retention and was deleted.";
    ForeignOrganization = FORBIDDEN, "FOREIGN_ORGANIZATION",
        "`x-bv-org-id` names another organisation than the token's.";
    Gone = GONE, "GONE",
        "The file was deleted.";
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED",
        "The `Idempotency-Key` was sent before with another body.";
    Internal = INTERNAL_SERVER_ERROR, "INTERNAL",
        "A defect of the server; its log says more under the request's id.";
    InvalidField = BAD_REQUEST, "INVALID_FIELD",
        "Fields or parameters are wrong; `field_violations` names each.";
    InvalidForm = BAD_REQUEST, "INVALID_FORM",
        "The fields of a form, or the parameters of an overridden method, cannot be read.";
    InvalidHost = BAD_REQUEST, "INVALID_HOST",
        "The `Host` header is missing, repeated, or not a host.";
    InvalidQuery = BAD_REQUEST, "INVALID_QUERY",
        "The parameters after `?` cannot be read, or one is given twice.";
    InvalidRequest = BAD_REQUEST, "INVALID_REQUEST",
        "The request cannot be read. Its status may be another one of 4xx.";
    JobAlreadyExists = CONFLICT, "JOB_ALREADY_EXISTS",
        "The organisation has a job of this report type; `jobId` names it.";
    JobNotFound = NOT_FOUND, "JOB_NOT_FOUND",
        "The organisation has no such job.";
    JournalFull = SERVICE_UNAVAILABLE, "JOURNAL_FULL",
        "The journal, or the organisation's part of it, is full until the next flush.";
    KeyTooPowerful = FORBIDDEN, "KEY_TOO_POWERFUL",
        "The token in `?key=` has another scope beside `collect`.";
    LinkExpired = FORBIDDEN, "LINK_EXPIRED",
        "The link is older than its lifetime; the report has a new one.";
    LinkNotFound = NOT_FOUND, "LINK_NOT_FOUND",
        "The link was changed, or its report was deleted.";
    MalformedJson = BAD_REQUEST, "MALFORMED_JSON",
        "The body is not JSON.";
    MediaNotFound = NOT_FOUND, "MEDIA_NOT_FOUND",
        "The organisation has no such file.";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED",
        "The path does not take the method; the `Allow` header names those it takes.";
    NoSuchDay = NOT_FOUND, "NO_SUCH_DAY",
        "The organisation's zone skips the date, or it is too early.";
    NotFound = NOT_FOUND, "NOT_FOUND",
        "The organisation has no such thing.";
    NotReady = SERVICE_UNAVAILABLE, "NOT_READY",
        "The database does not respond.";
    NotUtf8 = BAD_REQUEST, "NOT_UTF8",
        "The body of `/collect` is UTF-16 or UTF-32; it has to be UTF-8.";
    PackedBody = BAD_REQUEST, "PACKED_BODY",
        "The body of `/collect` is compressed, and no `Content-Encoding` says so.";
    PollNotFound = NOT_FOUND, "POLL_NOT_FOUND",
        "The event has no such poll.";
    PreconditionFailed = PRECONDITION_FAILED, "PRECONDITION_FAILED",
        "The file is not one that `If-Match` expects.";
    QuotaExceeded = TOO_MANY_REQUESTS, "QUOTA_EXCEEDED",
        "The organisation has as much of something as it may have; `quota_limit` names it.";
    RangeNotSatisfiable = RANGE_NOT_SATISFIABLE, "RANGE_NOT_SATISFIABLE",
        "The range begins after the end of the file.";
    RateLimitExceeded = TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED",
        "More requests or records a minute than the organisation or the token may send.";
    RecordQuota = INSUFFICIENT_STORAGE, "RECORD_QUOTA",
        "The organisation has as many records as it may keep.";
    ReportNotAvailable = NOT_FOUND, "REPORT_NOT_AVAILABLE",
        "The day is not over.";
    ReportNotFound = NOT_FOUND, "REPORT_NOT_FOUND",
        "The organisation has no such report.";
    ReportRowLimit = BAD_REQUEST, "REPORT_ROW_LIMIT",
        "The report would have more rows than a report may have.";
    ReportsWaiting = SERVICE_UNAVAILABLE, "REPORTS_WAITING",
        "Too many reports wait to be made.";
    RoleMissing = FORBIDDEN, "ROLE_MISSING",
        "The page needs another role than the signed-in person has.";
    RouteNotFound = NOT_FOUND, "ROUTE_NOT_FOUND",
        "There is no such path.";
    ScopeMissing = FORBIDDEN, "SCOPE_MISSING",
        "The token lacks the scope that the request needs.";
    SessionEnded = UNAUTHORIZED, "SESSION_ENDED",
        "The session of the cookie has ended.";
    SignInsExceeded = TOO_MANY_REQUESTS, "SIGN_INS_EXCEEDED",
        "Too many wrong passwords were tried; `Retry-After` says when to go on.";
    StorageFull = INSUFFICIENT_STORAGE, "STORAGE_FULL",
        "The disk is full. `/readyz` responds with 503.";
    StreamsFull = TOO_MANY_REQUESTS, "STREAMS_FULL",
        "As many live streams are open as may be.";
    TimedOut = SERVICE_UNAVAILABLE, "TIMED_OUT",
        "The response took too long.";
    TokenMissing = UNAUTHORIZED, "TOKEN_MISSING",
        "The request has no token, or its `Authorization` header cannot be read.";
    TokenRevoked = GONE, "TOKEN_REVOKED",
        "The token was revoked. Paths of CMCD alone say so, since it ends the reports of a player.";
    TooManyRecords = BAD_REQUEST, "TOO_MANY_RECORDS",
        "The body of `/collect` has more records than a body may have.";
    Unavailable = SERVICE_UNAVAILABLE, "UNAVAILABLE",
        "The database or the store does not respond.";
    UnknownToken = UNAUTHORIZED, "UNKNOWN_TOKEN",
        "The token is unknown, expired or revoked.";
    UnsupportedEncoding = UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_ENCODING",
        "The body of `/collect` has a content encoding that is not read.";
    UnsupportedType = UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_TYPE",
        "The body of `/collect` has a content type that is not read.";
    WrongPassword = UNAUTHORIZED, "WRONG_PASSWORD",
        "The e-mail address and the password do not belong together.";
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The google.rpc.Code that goes with a status.
pub(super) fn rpc_code(status: StatusCode) -> u16 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND | StatusCode::GONE => 5,
        StatusCode::CONFLICT => 6,
        StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::RANGE_NOT_SATISFIABLE => 11,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::INSUFFICIENT_STORAGE => 8,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        status if status.is_server_error() => 13,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const BEGIN: &str = "<!-- reasons: made from the code -->\n";
    const END: &str = "<!-- end of reasons -->";

    fn table() -> String {
        let head = "| reason | status | `code` | |\n|---|---|---|---|\n".to_owned();
        let rows = Reason::ALL.iter().map(|reason| {
            let (name, status, when) = (reason.name(), reason.status(), reason.when());
            let (http, code) = (status.as_u16(), rpc_code(status));
            format!("| `{name}` | {http} | {code} | {when} |\n")
        });
        head + &rows.collect::<String>()
    }

    #[test]
    fn the_reasons_are_sorted_by_the_words_of_their_names_and_differ() {
        let names = Reason::ALL.iter().map(|reason| reason.name());
        let names: Vec<_> = names.map(|name| name.replace('_', " ")).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
    }

    /// `UPDATE_DOCS=1` writes the table instead.
    #[test]
    fn the_docs_list_every_reason() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
        let page = std::fs::read_to_string(&path).expect("the page");
        let (before, rest) = page.split_once(BEGIN).expect("where the table begins");
        let (listed, after) = rest.split_once(END).expect("where the table ends");
        let table = table();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let page = format!("{before}{BEGIN}{table}{END}{after}");
            std::fs::write(&path, page).expect("write the page");
        } else {
            assert_eq!(listed, table, "run this test with UPDATE_DOCS=1");
        }
    }
}
