use serde_json::{Value, json};
use showreport_testkit::mmdb;
use tempfile::TempDir;

use super::*;

fn network(address: &str, value: Value) -> Vec<u8> {
    mmdb("Test-City", &[(address, value)])
}

/// A file with this content, in a directory of its own.
fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("regions.mmdb");
    fs::write(&path, content).unwrap();
    (directory, path)
}

fn region(content: &[u8], address: &str) -> Option<String> {
    let (_directory, path) = file(content);
    let regions = RegionFile::open(path).unwrap();
    let region = regions.region(address.parse().unwrap());
    region.map(|it| it.as_str().to_owned())
}

#[test]
fn both_shapes_of_databases_are_read() {
    let of_maxmind = json!({
        "continent": {"code": "EU"},
        "country": {"iso_code": "DE", "names": {"en": "Germany"}},
        "subdivisions": [
            {"iso_code": "BY", "names": {"en": "Bavaria"}},
            {"iso_code": "09", "names": {"en": "Munich"}},
        ],
    });
    let flat = |state: &str| json!({"city": "x", "country_code": "US", "state1": state});
    for (value, wanted) in [
        (of_maxmind, "DE-BY"),
        (json!({"country": {"iso_code": "TW"}}), "TW"),
        (
            json!({"country": {"iso_code": "FR"}, "subdivisions": []}),
            "FR",
        ),
        (
            json!({"country": {"iso_code": "FR"}, "subdivisions": [{"names": {"en": "Brittany"}}]}),
            "FR",
        ),
        (json!({"country_code": "JP"}), "JP"),
        (json!({"country": "Japan", "country_code": "JP"}), "JP"),
        (flat("CA"), "US-CA"),
        (flat("California"), "US"),
        (flat(""), "US"),
    ] {
        let content = network("198.51.100.0/24", value.clone());
        assert_eq!(
            region(&content, "198.51.100.7").as_deref(),
            Some(wanted),
            "{value}"
        );
        assert_eq!(region(&content, "198.51.101.7"), None);
        assert_eq!(region(&content, "2001:db8::1"), None);
    }
    let content = network("2001:db8::/32", json!({"country_code": "JP"}));
    assert_eq!(region(&content, "2001:db8:1::1").as_deref(), Some("JP"));
}

#[test]
fn a_file_that_changes_is_read_again() {
    let content = |code: &str| network("198.51.100.0/24", json!({"country_code": code}));
    let (_directory, path) = file(&content("DE"));
    let regions = RegionFile::open(path.clone()).unwrap();
    let here = || regions.region("198.51.100.7".parse().unwrap()).unwrap();
    assert!(!regions.reopen_if_changed().unwrap());
    assert_eq!(here().as_str(), "DE");

    // An update writes another file and renames it.
    let next = path.with_extension("next");
    fs::write(&next, content("FR")).unwrap();
    let later =
        fs::metadata(&path).unwrap().modified().unwrap() + std::time::Duration::from_secs(1);
    fs::File::options()
        .write(true)
        .open(&next)
        .unwrap()
        .set_modified(later)
        .unwrap();
    fs::rename(&next, &path).unwrap();
    assert_eq!(here().as_str(), "DE");
    assert!(regions.reopen_if_changed().unwrap());
    assert_eq!(here().as_str(), "FR");
    assert!(!regions.reopen_if_changed().unwrap());

    // A damaged or missing one leaves what was read.
    fs::write(&path, b"half").unwrap();
    assert!(matches!(
        regions.reopen_if_changed(),
        Err(Error::Malformed { .. })
    ));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        regions.reopen_if_changed(),
        Err(Error::Read { .. })
    ));
    assert_eq!(here().as_str(), "FR");
}

#[test]
fn a_file_that_cannot_serve_is_refused_with_its_name() {
    let refused = |content: &[u8]| {
        let (_directory, path) = file(content);
        let error = RegionFile::open(path)
            .err()
            .expect("it is refused")
            .to_string();
        assert!(error.contains("regions.mmdb"), "{error}");
        error
    };
    assert!(refused(b"").contains("no database"));
    assert!(refused(&[7; 5000]).contains("no database"));
    let whole = network("198.51.100.0/24", json!({"country_code": "DE"}));
    assert!(refused(&whole[..whole.len() / 2]).contains("no database"));
    let networks = [(
        "198.51.100.0/24",
        json!({"autonomous_system_organization": "Example"}),
    )];
    let without = refused(&mmdb("Test-ASN", &networks));
    assert!(
        without.contains("\"Test-ASN\" and has no countries"),
        "{without}"
    );
    let missing = RegionFile::open("/nowhere/regions.mmdb".into());
    assert!(matches!(missing, Err(Error::Read { .. })));
}
