use showreport_model::EventId;
use showreport_model::record::{EventKind, EventRecord, Record};

use super::*;

fn org(name: &str) -> OrgId {
    OrgId::new(name).unwrap()
}

/// What an organisation sends: so many events, whose ids begin with a name.
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

type Answer = oneshot::Receiver<Result<(), Error>>;

async fn push(queue: &Queue, sent: Batches) -> Answer {
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
async fn organisations_take_turns_and_so_do_the_requests_of_each() {
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
async fn a_group_is_bounded_and_one_that_comes_late_is_in_the_next() {
    let queue = Queue::new();
    let mut large = Vec::new();
    for number in 0..5 {
        large.push(push(&queue, events("acme", &format!("large{number}"), 20_000)).await);
    }
    for number in 0..3 {
        let group = queue.take();
        let taken: usize = group.iter().map(|batch| batch.facts.events()).sum();
        assert!((GROUP_EVENTS..2 * GROUP_EVENTS).contains(&taken), "{taken}");
        queue.answer(group, &Ok(()));
        let mut late = push(&queue, events("rival", "late", 1)).await;
        let other = push(&queue, events("acme", "of the same", 1)).await;
        queue.answer(queue.take(), &Ok(()));
        assert!(matches!(late.try_recv(), Ok(Ok(()))), "{number}");
        drop(other);
    }
    assert!(large.iter_mut().all(|answer| answer.try_recv().is_err()));
}

#[tokio::test]
async fn a_request_is_answered_when_the_last_of_it_is_stored() {
    let queue = Queue::new();
    let mut answer = push(&queue, events("acme", "large", 9_000)).await;
    let mut groups = 0;
    loop {
        let group = queue.take();
        if group.is_empty() {
            break;
        }
        assert!(answer.try_recv().is_err(), "answered before it was stored");
        queue.answer(group, &Ok(()));
        groups += 1;
    }
    assert!(groups > 1);
    assert!(matches!(answer.try_recv(), Ok(Ok(()))));
}

#[tokio::test]
async fn nothing_further_of_a_request_that_failed_is_stored() {
    let queue = Queue::new();
    let mut large = push(&queue, events("acme", "large", 20_000)).await;
    let mut other = push(&queue, events("acme", "other", 20_000)).await;
    let group = queue.take();
    let (failed, good): (Vec<_>, Vec<_>) = group.into_iter().partition(|batch| batch.request == 0);
    queue.answer(failed, &Err(Error::UnknownToken));
    queue.answer(good, &Ok(()));
    assert!(matches!(large.try_recv(), Ok(Err(Error::UnknownToken))));
    let mut rest = Vec::new();
    while let group = queue.take()
        && !group.is_empty()
    {
        rest.extend(group);
    }
    assert!(names(&mut rest).iter().all(|name| name == "other"));
    queue.answer(rest, &Ok(()));
    assert!(matches!(other.try_recv(), Ok(Ok(()))));
    // The organisation has a turn again.
    let _next = push(&queue, events("acme", "next", 1)).await;
    assert_eq!(names(&mut queue.take()), ["next"]);
}

#[tokio::test]
async fn a_request_whose_client_went_away_is_not_continued() {
    let queue = Queue::new();
    drop(push(&queue, events("acme", "gone", 20_000)).await);
    drop(push(&queue, events("acme", "beacon", 1)).await);
    let mut group = queue.take();
    assert_eq!(names(&mut group), ["gone", "beacon"]);
    assert!(queue.take().is_empty());
}

#[tokio::test]
async fn a_closed_queue_takes_no_more_and_an_abandoned_one_answers() {
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
