//! Keys that no option has.

use crate::catalog::ComponentSpec;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::settings::Settings;
use crate::suggest;

/// Options that name a nested type; the keys below them belong to it.
const NESTED: [&str; 6] =
    ["serializer", "sink.serializer", "sink.pathManager", "serializers", "deserializer", "handler"];

/// Warns of every key that is neither an option nor one of the keys common to the kind.
/// A known key that ends in a dot stands for all keys below it.
pub(super) fn report_unknown(
    spec: &ComponentSpec,
    settings: &Settings,
    common: &[&str],
    diagnostics: &mut Diagnostics,
) {
    let options: Vec<&str> = spec.options.iter().map(|o| o.key).chain(common.iter().copied()).collect();
    for (key, _) in settings.iter() {
        if options.iter().any(|option| covers(option, key)) {
            continue;
        }
        let path = settings.path();
        let mut finding = Diagnostic::warning(
            "unknown-key",
            format!("`{key}` is no option of {}, so it is ignored", spec.name),
        )
        .at(&settings.key_origin(key))
        .on(format!("{path}.{key}"));
        if let Some(near) = suggest::nearest_key(key, &options) {
            finding = finding.help(format!("did you mean `{path}.{near}`?"));
        }
        diagnostics.push(finding);
    }
}

fn covers(option: &str, key: &str) -> bool {
    if option == key || (option.ends_with('.') && key.starts_with(option)) {
        return true;
    }
    NESTED.contains(&option) && key.strip_prefix(option).is_some_and(|rest| rest.starts_with('.'))
}
