//! The audience curve: viewers by time, with messages and votes below it on the same axis.

use showreport_model::{Timestamp, Zone};

use super::frame::{AREA, Form, Frame, Heading, LINE, OTHER, PAPER, SOFT, Steps, TEXT, marked};
use super::scale::{Scale, counts, float, instants, time_step};
use super::svg::{At, Escaped, Svg};
use crate::texts;

/// A bucket of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bucket {
    /// Its first instant, in ms.
    pub(crate) at: i64,
    pub(crate) peak_viewers: i64,
    pub(crate) messages: i64,
    pub(crate) votes: i64,
}

/// The values of the chart.
#[derive(Debug, Clone)]
pub(crate) struct AudienceChart<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) zone: &'a Zone,
    /// Ascending, without gaps.
    pub(crate) buckets: &'a [Bucket],
    /// The end of the last bucket, in ms.
    pub(crate) end: i64,
    /// The first instant with the most viewers, and their number.
    pub(crate) peak: Option<(Timestamp, i64)>,
    /// A second event, moved so that both begin at the same place.
    pub(crate) with: &'a [Bucket],
}

/// A number of a bucket.
type Count = fn(&Bucket) -> i64;

const HEIGHT: f64 = 190.0;
/// The height of the bars of messages or votes, and of their label above.
const BAND: f64 = 26.0;
const BAND_LABEL: f64 = 20.0;

impl AudienceChart<'_> {
    /// The chart.
    pub(crate) fn svg(&self, form: Form) -> Svg {
        let from = self.buckets.first().map_or(0, |bucket| bucket.at);
        let both = self.buckets.iter().chain(self.with);
        let greatest = both.map(|bucket| bucket.peak_viewers).max().unwrap_or(0);
        // With room for the label of the peak.
        let marks = counts(greatest + (greatest + 9) / 10, 4);
        let last_mark = marks.last().copied().unwrap_or(1);
        let frame = Frame::new(form, texts::count(last_mark).len(), HEIGHT);
        let x = Scale::new(float(from), float(self.end), frame.left, frame.right);
        let y = Scale::new(0.0, float(last_mark), frame.bottom, frame.top);
        let bands: [(&str, &str, Option<Count>); 2] = [
            ("messages", "Messages", self.any(|bucket| bucket.messages)),
            ("votes", "Votes", self.any(|bucket| bucket.votes)),
        ];
        let bands = bands
            .into_iter()
            .filter_map(|(class, name, value)| Some((class, name, value?)));
        let bands: Vec<_> = bands.collect();
        let below = float(i64::try_from(bands.len()).unwrap_or(0)) * (BAND + BAND_LABEL);
        let heading = Heading {
            id: "audience",
            title: self.title,
            description: self.description,
            data: format!(
                " data-from=\"{from}\" data-to=\"{}\" data-left=\"{}\" data-right=\"{}\"",
                self.end,
                At(frame.left),
                At(frame.right)
            ),
        };
        let mut svg = frame.open(&heading, frame.bottom + 30.0 + below);
        let unit = format!("viewers, by time in {}", self.zone.name());
        frame.vertical(&mut svg, &unit, &marked(&y, &marks, texts::count));
        self.curves(&mut svg, &frame, &x, &y);
        if !self.buckets.is_empty() {
            frame.horizontal(&mut svg, &self.time_marks(&x, from, form));
        }
        let mut top = frame.bottom + 26.0;
        for (class, name, value) in bands {
            self.band(&mut svg, &frame, &x, top, (class, name, value));
            top += BAND + BAND_LABEL;
        }
        self.peak_mark(&mut svg, &frame, &x, &y);
        Frame::close(svg)
    }

    /// The function, if it is above 0 for any bucket.
    fn any(&self, value: Count) -> Option<Count> {
        let is_any = self.buckets.iter().any(|bucket| value(bucket) > 0);
        is_any.then_some(value)
    }

    fn curves(&self, svg: &mut Svg, frame: &Frame, x: &Scale, y: &Scale) {
        let own = steps(self.buckets, self.end, x, y, |it| it.peak_viewers);
        svg.add(format_args!(
            "<path class=\"area\" fill=\"{AREA}\" d=\"{}\"/>",
            own.area(frame.bottom)
        ));
        if let Some(last) = self.with.last() {
            let width = self.with.get(1).map_or(0, |next| next.at - self.with[0].at);
            svg.add(format_args!(
                "<path class=\"with\" fill=\"none\" stroke=\"{OTHER}\" stroke-width=\"1.5\" \
                 stroke-dasharray=\"5 3\" d=\"{}\"/>",
                steps(self.with, last.at + width, x, y, |it| it.peak_viewers).line()
            ));
        }
        svg.add(format_args!(
            "<path class=\"line\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"1.5\" d=\"{}\"/>",
            own.line()
        ));
    }

    fn time_marks(&self, x: &Scale, from: i64, form: Form) -> Vec<(f64, String)> {
        let step = time_step(self.end - from, form.marks_max());
        let marks = instants(from, self.end, step, self.zone);
        let label = |at: i64| {
            let time = Timestamp::from_millis(at).unwrap_or(Timestamp::MIN);
            let date = texts::date(time, self.zone);
            let clock = texts::clock(time, self.zone);
            match (clock.as_str(), step) {
                // Days of this year and of others differ in their first two words.
                ("00:00:00", _) => date
                    .rsplit_once(' ')
                    .map_or_else(String::new, |it| it.0.to_owned()),
                (clock, ..60_000) => clock.to_owned(),
                (clock, _) => clock[..5].to_owned(),
            }
        };
        marks
            .into_iter()
            .map(|at| (x.at(float(at)), label(at)))
            .collect()
    }

    /// Bars of messages or votes.
    fn band(
        &self,
        svg: &mut Svg,
        frame: &Frame,
        x: &Scale,
        top: f64,
        (class, name, value): (&str, &str, Count),
    ) {
        let greatest = self.buckets.iter().map(value).max().unwrap_or(0);
        let first = self.buckets.first().map_or(0, |bucket| bucket.at);
        let width = self.buckets.get(1).map_or(self.end, |next| next.at) - first;
        let bottom = top + BAND_LABEL + BAND;
        let y = Scale::new(0.0, float(greatest), bottom, top + BAND_LABEL);
        let bars = steps(self.buckets, self.end, x, &y, value);
        let color = if class == "messages" { LINE } else { OTHER };
        svg.add(format_args!(
            "<text class=\"axis\" fill=\"{SOFT}\" x=\"{}\" y=\"{}\">{name}, at most {} in {}</text>",
            At(frame.left),
            At(top + BAND_LABEL - 6.0),
            texts::count(greatest),
            texts::width(width)
        ));
        svg.add(format_args!(
            "<path class=\"{class}\" fill=\"{color}\" d=\"{}\"/>",
            bars.area(bottom)
        ));
    }

    fn peak_mark(&self, svg: &mut Svg, frame: &Frame, x: &Scale, y: &Scale) {
        let Some((at, viewers)) = self.peak else {
            return;
        };
        let (left, top) = (x.at(float(at.as_millis())), y.at(float(viewers)));
        let label = format!(
            "Peak: {} at {}",
            texts::count(viewers),
            texts::clock(at, self.zone)
        );
        let is_right = left > frame.form.width() * 0.6;
        let (anchor, offset) = if is_right {
            ("end", -8.0)
        } else {
            ("start", 8.0)
        };
        svg.add(format_args!(
            "<circle class=\"mark\" fill=\"{LINE}\" stroke=\"{PAPER}\" stroke-width=\"2\" cx=\"{}\" \
             cy=\"{}\" r=\"5\"/>",
            At(left),
            At(top)
        ));
        svg.add(format_args!(
            "<text class=\"label\" fill=\"{TEXT}\" font-weight=\"600\" text-anchor=\"{anchor}\" \
             x=\"{}\" y=\"{}\">{}</text>",
            At(left + offset),
            At(top - 6.0),
            Escaped(&label)
        ));
    }
}

fn steps(buckets: &[Bucket], end: i64, x: &Scale, y: &Scale, value: Count) -> Steps {
    let mut steps = Steps::default();
    for (index, bucket) in buckets.iter().enumerate() {
        let next = buckets.get(index + 1).map_or(end, |next| next.at);
        steps.add(
            x.at(float(bucket.at)),
            x.at(float(next)),
            y.at(float(value(bucket))),
        );
    }
    steps
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// 2026-11-22T10:00:00Z.
    const START: i64 = 1_795_341_600_000;

    fn buckets(viewers: &[i64]) -> Vec<Bucket> {
        let bucket = |(index, viewers): (i64, &i64)| Bucket {
            at: START + index * 60_000,
            peak_viewers: *viewers,
            messages: index % 2,
            votes: 0,
        };
        (0..).zip(viewers).map(bucket).collect()
    }

    fn chart<'a>(zone: &'a Zone, buckets: &'a [Bucket], with: &'a [Bucket]) -> AudienceChart<'a> {
        let end = buckets.last().map_or(0, |bucket| bucket.at + 60_000);
        AudienceChart {
            title: "Viewers at each instant",
            description: "",
            zone,
            buckets,
            end,
            peak: Timestamp::from_millis(START + 90_000)
                .ok()
                .map(|at| (at, 7)),
            with,
        }
    }

    #[test]
    fn the_curve_has_its_peak_and_its_messages() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let buckets = buckets(&[2, 7, 7, 3]);
        assert_snapshot!(chart(&zone, &buckets, &[]).svg(Form::Narrow));
    }

    #[test]
    fn a_second_event_is_a_dashed_line() {
        let (own, with) = (buckets(&[1, 2]), buckets(&[12]));
        let svg = chart(&Zone::utc(), &own, &with).svg(Form::Picture);
        let text = svg.to_string();
        assert!(text.contains("class=\"with\""), "{text}");
        assert!(
            text.contains(">15</text>"),
            "the axis has room for both: {text}"
        );
        assert!(
            text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""),
            "{text}"
        );
    }

    #[test]
    fn a_chart_of_days_has_dates() {
        let zone: Zone = "Asia/Taipei".parse().unwrap();
        let day = 86_400_000;
        let first = START - 18 * 3_600_000;
        let days: Vec<Bucket> = (0..4)
            .map(|index| Bucket {
                at: first + index * day,
                ..Bucket::default()
            })
            .collect();
        let text = chart(&zone, &days, &[]).svg(Form::Narrow).to_string();
        assert!(
            text.contains(">22 Nov<") && text.contains(">23 Nov<"),
            "{text}"
        );
    }
}
