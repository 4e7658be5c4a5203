//! The system of a user agent, under one name for each system.
//!
//! The rules are those of uap-core, as the crate `ua-parser` carries them (build.rs). They tell
//! apart what reports put together, such as the distributions of Linux, and write some names
//! otherwise than client hints do. So each of their names is mapped to one of a closed list.

use std::sync::LazyLock;

use ua_parser::os::{Builder, Extractor, Parser};

/// The expressions and, where the expression does not capture it, the name of the system.
const RULES: &[(&str, Option<&str>)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

static EXTRACTOR: LazyLock<Extractor<'static>> = LazyLock::new(|| {
    let rules = RULES.iter().map(|(regex, system)| Parser {
        regex: (*regex).into(),
        os_replacement: system.map(Into::into),
        ..Parser::default()
    });
    let builder = Builder::new().push_all(rules);
    let extractor = builder.ok().and_then(|builder| builder.build().ok());
    extractor.expect("the rules that were built in are valid")
});

/// Defines the list of names, and which names of uap-core each stands for.
macro_rules! systems {
    ($($name:literal = $($family:literal)|+,)*) => {
        /// The name of every system, sorted.
        pub const NAMES: &[&str] = &[$($name,)*];

        /// Our name of a system of uap-core.
        fn name_of(family: &str) -> Option<&'static str> {
            match family { $($($family)|+ => Some($name),)* _ => None }
        }
    };
}

systems! {
    "Android" = "Android" | "Chromecast Android" | "GoogleTV",
    "BREW" = "BREW" | "Brew MP",
    "BSD" = "BSD" | "FreeBSD" | "NetBSD" | "OpenBSD",
    "Bada" = "Bada",
    "BlackBerry" = "BlackBerry OS" | "BlackBerry Tablet OS",
    "ChromeOS" = "Chrome OS",
    "Chromecast" = "Chromecast Fuchsia" | "Chromecast Linux" | "Chromecast SmartSpeaker",
    "Fire OS" = "FireHbbTV",
    "Firefox OS" = "Firefox OS",
    "HbbTV" = "LG" | "Panasonic" | "Philips" | "Samsung" | "Sony",
    "KaiOS" = "KaiOS",
    "Kindle" = "Kindle",
    "Linux" = "Arch Linux" | "BackTrack" | "CentOS" | "Debian" | "Fedora" | "Gentoo" | "Kubuntu"
        | "Linux" | "Linux Mint" | "Lubuntu" | "Mageia" | "Mandriva" | "PCLinuxOS" | "Puppy"
        | "Red Hat" | "SUSE" | "Slackware" | "Ubuntu" | "WeTab" | "openSUSE",
    "Maemo" = "Maemo",
    "MeeGo" = "MeeGo",
    "Nokia Series" = "Nokia Series 30 Plus" | "Nokia Series 40",
    "Roku" = "Roku",
    "Sailfish" = "Sailfish",
    "SerenityOS" = "SerenityOS",
    "Solaris" = "Solaris",
    "Symbian" = "Symbian OS" | "Symbian^3" | "Symbian^3 Anna" | "Symbian^3 Belle",
    "Tizen" = "Tizen",
    "VRE" = "VRE",
    "WebTV" = "WebTV",
    "Windows" = "Windows",
    "Windows Phone" = "Windows Mobile" | "Windows Phone",
    "iOS" = "iOS",
    "macOS" = "Mac OS" | "Mac OS X",
    "tvOS" = "ATV OS X" | "tvOS",
    "watchOS" = "WatchOS",
    "webOS" = "Web0S" | "webOS",
}

/// Systems that client hints call `Linux` or `Android`, which they are built on.
const BUILT_ON_ANOTHER: [&str; 8] = [
    "ChromeOS",
    "Chromecast",
    "Fire OS",
    "HbbTV",
    "KaiOS",
    "Sailfish",
    "Tizen",
    "webOS",
];

/// The system of a user agent.
pub(crate) fn by_user_agent(user_agent: &str) -> Option<&'static str> {
    // Models of Fire TV. They call themselves Android too.
    if user_agent.contains("; AFT") {
        return Some("Fire OS");
    }
    let family = EXTRACTOR.extract(user_agent)?.os;
    if user_agent.contains("HbbTV/") && family != "FireHbbTV" {
        return Some(of_hbbtv(user_agent));
    }
    name_of(&family)
}

/// The system of a television. Its rules name the maker, and the sets of one maker have several
/// systems.
fn of_hbbtv(user_agent: &str) -> &'static str {
    let has = |text| user_agent.contains(text);
    if has("Tizen") {
        "Tizen"
    } else if has("Web0S") || has("webOS") || has("WEBOS") {
        "webOS"
    } else if has("Android") {
        "Android"
    } else {
        "HbbTV"
    }
}

/// The system by the client hint `Sec-CH-UA-Platform`, a text in quotes.
pub(crate) fn by_hint(platform: &str) -> Option<&'static str> {
    let name = platform.trim().strip_prefix('"')?.strip_suffix('"')?;
    match name {
        "Chrome OS" | "Chromium OS" => Some("ChromeOS"),
        "Android" => Some("Android"),
        "Linux" => Some("Linux"),
        "Windows" => Some("Windows"),
        "iOS" => Some("iOS"),
        "macOS" => Some("macOS"),
        _ => None,
    }
}

/// Whether a hint leaves open which system it is.
pub(crate) fn is_vague(hinted: &str) -> bool {
    matches!(hinted, "Android" | "Linux")
}

/// Whether hints give another system in place of this one.
pub(crate) fn is_built_on_another(system: &str) -> bool {
    BUILT_ON_ANOTHER.contains(&system)
}

/// Builds the expressions now instead of at the first use.
pub(crate) fn prepare() {
    LazyLock::force(&EXTRACTOR);
}

#[cfg(test)]
mod tests;
