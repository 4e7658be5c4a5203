//! Charts as SVG: pure functions from values to text.
//!
//! Every chart has a title that says what it shows, and axes with units. Colours are attributes, so
//! that a chart is a picture of its own; classes let the style sheet of pages change them.

mod svg;
mod scale;
mod frame;
mod audience;
mod retention;
mod bar;

pub(crate) use audience::{AudienceChart, Bucket};
pub(crate) use bar::{bar, bar_of};
pub(crate) use frame::Form;
pub(crate) use retention::RetentionChart;
pub(crate) use svg::Svg;
