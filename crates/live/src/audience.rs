//! [`Audience`]: the views and viewers of an event, and how many watch at an instant.
//!
//! A change costs what it changes. An added span moves edges at once. What may take time away (a
//! late beat, a smaller customer id) takes the edges of a whole viewer away, and
//! [`Audience::settle`] adds them anew, once for all changes of a commit.

use hashbrown::HashMap;
use showreport_model::Span;
use showreport_model::beats::Beats;
use showreport_model::claims::{Beat, Step, Tail};
use showreport_model::concurrency::{Concurrency, Edge, Level};
use smallvec::SmallVec;

use crate::spans::{Ignored, Spans};
use crate::texts::{TextId, Texts, index_of};

/// The views of an event, by viewer.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    views: Vec<View>,
    of_playbacks: HashMap<TextId, u32>,
    viewers: Vec<Viewer>,
    of_identities: HashMap<Identity, u32>,
    concurrency: Concurrency,
    /// Viewers without their edges until the next [`Audience::settle`].
    dirty: Vec<u32>,
    /// Views with claims to be worked out.
    unclear: Vec<u32>,
    /// Bytes on the heap of all spans and beats.
    heap_bytes: usize,
}

/// What a record says of its view.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) customer: TextId,
    pub(crate) device: TextId,
    pub(crate) os: TextId,
    pub(crate) region: TextId,
}

#[derive(Debug)]
struct View {
    attributes: Attributes,
    viewer: u32,
    /// The recorded spans and the claims of the beats.
    spans: Spans,
    beats: Option<Box<BeatsOfView>>,
}

#[derive(Debug, Default)]
struct BeatsOfView {
    recorded: Spans,
    beats: Beats,
    tail: Option<Tail>,
    /// The latest playing beat.
    playing_at: Option<i64>,
    is_unclear: bool,
}

/// The identity that a view is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Identity {
    Customer(TextId),
    Device(TextId),
    Playback(TextId),
}

#[derive(Debug, Default)]
struct Viewer {
    views: SmallVec<[u32; 2]>,
    /// The union of the spans of all views; `None` if there is one view.
    union: Option<Box<Spans>>,
    is_dirty: bool,
}

/// How many views and viewers were seen lately, and which attributes viewers have.
#[derive(Debug, Default)]
pub(crate) struct Present {
    /// Viewers with a recorded span or a playing beat around the present.
    pub(crate) now: u64,
    /// Viewers at the settled instant, by system and by region.
    pub(crate) systems: HashMap<TextId, u64>,
    pub(crate) regions: HashMap<TextId, u64>,
}

impl Audience {
    /// Adds a span of a view.
    pub(crate) fn add_span(
        &mut self,
        texts: &Texts,
        playback: TextId,
        attributes: Attributes,
        span: Span,
    ) {
        let number = self.view(texts, playback, attributes);
        if let Some(beats) = &mut self.views[number as usize].beats {
            beats.recorded.insert(span, &mut Ignored);
        }
        self.insert(number, span);
    }

    /// Adds a beat of a view.
    pub(crate) fn add_beat(
        &mut self,
        texts: &Texts,
        playback: TextId,
        attributes: Attributes,
        beat: Beat,
    ) {
        let number = self.view(texts, playback, attributes);
        let beats = self.views[number as usize].beats();
        if beat.playing {
            beats.playing_at = beats.playing_at.max(Some(beat.at));
        }
        let step = match &mut beats.tail {
            Some(tail) if !beats.is_unclear => tail.step(beat),
            _ => Step::Unclear,
        };
        if step == Step::Known {
            return;
        }
        let before = beats.beats.heap_bytes();
        beats.beats.insert(beat);
        self.heap_bytes = self.heap_bytes + beats.beats.heap_bytes() - before;
        match step {
            Step::Claims(claim) => claim.into_iter().for_each(|span| self.insert(number, span)),
            _ => self.note_unclear(number),
        }
    }

    /// Adds beats of a view that [`Beats::append_numbers`] wrote.
    pub(crate) fn add_beats(
        &mut self,
        texts: &Texts,
        playback: TextId,
        attributes: Attributes,
        numbers: &[i64],
    ) {
        let number = self.view(texts, playback, attributes);
        let beats = self.views[number as usize].beats();
        let before = beats.beats.heap_bytes();
        beats.beats.extend(numbers);
        self.heap_bytes = self.heap_bytes + beats.beats.heap_bytes() - before;
        self.note_unclear(number);
    }

    /// Works out what was left open. Call it after the changes of a commit.
    pub(crate) fn settle(&mut self) {
        for number in std::mem::take(&mut self.unclear) {
            let view = &mut self.views[number as usize];
            let before = view.spans.heap_bytes();
            if let Some(beats) = &mut view.beats {
                let all = beats.beats.to_vec();
                let playing = all.iter().filter(|beat| beat.playing);
                beats.playing_at = playing.map(|beat| beat.at).max();
                beats.tail = Tail::of(&all);
                beats.is_unclear = false;
                let mut claimed = beats.beats.claims();
                let claimed = claimed.settle().iter().copied();
                view.spans = beats.recorded.iter().chain(claimed).collect();
            }
            self.heap_bytes = self.heap_bytes + view.spans.heap_bytes() - before;
        }
        for number in std::mem::take(&mut self.dirty) {
            let viewer = &mut self.viewers[number as usize];
            viewer.views.sort_unstable();
            viewer.views.dedup();
            let views = &self.views;
            viewer
                .views
                .retain(|view| views[*view as usize].viewer == number);
            let before = viewer.union_bytes();
            let all = viewer.views.iter();
            let all = all.flat_map(|&view| views[view as usize].spans.iter());
            viewer.union = (viewer.views.len() > 1).then(|| {
                let mut all: Vec<Span> = all.collect();
                all.sort_unstable();
                Box::new(all.into_iter().collect())
            });
            viewer.is_dirty = false;
            self.heap_bytes = self.heap_bytes + viewer.union_bytes() - before;
            for stretch in stretches(&self.views, &self.viewers[number as usize]) {
                self.concurrency.add(stretch);
            }
        }
    }

    /// The viewers at an instant, and the peak up to it.
    pub(crate) fn level(&mut self, instant: i64) -> Level {
        self.concurrency.at(instant)
    }

    /// How many joined, or left, inside a span.
    pub(crate) fn count(&mut self, edge: Edge, within: Span) -> u64 {
        self.concurrency.count(edge, within).unsigned_abs()
    }

    /// The viewers at the `settled` instant, and the number seen in `(settled, until]`.
    pub(crate) fn present(&mut self, settled: i64, until: i64) -> Present {
        let mut present = Present::default();
        for viewer in &self.viewers {
            let mut is_now = false;
            let mut seen: SmallVec<[Attributes; 4]> = SmallVec::new();
            for &number in &viewer.views {
                let view = &mut self.views[number as usize];
                is_now = is_now || view.is_seen(settled, until);
                if view.spans.holds(settled) {
                    seen.push(view.attributes);
                }
            }
            present.now += u64::from(is_now);
            count_values(&mut present.systems, seen.iter().map(|it| it.os));
            count_values(&mut present.regions, seen.iter().map(|it| it.region));
        }
        present
    }

    /// Viewers with any time inside a span.
    pub(crate) fn viewers_within(&self, within: Span) -> u64 {
        let (from, to) = (within.from(), within.to());
        let watched = self.viewers.iter().filter(|viewer| {
            let mut views = viewer.views.iter();
            views.any(|&view| self.views[view as usize].spans.meets(from, to))
        });
        watched.count() as u64
    }

    /// The number of views.
    pub(crate) const fn views(&self) -> usize {
        self.views.len()
    }

    /// Bytes on the heap, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        /// Of an entry of a map beside its key: the number and a control byte.
        const ENTRY: usize = 5;
        let views = self.views.capacity() * size_of::<View>();
        let viewers = self.viewers.capacity() * size_of::<Viewer>();
        let playbacks = self.of_playbacks.capacity() * (size_of::<TextId>() + ENTRY);
        let identities = self.of_identities.capacity() * (size_of::<Identity>() + ENTRY);
        views + viewers + playbacks + identities + self.heap_bytes + self.concurrency.heap_bytes()
    }

    /// The view of a playback, with these attributes added.
    fn view(&mut self, texts: &Texts, playback: TextId, added: Attributes) -> u32 {
        if let Some(&number) = self.of_playbacks.get(&playback) {
            let view = &mut self.views[number as usize];
            let before = identity(playback, view.attributes);
            view.attributes = view.attributes.least(added, texts);
            let after = identity(playback, view.attributes);
            if before != after {
                self.move_view(number, after);
            }
            return number;
        }
        let number = index_of(self.views.len());
        let viewer = self.viewer(identity(playback, added));
        self.views.push(View {
            attributes: added,
            viewer,
            spans: Spans::default(),
            beats: None,
        });
        self.of_playbacks.insert(playback, number);
        self.join(viewer, number);
        number
    }

    fn viewer(&mut self, identity: Identity) -> u32 {
        let next = index_of(self.viewers.len());
        let number = *self.of_identities.entry(identity).or_insert(next);
        if number == next {
            self.viewers.push(Viewer::default());
        }
        number
    }

    /// Adds a new view, which has no spans, to its viewer.
    fn join(&mut self, viewer: u32, view: u32) {
        let viewer = &mut self.viewers[viewer as usize];
        if let ([only], false) = (viewer.views.as_slice(), viewer.is_dirty) {
            let union = self.views[*only as usize].spans.clone();
            self.heap_bytes += union.heap_bytes() + size_of::<Spans>();
            viewer.union = Some(Box::new(union));
        }
        viewer.views.push(view);
    }

    /// Moves a view to another viewer.
    fn move_view(&mut self, number: u32, identity: Identity) {
        let from = self.views[number as usize].viewer;
        let to = self.viewer(identity);
        self.note_dirty(from);
        self.note_dirty(to);
        self.views[number as usize].viewer = to;
        self.viewers[to as usize].views.push(number);
    }

    /// Takes away the edges of a viewer until [`Audience::settle`].
    fn note_dirty(&mut self, number: u32) {
        let viewer = &mut self.viewers[number as usize];
        if viewer.is_dirty {
            return;
        }
        viewer.is_dirty = true;
        self.dirty.push(number);
        for stretch in stretches(&self.views, &self.viewers[number as usize]) {
            self.concurrency.remove(stretch);
        }
    }

    fn note_unclear(&mut self, number: u32) {
        let view = &mut self.views[number as usize];
        let viewer = view.viewer;
        let beats = view.beats();
        if !beats.is_unclear {
            beats.is_unclear = true;
            self.unclear.push(number);
        }
        self.note_dirty(viewer);
    }

    /// Adds the milliseconds of a span to a view and its viewer.
    fn insert(&mut self, number: u32, span: Span) {
        let view = &mut self.views[number as usize];
        let viewer = &mut self.viewers[view.viewer as usize];
        let before = view.spans.heap_bytes() + viewer.union_bytes();
        match &mut viewer.union {
            _ if viewer.is_dirty => view.spans.insert(span, &mut Ignored),
            None => view.spans.insert(span, &mut self.concurrency),
            Some(union) => {
                view.spans.insert(span, &mut Ignored);
                union.insert(span, &mut self.concurrency);
            }
        }
        let after = view.spans.heap_bytes() + viewer.union_bytes();
        self.heap_bytes = self.heap_bytes + after - before;
    }
}

/// The stretches in which a viewer watches.
fn stretches<'a>(views: &'a [View], viewer: &'a Viewer) -> impl Iterator<Item = Span> + 'a {
    let only = viewer
        .views
        .first()
        .map(|&view| &views[view as usize].spans);
    let all = viewer.union.as_deref().or(only);
    all.into_iter().flat_map(Spans::iter)
}

/// Counts each of these values once.
fn count_values(counts: &mut HashMap<TextId, u64>, values: impl Iterator<Item = TextId>) {
    let mut seen: SmallVec<[TextId; 4]> = SmallVec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
            *counts.entry(value).or_default() += 1;
        }
    }
}

fn identity(playback: TextId, attributes: Attributes) -> Identity {
    if attributes.customer != TextId::NONE {
        Identity::Customer(attributes.customer)
    } else if attributes.device != TextId::NONE {
        Identity::Device(attributes.device)
    } else {
        Identity::Playback(playback)
    }
}

impl Attributes {
    fn least(self, other: Self, texts: &Texts) -> Self {
        Self {
            customer: texts.least(self.customer, other.customer),
            device: texts.least(self.device, other.device),
            os: texts.least(self.os, other.os),
            region: texts.least(self.region, other.region),
        }
    }
}

impl View {
    fn beats(&mut self) -> &mut BeatsOfView {
        let spans = &self.spans;
        self.beats.get_or_insert_with(|| {
            Box::new(BeatsOfView {
                recorded: spans.clone(),
                ..BeatsOfView::default()
            })
        })
    }

    /// Whether it has a recorded span that meets `[after, until)`, or a playing beat in
    /// `(after, until]`.
    fn is_seen(&mut self, after: i64, until: i64) -> bool {
        let Some(beats) = &mut self.beats else {
            return self.spans.meets(after, until);
        };
        let is_inside = |at: i64| after < at && at <= until;
        beats.recorded.meets(after, until)
            || beats.playing_at.is_some_and(|latest| {
                // Only a player with a wrong clock has beats after `until`.
                is_inside(latest)
                    || latest > until
                        && beats
                            .beats
                            .to_vec()
                            .iter()
                            .any(|beat| beat.playing && is_inside(beat.at))
            })
    }
}

impl Viewer {
    fn union_bytes(&self) -> usize {
        let union = self.union.as_ref();
        union.map_or(0, |union| size_of::<Spans>() + union.heap_bytes())
    }
}
