//! Where the values of variables come from.

use std::collections::BTreeMap;

use super::date;
use crate::load::LoadOptions;

/// The answer to one name.
pub(super) enum Found {
    Value(String),
    /// There is none, and this is why.
    Nothing(String),
}

/// The class that lets `${NAME}` without a prefix mean an environment variable.
const ENVIRONMENT_FALLBACK: &str = "org.apache.flume.node.EnvVarResolverProperties";

/// The value of a name, with its prefix if it has one. Prefixes match in any case, as in Flume.
pub(super) fn lookup(name: &str, raw: &BTreeMap<String, String>, options: &LoadOptions) -> Found {
    if let Some((prefix, key)) = name.split_once(':') {
        match prefix.to_ascii_lowercase().as_str() {
            "env" => return environment(key, options),
            "sys" => return system(key, options),
            "date" => return date::format(key, options.now).map_or_else(Found::Nothing, Found::Value),
            "java" => return Found::Nothing("there is no Java here to ask about".to_owned()),
            _ => {}
        }
    }
    if let Some(value) = raw.get(name) {
        return Found::Value(value.clone());
    }
    let falls_back =
        options.system_properties.get("propertiesImplementation").is_some_and(|v| v == ENVIRONMENT_FALLBACK);
    if falls_back {
        return environment(name, options);
    }
    Found::Nothing(unknown(name, options))
}

fn environment(key: &str, options: &LoadOptions) -> Found {
    match (options.environment)(key) {
        Some(value) => Found::Value(value),
        None => Found::Nothing(format!("there is no environment variable `{key}`")),
    }
}

/// A `-D` property, or one of the few that Java itself always has.
fn system(key: &str, options: &LoadOptions) -> Found {
    if let Some(value) = options.system_properties.get(key) {
        return Found::Value(value.clone());
    }
    let from_environment = |name: &str| (options.environment)(name);
    let value = match key {
        "user.home" => from_environment("HOME"),
        "user.name" => from_environment("USER"),
        "user.dir" => from_environment("PWD"),
        "java.io.tmpdir" => Some("/tmp".to_owned()),
        "file.separator" => Some("/".to_owned()),
        _ => None,
    };
    value.map_or_else(|| Found::Nothing(format!("there is no `-D{key}=…` on the command line")), Found::Value)
}

fn unknown(name: &str, options: &LoadOptions) -> String {
    if is_filter_expression(name) {
        return "no config filter of that name is listed in `<agent>.configfilters`".to_owned();
    }
    if (options.environment)(name).is_some() {
        return format!(
            "an environment variable is written `${{env:{name}}}`, or give `-DpropertiesImplementation={ENVIRONMENT_FALLBACK}`"
        );
    }
    match name.split_once(':') {
        Some((prefix, _)) => format!("the prefix `{prefix}:` is none of env, sys, date, java"),
        None => "no key of this configuration has that name".to_owned(),
    }
}

/// Whether a variable's name has the form of a config filter's: `filter[key]`.
pub(crate) fn is_filter_expression(name: &str) -> bool {
    name.strip_suffix(']')
        .and_then(|rest| rest.split_once('['))
        .is_some_and(|(filter, key)| !filter.is_empty() && !key.is_empty())
}
