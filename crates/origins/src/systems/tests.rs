use std::fs;

use super::*;

/// User agents and their systems, from the answers that uap-core publishes with its rules.
fn answers() -> Vec<(String, String)> {
    let files = [
        "tests/test_os.yaml",
        "test_resources/additional_os_tests.yaml",
    ];
    let mut answers = Vec::new();
    for file in files {
        let path = format!("{}/{file}", env!("UAP_CORE"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut user_agent = None;
        for line in text.lines().map(str::trim) {
            if let Some(quoted) = line.strip_prefix("- user_agent_string: ") {
                user_agent = Some(unquoted(quoted));
            } else if let Some(quoted) = line.strip_prefix("family: ") {
                let user_agent = user_agent.take().expect("an answer follows its question");
                answers.push((user_agent, unquoted(quoted)));
            }
        }
    }
    answers
}

fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('\'').and_then(|it| it.strip_suffix('\''));
    inner.unwrap_or_else(|| panic!("{text}")).replace("''", "'")
}

#[test]
fn every_user_agent_of_uap_core_has_the_system_that_it_says() {
    let answers = answers();
    assert!(answers.len() > 480, "{} answers", answers.len());
    for (user_agent, family) in answers {
        let found = EXTRACTOR.extract(&user_agent);
        let found = found.map_or("Other".to_owned(), |it| it.os.into_owned());
        assert_eq!(found, family, "{user_agent}");
        assert_eq!(by_user_agent(&user_agent), name_of(&family), "{user_agent}");
        assert!(
            family == "Other" || name_of(&family).is_some(),
            "{family} has no name of ours"
        );
    }
}

#[test]
fn every_system_that_a_rule_names_has_a_name_of_ours() {
    for (regex, system) in RULES {
        let Some(system) = system.filter(|it| !it.contains('$') && *it != "Other") else {
            continue;
        };
        assert!(name_of(system).is_some(), "{system} of {regex}");
    }
}

#[test]
fn the_systems_of_players_have_the_names_that_people_use() {
    let mozilla =
        |comment: &str| format!("Mozilla/5.0 ({comment}) AppleWebKit/537.36 Chrome/131.0");
    for (user_agent, system) in [
        (mozilla("Windows NT 10.0; Win64; x64"), "Windows"),
        (mozilla("Macintosh; Intel Mac OS X 10_15_7"), "macOS"),
        (mozilla("iPhone; CPU iPhone OS 18_1 like Mac OS X"), "iOS"),
        (mozilla("iPad; CPU OS 17_5 like Mac OS X"), "iOS"),
        (mozilla("Linux; Android 10; K"), "Android"),
        (mozilla("X11; Linux x86_64"), "Linux"),
        (mozilla("X11; Ubuntu; Linux x86_64; rv:133.0"), "Linux"),
        (mozilla("X11; CrOS x86_64 14541.0.0"), "ChromeOS"),
        (mozilla("Web0S; Linux/SmartTV"), "webOS"),
        (mozilla("SMART-TV; Linux; Tizen 7.0"), "Tizen"),
        (mozilla("Linux; Android 9; AFTKA Build/PS7633"), "Fire OS"),
        ("Roku/DVP-14.5 (14.5.4.5934-46)".to_owned(), "Roku"),
        (
            "AppleCoreMedia/1.0.0.12F69 (Apple TV; U; CPU OS 8_3 like Mac OS X; en_us)".to_owned(),
            "tvOS",
        ),
        (
            "AppleCoreMedia/1.0.0.20G81 (iPhone; U; CPU OS 16_6 like Mac OS X; en_us)".to_owned(),
            "iOS",
        ),
        (
            "app/1.0 (Linux;Android 13) ExoPlayerLib/2.18.7".to_owned(),
            "Android",
        ),
        (
            mozilla("Linux; Tizen 4.0") + " HbbTV/1.4.1 (+DRM; Samsung; SmartTV2018; T-KTM2; ; )",
            "Tizen",
        ),
    ] {
        assert_eq!(by_user_agent(&user_agent), Some(system), "{user_agent}");
    }
    for unknown in ["", "curl/8.5.0", "python-requests/2.32", "-", "\u{feff}é"] {
        assert_eq!(by_user_agent(unknown), None, "{unknown}");
    }
}

#[test]
fn a_hint_is_a_name_in_quotes() {
    for (hint, system) in [
        ("\"Windows\"", Some("Windows")),
        ("\"macOS\"", Some("macOS")),
        ("\"Chrome OS\"", Some("ChromeOS")),
        ("\"Chromium OS\"", Some("ChromeOS")),
        ("\"Unknown\"", None),
        ("\"\"", None),
        ("Windows", None),
        ("\"", None),
        ("", None),
    ] {
        assert_eq!(by_hint(hint), system, "{hint}");
    }
}

#[test]
fn names_are_sorted_and_documented() {
    assert!(NAMES.is_sorted());
    let page = include_str!("../../../../docs/players.md");
    for name in NAMES {
        assert!(
            page.contains(&format!("`{name}`")),
            "docs/players.md lacks {name}"
        );
    }
    for name in BUILT_ON_ANOTHER {
        assert!(NAMES.contains(&name));
    }
}
