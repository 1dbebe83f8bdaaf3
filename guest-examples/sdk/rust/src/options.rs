//! The plugin's `config.KEY = VALUE` settings, read with types.
//!
//! Every reader names the key it wants, so that an error carries it. An option that nobody asked for is refused
//! when `configure` is over: a misspelt key never passes without a word.

use std::cell::RefCell;
use std::fmt::Display;

use crate::error::ConfigError;

/// The settings, prefix removed.
#[derive(Debug)]
pub struct Options {
    pairs: Vec<(String, String)>,
    /// The keys asked for, whether they were there or not: candidates for "did you mean".
    asked: RefCell<Vec<String>>,
}

/// What an option's text can be read as.
pub trait FromOption: Sized {
    /// Reads the text.
    ///
    /// # Errors
    /// A fragment that says what would be right.
    fn from_option(text: &str) -> Result<Self, String>;
}

impl Options {
    /// From key and value.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { pairs: pairs.into_iter().collect(), asked: RefCell::default() }
    }

    /// The text of an option, if it is set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.asked.borrow_mut().push(key.to_owned());
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// An option that must be set.
    ///
    /// # Errors
    /// If it is missing, or is not what it should be.
    pub fn required<T: FromOption>(&self, key: &str) -> Result<T, ConfigError> {
        self.optional(key)?.ok_or_else(|| ConfigError::at(key, "is not set, and has no default"))
    }

    /// An option that may be missing.
    ///
    /// # Errors
    /// If it is not what it should be.
    pub fn optional<T: FromOption>(&self, key: &str) -> Result<Option<T>, ConfigError> {
        self.optional_with(key, T::from_option)
    }

    /// An option with a default.
    ///
    /// # Errors
    /// If it is not what it should be.
    pub fn or<T: FromOption>(&self, key: &str, default: T) -> Result<T, ConfigError> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// An option that may be missing, read by a function of the plugin's own (`Regex::new`).
    ///
    /// # Errors
    /// If the function refuses it.
    pub fn optional_with<T, E: Display>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ConfigError> {
        let value = |text: &str| read(text).map_err(|why| ConfigError::at(key, why));
        self.get(key).map(value).transpose()
    }

    /// The words of an option, separated by spaces or commas; none when it is not set.
    ///
    /// # Errors
    /// If a word is not what it should be.
    pub fn list<T: FromOption>(&self, key: &str) -> Result<Vec<T>, ConfigError> {
        let words = self.get(key).unwrap_or_default().split([' ', '\t', ',']).filter(|word| !word.is_empty());
        words.map(|word| T::from_option(word).map_err(|why| ConfigError::at(key, why))).collect()
    }

    /// The options whose keys begin with `prefix`: what follows it, and the value.
    pub fn below(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let mut asked = self.asked.borrow_mut();
        asked.extend(self.pairs.iter().map(|(key, _)| key).filter(|key| key.starts_with(prefix)).cloned());
        let pairs = self.pairs.iter();
        pairs.filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }

    /// Refuses the first option that nobody asked for.
    pub(crate) fn refuse_unread(&self) -> Result<(), ConfigError> {
        let asked = self.asked.borrow();
        let Some((key, _)) = self.pairs.iter().find(|(key, _)| !asked.contains(key)) else { return Ok(()) };
        let near = asked.iter().min_by_key(|name| distance(name, key));
        Err(ConfigError::at(
            key,
            match near.filter(|name| distance(name, key) <= 2) {
                Some(name) => format!("there is no such option; did you mean `{name}`?"),
                None if asked.is_empty() => "there is no such option: this plugin has none".to_owned(),
                None => format!("there is no such option; there are: {}", names(&asked)),
            },
        ))
    }
}

fn names(asked: &[String]) -> String {
    let mut names: Vec<&str> = asked.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// The number of letters to change, add or remove to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

impl FromOption for String {
    fn from_option(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}
impl FromOption for bool {
    fn from_option(text: &str) -> Result<Self, String> {
        match text {
            _ if text.eq_ignore_ascii_case("true") => Ok(true),
            _ if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(format!("`{text}` is neither `true` nor `false`")),
        }
    }
}
impl FromOption for char {
    fn from_option(text: &str) -> Result<Self, String> {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(format!("`{text}` is not exactly one character")),
        }
    }
}
impl FromOption for f64 {
    fn from_option(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) if f64::is_finite(number) => Ok(number),
            _ => Err(format!("`{text}` is not a number")),
        }
    }
}

macro_rules! whole_numbers {
    ($($number:ty)*) => {$(
        impl FromOption for $number {
            fn from_option(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| {
                    format!("`{text}` is not a whole number from {} to {}", <$number>::MIN, <$number>::MAX)
                })
            }
        }
    )*};
}
whole_numbers!(u8 u16 u32 u64 usize i32 i64);

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        Options::new(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn every_error_carries_the_key_and_what_would_be_right() {
        let o = options(&[("n", "-1"), ("flag", "yes"), ("c", "ab"), ("list", "1, x"), ("f", "NaN")]);
        let texts = [
            o.required::<u32>("n").expect_err("negative").to_string(),
            o.required::<u32>("missing").expect_err("missing").to_string(),
            o.or("flag", true).expect_err("no boolean").to_string(),
            o.optional::<char>("c").expect_err("two").to_string(),
            o.list::<u8>("list").expect_err("a word").to_string(),
            o.required::<f64>("f").expect_err("not finite").to_string(),
        ];
        assert_eq!(
            texts,
            [
                "`n`: `-1` is not a whole number from 0 to 4294967295",
                "`missing`: is not set, and has no default",
                "`flag`: `yes` is neither `true` nor `false`",
                "`c`: `ab` is not exactly one character",
                "`list`: `x` is not a whole number from 0 to 255",
                "`f`: `NaN` is not a number",
            ]
        );
    }

    #[test]
    fn values_defaults_lists_and_prefixes_are_read() {
        let o = options(&[("a", "7"), ("l", " x,y  z"), ("m.one", "1"), ("m.two", "2"), ("t", "TRUE")]);
        assert_eq!((o.required::<u8>("a"), o.or("b", 9_u8)), (Ok(7), Ok(9)));
        assert_eq!(o.list::<String>("l").expect("words"), ["x", "y", "z"]);
        assert_eq!(o.below("m.").collect::<Vec<_>>(), [("one", "1"), ("two", "2")]);
        assert_eq!(o.required("t"), Ok(true));
        assert_eq!(o.refuse_unread(), Ok(()));
    }

    #[test]
    fn an_option_that_nobody_read_is_refused_with_the_nearest_name() {
        let o = options(&[("chars", "#")]);
        assert!(o.get("char").is_none() && o.get("header").is_none());
        let error = o.refuse_unread().expect_err("unread");
        assert_eq!(error.to_string(), "`chars`: there is no such option; did you mean `char`?");
        let o = options(&[("something", "#")]);
        assert!(o.get("header").is_none() && o.get("char").is_none());
        let error = o.refuse_unread().expect_err("unread");
        assert_eq!(error.to_string(), "`something`: there is no such option; there are: char, header");
    }
}
