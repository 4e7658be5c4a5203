//! The figures of an event: what they are called, and what they mean.

use askama::Template;
use showreport_model::Zone;
use showreport_model::figures::{FIGURES, Figures};

use super::cells::Figure;

/// A figure with its name for people and its meaning. docs/figures.md says more.
struct Term {
    name: &'static str,
    label: &'static str,
    meaning: &'static str,
}

const fn term(name: &'static str, label: &'static str, meaning: &'static str) -> Term {
    Term {
        name,
        label,
        meaning,
    }
}

/// What most people ask for first.
const FIRST: [Term; 4] = [
    term(
        "viewers",
        "Viewers",
        "How many people saw any of it. A viewer is a customer; without one a device; without either \
         a single playback.",
    ),
    term(
        "peak_viewers",
        "Peak viewers",
        "The most viewers at one instant, and the first instant with that many. It is the true \
         maximum, not the largest of samples.",
    ),
    term(
        "average_minute_audience",
        "Average audience",
        "Viewers in an average minute of the show: the time attended between its start and its end, \
         divided by its length. It needs both times.",
    ),
    term(
        "average_watch_seconds",
        "Average time per viewer",
        "Watch time divided by viewers.",
    ),
];

const FURTHER: [Term; 11] = [
    term(
        "views",
        "Views",
        "How often it was played: playbacks with any watched time. Pauses do not end a view.",
    ),
    term(
        "devices",
        "Devices",
        "On how many devices it was played. Only devices with a known id count.",
    ),
    term(
        "watch_seconds",
        "Watch time",
        "How much was played in total. Pauses and stalls do not count. It adds up over systems, \
         regions and days.",
    ),
    term(
        "attended_seconds",
        "Time attended",
        "How long people were there: what one viewer plays twice at the same time counts once.",
    ),
    term(
        "average_view_seconds",
        "Average time per view",
        "Watch time divided by views.",
    ),
    term(
        "messages",
        "Messages",
        "Messages in the chat, without the deleted ones.",
    ),
    term(
        "senders",
        "Senders",
        "How many people wrote these messages.",
    ),
    term(
        "votes",
        "Votes",
        "Votes that count, over all polls: the latest valid vote of each voter in a poll.",
    ),
    term(
        "voters",
        "Voters",
        "How many people have a vote that counts.",
    ),
    term(
        "content_seconds",
        "Content played",
        "How much of the content was played, summed over views. What a view repeats counts once. \
         Players have to send positions.",
    ),
    term(
        "average_share_watched",
        "Average share watched",
        "Which part of the content an average view has played. Players have to send positions.",
    ),
];

/// A figure as a page shows it.
#[derive(Debug)]
pub(crate) struct Tile {
    pub(crate) label: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) figure: Figure,
    /// A figure that belongs to it, such as the time of the peak.
    pub(crate) beside: Option<Figure>,
}

/// The figures of an event, the most wanted ones first.
#[derive(Debug, Template)]
#[template(path = "figures.html")]
pub(crate) struct FiguresView {
    /// The operation of the API with the same figures.
    source: Option<String>,
    first: Vec<Tile>,
    further: Vec<Tile>,
}

impl askama::filters::HtmlSafe for FiguresView {}

impl FiguresView {
    pub(crate) fn new(figures: &Figures, zone: &Zone, source: Option<String>) -> Self {
        let tiles = |terms: &[Term]| terms.iter().map(|it| it.tile(figures, zone)).collect();
        Self {
            source,
            first: tiles(&FIRST),
            further: tiles(&FURTHER),
        }
    }
}

impl Term {
    fn tile(&self, figures: &Figures, zone: &Zone) -> Tile {
        let peak_at = (self.name == "peak_viewers").then(|| figure("peak_at", figures, zone));
        Tile {
            label: self.label,
            meaning: self.meaning,
            unit: match self.name {
                "average_minute_audience" => "viewers",
                _ => "",
            },
            figure: figure(self.name, figures, zone),
            beside: peak_at,
        }
    }
}

/// A figure of an event by its name.
pub(crate) fn figure(name: &str, figures: &Figures, zone: &Zone) -> Figure {
    let columns = FIGURES.iter().zip(figures.row());
    let (column, value) = columns
        .into_iter()
        .find(|(column, _)| column.name == name)
        .expect("a test compares the names");
    Figure::new(column, &value, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_api_is_shown_once() {
        let terms = FIRST.iter().chain(&FURTHER).map(|term| term.name);
        let mut shown: Vec<&str> = terms.chain(["peak_at"]).collect();
        let mut names: Vec<&str> = FIGURES.iter().map(|column| column.name).collect();
        shown.sort_unstable();
        names.sort_unstable();
        assert_eq!(shown, names);
        let page = FiguresView::new(&Figures::default(), &Zone::utc(), None).to_string();
        for name in names {
            let attribute = format!("data-figure=\"{name}\"");
            assert_eq!(page.matches(&attribute).count(), 1, "{name}");
        }
    }
}
