//! Changes of an organisation's zone.

use showreport_model::{OrgId, Zone};

use super::orgs::ZoneChange;
use super::{Meta, bulk_reports, dirty_days, orgs, report_jobs};
use crate::error::Error;

impl Meta {
    /// Gives an organisation another zone, and marks every day dirty that has a bulk report.
    ///
    /// Days of the new zone begin at other times. If old reports stayed, facts between a day of the
    /// old zone and one of the new would count twice or not at all.
    pub async fn set_zone(&self, org: &OrgId, zone: &Zone) -> Result<ZoneChange, Error> {
        self.database()
            .write(async |tx| {
                let change = orgs::set_zone(tx, org, zone).await?;
                if change == ZoneChange::Changed {
                    for job in report_jobs::of_org(&mut **tx, org).await? {
                        let made = bulk_reports::days(&mut **tx, job.id).await?;
                        let days: Vec<_> = made.into_keys().map(|day| (job.id, day)).collect();
                        dirty_days::mark(tx, days).await?;
                    }
                }
                Ok(change)
            })
            .await
    }
}
