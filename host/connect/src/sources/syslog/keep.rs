//! `keepFields`: which fields are put back in front of the body.

use flumen_config::OptionValue;

/// The fields that stay in the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeepFields {
    pub(super) all: bool,
    pub(super) priority: bool,
    pub(super) version: bool,
    pub(super) timestamp: bool,
    pub(super) hostname: bool,
}

impl KeepFields {
    /// Whether bodies are put together of pieces.
    pub(super) fn is_list(self) -> bool {
        !self.all && (self.priority || self.version || self.timestamp || self.hostname)
    }

    /// The fields in front of a body, in Flume's order. A field that the message has not reads `null`, as in Flume,
    /// except the version.
    pub(super) fn pieces<'a>(
        self,
        priority: &'a [u8],
        version: Option<&'a [u8]>,
        timestamp: Option<&'a [u8]>,
        host: Option<&'a [u8]>,
        body: &'a [u8],
    ) -> [&'a [u8]; 10] {
        let when = |kept: bool, piece: &'a [u8]| if kept { piece } else { &[] };
        let or_null = |piece: Option<&'a [u8]>| piece.unwrap_or(b"null");
        let has_version = self.version && version.is_some_and(|version| !version.is_empty());
        [
            when(self.priority, b"<"),
            when(self.priority, priority),
            when(self.priority, b">"),
            when(has_version, version.unwrap_or_default()),
            when(has_version, b" "),
            when(self.timestamp, or_null(timestamp)),
            when(self.timestamp, b" "),
            when(self.hostname, or_null(host)),
            when(self.hostname, b" "),
            body,
        ]
    }
}

impl OptionValue for KeepFields {
    const KIND: &'static str = "none, all, or field names";
    fn parse(text: &str) -> Result<Self, String> {
        // As Flume reads it: a word counts wherever it stands in the text.
        let text = text.trim().to_lowercase();
        Ok(match text.as_str() {
            "none" | "false" => Self::default(),
            "all" | "true" => Self { all: true, ..Self::default() },
            _ => Self {
                all: false,
                priority: text.contains("priority"),
                version: text.contains("version"),
                timestamp: text.contains("timestamp"),
                hostname: text.contains("hostname"),
            },
        })
    }
    fn show(&self) -> String {
        if self.all {
            return "all".to_owned();
        }
        let fields = [
            (self.priority, "priority"),
            (self.version, "version"),
            (self.timestamp, "timestamp"),
            (self.hostname, "hostname"),
        ];
        let kept: Vec<_> = fields.iter().filter(|(kept, _)| *kept).map(|(_, name)| *name).collect();
        if kept.is_empty() { "none".to_owned() } else { kept.join(" ") }
    }
}
