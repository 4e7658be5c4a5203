//! The summary that the demo prints at its end.

use std::fmt::{self, Display, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Number;

use super::access::{ORG, token_path};
use super::polls::OptionRow;
use super::reports::{ReportFile, folder};
use super::retention::PartRow;
use super::send::Sent;
use crate::commands::output::{counted, program, quoted, with_thousands};
use crate::simulation::{Program, Show, TITLE};
use crate::wiring::DataDir;

/// The results of a run.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) show: Show,
    pub(super) sent: Sent,
    /// An earlier run had sent the show, and its figures did not change.
    pub(super) is_unchanged: bool,
    pub(super) live: Figures,
    pub(super) recording: Figures,
    pub(super) files: Vec<ReportFile>,
    pub(super) polls: Vec<Vec<OptionRow>>,
    /// The drop-off curve of the recording.
    pub(super) parts: Vec<PartRow>,
}

/// The figures of an event, from `/api/v1/events/{id}/figures`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Figures {
    views: u64,
    viewers: u64,
    watch_seconds: Number,
    attended_seconds: Number,
    peak_viewers: u64,
    peak_at: Option<String>,
    average_minute_audience: Option<f64>,
    messages: u64,
    senders: u64,
    votes: u64,
}

/// Width of the longest bar in characters.
const BAR_WIDTH: u64 = 28;

impl Summary {
    /// The text of the summary. `link` opens the show signed in; without it the demo exits.
    pub(super) fn text(&self, base_url: &str, directory: &DataDir, link: Option<&str>) -> String {
        let mut text = String::new();
        self.write(&mut text, base_url, directory, link)
            .expect("writing to a string cannot fail");
        text
    }

    fn write(
        &self,
        text: &mut String,
        base_url: &str,
        directory: &DataDir,
        link: Option<&str>,
    ) -> fmt::Result {
        writeln!(text, "{TITLE}, a simulated show")?;
        self.write_events(text)?;
        self.write_collected(text)?;
        writeln!(text, "\nFigures of the show")?;
        write_figures(text, &self.live)?;
        let messages = counted(self.live.messages, "message");
        let senders = with_thousands(self.live.senders);
        line(text, "chat", format_args!("{messages} by {senders}"))?;
        line(text, "votes", with_thousands(self.live.votes))?;
        writeln!(text, "\nFigures of the recording")?;
        write_figures(text, &self.recording)?;
        self.write_retention(text)?;
        self.write_polls(text)?;
        self.write_files(text, directory, Program::Live)?;
        self.write_files(text, directory, Program::Recording)?;
        let next = NextCommands {
            event: self.show.event(Program::Live),
            base_url,
            data_dir: directory.path(),
            token: token_path(directory),
        };
        match link {
            Some(link) => next.write_serving(text, link),
            None => next.write_stopped(text),
        }
    }

    fn write_events(&self, text: &mut String) -> fmt::Result {
        let viewers = counted(self.show.viewers().into(), "viewer");
        let live = format!("live on {} with {viewers}", self.show.day());
        line(text, &self.show.event(Program::Live), live)?;
        let recording = "its recording, watched later that day";
        line(text, &self.show.event(Program::Recording), recording)
    }

    fn write_collected(&self, text: &mut String) -> fmt::Result {
        let Sent {
            records,
            again,
            late,
            accepted,
            requests,
        } = self.sent;
        writeln!(text, "\nCollected")?;
        line(text, "playback records", with_thousands(records.playbacks))?;
        line(text, "chat messages", with_thousands(records.messages))?;
        line(text, "votes", with_thousands(records.votes))?;
        line(
            text,
            "polls and events",
            with_thousands(records.polls + records.events),
        )?;
        line(text, "records", with_thousands(records.total()))?;
        line(text, "… sent twice", with_thousands(again))?;
        line(text, "… sent late", with_thousands(late))?;
        let requests = counted(requests, "request");
        line(
            text,
            "accepted",
            format_args!("{} in {requests}", with_thousands(accepted)),
        )?;
        if self.is_unchanged {
            let nothing = "everything existed already, so nothing was added";
            line(text, "repeated run", nothing)?;
        }
        Ok(())
    }

    fn write_retention(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "\nViewers of each part of the recording")?;
        let viewers = self.parts.iter().map(|part| part.viewers);
        let most = viewers.max().unwrap_or(0).max(1);
        for part in &self.parts {
            let name = format!("from minute {:.0}", part.position_seconds / 60.0);
            write_bar(text, &name, part.viewers, most, "")?;
        }
        Ok(())
    }

    fn write_polls(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "\nPolls")?;
        for options in &self.polls {
            let Some(first) = options.first() else {
                continue;
            };
            let voters = counted(first.voters, "voter");
            writeln!(text, "  {} ({voters})", first.question)?;
            let most = first.votes.max(1);
            for option in options {
                let mark = if option.correct { "  ✓" } else { "" };
                write_bar(text, &option.option_text, option.votes, most, mark)?;
            }
        }
        Ok(())
    }

    fn write_files(&self, text: &mut String, directory: &DataDir, program: Program) -> fmt::Result {
        let folder = directory.path().join(folder(self.show, program));
        writeln!(text, "\nReports, in {}", folder.display())?;
        writeln!(text, "  {:>10} {:>13}  file", "rows", "bytes")?;
        for file in self.files.iter().filter(|it| it.request.program == program) {
            let (rows, bytes) = (with_thousands(file.rows), with_thousands(file.size_bytes));
            let name = file.request.file_name();
            writeln!(text, "  {rows:>10} {bytes:>13}  {name}")?;
        }
        Ok(())
    }
}

fn write_figures(text: &mut String, figures: &Figures) -> fmt::Result {
    line(text, "views", with_thousands(figures.views))?;
    line(text, "viewers", with_thousands(figures.viewers))?;
    line(text, "watch time", hours(&figures.watch_seconds))?;
    line(text, "attended", hours(&figures.attended_seconds))?;
    let peak_at = figures.peak_at.as_deref().unwrap_or("-");
    let peak = with_thousands(figures.peak_viewers);
    line(text, "peak", format_args!("{peak} at {peak_at}"))?;
    if let Some(audience) = figures.average_minute_audience {
        let audience = format!("{} viewers", tenths(audience));
        line(text, "average minute", audience)?;
    }
    Ok(())
}

/// Commands to try next, which can be pasted into a shell.
struct NextCommands<'a> {
    event: String,
    base_url: &'a str,
    data_dir: &'a Path,
    token: PathBuf,
}

impl NextCommands<'_> {
    fn write_serving(&self, text: &mut String, link: &str) -> fmt::Result {
        writeln!(
            text,
            "\nThe dashboard; the link signs in once, within a day"
        )?;
        writeln!(text, "  {link}")?;
        writeln!(text, "\nGo on, in this directory and another terminal")?;
        let token = quoted(&self.token);
        writeln!(
            text,
            "  curl -sS -w '\\n' {}/api/v1/events/{}/figures \\\n    \
             -H \"Authorization: Bearer $(cat {token})\"",
            self.base_url, self.event
        )?;
        self.write_commands(text)?;
        write!(text, "\n\nServing at {} until Ctrl-C.", self.base_url)
    }

    fn write_stopped(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "\nGo on, in this directory")?;
        self.write_commands(text)
    }

    /// Commands that need no server and can run beside one.
    fn write_commands(&self, text: &mut String) -> fmt::Result {
        let (program, data_dir) = (program(), quoted(self.data_dir));
        let show = format!("--org {ORG} --event {}", self.event);
        writeln!(
            text,
            "  {program} report --data-dir {data_dir} \\\n    {show} \
             --dimension watch-time --group-by device-os"
        )?;
        write!(
            text,
            "  {program} figures --data-dir {data_dir} \\\n    {show}"
        )
    }
}

/// A count as a number and a bar. `most`, at least 1, has the longest bar; `mark` follows it.
fn write_bar(text: &mut String, name: &str, count: u64, most: u64, mark: &str) -> fmt::Result {
    let width = usize::try_from(count * BAR_WIDTH / most).unwrap_or(0);
    let (count, bar) = (with_thousands(count), "█".repeat(width));
    let row = format!("    {name:<28} {count:>7}  {bar}{mark}");
    writeln!(text, "{}", row.trim_end())
}

fn line(text: &mut String, name: &str, value: impl Display) -> fmt::Result {
    writeln!(text, "  {name:<20} {value}")
}

/// Formats seconds as hours, minutes and seconds: 12,345:06:07.
fn hours(seconds: &Number) -> String {
    let text = seconds.to_string();
    let whole: u64 = text
        .split('.')
        .next()
        .and_then(|whole| whole.parse().ok())
        .unwrap_or(0);
    let (minutes, seconds) = (whole / 60, whole % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{}:{minutes:02}:{seconds:02}", with_thousands(hours))
}

/// A number with one decimal: 12,345.6.
fn tenths(number: f64) -> String {
    let text = format!("{number:.1}");
    let (whole, decimal) = text.split_once('.').unwrap_or((&text, "0"));
    let whole = whole
        .parse()
        .map_or_else(|_| whole.to_owned(), with_thousands);
    format!("{whole}.{decimal}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_formatted_as_hours_minutes_and_seconds() {
        let hours = |text: &str| hours(&text.parse().expect("a number"));
        assert_eq!(hours("59.999"), "0:00:59");
        assert_eq!(hours("3723"), "1:02:03");
        assert_eq!(hours("36000000.000"), "10,000:00:00");
    }

    #[test]
    fn numbers_with_a_decimal_have_thousands_separators() {
        assert_eq!(tenths(0.04), "0.0");
        assert_eq!(tenths(12_345.67), "12,345.7");
    }
}
