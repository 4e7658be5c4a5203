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

/// A bar that fills its cell as the part fills the whole.
#[expect(clippy::cast_precision_loss, reason = "a bar is a hundred units long")]
pub(crate) fn bar_of(part: u64, whole: u64) -> Svg {
    bar(part as f64 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert!(bar(0.6666).to_string().contains("<rect width=\"66.7\""));
        assert!(bar_of(2, 3).to_string().contains("<rect width=\"66.7\""));
        assert!(bar_of(0, 0).to_string().contains("<rect width=\"0\""));
        assert!(bar(7.0).to_string().contains("<rect width=\"100\""));
    }
}
