//! [`Frame`]: the size of a chart, its title, and its axes.

use std::fmt::Write;

use super::scale::Scale;
use super::svg::{At, Escaped, Svg};

/// Colours of charts outside of pages. The style sheet has those of pages, under the same classes.
pub(super) const LINE: &str = "#2f55d4";
pub(super) const AREA: &str = "#dbe3fb";
pub(super) const OTHER: &str = "#6b7684";
pub(super) const GRID: &str = "#dfe3e8";
pub(super) const TEXT: &str = "#1b2027";
pub(super) const SOFT: &str = "#56606d";
pub(super) const PAPER: &str = "#ffffff";

/// Where a chart is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In a page.
    Wide,
    /// In a page on a narrow screen, where a wide chart would be too small to read.
    Narrow,
    /// As a file.
    Picture,
}

impl Form {
    pub(super) const fn width(self) -> f64 {
        match self {
            Self::Wide | Self::Picture => 1_000.0,
            Self::Narrow => 360.0,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
            Self::Picture => "picture",
        }
    }

    /// Marks on the horizontal axis at most.
    pub(super) const fn marks_max(self) -> i64 {
        match self {
            Self::Wide | Self::Picture => 10,
            Self::Narrow => 4,
        }
    }

    /// Space above the chart: a picture has its title there, pages have it beside the chart.
    pub(super) const fn above(self) -> f64 {
        match self {
            Self::Wide | Self::Narrow => 22.0,
            Self::Picture => 56.0,
        }
    }
}

/// What a chart says about itself.
#[derive(Debug, Clone)]
pub(super) struct Heading<'a> {
    /// Different for each chart of a page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What can be seen, in a sentence.
    pub(super) description: &'a str,
    /// Attributes for the script of pages.
    pub(super) data: String,
}

/// The rectangle of a chart inside its axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) form: Form,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// A frame with room for labels of the vertical axis with so many characters.
    pub(super) fn new(form: Form, label_characters: usize, height: f64) -> Self {
        let characters = u32::try_from(label_characters).unwrap_or(u32::MAX);
        let top = form.above();
        Self {
            form,
            left: 14.0 + 7.0 * f64::from(characters),
            right: form.width() - 12.0,
            top,
            bottom: top + height,
        }
    }

    /// The beginning of the picture, up to its title and description.
    pub(super) fn open(&self, heading: &Heading<'_>, height: f64) -> Svg {
        let Heading {
            id,
            title,
            description,
            data,
        } = heading;
        let (form, width) = (self.form, self.form.width());
        let class = form.class();
        let outer = match form {
            Form::Picture => {
                format!(
                    " xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{}\"",
                    At(height)
                )
            }
            _ => String::new(),
        };
        let mut svg = Svg::default();
        svg.add(format_args!(
            "<svg{outer} class=\"{class}\" viewBox=\"0 0 {width} {}\" role=\"img\" \
             aria-labelledby=\"{id}-{class}\" aria-describedby=\"{id}-{class}-text\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\"{data}>",
            At(height)
        ));
        svg.add(format_args!(
            "<title id=\"{id}-{class}\">{}</title>\n<desc id=\"{id}-{class}-text\">{}</desc>",
            Escaped(title),
            Escaped(description)
        ));
        svg.add(format_args!(
            "<rect class=\"paper\" fill=\"{PAPER}\" width=\"{width}\" height=\"{}\"/>",
            At(height)
        ));
        if form == Form::Picture {
            svg.add(format_args!(
                "<text class=\"label\" fill=\"{TEXT}\" font-size=\"16\" font-weight=\"600\" x=\"14\" \
                 y=\"26\">{}</text>",
                Escaped(title)
            ));
        }
        svg
    }

    /// The unit of the vertical axis, and a line for each mark with its label.
    pub(super) fn vertical(&self, svg: &mut Svg, unit: &str, marks: &[(f64, String)]) {
        let Self {
            left, right, top, ..
        } = *self;
        svg.add(format_args!(
            "<text class=\"axis\" fill=\"{SOFT}\" x=\"{}\" y=\"{}\">{}</text>",
            At(left),
            At(top - 9.0),
            Escaped(unit)
        ));
        for (y, label) in marks {
            svg.add(format_args!(
                "<path class=\"grid\" stroke=\"{GRID}\" d=\"M{} {}H{}\"/>\
                 <text class=\"axis\" fill=\"{SOFT}\" text-anchor=\"end\" x=\"{}\" y=\"{}\">{}</text>",
                At(left),
                At(*y),
                At(right),
                At(left - 6.0),
                At(y + 4.0),
                Escaped(label)
            ));
        }
    }

    /// A label for each mark of the horizontal axis. Labels that would leave the picture are moved.
    pub(super) fn horizontal(&self, svg: &mut Svg, marks: &[(f64, String)]) {
        for (x, label) in marks {
            let characters = u32::try_from(label.len()).unwrap_or(u32::MAX);
            let half = 3.5 * f64::from(characters);
            let middle = x.clamp(half, self.form.width() - half);
            svg.add(format_args!(
                "<path class=\"grid\" stroke=\"{GRID}\" d=\"M{} {}v5\"/>\
                 <text class=\"axis\" fill=\"{SOFT}\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
                At(*x),
                At(self.bottom),
                At(middle),
                At(self.bottom + 18.0),
                Escaped(label)
            ));
        }
    }

    pub(super) fn close(mut svg: Svg) -> Svg {
        svg.0.push_str("</svg>");
        svg
    }
}

/// A line in steps: each value holds from its place to the next one.
#[derive(Debug, Default)]
pub(super) struct Steps {
    path: String,
    /// The height of the last step.
    last: Option<String>,
    first_x: String,
    last_x: String,
}

impl Steps {
    /// A step from `from` to `to` at height `y`.
    pub(super) fn add(&mut self, from: f64, to: f64, y: f64) {
        let y = At(y).to_string();
        let place = At(from);
        let part = match &self.last {
            None => {
                self.first_x = place.to_string();
                format!("M{place} {y}")
            }
            Some(last) if *last == y => String::new(),
            Some(_) => format!("H{place}V{y}"),
        };
        self.path.push_str(&part);
        self.last = Some(y);
        self.last_x = At(to).to_string();
    }

    /// The path of the line; empty without steps.
    pub(super) fn line(&self) -> String {
        match self.last {
            None => String::new(),
            Some(_) => format!("{}H{}", self.path, self.last_x),
        }
    }

    /// The path of the area between the line and a height.
    pub(super) fn area(&self, bottom: f64) -> String {
        let mut area = self.line();
        if self.last.is_some() {
            write!(area, "V{}H{}Z", At(bottom), self.first_x)
                .expect("writing to memory cannot fail");
        }
        area
    }
}

/// Heights of marks with their labels.
pub(super) fn marked(scale: &Scale, marks: &[i64], label: fn(i64) -> String) -> Vec<(f64, String)> {
    let place = |mark: &i64| (scale.at(super::scale::float(*mark)), label(*mark));
    marks.iter().map(place).collect()
}
