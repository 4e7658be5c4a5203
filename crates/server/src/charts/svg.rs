//! [`Svg`]: the text of a picture, and small functions to write one.

use std::fmt::{self, Write};

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};

/// A picture. Templates write it as it is: all texts in it are escaped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Svg(pub(super) String);

impl Svg {
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// Adds an element, or a part of one.
    pub(super) fn add(&mut self, part: fmt::Arguments<'_>) {
        self.0
            .write_fmt(part)
            .expect("writing to memory cannot fail");
        self.0.push('\n');
    }
}

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FastWritable for Svg {
    fn write_into(&self, target: &mut dyn Write, _: &dyn Values) -> askama::Result<()> {
        Ok(target.write_str(&self.0)?)
    }
}

impl HtmlSafe for Svg {}

/// A coordinate with at most one decimal.
#[derive(Clone, Copy)]
pub(super) struct At(pub(super) f64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        // No minus sign before a zero.
        write!(f, "{}", tenths + 0.0)
    }
}

/// A text between tags or in an attribute.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // XML has no other control characters.
                c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {
                    f.write_char('\u{fffd}')?;
                }
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_coordinates_are_short() {
        let text = Escaped("<a href=\"x\">&\u{1}").to_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}");
        let texts = [0.0, -0.01, 12.34, 100.0].map(|it| At(it).to_string());
        assert_eq!(texts, ["0", "0", "12.3", "100"]);
    }
}
