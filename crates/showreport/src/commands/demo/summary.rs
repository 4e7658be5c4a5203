//! What the demo prints when it is done.

use std::fmt::{self, Display, Write};

use serde::Deserialize;
use serde_json::Number;

use super::access::token_path;
use super::polls::OptionRow;
use super::reports::ReportFile;
use super::send::Sent;
use crate::commands::output::grouped;
use crate::simulation::{EVENT, TITLE};
use crate::wiring::DataDir;

/// Everything that the demo made.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) viewers: u32,
    pub(super) sent: Sent,
    pub(super) figures: Figures,
    pub(super) files: Vec<ReportFile>,
    pub(super) polls: Vec<Vec<OptionRow>>,
}

/// The figures of an event, as the server answers them.
#[derive(Debug, Deserialize)]
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

/// Characters of the longest bar.
const BAR_WIDTH: u64 = 28;

impl Summary {
    /// The whole text.
    pub(super) fn text(&self, base_url: &str, directory: &DataDir, stops: bool) -> String {
        let mut text = String::new();
        self.write(&mut text, base_url, directory, stops)
            .expect("writing to a string cannot fail");
        text
    }

    fn write(
        &self,
        text: &mut String,
        base_url: &str,
        directory: &DataDir,
        stops: bool,
    ) -> fmt::Result {
        writeln!(text, "{TITLE}")?;
        let viewers = grouped(self.viewers.into());
        writeln!(
            text,
            "{EVENT}, a simulated live event with {viewers} viewers"
        )?;
        self.write_collected(text)?;
        self.write_figures(text)?;
        self.write_polls(text)?;
        self.write_files(text, directory)?;
        write_onward(text, base_url, directory, stops)
    }

    fn write_collected(&self, text: &mut String) -> fmt::Result {
        let Sent {
            tally,
            again,
            late,
            accepted,
            requests,
        } = self.sent;
        writeln!(text, "\nCollected")?;
        line(text, "beats of players", grouped(tally.playbacks))?;
        line(text, "chat messages", grouped(tally.messages))?;
        line(text, "votes", grouped(tally.votes))?;
        line(
            text,
            "polls and the event",
            grouped(tally.polls + tally.events),
        )?;
        line(text, "records", grouped(tally.total()))?;
        line(text, "… sent again", grouped(again))?;
        line(text, "… sent late", grouped(late))?;
        line(
            text,
            "accepted",
            format_args!("{} in {} requests", grouped(accepted), grouped(requests)),
        )
    }

    fn write_figures(&self, text: &mut String) -> fmt::Result {
        let figures = &self.figures;
        writeln!(text, "\nFigures")?;
        line(text, "views", grouped(figures.views))?;
        line(text, "viewers", grouped(figures.viewers))?;
        line(text, "watch time", hours(&figures.watch_seconds))?;
        line(text, "attended", hours(&figures.attended_seconds))?;
        let peak_at = figures.peak_at.as_deref().unwrap_or("-");
        line(
            text,
            "peak",
            format_args!("{} at {peak_at}", grouped(figures.peak_viewers)),
        )?;
        if let Some(audience) = figures.average_minute_audience {
            line(
                text,
                "average minute",
                format_args!("{audience:.1} viewers"),
            )?;
        }
        let messages = grouped(figures.messages);
        line(
            text,
            "messages",
            format_args!("{messages} by {}", grouped(figures.senders)),
        )?;
        line(text, "votes", grouped(figures.votes))
    }

    fn write_polls(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "\nPolls")?;
        for options in &self.polls {
            let Some(first) = options.first() else {
                continue;
            };
            writeln!(
                text,
                "  {} ({} voters)",
                first.question,
                grouped(first.voters)
            )?;
            let most = first.votes.max(1);
            for option in options {
                let width = usize::try_from(option.votes * BAR_WIDTH / most).unwrap_or(0);
                let mark = if option.correct { "  ✓" } else { "" };
                let row = format!(
                    "    {:<28} {:>7}  {}{mark}",
                    option.option_text,
                    grouped(option.votes),
                    "█".repeat(width)
                );
                writeln!(text, "{}", row.trim_end())?;
            }
        }
        Ok(())
    }

    fn write_files(&self, text: &mut String, directory: &DataDir) -> fmt::Result {
        let folder = directory.path().join("reports");
        let titles: Vec<String> = self.files.iter().map(|file| file.wanted.title()).collect();
        let width = titles.iter().map(String::len).max().unwrap_or(0);
        writeln!(text, "\nReports, in {}", folder.display())?;
        writeln!(
            text,
            "  {:<width$} {:>9} {:>11}  file",
            "report", "rows", "bytes"
        )?;
        for (file, title) in self.files.iter().zip(titles) {
            writeln!(
                text,
                "  {title:<width$} {:>9} {:>11}  {}",
                grouped(file.rows),
                grouped(file.size_bytes),
                file.path.file_name().unwrap_or_default().display()
            )?;
        }
        Ok(())
    }
}

fn write_onward(
    text: &mut String,
    base_url: &str,
    directory: &DataDir,
    stops: bool,
) -> fmt::Result {
    let token = token_path(directory);
    let data_dir = directory.path().display();
    writeln!(text, "\nGo on")?;
    if stops {
        let address = base_url.trim_start_matches("http://");
        writeln!(
            text,
            "  showreport serve --data-dir {data_dir} --listen {address}"
        )?;
    }
    writeln!(text, "  open {base_url}")?;
    writeln!(
        text,
        "  curl -H \"Authorization: Bearer $(cat {})\" {base_url}/api/v1/events/{EVENT}",
        token.display()
    )?;
    write!(
        text,
        "  showreport report --data-dir {data_dir} --org demo --event {EVENT} --dimension watch-time"
    )?;
    if !stops {
        write!(text, "\n\nServing until Ctrl-C.")?;
    }
    Ok(())
}

fn line(text: &mut String, name: &str, value: impl Display) -> fmt::Result {
    writeln!(text, "  {name:<20} {value}")
}

/// Seconds as hours, minutes and seconds: 12,345:06:07.
fn hours(seconds: &Number) -> String {
    let text = seconds.to_string();
    let whole: u64 = text
        .split('.')
        .next()
        .and_then(|whole| whole.parse().ok())
        .unwrap_or(0);
    let (minutes, seconds) = (whole / 60, whole % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{}:{minutes:02}:{seconds:02}", grouped(hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_as_hours() {
        let hours = |text: &str| hours(&text.parse().expect("a number"));
        assert_eq!(hours("59.999"), "0:00:59");
        assert_eq!(hours("3723"), "1:02:03");
        assert_eq!(hours("36000000.000"), "10,000:00:00");
    }
}
