//! The chat: messages, edits and deletions.

use showreport_model::record::Role;

use super::audience::Viewer;
use super::random::Random;
use super::wire::{At, ChatRecord, Record};
use super::{ENDS_AT, MINUTE, SECOND, STARTS_AT, STREAM_STARTS_AT};

/// Attempts to find a sender that is watching at the time of the message.
const ATTEMPTS_MAX: u32 = 24;

/// Every version of every message with the time at which it is sent.
pub(super) fn draw_chat(viewers: &[Viewer], random: &mut Random) -> Vec<(i64, Record)> {
    let mut messages = Vec::new();
    for (number, (minutes, text)) in (1..).zip(ANNOUNCEMENTS) {
        let message = announcement(number, STARTS_AT + minutes * MINUTE, text);
        messages.push((message.sent_at.0, Record::Chat(message)));
    }
    for number in 0..viewers.len().clamp(40, 20_000) {
        let sent_at = draw_moment(random);
        let Some(mut message) = draw_message(viewers, random, sent_at) else {
            continue;
        };
        message.message_id = format!("message-{number:05}");
        messages.extend(draw_versions(random, message));
    }
    messages
}

/// The time of a message: often near one of `MOMENTS`, else at any time of the show.
fn draw_moment(random: &mut Random) -> i64 {
    let at = if random.chance(550) {
        let minutes = random.weighted(&MOMENTS);
        random.around(STARTS_AT + minutes * MINUTE, 50 * SECOND)
    } else {
        random.between(STREAM_STARTS_AT..ENDS_AT + 4 * MINUTE)
    };
    at.max(STREAM_STARTS_AT)
}

fn draw_message(viewers: &[Viewer], random: &mut Random, sent_at: i64) -> Option<ChatRecord> {
    let sender = (0..ATTEMPTS_MAX).find_map(|_| {
        // The lesser of two draws makes a few viewers send many messages and most send few.
        let index = random.index(viewers.len()).min(random.index(viewers.len()));
        let viewer = &viewers[index];
        Some((viewer, viewer.watching(sent_at)?))
    });
    let (viewer, view) = sender?;
    Some(ChatRecord {
        message_id: String::new(),
        sent_at: At(sent_at),
        text: random.pick(&TEXTS).to_owned(),
        customer_id: viewer.customer.clone(),
        device_id: view.device.id.clone(),
        name: viewer.name.clone(),
        role: if viewer.customer.is_some() {
            Role::Viewer
        } else {
            Role::Guest
        },
        deleted: false,
        updated_at: None,
    })
}

/// The message and its later versions: an edit, a deletion, both or none.
fn draw_versions(random: &mut Random, message: ChatRecord) -> Vec<(i64, Record)> {
    let sent_at = message.sent_at.0;
    let mut versions = vec![message];
    if random.chance(35) {
        let edited_at = sent_at + random.between(4 * SECOND..MINUTE);
        let mut edited = versions[0].clone();
        edited.text.push_str(" (edited: typo)");
        edited.updated_at = Some(At(edited_at));
        versions.push(edited);
    }
    if random.chance(15) {
        let deleted_at = sent_at + random.between(MINUTE..3 * MINUTE);
        let mut deleted = versions[0].clone();
        deleted.deleted = true;
        deleted.updated_at = Some(At(deleted_at));
        versions.push(deleted);
    }
    versions
        .into_iter()
        .map(|version| {
            let at = version.updated_at.unwrap_or(version.sent_at).0;
            (at, Record::Chat(version))
        })
        .collect()
}

fn announcement(number: u32, sent_at: i64, text: &str) -> ChatRecord {
    ChatRecord {
        message_id: format!("announcement-{number}"),
        sent_at: At(sent_at),
        text: text.to_owned(),
        customer_id: Some("staff-studio".to_owned()),
        device_id: "device-studio".to_owned(),
        name: "Northlight Studio".to_owned(),
        role: Role::Admin,
        deleted: false,
        updated_at: None,
    }
}

/// Minutes after the start around which messages gather, with their weights.
const MOMENTS: [(i64, u64); 7] = [(0, 5), (12, 3), (21, 4), (46, 3), (58, 5), (73, 2), (89, 6)];

const ANNOUNCEMENTS: [(i64, &str); 6] = [
    (
        -5,
        "Welcome! We begin in five minutes. Say hello and tell us where you are watching from. 👋",
    ),
    (
        0,
        "We are live. Captions are under the gear, questions are welcome here.",
    ),
    (20, "First poll is open, on the right."),
    (45, "Second poll: choose as many as you like."),
    (
        70,
        "Last poll. It decides what the next deep dive is about.",
    ),
    (
        90,
        "Thank you all! The recording will be here within the hour.",
    ),
];

/// Some of these begin like a formula or hold characters that CSV must quote.
const TEXTS: [&str; 64] = [
    "Hello from Taipei!",
    "Guten Abend aus Berlin 👋",
    "こんばんは!",
    "안녕하세요",
    "Bonjour, ça marche bien ici",
    "Olá de São Paulo ☀️",
    "hi all",
    "first time here, excited",
    "finally!",
    "let's go 🚀",
    "🔥🔥🔥",
    "👏👏👏👏",
    "wow",
    "That demo was live?!",
    "no way that was live, \"one take\" my foot",
    "It was live, I was in the room",
    "Audio is a bit low for me",
    "Audio is fine here, try headphones",
    "Is it just me or did the picture freeze?",
    "froze for me too, back now",
    "reload helped",
    "Switched to my phone, works",
    "What is the music in the intro?",
    "When will the slides be up?",
    "Will there be a recording?",
    "recording please, I have to leave in ten minutes",
    "Is this available in the EU from day one?",
    "Price?",
    "Does it run on my own hardware?",
    "so it needs no account at all? nice",
    "Question: does the export keep time zones, or is everything UTC?",
    "UTC, they said so at the start",
    "Can I import last year's data, all of it, in one go?",
    "that chart is beautiful",
    "Please make the font bigger",
    "+1",
    "+1, the font is tiny on a phone",
    "-1 from me, I liked the old one",
    "- faster\n- cheaper\n- simpler\nI take all three",
    "=SUM(A1:A9) is what I did by hand until today 😅",
    "=1+1 is still 2, good",
    "@studio can you show that again?",
    "=HYPERLINK(\"https://example.com\",\"slides?\")",
    "Shipping, not promising. I like that.",
    "who is the speaker?",
    "She wrote the book on this, \"Counting What Counts\"",
    "A, B or C? I say B",
    "voted!",
    "changed my vote 😬",
    "it is C, trust me",
    "knew it",
    "how was it not A",
    "the poll closed before I could vote",
    "poll is open again",
    "Thanks for reopening it",
    "my team: 5 people, 1 screen, 3 opinions",
    "Kaffeepause?",
    "eating dinner, still listening",
    "great talk, thank you",
    "Danke! 🙏",
    "ありがとうございました",
    "Merci, à bientôt",
    "bye everyone",
    "See you next year, same place, same time",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_edited_deleted_and_look_like_formulas() {
        let viewers: Vec<Viewer> = (0..2000).map(|number| Viewer::draw(number, 1)).collect();
        let chat: Vec<ChatRecord> = draw_chat(&viewers, &mut Random::new(1, 1))
            .into_iter()
            .map(|(_, record)| match record {
                Record::Chat(message) => message,
                other => panic!("{other:?} in the chat"),
            })
            .collect();
        let count = |test: &dyn Fn(&ChatRecord) -> bool| {
            chat.iter().filter(|message| test(message)).count()
        };
        assert!((1000..3000).contains(&chat.len()), "{}", chat.len());
        assert!(count(&|message| message.deleted) > 5);
        assert!(count(&|message| !message.deleted && message.updated_at.is_some()) > 20);
        assert!(count(&|message| message.text.starts_with('=')) > 20);
        assert!(count(&|message| message.text.starts_with('-')) > 10);
        assert!(count(&|message| message.text.contains('\n')) > 5);
        assert!(count(&|message| message.role == Role::Guest) > 100);
        assert_eq!(count(&|message| message.role == Role::Admin), 6);
    }
}
