//! Cells made of what is hard to write and dangerous to open.

use showreport_testkit::Random;

/// Whole formulas, beginnings of them, numbers in many hands, quotes, ends of lines, and letters
/// that look like others or have no width.
const PIECES: [&str; 51] = [
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "'",
    "\"",
    "\"\"",
    ",",
    ";",
    "|",
    " ",
    "\\",
    "=1+1",
    "=HYPERLINK(\"http://example.org\",\"here\")",
    "=cmd|' /C calc'!A0",
    "@SUM(A1:A9)",
    "+886 2 1234",
    "-1",
    "-12.5",
    "-1e5",
    "1e5",
    "007",
    "1,5",
    "0x10",
    "NaN",
    "TRUE",
    "12/11/10",
    "-id-4f2a",
    "--",
    "''",
    "'=",
    "\u{ff1d}1+1",
    "\u{ff0b}",
    "\u{ff0d}",
    "\u{ff20}",
    "\u{2212}5",
    "é",
    "漢字",
    "😀",
    "e\u{301}",
    "\u{202e}abc",
    "\u{feff}",
    "\u{200b}",
    "\u{2028}",
    "\u{85}",
    "\u{7f}",
    "word",
];

/// An id that begins anyhow, and is nobody else's.
pub(super) fn id(random: &mut Random, number: u64) -> String {
    let head: String = text(random)
        .chars()
        .filter(|it| !it.is_control())
        .take(100)
        .collect();
    // No piece has this sign, so that no number flows together with what is before it.
    format!("{head}#{number}")
}

/// Any text, an empty one too; one in a hundred is long.
pub(super) fn text(random: &mut Random) -> String {
    let pieces = if random.below(100) == 0 {
        60
    } else {
        random.below(6)
    };
    let mut text = String::new();
    for _ in 0..pieces {
        let length = PIECES.len() as u64;
        text += PIECES[usize::try_from(random.below(length)).unwrap_or(0)];
    }
    text
}
