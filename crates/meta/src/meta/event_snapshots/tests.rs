use crate::meta::testing::{Fixture, event, moved, playback, registration};

use showreport_model::Clock;
use showreport_model::facts::Table;

impl Fixture {
    async fn changed_at(&self, id: &str) -> i64 {
        let snapshot = self.meta.event_snapshot(&self.org, &event(id)).await;
        snapshot.unwrap().changed_at.as_millis()
    }
}

#[tokio::test]
async fn an_event_changes_with_each_commit_that_has_facts_or_a_record_of_it() {
    let show = Fixture::new().await;
    let now = show.clock.now().as_millis();
    show.store(vec![playback("e", "p"), registration("other", "A", None)])
        .await;
    assert_eq!(show.changed_at("e").await, now);
    assert_eq!(show.changed_at("other").await, now);
    // The clock stands still, and is then set back.
    show.store(vec![playback("e", "p")]).await;
    assert_eq!(show.changed_at("e").await, now + 1);
    show.clock.set(-500);
    show.store(vec![registration("e", "A", None)]).await;
    assert_eq!(show.changed_at("e").await, now + 2);
    assert_eq!(show.changed_at("other").await, now);
    show.clock.set(10_500);
    // A record that does not replace the stored one changes nothing.
    show.store(vec![registration("e", "A", None)]).await;
    assert_eq!(show.changed_at("e").await, now + 2);
    show.store(vec![registration("e", "B", None)]).await;
    assert_eq!(show.changed_at("e").await, now + 10_000);
}

#[tokio::test]
async fn an_import_changes_its_events() {
    let show = Fixture::new().await;
    show.store(vec![playback("e", "p")]).await;
    let before = show.changed_at("e").await;
    show.clock.advance(5);
    let collected = crate::meta::testing::sent([playback("e", "p")]).finish();
    let heads = moved(&[(Table::Spans, 3)].into());
    let loaded = show.meta.load_heads(&heads, &show.org, &[collected]).await;
    loaded.unwrap();
    assert_eq!(show.changed_at("e").await, before + 5);
}

#[tokio::test]
async fn a_snapshot_has_all_facts_of_its_event_once_none_is_pending() {
    let show = Fixture::new().await;
    show.store(vec![playback("e", "p"), registration("empty", "A", None)])
        .await;
    let of = async |id| {
        let snapshot = show.meta.event_snapshot(&show.org, &event(id)).await;
        snapshot.unwrap()
    };
    let before = of("e").await;
    assert_eq!(before.pending.map(|pending| pending.rows), Some(vec![1]));
    assert_eq!(of("empty").await.pending, None);
    let heads = [(Table::Spans, 1)].into();
    show.meta.move_heads(&moved(&heads), &[1]).await.unwrap();
    let after = of("e").await;
    assert_eq!((after.pending, after.heads), (None, heads));
    assert_eq!(after.changed_at, before.changed_at);
}

#[tokio::test]
async fn an_event_that_there_is_not_has_no_snapshot() {
    let show = Fixture::new().await;
    show.store(vec![playback("e", "p")]).await;
    let rival = crate::meta::testing::org("rival");
    let utc = showreport_model::Zone::utc();
    show.meta.create_org(&rival, &utc).await.unwrap();
    for (org, id) in [(&show.org, "unknown"), (&rival, "e")] {
        let missing = show.meta.event_snapshot(org, &event(id)).await;
        let error = missing.unwrap_err();
        assert!(
            matches!(error, crate::Error::UnknownEvent { .. }),
            "{error}"
        );
    }
}
