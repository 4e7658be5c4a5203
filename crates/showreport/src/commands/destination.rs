//! Where a command writes a report: a file whose name agrees with its form, or stdout.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use showreport_model::report::Format;
use showreport_query::{Edition, Output, Rendered};

use super::file::{WholeFile, stdout_sink};
use super::output::{Usage, counted};

/// The form that a file has by the ending of its name. Without one that says a form it is the form that
/// was asked for, else CSV.
pub(super) fn form(out: Option<&Path>, asked: Option<Format>) -> Result<Format, Usage> {
    let Some(path) = out else {
        return Ok(asked.unwrap_or(Format::Csv));
    };
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let ending = ending.to_ascii_lowercase();
    let (says, asked) = match (meaning(&ending), asked) {
        (Meaning::Nothing, asked) => return Ok(asked.unwrap_or(Format::Csv)),
        (Meaning::Form(form), None) => return Ok(form),
        (Meaning::Form(form), Some(asked)) if form == asked => return Ok(asked),
        // The other name that people give such files.
        (Meaning::Other, Some(Format::Ndjson)) if ending == "json" => return Ok(Format::Ndjson),
        (Meaning::Form(form), Some(asked)) => (form.to_string(), asked.to_string()),
        (Meaning::Other, asked) => {
            let asked = asked.map_or_else(Format::names, |asked| asked.to_string());
            (format!("none of {}", Format::names()), asked)
        }
    };
    Err(Usage(format!(
        "--out {}: a name that ends in .{ending} is that of another form ({says}) than the file's \
         ({asked})",
        path.display()
    )))
}

/// What the ending of a name says.
enum Meaning {
    Form(Format),
    /// A form that is none of ours.
    Other,
    Nothing,
}

fn meaning(ending: &str) -> Meaning {
    match ending {
        "csv" => Meaning::Form(Format::Csv),
        "ndjson" | "jsonl" => Meaning::Form(Format::Ndjson),
        "parquet" => Meaning::Form(Format::Parquet),
        "xlsx" => Meaning::Form(Format::Xlsx),
        "json" | "xls" | "xlsm" | "ods" | "tsv" | "pdf" | "html" | "gz" | "zst" | "br" | "zip" => {
            Meaning::Other
        }
        _ => Meaning::Nothing,
    }
}

/// Refuses to write to a terminal what is no text.
pub(super) fn ensure_readable(out: Option<&Path>, format: Format) -> Result<(), Usage> {
    let is_text = matches!(format, Format::Csv | Format::Ndjson);
    if out.is_some() || is_text || !std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Usage(format!(
        "{format} is not for a terminal; name a file with --out, or send stdout to one"
    )))
}

/// Gives `write` the file or stdout, and says on stderr what became of the file.
pub(super) async fn write_out<F>(
    out: Option<&Path>,
    edition: Edition,
    write: impl FnOnce(Output) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Rendered>>,
{
    let Some(path) = out else {
        let stdout = stdout_sink().context("open stdout")?;
        return write(Output::alone(stdout, edition)).await.map(drop);
    };
    let (file, sink) =
        WholeFile::create(path).with_context(|| format!("make the file {}", path.display()))?;
    let rendered = write(Output::alone(sink, edition)).await?;
    file.publish()
        .with_context(|| format!("write the file {}", path.display()))?;
    eprintln!(
        "{}: {}, {}, sha256 {}",
        path.display(),
        counted(rendered.row_count, "row"),
        counted(rendered.size_bytes, "byte"),
        rendered.sha256
    );
    Ok(())
}

/// An edition by its name.
pub(super) fn edition(text: &str) -> Result<Edition, String> {
    Edition::from_name(text).ok_or_else(|| format!("it must be one of {}", Edition::names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_decides_or_agrees() {
        let all = [Format::Csv, Format::Ndjson, Format::Parquet, Format::Xlsx];
        for (name, meant) in [
            ("polls.csv", Format::Csv),
            ("polls.ndjson", Format::Ndjson),
            ("polls.jsonl", Format::Ndjson),
            ("a.b/polls.parquet", Format::Parquet),
            ("polls.xlsx", Format::Xlsx),
            ("polls.XLSX", Format::Xlsx),
        ] {
            let path = Some(Path::new(name));
            assert_eq!(form(path, None).ok(), Some(meant), "{name}");
            for asked in all {
                let agrees = form(path, Some(asked)).ok();
                assert_eq!(agrees, (asked == meant).then_some(meant), "{name} {asked}");
            }
        }
    }

    #[test]
    fn an_ending_of_no_form_of_ours_is_refused_and_one_that_says_nothing_is_not() {
        for name in ["a.json", "a.xls", "a.tsv", "a.csv.gz", "a.ndjson.zst"] {
            let path = Some(Path::new(name));
            assert!(form(path, None).is_err(), "{name}");
            assert!(form(path, Some(Format::Csv)).is_err(), "{name}");
        }
        let json = Some(Path::new("a.json"));
        assert_eq!(form(json, Some(Format::Ndjson)).ok(), Some(Format::Ndjson));
        for name in ["report", "/dev/null", "report.txt", "tmp.Ab3xYz", ".csv"] {
            let path = Some(Path::new(name));
            assert_eq!(form(path, None).ok(), Some(Format::Csv), "{name}");
            let asked = form(path, Some(Format::Xlsx)).ok();
            assert_eq!(asked, Some(Format::Xlsx), "{name}");
        }
    }
}
