//! Random cells of characters that CSV must quote and texts that spreadsheets evaluate.

use showreport_testkit::Random;

/// Formulas, beginnings of formulas, numbers, quotes, ends of lines, and letters that look like
/// others or have no width.
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

/// A unique id that begins with any text.
pub(super) fn id(random: &mut Random, number: u64) -> String {
    let head: String = text(random)
        .chars()
        .filter(|it| !it.is_control())
        .take(100)
        .collect();
    // No piece has this sign, so the number is apart from what is before it.
    format!("{head}#{number}")
}

/// Any text, even an empty one; one in a hundred is long.
pub(super) fn text(random: &mut Random) -> String {
    let pieces = if random.u64(..100) == 0 {
        60
    } else {
        random.u64(..6)
    };
    let mut text = String::new();
    for _ in 0..pieces {
        text += random.choice(PIECES).unwrap_or_default();
    }
    text
}
