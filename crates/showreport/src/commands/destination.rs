//! The destination of a report: stdout, or a file with an extension that matches the format.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use showreport_model::report::Format;
use showreport_query::{CsvVariant, Output, Rendered};

use super::file::{AtomicFile, stdout_sink};
use super::output::{Usage, counted};

/// The output format: that of `--format`, else that of the extension of `--out`, else CSV. An
/// extension that belongs to another format is refused.
pub(super) fn output_format(
    out: Option<&Path>,
    requested: Option<Format>,
) -> Result<Format, Usage> {
    let Some(path) = out else {
        return Ok(requested.unwrap_or(Format::Csv));
    };
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let extension = extension.to_ascii_lowercase();
    match (meaning(&extension), requested) {
        (Extension::Unknown, requested) => Ok(requested.unwrap_or(Format::Csv)),
        (Extension::Of(format), None) => Ok(format),
        (Extension::Of(format), Some(requested)) if format == requested => Ok(format),
        // NDJSON files are often named .json, but .json alone does not select NDJSON.
        (Extension::Unsupported, Some(Format::Ndjson)) if extension == "json" => Ok(Format::Ndjson),
        (Extension::Of(_) | Extension::Unsupported, Some(requested)) => Err(Usage(format!(
            "--out {}: the extension .{extension} does not match the output format {requested}; \
             use .{requested}",
            path.display()
        ))),
        (Extension::Unsupported, None) => Err(Usage(format!(
            "--out {}: the extension .{extension} is none of the output formats {}",
            path.display(),
            Format::names()
        ))),
    }
}

/// What the extension of a file name means.
enum Extension {
    Of(Format),
    /// A format that is not supported.
    Unsupported,
    Unknown,
}

fn meaning(extension: &str) -> Extension {
    match extension {
        "csv" => Extension::Of(Format::Csv),
        "ndjson" | "jsonl" => Extension::Of(Format::Ndjson),
        "parquet" => Extension::Of(Format::Parquet),
        "xlsx" => Extension::Of(Format::Xlsx),
        "json" | "xls" | "xlsm" | "ods" | "tsv" | "pdf" | "html" | "gz" | "zst" | "br" | "zip" => {
            Extension::Unsupported
        }
        _ => Extension::Unknown,
    }
}

/// Refuses to write a binary format to a terminal.
pub(super) fn ensure_not_on_terminal(out: Option<&Path>, format: Format) -> Result<(), Usage> {
    let is_text = matches!(format, Format::Csv | Format::Ndjson);
    if out.is_some() || is_text || !std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Usage(format!(
        "{format} is a binary format and stdout is a terminal; name a file with --out, or redirect \
         stdout"
    )))
}

/// Calls `write` with the file or stdout, and prints the size of the file to stderr.
pub(super) async fn write_out<F>(
    out: Option<&Path>,
    edition: CsvVariant,
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
        AtomicFile::create(path).with_context(|| format!("create the file {}", path.display()))?;
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

/// Parses the variant of a CSV file.
pub(super) fn csv_variant(text: &str) -> Result<CsvVariant, String> {
    CsvVariant::from_name(text).ok_or_else(|| format!("must be one of {}", CsvVariant::names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_selects_the_format_or_must_match_it() {
        let all = [Format::Csv, Format::Ndjson, Format::Parquet, Format::Xlsx];
        for (name, format) in [
            ("polls.csv", Format::Csv),
            ("polls.ndjson", Format::Ndjson),
            ("polls.jsonl", Format::Ndjson),
            ("a.b/polls.parquet", Format::Parquet),
            ("polls.xlsx", Format::Xlsx),
            ("polls.XLSX", Format::Xlsx),
        ] {
            let path = Some(Path::new(name));
            assert_eq!(output_format(path, None).ok(), Some(format), "{name}");
            for requested in all {
                let result = output_format(path, Some(requested)).ok();
                let expected = (requested == format).then_some(format);
                assert_eq!(result, expected, "{name} {requested}");
            }
        }
    }

    #[test]
    fn the_extension_of_an_unsupported_format_is_refused_and_an_unknown_one_is_not() {
        for name in ["a.json", "a.xls", "a.tsv", "a.csv.gz", "a.ndjson.zst"] {
            let path = Some(Path::new(name));
            assert!(output_format(path, None).is_err(), "{name}");
            assert!(output_format(path, Some(Format::Csv)).is_err(), "{name}");
        }
        let json = Some(Path::new("a.json"));
        assert_eq!(
            output_format(json, Some(Format::Ndjson)).ok(),
            Some(Format::Ndjson)
        );
        for name in ["report", "/dev/null", "report.txt", "tmp.Ab3xYz", ".csv"] {
            let path = Some(Path::new(name));
            assert_eq!(output_format(path, None).ok(), Some(Format::Csv), "{name}");
            let requested = output_format(path, Some(Format::Xlsx)).ok();
            assert_eq!(requested, Some(Format::Xlsx), "{name}");
        }
    }
}
