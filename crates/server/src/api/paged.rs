//! Pages of rows, all from one state of the event.

use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use showreport_model::question::{Question, RowRange};
use showreport_model::table::Table;
use showreport_model::{OrgId, Timestamp, Window};

use super::event_id::event_id;
use super::filter::FilterQuery;
use super::response::Requested;
use crate::answers::{Freshness, Snapshot};
use crate::app::App;
use crate::error::ApiError;
use crate::extract::{Cursor, Page, PageQuery, Violations};

/// The place of a row in the rows of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowPlace {
    /// The state of the pages before.
    as_of: Timestamp,
    /// Rows before the place.
    skip: u64,
}

/// Both numbers, eight bytes each.
impl Cursor for RowPlace {
    fn to_bytes(&self) -> Vec<u8> {
        let numbers = [
            self.as_of.as_millis().to_be_bytes(),
            self.skip.to_be_bytes(),
        ];
        numbers.concat()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (as_of, skip) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            as_of: Timestamp::from_millis(i64::from_be_bytes(*as_of)).ok()?,
            skip: u64::from_be_bytes(skip.try_into().ok()?),
        })
    }
}

/// The parameters of all requests for pages.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PagedQuery {
    #[serde(flatten)]
    filter: FilterQuery,
    #[serde(flatten)]
    page: PageQuery,
}

/// A request for a page of rows.
pub(super) struct PageRequest<'a> {
    org: &'a OrgId,
    /// The id in the path.
    event: &'a str,
    freshness: Freshness,
    page: Page<RowPlace>,
    headers: &'a HeaderMap,
}

impl PagedQuery {
    /// The filter and the request. `violations` are of other parameters; the error names all.
    pub(super) fn read<'a>(
        &self,
        mut violations: Violations,
        org: &'a OrgId,
        event: &'a str,
        headers: &'a HeaderMap,
    ) -> Result<(Window, PageRequest<'a>), ApiError> {
        let (window, freshness) = self.filter.read(&mut violations);
        let page = self.page.read_into(&mut violations);
        let request = PageRequest {
            org,
            event,
            freshness,
            page: violations.into_result(page)?,
            headers,
        };
        Ok((window, request))
    }
}

impl PageRequest<'_> {
    /// The state that the page is made from: that of the pages before, if it is kept.
    pub(super) async fn snapshot(&self, app: &App) -> Result<Snapshot, ApiError> {
        let event = event_id(self.event)?;
        let answers = app.answers();
        if let Some(place) = self.page.after {
            let kept = answers.snapshot_as_of(self.org, &event, place.as_of);
            if let Some(kept) = kept.await? {
                return Ok(kept);
            }
        }
        answers.snapshot(self.org, &event, self.freshness).await
    }

    /// The rows to ask for: one more than the page has shows whether another page follows.
    pub(super) fn rows(&self) -> RowRange {
        RowRange {
            skip: self.page.after.map_or(0, |place| place.skip),
            limit: self.page.limit().into(),
        }
    }

    /// The response with the page of an answer.
    pub(super) async fn answer(
        &self,
        app: &App,
        snapshot: &Snapshot,
        question: &Question,
    ) -> Result<Response, ApiError> {
        let requested = Requested::new(snapshot, question, self.headers);
        if let Some(response) = requested.not_modified() {
            return Ok(response);
        }
        let answer = app.answers().answer(snapshot, question).await?;
        Ok(self.respond(&requested, snapshot.as_of(), &answer.table))
    }

    fn respond(&self, requested: &Requested<'_>, as_of: Timestamp, table: &Table) -> Response {
        let mut rows: Vec<_> = table.rows.iter().collect();
        let RowRange { skip, limit } = self.rows();
        let next = RowPlace {
            as_of,
            skip: skip + limit - 1,
        };
        let Some(token) = self.page.cut(&mut rows, |_| next) else {
            return requested.page(table, "");
        };
        let page = Table {
            columns: table.columns.clone(),
            rows: rows.into_iter().cloned().collect(),
        };
        requested.page(&page, &token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_state_and_the_place() {
        let place = RowPlace {
            as_of: Timestamp::MIN,
            skip: 300,
        };
        assert_eq!(RowPlace::from_bytes(place.to_bytes()), Some(place));
        for wrong in [vec![], vec![0; 15], vec![0; 16], vec![255; 16], vec![0; 17]] {
            assert_eq!(RowPlace::from_bytes(wrong), None);
        }
    }
}
