//! A bar in a cell of a table. The cell beside it has the number.

use super::svg::{At, Svg};

/// A bar that fills a part of its cell, from 0 to 1.
pub(crate) fn bar(share: f64) -> Svg {
    let width = At(share.clamp(0.0, 1.0) * 100.0);
    Svg(format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect width=\"{width}\" height=\"8\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert!(bar(0.6666).to_string().contains("<rect width=\"66.7\""));
        assert!(bar(7.0).to_string().contains("<rect width=\"100\""));
    }
}
