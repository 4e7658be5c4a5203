//! What commands print, and the mark of wrong usage.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Wrong usage that the parser could not see. The process exits 2.
#[derive(Debug)]
pub(super) struct Usage(pub(super) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Prints a line on stdout. A closed pipe is an error, not a panic.
pub(super) fn print_line(line: impl fmt::Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// A progress bar that is seen only on a terminal, and gone when it is dropped.
///
/// The style comes before the first tick: ticks have a thread of their own, and what it draws in
/// another form is not erased later.
pub(super) fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("a literal of the right form");
    let bar = ProgressBar::new(length)
        .with_style(style)
        .with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// How this program was started, as a shell reads it.
pub(super) fn program() -> String {
    let name = std::env::args_os().next();
    name.map_or_else(|| "showreport".to_owned(), |name| quoted(Path::new(&name)))
}

/// A path as a word of a shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A count with what is counted: 1 viewer, 2,000 viewers.
pub(super) fn counted(number: u64, singular: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {singular}{plural}", grouped(number))
}

/// A count as people write it: 1,234,567.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1234), "1,234");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(0, "voter"), "0 voters");
        assert_eq!(counted(1, "voter"), "1 voter");
        assert_eq!(counted(2000, "voter"), "2,000 voters");
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        let word = |path: &str| quoted(Path::new(path));
        assert_eq!(word("./show-2/a.token"), "./show-2/a.token");
        assert_eq!(word("my show"), "'my show'");
        assert_eq!(word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(word(""), "''");
    }
}
