//! What Java 17 knows of characters: general categories, scripts, blocks and simple case mappings.
//!
//! The table is written by `tests/oracle/Tables.java` from the running JVM. Flumen does not take
//! these facts from a newer Unicode release, because then `\p{L}` would keep other events than the
//! Flume that the user comes from.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::set::CharSet;

const TABLE: &str = include_str!("java17.tables");

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::read(TABLE));

#[derive(Default)]
struct Tables {
    categories: HashMap<&'static str, CharSet>,
    booleans: HashMap<&'static str, CharSet>,
    scripts: HashMap<String, CharSet>,
    blocks: HashMap<String, CharSet>,
    upper: HashMap<u32, u32>,
    lower: HashMap<u32, u32>,
    cased: Vec<Cased>,
}

/// A character that (?iu) treats as equal to others.
#[derive(Clone, Copy)]
struct Cased {
    at: u32,
    upper: u32,
    /// The lower case of the upper case: Java's folded form.
    folded: u32,
}

impl Tables {
    fn read(text: &'static str) -> Tables {
        let mut tables = Tables::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(kind), Some(name)) = (words.next(), words.next()) else { continue };
            match kind {
                "gc" => drop(tables.categories.insert(name, ranges(words))),
                "is" => drop(tables.booleans.insert(name, ranges(words))),
                "sc" => aliases(&mut tables.scripts, name, &ranges(words)),
                "blk" => aliases(&mut tables.blocks, name, &ranges(words)),
                "map" if name == "upper" => tables.upper = mapping(words),
                "map" => tables.lower = mapping(words),
                _ => {}
            }
        }
        tables.cased = tables.cased_characters();
        tables
    }

    fn cased_characters(&self) -> Vec<Cased> {
        let mut all: Vec<u32> = self.upper.keys().chain(self.lower.keys()).copied().collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|at| Cased { at, upper: self.upper(at), folded: self.fold(at) }).collect()
    }

    fn upper(&self, c: u32) -> u32 {
        self.upper.get(&c).copied().unwrap_or(c)
    }

    fn fold(&self, c: u32) -> u32 {
        let upper = self.upper(c);
        self.lower.get(&upper).copied().unwrap_or(upper)
    }
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text, 16).unwrap_or(0)
}

fn span(text: &str) -> (u32, u32) {
    match text.split_once('-') {
        Some((first, last)) => (hex(first), hex(last)),
        None => (hex(text), hex(text)),
    }
}

fn ranges<'a>(words: impl Iterator<Item = &'a str>) -> CharSet {
    CharSet::of(&words.map(span).collect::<Vec<_>>())
}

fn aliases(into: &mut HashMap<String, CharSet>, names: &str, set: &CharSet) {
    for name in names.split('|') {
        into.insert(name.replace('+', " "), set.clone());
    }
}

/// Reads `first-last:delta` and `first-last/2:delta` (every second character).
fn mapping<'a>(words: impl Iterator<Item = &'a str>) -> HashMap<u32, u32> {
    let mut map = HashMap::new();
    for (run, delta) in words.filter_map(|word| word.split_once(':')) {
        let (run, step) = match run.strip_suffix("/2") {
            Some(run) => (run, 2),
            None => (run, 1),
        };
        let (first, last) = span(run);
        let delta: i32 = delta.parse().unwrap_or(0);
        for c in (first..=last).step_by(step) {
            map.insert(c, c.wrapping_add_signed(delta));
        }
    }
    map
}

/// The general category named by its two letters, such as `Lu`.
pub(crate) fn category(name: &str) -> Option<&'static CharSet> {
    TABLES.categories.get(name)
}

/// The union of general categories.
pub(crate) fn categories(names: &[&str]) -> CharSet {
    names.iter().filter_map(|name| category(name)).fold(CharSet::new(), CharSet::union)
}

/// A property that `java.lang.Character` answers with a boolean method.
pub(crate) fn boolean(name: &str) -> CharSet {
    TABLES.booleans.get(name).cloned().unwrap_or_default()
}

/// A script by any name that `Character.UnicodeScript.forName` takes.
pub(crate) fn script(name: &str) -> Option<CharSet> {
    TABLES.scripts.get(&name.to_uppercase()).cloned()
}

/// A block by any name that `Character.UnicodeBlock.forName` takes.
pub(crate) fn block(name: &str) -> Option<CharSet> {
    TABLES.blocks.get(&name.to_uppercase()).cloned()
}

/// `Character.toUpperCase`.
pub(crate) fn upper(c: u32) -> u32 {
    TABLES.upper(c)
}

/// `Character.toLowerCase`.
pub(crate) fn lower(c: u32) -> u32 {
    TABLES.lower.get(&c).copied().unwrap_or(c)
}

/// The form that (?iu) compares characters in: lower case of upper case.
pub(crate) fn fold(c: u32) -> u32 {
    TABLES.fold(c)
}

/// All characters whose folded form is `folded`.
pub(crate) fn folding_to(folded: u32) -> CharSet {
    let mut found: Vec<(u32, u32)> = TABLES
        .cased
        .iter()
        .filter(|cased| cased.folded == folded)
        .map(|cased| (cased.at, cased.at))
        .collect();
    found.push((folded, folded));
    CharSet::of(&found)
}

/// A range in (?iu): a character belongs when it, its upper case or its folded form does.
pub(crate) fn range_ignoring_case(first: u32, last: u32) -> CharSet {
    let inside = |c: u32| (first..=last).contains(&c);
    let mut found: Vec<(u32, u32)> = TABLES
        .cased
        .iter()
        .filter(|cased| inside(cased.upper) || inside(cased.folded))
        .map(|cased| (cased.at, cased.at))
        .collect();
    found.push((first, last));
    CharSet::of(&found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        assert!(category("Lu").is_some_and(|lu| lu.contains(0x41) && !lu.contains(0x61)));
        assert_eq!((upper(0xFF), lower(0x130), fold(0x212A)), (0x178, 0x69, 0x6B));
        assert!(block("greek and coptic").is_some_and(|greek| greek.contains(0x3B1)));
        assert!(script("grek").is_some_and(|greek| greek.contains(0x3B1)));
        assert!(categories(&["Nd", "Zs"]).contains(0x20));
    }
}
