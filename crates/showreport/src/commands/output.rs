//! Output of commands on stdout, progress bars, and the error for wrong usage.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Wrong usage that the parser cannot find. The process exits with 2.
#[derive(Debug)]
pub(super) struct Usage(pub(super) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Prints a line on stdout. Unlike `println!`, it returns an error on a closed pipe.
pub(super) fn print_line(line: impl fmt::Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// A progress bar that is drawn only on a terminal and erased when it is dropped.
///
/// The style is set before ticks start: their thread would draw one line in the default style,
/// which is not erased later.
pub(super) fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("a literal of the right form");
    let bar = ProgressBar::new(length)
        .with_style(style)
        .with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// The name by which this program was started, quoted for a shell.
pub(super) fn program() -> String {
    let name = std::env::args_os().next();
    name.map_or_else(|| "showreport".to_owned(), |name| quoted(Path::new(&name)))
}

/// A path, quoted as one word of a shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A count with its noun: 1 viewer, 2,000 viewers.
pub(super) fn counted(number: u64, singular: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {singular}{plural}", with_thousands(number))
}

/// A number with thousands separators: 1,234,567.
pub(super) fn with_thousands(number: u64) -> String {
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
    fn numbers_have_thousands_separators() {
        assert_eq!(with_thousands(7), "7");
        assert_eq!(with_thousands(123), "123");
        assert_eq!(with_thousands(1234), "1,234");
        assert_eq!(with_thousands(1_234_567), "1,234,567");
        assert_eq!(counted(0, "voter"), "0 voters");
        assert_eq!(counted(1, "voter"), "1 voter");
        assert_eq!(counted(2000, "voter"), "2,000 voters");
    }

    #[test]
    fn a_path_is_quoted_as_one_word() {
        let word = |path: &str| quoted(Path::new(path));
        assert_eq!(word("./show-2/a.token"), "./show-2/a.token");
        assert_eq!(word("my show"), "'my show'");
        assert_eq!(word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(word(""), "''");
    }
}
