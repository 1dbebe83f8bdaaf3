//! English names, as the JVM's `en` locale has them.

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

pub(super) const HALFDAYS: [&str; 2] = ["AM", "PM"];

/// Eras; the last two are read but never written.
pub(super) const ERAS: [&str; 4] = ["BC", "AD", "BCE", "CE"];

/// The index of the name that `text` begins with, long or short, and the length of what was read.
/// Joda knows names as they are, in lower case and in upper case, and takes the longest that fits.
pub(super) fn prefix(text: &str, names: &[&str], short: bool) -> Option<(usize, usize)> {
    let forms = names.iter().enumerate().flat_map(|(index, name)| {
        let abbreviation = short.then(|| &name[..3.min(name.len())]);
        [Some(*name), abbreviation].into_iter().flatten().map(move |form| (index, form))
    });
    forms
        .filter(|(_, form)| {
            text.get(..form.len()).is_some_and(|start| {
                start == *form || start == form.to_ascii_lowercase() || start == form.to_ascii_uppercase()
            })
        })
        .map(|(index, form)| (index, form.len()))
        .max_by_key(|&(_, length)| length)
}
