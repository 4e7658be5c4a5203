use showreport_model::EventId;
use showreport_model::record::{EventKind, EventRecord, Record};

use super::*;

fn org(name: &str) -> OrgId {
    OrgId::new(name).unwrap()
}

/// A request of `count` events with ids that begin with a name.
fn events(org_name: &str, name: &str, count: usize) -> Batches {
    let mut sent = Batches::new(org(org_name));
    for number in 0..count {
        sent.filling().push(Record::Event(EventRecord {
            event: EventId::new(format!("{name} {number}")).unwrap(),
            kind: EventKind::Live,
            title: String::new(),
            starts_at: None,
            ends_at: None,
            duration_ms: None,
            updated_at: None,
        }));
    }
    sent
}

type Reply = oneshot::Receiver<Result<(), Error>>;

async fn push(queue: &Queue, sent: Batches) -> Reply {
    queue.push(TokenId::generate(), sent).await.unwrap()
}

/// The names of the batches of a group.
fn names(group: &mut [Batch]) -> Vec<String> {
    group
        .iter_mut()
        .map(|batch| {
            let registrations = batch.facts.finish().registrations;
            let first = registrations.iter().next().expect("a batch has an event");
            let name = first.event.as_str().split(' ').next();
            name.expect("a name").to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_group_is_filled_round_robin_by_organisation_and_by_request() {
    let queue = Queue::new();
    let _large = push(&queue, events("acme", "large", 3_000)).await;
    let _small = push(&queue, events("acme", "small", 1)).await;
    let _late = push(&queue, events("rival", "late", 1)).await;
    let mut group = queue.take();
    assert_eq!(
        names(&mut group),
        ["large", "late", "small", "large", "large"]
    );
    assert!(queue.take().is_empty());
}

#[tokio::test]
async fn a_group_is_limited_and_a_late_request_is_in_the_next() {
    let queue = Queue::new();
    let mut large = Vec::new();
    for number in 0..5 {
        large.push(push(&queue, events("acme", &format!("large{number}"), 20_000)).await);
    }
    for number in 0..3 {
        let group = queue.take();
        let taken: usize = group.iter().map(|batch| batch.facts.events()).sum();
        assert!((GROUP_EVENTS..2 * GROUP_EVENTS).contains(&taken), "{taken}");
        queue.reply(group, &Ok(()));
        let mut late = push(&queue, events("rival", "late", 1)).await;
        let other = push(&queue, events("acme", "of the same", 1)).await;
        queue.reply(queue.take(), &Ok(()));
        assert!(matches!(late.try_recv(), Ok(Ok(()))), "{number}");
        drop(other);
    }
    assert!(large.iter_mut().all(|reply| reply.try_recv().is_err()));
}

#[tokio::test]
async fn a_reply_is_sent_when_the_last_batch_is_stored() {
    let queue = Queue::new();
    let mut reply = push(&queue, events("acme", "large", 9_000)).await;
    let mut groups = 0;
    loop {
        let group = queue.take();
        if group.is_empty() {
            break;
        }
        assert!(reply.try_recv().is_err(), "replied before it was stored");
        queue.reply(group, &Ok(()));
        groups += 1;
    }
    assert!(groups > 1);
    assert!(matches!(reply.try_recv(), Ok(Ok(()))));
}

#[tokio::test]
async fn the_rest_of_a_request_that_failed_is_not_stored() {
    let queue = Queue::new();
    let mut large = push(&queue, events("acme", "large", 20_000)).await;
    let mut other = push(&queue, events("acme", "other", 20_000)).await;
    let group = queue.take();
    let (failed, good): (Vec<_>, Vec<_>) = group.into_iter().partition(|batch| batch.request == 0);
    queue.reply(failed, &Err(Error::UnknownToken));
    queue.reply(good, &Ok(()));
    assert!(matches!(large.try_recv(), Ok(Err(Error::UnknownToken))));
    let mut rest = Vec::new();
    while let group = queue.take()
        && !group.is_empty()
    {
        rest.extend(group);
    }
    assert!(names(&mut rest).iter().all(|name| name == "other"));
    queue.reply(rest, &Ok(()));
    assert!(matches!(other.try_recv(), Ok(Ok(()))));
    // Its organisation is served again.
    let _next = push(&queue, events("acme", "next", 1)).await;
    assert_eq!(names(&mut queue.take()), ["next"]);
}

#[tokio::test]
async fn a_request_whose_client_disconnected_is_not_continued() {
    let queue = Queue::new();
    drop(push(&queue, events("acme", "gone", 20_000)).await);
    drop(push(&queue, events("acme", "beacon", 1)).await);
    let mut group = queue.take();
    assert_eq!(names(&mut group), ["gone", "beacon"]);
    assert!(queue.take().is_empty());
}

#[tokio::test]
async fn a_closed_queue_refuses_requests_and_an_abandoned_one_drops_its_replies() {
    let queue = Queue::new();
    let mut waits = push(&queue, events("acme", "waits", 1)).await;
    queue.close();
    let late = queue.push(TokenId::generate(), events("acme", "late", 1));
    assert!(matches!(late.await, Err(Error::JournalClosed)));
    assert!(waits.try_recv().is_err());
    queue.abandon();
    assert!(waits.await.is_err(), "the sender is gone");
    assert!(queue.take().is_empty());
}
