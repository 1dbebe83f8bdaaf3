//! What Flume's launcher script takes from its environment: `flume-env.sh`, `JAVA_OPTS`, `FLUME_JAVA_OPTS`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Environment variables, those set by `flume-env.sh` included.
#[derive(Clone, Debug, Default)]
pub(super) struct LauncherEnvironment {
    variables: BTreeMap<String, String>,
}

impl LauncherEnvironment {
    /// Reads `flume-env.sh` of the folder, if there is one. As Flume's launcher does, it is run by bash: it is
    /// a script, and what it exports counts.
    ///
    /// # Errors
    /// A sentence, if the script exists and cannot be run or fails.
    pub(super) fn read(conf_dir: Option<&Path>) -> Result<Self, String> {
        let Some(script) = conf_dir.map(|dir| dir.join("flume-env.sh")).filter(|path| path.is_file()) else {
            return Ok(Self::default());
        };
        let output = Command::new("bash")
            .args(["-c", r#"set -a; . "$0" >&2 && env -0"#])
            .arg(&script)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cannot run {} with bash: {error}", script.display()))?;
        if !output.status.success() {
            return Err(format!("{} failed ({})", script.display(), output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        Ok(Self { variables: pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect() })
    }

    /// A variable: as the script left it, else the process's own.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    /// The `-Dname=value` options among the JVM options of the environment.
    pub(super) fn jvm_properties(&self) -> BTreeMap<String, String> {
        let options = ["JAVA_OPTS", "FLUME_JAVA_OPTS"].map(|name| self.get(name).unwrap_or_default());
        let words = options.iter().flat_map(|text| text.split_whitespace());
        crate::cli::properties(words.filter_map(|word| word.strip_prefix("-D")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_flume_env_are_obeyed() {
        let dir = tempfile::tempdir().expect("a folder");
        let script =
            "export JAVA_OPTS=\"-Xmx1g -Dflume.monitoring.type=http\"\nFLUME_JAVA_OPTS='-Da=b'\nX=y\n";
        std::fs::write(dir.path().join("flume-env.sh"), script).expect("written");
        let environment = LauncherEnvironment::read(Some(dir.path())).expect("run");
        let properties = environment.jvm_properties();
        assert_eq!(properties["flume.monitoring.type"], "http");
        assert_eq!((properties["a"].as_str(), environment.get("X").as_deref()), ("b", Some("y")));
    }

    #[test]
    fn a_failing_script_is_said_and_a_missing_one_is_none() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(LauncherEnvironment::read(Some(dir.path())).is_ok());
        std::fs::write(dir.path().join("flume-env.sh"), "exit 3\n").expect("written");
        assert!(LauncherEnvironment::read(Some(dir.path())).is_err());
    }
}
