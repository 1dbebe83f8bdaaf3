//! `irc`: events as messages in an IRC channel.

mod session;
mod text;

use std::sync::Arc;

use async_trait::async_trait;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};
use flumen_event::Batch;
use flumen_regex::JavaRegex;

use crate::ComponentError;
use crate::catalog::SinkType;
use crate::ledger::{SinkCounters, add};
use crate::sink::{Delivery, Sink};

use session::{Entry, Session, WINDOW};
use text::Text;

options! {
    /// Says each event's body in an IRC channel, for people to read.
    ///
    /// IRC does not acknowledge messages. Flumen asks the server after each four whether it has dealt with them (with
    /// a ping), and only then are they delivered: a refusal, a kick or a lost connection loses nothing, and messages
    /// may be said twice. It also keeps below the server's flood limits; many servers let a client say two or three
    /// messages a second.
    ///
    /// A message is one line. Longer ones go in several, cut so that each fits IRC's 512 bytes when the server passes
    /// it on; line ends within a body become blanks (Flume sends them on, and the server takes what follows for a
    /// command). What is not UTF-8 is replaced by U+FFFD. A body without any text is dropped and counted.
    pub struct IrcOptions {
        /// The server.
        "hostname" => hostname: String,
        /// Its port; without TLS.
        "port" => port: u16 = 6667,
        /// Our nick. While somebody else has it, the sink waits and tries again.
        "nick" => nick: String,
        /// The server's password, if it wants one.
        "password" => password: Option<String>,
        /// Our user name; the nick if it is not set.
        "user" => user: Option<String>,
        /// Our real name; the nick if it is not set.
        "name" => name: Option<String>,
        /// The channel, without the `#` in front: `logs` is `#logs`.
        "chan" => chan: String,
        /// Whether a body becomes several messages, cut at `splitchars`.
        "splitlines" => splitlines: bool = false,
        /// Where bodies are cut: a regular expression, as in Flume. Pieces without text are left out.
        "splitchars" => splitchars: String = "\n".to_owned(),
    }
}

pub(super) const IRC: SinkType = SinkType {
    // One event a transaction in Flume, so that any channel will do.
    spec: ComponentSpec {
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        ..ComponentSpec::of::<IrcOptions>(ComponentKind::Sink, "irc", &["org.apache.flume.sink.irc.IRCSink"])
    },
    build: |settings| {
        let sink = Diagnostics::or(|diagnostics| read(settings, diagnostics))?;
        Ok(Box::new(sink))
    },
};

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<IrcSink> {
    let options = IrcOptions::read(settings, diagnostics)?;
    let before = diagnostics.error_count();
    let mut check = |key: &str, value: &str, forbidden: &[char], words: &str| {
        if value.is_empty() || value.contains(['\r', '\n', '\0']) || value.contains(forbidden) {
            let error = Diagnostic::error("bad-value", format!("`{key}` {words}"));
            diagnostics.push(error.on(settings.path()).at(&settings.origin(key)));
        }
    };
    let nick = options.nick.trim();
    check(
        "nick",
        nick,
        &[' ', ':', '!', '@', '#', ',', '*', '?'],
        "is no nick: one word, without any of : ! @ # , * ?",
    );
    check("chan", &options.chan, &[' ', ',', '\x07'], "is no channel's name: one word, without commas");
    let user = options.user.as_deref().unwrap_or(nick);
    check("user", user, &[' ', '@'], "is no user name: one word, without @");
    let name = options.name.as_deref().unwrap_or(nick);
    check("name", name, &[], "must be one line that is not empty");
    if let Some(password) = &options.password {
        check("password", password, &[' '], "must be one word");
    }
    let split = options.splitlines.then(|| JavaRegex::new(&options.splitchars)).transpose();
    let split = match split {
        Ok(split) => split,
        Err(error) => {
            let text = format!("`splitchars = {}`: {error}", options.splitchars);
            let error = Diagnostic::error("bad-value", text);
            diagnostics.push(error.on(settings.path()).at(&settings.origin("splitchars")));
            return None;
        }
    };
    if diagnostics.error_count() > before {
        return None;
    }
    let channel = format!("#{}", options.chan);
    Some(IrcSink {
        text: Text { split, bytes_max: text::room(nick, &channel) },
        entry: Entry {
            host: options.hostname.clone(),
            port: options.port,
            nick: nick.to_owned(),
            user: user.to_owned(),
            name: name.to_owned(),
            password: options.password,
            channel,
        },
        session: None,
        counters: Arc::default(),
    })
}

struct IrcSink {
    entry: Entry,
    text: Text,
    session: Option<Session>,
    counters: Arc<SinkCounters>,
}

#[async_trait]
impl Sink for IrcSink {
    /// When the connection is lost these come again, and people read them twice.
    fn batch_size(&self) -> usize {
        WINDOW
    }
    fn attach(&mut self, counters: Arc<SinkCounters>) {
        self.counters = counters;
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        self.entered().await?;
        Ok(())
    }
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError> {
        let mut delivery = Delivery::default();
        let mut messages = Vec::new();
        for event in events.iter().flat_map(Batch::iter) {
            let before = messages.len();
            if self.text.add(event.body(), &mut messages).is_err() {
                messages.truncate(before);
                delivery.dropped.add("irc: splitchars takes too many steps", 1);
            } else if messages.len() == before {
                delivery.dropped.add("irc: nothing to say", 1);
            }
        }
        if messages.is_empty() {
            return Ok(delivery);
        }
        if let Err(error) = self.entered().await?.say(messages).await {
            self.leave();
            return Err(error.into());
        }
        Ok(delivery)
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        self.leave();
        Ok(())
    }
}

impl IrcSink {
    async fn entered(&mut self) -> Result<&Session, ComponentError> {
        if self.session.as_ref().is_some_and(Session::is_over) {
            self.leave();
        }
        if self.session.is_none() {
            let entered = Session::enter(&self.entry).await;
            let counters = &self.counters;
            add(if entered.is_ok() { &counters.connection_created } else { &counters.connection_failed }, 1);
            self.session = Some(entered?);
            tracing::info!(host = self.entry.host, channel = self.entry.channel, "IRC channel joined");
        }
        Ok(self.session.as_ref().expect("it was just made if there was none"))
    }

    fn leave(&mut self) {
        if self.session.take().is_some() {
            add(&self.counters.connection_closed, 1);
        }
    }
}
