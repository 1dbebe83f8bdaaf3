//! How a component declares its options: once, as a struct whose doc comments are the user manual.
//!
//! The [`options!`](crate::options!) macro makes from one declaration the struct, the reader that fills it
//! from [`Settings`] and reports every mistake at once, and the rows of the option reference.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::settings::Settings;

/// A type that an option's text can be read into.
pub trait OptionValue: Sized {
    /// What the reference prints as the option's type: `integer`, `boolean`, `text`, …
    const KIND: &'static str;
    /// Reads the text. The error completes the sentence "`key = text`: …".
    ///
    /// # Errors
    /// Says what would have been accepted.
    fn parse(text: &str) -> Result<Self, String>;
    /// The value of an option that is not set and has no default; `None` means the option is required.
    fn absent() -> Option<Self> {
        None
    }
    /// The value as a user would write it.
    fn show(&self) -> String;
}

/// One row of the option reference.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// The key as it is written in a file. A key that ends in a dot stands for every key below it.
    pub key: &'static str,
    /// The manual: the doc comment of the field.
    pub doc: &'static str,
    /// The type's name.
    pub kind: &'static str,
    /// The default as text; absent if there is none.
    pub default: Option<fn() -> String>,
    /// Whether the component cannot run without it.
    pub required: bool,
}

/// A component's options as a typed struct.
pub trait Options: Sized {
    /// The rows of the option reference, in declaration order.
    const OPTIONS: &'static [OptionSpec];
    /// The doc comment of the struct.
    const DOC: &'static str;
    /// Reads all options. Every mistake becomes a diagnostic; with at least one error there is no value.
    fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Self>;
    /// The options of a component that is being built.
    ///
    /// # Errors
    /// All that is wrong with them.
    fn of(settings: &Settings) -> Result<Self, Diagnostics> {
        Diagnostics::or(|diagnostics| Self::read(settings, diagnostics))
    }
}

/// What a bad or missing value of an option leads to; how the generated reader decides.
#[doc(hidden)]
pub struct Reader<'a> {
    pub settings: &'a Settings,
    pub diagnostics: &'a mut Diagnostics,
    pub failed: bool,
}

#[doc(hidden)]
impl Reader<'_> {
    /// A value with neither default nor leniency.
    pub fn required<T: OptionValue>(&mut self, key: &str) -> Option<T> {
        match self.settings.get(key) {
            Some(setting) => match T::parse(&setting.value) {
                Ok(value) => Some(value),
                Err(why) => {
                    self.failed = true;
                    self.diagnostics.push(self.bad::<T>(key, &why));
                    None
                }
            },
            None => match T::absent() {
                Some(value) => Some(value),
                None => {
                    self.failed = true;
                    let path = self.settings.path();
                    self.diagnostics.push(
                        Diagnostic::error("missing-key", format!("required parameter `{key}` is not set"))
                            .on(path)
                            .at(&self.settings.origin("type"))
                            .help(format!("add `{path}.{key} = <{}>`", T::KIND)),
                    );
                    None
                }
            },
        }
    }
    /// A value with a default; a bad one is an error.
    pub fn defaulted<T: OptionValue>(&mut self, key: &str, default: impl FnOnce() -> T) -> Option<T> {
        if self.settings.get(key).is_some() { self.required(key) } else { Some(default()) }
    }
    /// A value with a default; a bad one is warned of and replaced by the default, as Flume does there.
    pub fn lenient<T: OptionValue>(&mut self, key: &str, default: impl FnOnce() -> T) -> Option<T> {
        let Some(setting) = self.settings.get(key) else { return Some(default()) };
        match T::parse(&setting.value) {
            Ok(value) => Some(value),
            Err(why) => {
                let value = default();
                let mut finding = self.bad::<T>(key, &why);
                finding.severity = crate::diagnostic::Severity::Warning;
                finding.message.push_str(&format!("; the default {} is used, as in Flume", value.show()));
                self.diagnostics.push(finding);
                Some(value)
            }
        }
    }
    fn bad<T: OptionValue>(&self, key: &str, why: &str) -> Diagnostic {
        let setting = self.settings.get(key);
        let value = setting.map_or("", |s| s.value.as_str());
        let shown = self.settings.shown(key).unwrap_or_default();
        let mut finding = Diagnostic::error("bad-value", format!("`{key} = {shown}`: {why}"))
            .on(self.settings.path())
            .at(&self.settings.origin(key));
        let is_secret = self.settings.is_secret(key);
        if let Some((before, _)) =
            value.split_once('#').filter(|(b, _)| !is_secret && T::parse(b.trim()).is_ok())
        {
            finding = finding.help(format!(
                "a comment cannot follow a value in this format: write `{key} = {}` and put the comment on a line of its own",
                before.trim()
            ));
        }
        finding
    }
}

/// Declares a component's options; see the module.
///
/// ```
/// flumen_config::options! {
///     /// Reads lines from a TCP port.
///     pub struct NetcatOptions {
///         /// Address to listen on.
///         "bind" => bind: String,
///         /// Longest line, in characters, line end included.
///         "max-line-length" => max_line_length: u32 = 512,
///         /// A bad number here is replaced by the default, with a warning.
///         "capacity" => capacity: u32 = 100, lenient;
///         /// Not set unless the user sets it.
///         "prefix" => prefix: Option<String>,
///     }
/// }
/// ```
/// A field without `= default` is required unless its type is an `Option`.
#[macro_export]
macro_rules! options {
    (
        $(#[doc = $sdoc:literal])*
        $vis:vis struct $name:ident { $($body:tt)* }
    ) => {
        $crate::options!(@fields [$(#[doc = $sdoc])* $vis $name] [] $($body)*);
    };
    // One field, with its four forms.
    (@fields $head:tt [$($done:tt)*] $(#[doc = $doc:literal])* $key:literal => $field:ident : $ty:ty = $default:expr, lenient; $($rest:tt)*) => {
        $crate::options!(@fields $head [$($done)* {[$($doc)*] $key $field ($ty) lenient ($default)}] $($rest)*);
    };
    (@fields $head:tt [$($done:tt)*] $(#[doc = $doc:literal])* $key:literal => $field:ident : $ty:ty = $default:expr, $($rest:tt)*) => {
        $crate::options!(@fields $head [$($done)* {[$($doc)*] $key $field ($ty) defaulted ($default)}] $($rest)*);
    };
    (@fields $head:tt [$($done:tt)*] $(#[doc = $doc:literal])* $key:literal => $field:ident : $ty:ty, $($rest:tt)*) => {
        $crate::options!(@fields $head [$($done)* {[$($doc)*] $key $field ($ty) required ()}] $($rest)*);
    };
    (@fields [$(#[doc = $sdoc:literal])* $vis:vis $name:ident]
        [$({[$($doc:literal)*] $key:literal $field:ident ($ty:ty) $how:ident ($($default:expr)?)})*]) => {
        $(#[doc = $sdoc])*
        #[derive(Clone, Debug)]
        $vis struct $name { $($(#[doc = $doc])* pub $field: $ty,)* }
        impl $crate::Options for $name {
            const OPTIONS: &'static [$crate::OptionSpec] = &[$(
                $crate::OptionSpec {
                    key: $key,
                    doc: concat!($($doc, "\n",)*),
                    kind: <$ty as $crate::OptionValue>::KIND,
                    default: $crate::options!(@show $how ($ty) ($($default)?)),
                    required: $crate::options!(@required $how) && !$crate::options::is_optional(<$ty as $crate::OptionValue>::KIND),
                },
            )*];
            const DOC: &'static str = concat!($($sdoc, "\n",)*);
            #[allow(unused_mut, unused_variables)]
            fn read(settings: &$crate::Settings, diagnostics: &mut $crate::Diagnostics) -> Option<Self> {
                let mut reader = $crate::options::Reader { settings, diagnostics, failed: false };
                $(let $field: Option<$ty> = $crate::options!(@read reader $key $how ($ty) ($($default)?));)*
                if reader.failed { return None; }
                Some(Self { $($field: $field?,)* })
            }
        }
    };
    (@show required ($ty:ty) ()) => { None };
    (@show $how:ident ($ty:ty) ($default:expr)) => {
        Some({ fn show() -> String { let value: $ty = $default; $crate::OptionValue::show(&value) } show })
    };
    (@required required) => { true };
    (@required $how:ident) => { false };
    (@read $reader:ident $key:literal required ($ty:ty) ()) => { $reader.required::<$ty>($key) };
    (@read $reader:ident $key:literal defaulted ($ty:ty) ($default:expr)) => { $reader.defaulted::<$ty>($key, || $default) };
    (@read $reader:ident $key:literal lenient ($ty:ty) ($default:expr)) => { $reader.lenient::<$ty>($key, || $default) };
}

/// The rows of several option sets, one after the other, for a component that has them all:
///
/// ```ignore
/// const OPTIONS: &'static [OptionSpec] = join_options!(OwnOptions::OPTIONS, tls::SERVER_OPTIONS);
/// ```
#[macro_export]
macro_rules! join_options {
    ($($list:expr),+ $(,)?) => {{
        const COUNT: usize = 0 $(+ $list.len())+;
        const ALL: [$crate::OptionSpec; COUNT] = $crate::options::joined(&[$($list),+]);
        &ALL
    }};
}

/// What `join_options!` makes; the lists together have `COUNT` rows.
#[doc(hidden)]
pub const fn joined<const COUNT: usize>(lists: &[&[OptionSpec]]) -> [OptionSpec; COUNT] {
    let nothing = OptionSpec { key: "", doc: "", kind: "", default: None, required: false };
    let mut all = [nothing; COUNT];
    let (mut list, mut filled) = (0, 0);
    while list < lists.len() {
        let mut row = 0;
        while row < lists[list].len() {
            all[filled] = lists[list][row];
            filled += 1;
            row += 1;
        }
        list += 1;
    }
    all
}

/// Whether a kind's name is that of an optional value; used by the macro.
#[doc(hidden)]
pub const fn is_optional(kind: &str) -> bool {
    let bytes = kind.as_bytes();
    !bytes.is_empty() && bytes[bytes.len() - 1] == b'?'
}

impl OptionValue for bool {
    const KIND: &'static str = "boolean";
    /// As Java's `Boolean.parseBoolean`: `true` in any case is true, all else is false.
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.eq_ignore_ascii_case("true"))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl OptionValue for String {
    const KIND: &'static str = "text";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn show(&self) -> String {
        self.clone()
    }
}

macro_rules! integer_option {
    ($($ty:ty)*) => {$(
        impl OptionValue for $ty {
            const KIND: &'static str = "integer";
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("not a whole number from {} to {}", <$ty>::MIN, <$ty>::MAX))
            }
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
integer_option!(u16 u32 u64 i32 i64 usize);

/// A whole number above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub usize);

impl OptionValue for Count {
    const KIND: &'static str = "integer above 0";
    fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<i64>() {
            Ok(n) if n > 0 => usize::try_from(n).map(Self).map_err(|e| e.to_string()),
            _ => Err("not a whole number above 0".to_owned()),
        }
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// A list of words separated by white space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl OptionValue for Words {
    const KIND: &'static str = "words";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.split_whitespace().map(str::to_owned).collect()))
    }
    fn show(&self) -> String {
        self.0.join(" ")
    }
}

/// A password or the like: `Debug` and the reference never show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl OptionValue for Secret {
    const KIND: &'static str = "text";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
    fn show(&self) -> String {
        crate::secret::HIDDEN.to_owned()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::secret::HIDDEN)
    }
}

/// Stands in an options struct for every key below a prefix, so that the reference and the search for unknown
/// keys know of them. The component reads them itself, through `Settings::below`.
#[derive(Clone, Copy, Debug)]
pub struct Below;

impl OptionValue for Below {
    const KIND: &'static str = "one per name?";
    fn parse(_: &str) -> Result<Self, String> {
        Ok(Self)
    }
    fn absent() -> Option<Self> {
        Some(Self)
    }
    fn show(&self) -> String {
        String::new()
    }
}

/// A value the user may leave unset. The reference marks its type with `?`.
macro_rules! optional_option {
    ($($ty:ty, $kind:literal;)*) => {$(
        impl OptionValue for Option<$ty> {
            const KIND: &'static str = $kind;
            fn parse(text: &str) -> Result<Self, String> {
                <$ty as OptionValue>::parse(text).map(Some)
            }
            fn absent() -> Option<Self> {
                Some(None)
            }
            fn show(&self) -> String {
                self.as_ref().map(OptionValue::show).unwrap_or_default()
            }
        }
    )*};
}
optional_option! {
    String, "text?";
    bool, "boolean?";
    u16, "integer?";
    u32, "integer?";
    u64, "integer?";
    i64, "integer?";
    usize, "integer?";
    Words, "words?";
    Count, "integer above 0?";
    Secret, "text?";
}

#[cfg(test)]
mod tests {
    use super::*;

    options! {
        /// A component.
        struct Sample {
            /// Where.
            "bind" => bind: String,
            /// How long.
            "max-line-length" => max: u32 = 512,
            /// How many.
            "capacity" => capacity: Count = Count(100), lenient;
            /// Maybe.
            "prefix" => prefix: Option<String>,
        }
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let settings = Settings::from_pairs("a1.sources.r1", [("max-line-length", "x"), ("capacity", "-3")]);
        let mut findings = Diagnostics::default();
        assert!(Sample::read(&settings, &mut findings).is_none());
        let texts: Vec<_> = findings.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[0].contains("`bind`") && texts[1].contains("`max-line-length = x`"));
        assert!(texts[2].contains("the default 100 is used"));
    }

    #[test]
    fn defaults_fill_what_is_not_set_and_the_reference_knows_them() {
        let mut findings = Diagnostics::default();
        let sample = Sample::read(&Settings::from_pairs("x", [("bind", "h")]), &mut findings).expect("valid");
        assert_eq!(
            (sample.bind.as_str(), sample.max, sample.capacity, sample.prefix),
            ("h", 512, Count(100), None)
        );
        let required: Vec<_> = Sample::OPTIONS.iter().filter(|o| o.required).map(|o| o.key).collect();
        assert_eq!(required, ["bind"]);
        assert_eq!(Sample::OPTIONS[1].default.map(|show| show()).as_deref(), Some("512"));
        assert_eq!(Sample::OPTIONS[0].doc.trim(), "Where.");
    }

    #[test]
    fn a_comment_after_a_number_is_explained() {
        let mut findings = Diagnostics::default();
        let settings = Settings::from_pairs("x", [("bind", "h"), ("max-line-length", "512 # chars")]);
        assert!(Sample::read(&settings, &mut findings).is_none());
        assert!(
            findings.iter().any(|d| d.help.as_deref().is_some_and(|h| h.contains("max-line-length = 512")))
        );
    }
}
