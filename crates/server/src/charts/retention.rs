//! The drop-off curve: which share of the viewers has played each part of the content.

use super::frame::{AREA, Form, Frame, Heading, LINE, Steps, marked};
use super::scale::{Scale, float, time_step};
use super::svg::Svg;
use crate::texts::position;

/// The values of the chart.
#[derive(Debug, Clone)]
pub(crate) struct RetentionChart<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    /// Where each bucket begins, in ms, and its share; ascending.
    pub(crate) buckets: &'a [(i64, f64)],
    /// The length of the content in ms.
    pub(crate) length: i64,
}

const HEIGHT: f64 = 170.0;

impl RetentionChart<'_> {
    /// The chart.
    pub(crate) fn svg(&self, form: Form) -> Svg {
        let frame = Frame::new(form, "100 %".len(), HEIGHT);
        let x = Scale::new(0.0, float(self.length), frame.left, frame.right);
        let y = Scale::new(0.0, 100.0, frame.bottom, frame.top);
        let heading = Heading {
            id: "retention",
            title: self.title,
            description: self.description,
            data: String::new(),
        };
        let mut svg = frame.open(&heading, frame.bottom + 28.0);
        let marks = marked(&y, &[0, 25, 50, 75, 100], |mark| format!("{mark} %"));
        frame.vertical(
            &mut svg,
            "of all viewers, by position in the content",
            &marks,
        );
        let step = time_step(self.length, form.marks_max());
        let positions = (0..=self.length / step).map(|index| index * step);
        let marks: Vec<_> = positions
            .map(|at| (x.at(float(at)), position(at)))
            .collect();
        let mut steps = Steps::default();
        for (index, (at, share)) in self.buckets.iter().enumerate() {
            let next = self
                .buckets
                .get(index + 1)
                .map_or(self.length, |next| next.0);
            steps.add(x.at(float(*at)), x.at(float(next)), y.at(share * 100.0));
        }
        svg.add(format_args!(
            "<path class=\"area\" fill=\"{AREA}\" d=\"{}\"/>",
            steps.area(frame.bottom)
        ));
        svg.add(format_args!(
            "<path class=\"line\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"1.5\" d=\"{}\"/>",
            steps.line()
        ));
        frame.horizontal(&mut svg, &marks);
        Frame::close(svg)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn the_curve_goes_down_where_viewers_leave() {
        let chart = RetentionChart {
            title: "Share of the viewers by position",
            description: "1 after a minute",
            buckets: &[(0, 1.0), (60_000, 0.5), (120_000, 0.5), (180_000, 0.25)],
            length: 200_000,
        };
        assert_snapshot!(chart.svg(Form::Narrow));
    }

    #[test]
    fn content_without_viewers_has_an_empty_curve() {
        let chart = RetentionChart {
            title: "",
            description: "",
            buckets: &[],
            length: 0,
        };
        assert!(chart.svg(Form::Wide).to_string().contains("d=\"\""));
    }
}
