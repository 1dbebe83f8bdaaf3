//! What files are called: Flume's path managers.

use flumen_config::{
    Catalog, ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options,
};
use jiff::Zoned;

/// What Flume takes where no path manager is named.
pub(super) const DEFAULT: &str = "DEFAULT";

options! {
    /// Names files `<prefix><milliseconds>-<counter>.<extension>`: the milliseconds since 1970 at which the sink
    /// was opened, and a counter from 1.
    pub struct DefaultPathOptions {
        /// What every name begins with.
        "prefix" => prefix: String = String::new(),
        /// What every name ends with, behind a dot. Without it there is no dot either.
        "extension" => extension: String = String::new(),
    }
}

options! {
    /// Names files `<prefix><yyyyMMddHHmmss>-<counter>.<extension>`: the local time at which the file is begun,
    /// and a counter that starts again from 1 with each new second.
    pub struct RollTimePathOptions {
        /// What every name begins with.
        "prefix" => prefix: String = String::new(),
        /// What every name ends with, behind a dot. Without it there is no dot either.
        "extension" => extension: String = String::new(),
    }
}

const DEFAULT_SPEC: ComponentSpec = ComponentSpec::of::<DefaultPathOptions>(
    ComponentKind::PathManager,
    "default",
    &["org.apache.flume.formatter.output.DefaultPathManager$Builder"],
);

const ROLL_TIME_SPEC: ComponentSpec = ComponentSpec::of::<RollTimePathOptions>(
    ComponentKind::PathManager,
    "rolltime",
    &["org.apache.flume.formatter.output.RollTimePathManager$Builder"],
);

/// All path managers.
pub(in crate::sinks) const PATH_MANAGERS: &[ComponentSpec] = &[DEFAULT_SPEC, ROLL_TIME_SPEC];

/// Builds the path manager that a sink's settings name under `key` from the settings below it.
pub(super) fn build(settings: &Settings, key: &str) -> Result<Names, Diagnostics> {
    let text = settings.text(key).unwrap_or(DEFAULT);
    let below = settings.below(&format!("{key}."));
    let mut diagnostics = Diagnostics::default();
    let catalog = Catalog::new(PATH_MANAGERS.iter().copied());
    let names = match catalog.find(ComponentKind::PathManager, text).map(|spec| spec.name) {
        Some("default") => DefaultPathOptions::read(&below, &mut diagnostics)
            .map(|o| Names::new(Stamp::Opened, o.prefix, o.extension)),
        Some(_) => RollTimePathOptions::read(&below, &mut diagnostics)
            .map(|o| Names::new(Stamp::Rolled, o.prefix, o.extension)),
        None => {
            let known: Vec<&str> = PATH_MANAGERS.iter().map(|spec| spec.name).collect();
            diagnostics.push(
                Diagnostic::error("unknown-type", format!("there is no path manager `{text}`"))
                    .on(settings.path())
                    .at(&settings.origin(key))
                    .help(format!("known path managers: {}", known.join(", "))),
            );
            None
        }
    };
    names.ok_or(diagnostics)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    /// When the first file was named.
    Opened,
    /// When this file was named.
    Rolled,
}

/// Gives one name after the other.
#[derive(Debug)]
pub(super) struct Names {
    stamp: Stamp,
    prefix: String,
    extension: String,
    series: String,
    counter: u64,
}

impl Names {
    fn new(stamp: Stamp, prefix: String, extension: String) -> Self {
        Self { stamp, prefix, extension, series: String::new(), counter: 0 }
    }

    /// The next name. It may contain slashes if the prefix does.
    pub(super) fn next(&mut self, now: &Zoned) -> String {
        match self.stamp {
            Stamp::Opened if self.series.is_empty() => {
                self.series = now.timestamp().as_millisecond().to_string();
            }
            Stamp::Opened => {}
            Stamp::Rolled => {
                let second = now.strftime("%Y%m%d%H%M%S").to_string();
                if self.series != second {
                    self.series = second;
                    self.counter = 0;
                }
            }
        }
        self.counter += 1;
        let dot = if self.extension.is_empty() { "" } else { "." };
        format!("{}{}-{}{dot}{}", self.prefix, self.series, self.counter, self.extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pairs: &[(&str, &str)]) -> Result<Names, Diagnostics> {
        build(&Settings::from_pairs("a1.sinks.k1", pairs.iter().copied()), "sink.pathManager")
    }
    fn at(text: &str) -> Zoned {
        text.parse().expect("a time with a zone")
    }

    #[test]
    fn default_names_carry_the_opening_time_and_count_up() {
        let mut names = names(&[]).expect("valid");
        assert_eq!(names.next(&at("2026-01-02T03:04:05.678Z[UTC]")), "1767323045678-1");
        assert_eq!(names.next(&at("2026-01-02T03:05:00Z[UTC]")), "1767323045678-2");
    }

    #[test]
    fn prefix_and_extension_surround_the_name() {
        let mut names = names(&[("sink.pathManager.prefix", "web-"), ("sink.pathManager.extension", "log")])
            .expect("valid");
        assert_eq!(names.next(&at("2026-01-02T03:04:05.678Z[UTC]")), "web-1767323045678-1.log");
    }

    #[test]
    fn roll_time_names_carry_the_local_second_and_count_within_it() {
        for name in ["rolltime", "ROLLTIME", "org.apache.flume.formatter.output.RollTimePathManager$Builder"]
        {
            let mut names =
                names(&[("sink.pathManager", name), ("sink.pathManager.prefix", "p")]).expect("valid");
            assert_eq!(names.next(&at("2026-01-02T03:04:05.6+01:00[Europe/Berlin]")), "p20260102030405-1");
            assert_eq!(names.next(&at("2026-01-02T03:04:05.9+01:00[Europe/Berlin]")), "p20260102030405-2");
            assert_eq!(names.next(&at("2026-01-02T03:04:06+01:00[Europe/Berlin]")), "p20260102030406-1");
        }
    }

    #[test]
    fn an_unknown_path_manager_is_named() {
        let findings = names(&[("sink.pathManager", "daily")]).expect_err("no such path manager");
        assert!(findings.iter().any(|d| d.message == "there is no path manager `daily`"));
    }
}
