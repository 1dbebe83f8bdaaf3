//! A connection to an IRC server: a task of its own, which answers the server's pings also while there are no events.
//!
//! ```text
//! sink ── Say: messages ─▶ task ─▶ PRIVMSG × 4, PING token ─▶ server
//!      ◀─ said, or why not ─┘   ◀─ PONG token: it has dealt with all of them; or a refusal before it
//! ```
//!
//! IRC does not acknowledge messages, but a server works on a connection's lines in order: what it had to say about
//! messages comes before its answer to the ping behind them. This is also what keeps us below its flood limits: no
//! more than a few lines wait there at any time.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Messages between two pings. Servers slow down, or cut off, who sends many lines at once.
pub(super) const WINDOW: usize = 4;
/// How long the server may take for the connection, for the greeting, and for each few messages.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// Longest line that is taken from a server; those with tags have up to 8 KiB.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// How to enter.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub host: String,
    pub port: u16,
    pub nick: String,
    pub password: Option<String>,
    pub user: String,
    pub name: String,
    /// With its `#`.
    pub channel: String,
}

/// Why messages were not said.
#[derive(Debug, thiserror::Error)]
pub(super) enum IrcError {
    #[error("cannot connect to {host}:{port}: {error}")]
    Connect { host: String, port: u16, error: io::Error },
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the server closed the connection{}", said(.0))]
    Closed(Option<String>),
    #[error("the server did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("the server refused `{what}`: {text} ({code}){}", hint(.code))]
    Refused { what: String, code: String, text: String },
    #[error("the server sent a line of more than {LINE_BYTES_MAX} bytes: this is not IRC")]
    NotIrc,
}

fn said(text: &Option<String>) -> String {
    text.as_deref().map(|text| format!(": {text}")).unwrap_or_default()
}

fn hint(code: &str) -> &'static str {
    match code {
        "433" => {
            "; another one has this nick, perhaps our own old connection: choose another `nick`, or wait"
        }
        "432" => "; choose another `nick`",
        "464" => "; correct `password`",
        "473" | "474" | "471" | "475" => "; the channel does not let this nick in",
        "404" => "; the channel does not let this nick speak",
        _ => "",
    }
}

/// The sink's end of the task. When it is dropped the task says goodbye and ends.
pub(super) struct Session(mpsc::Sender<Say>);

struct Say {
    messages: Vec<String>,
    said: oneshot::Sender<Result<(), IrcError>>,
}

impl Session {
    /// Connects, registers, joins.
    pub(super) async fn enter(entry: &Entry) -> Result<Self, IrcError> {
        let (host, port) = (entry.host.clone(), entry.port);
        let connecting = timeout(CONNECT_WITHIN, TcpStream::connect((&*host, port))).await;
        let connected = connecting.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()));
        let stream = connected.map_err(|error| IrcError::Connect { host, port, error })?;
        stream.set_nodelay(true)?;
        let mut line =
            Line { stream, held: BytesMut::new(), entry: entry.clone(), has_joined: false, pings: 0 };
        timeout(PATIENCE, line.register()).await.unwrap_or(Err(IrcError::Silent))?;
        line.join().await?;
        let (send, receive) = mpsc::channel(1);
        tokio::spawn(line.run(receive));
        Ok(Self(send))
    }

    /// Says these messages in the channel; returns when the server has dealt with them.
    pub(super) async fn say(&self, messages: Vec<String>) -> Result<(), IrcError> {
        let (said, outcome) = oneshot::channel();
        self.0.send(Say { messages, said }).await.map_err(|_ended| IrcError::Closed(None))?;
        outcome.await.unwrap_or(Err(IrcError::Closed(None)))
    }
    /// Whether the connection is gone.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_closed()
    }
}

/// A message of the server, in its parts.
struct Message {
    command: String,
    parameters: Vec<String>,
}

impl Message {
    fn parse(line: &str) -> Self {
        let mut rest = line;
        // Tags and sender are not looked at.
        for mark in ['@', ':'] {
            if rest.starts_with(mark) {
                rest = rest.split_once(' ').map_or("", |(_, behind)| behind.trim_start());
            }
        }
        let (middle, trailing) = match rest.split_once(" :") {
            Some((middle, trailing)) => (middle, Some(trailing)),
            None => (rest, None),
        };
        let mut words = middle.split_ascii_whitespace().map(str::to_owned);
        let command = words.next().unwrap_or_default().to_ascii_uppercase();
        let mut parameters: Vec<String> = words.collect();
        parameters.extend(trailing.map(str::to_owned));
        Self { command, parameters }
    }
    fn text(&self) -> String {
        self.parameters.last().cloned().unwrap_or_default()
    }
    fn is_refusal(&self) -> bool {
        self.command.len() == 3 && self.command.starts_with(['4', '5'])
    }
    fn refuses(&self, what: &str) -> IrcError {
        IrcError::Refused { what: what.to_owned(), code: self.command.clone(), text: self.text() }
    }
}

struct Line {
    stream: TcpStream,
    held: BytesMut,
    entry: Entry,
    has_joined: bool,
    pings: u64,
}

impl Line {
    async fn run(mut self, mut requests: mpsc::Receiver<Say>) {
        loop {
            tokio::select! {
                message = self.receive() => match message {
                    Ok(message) => {
                        if let Err(error) = self.note(&message).await {
                            tracing::warn!(host = self.entry.host, %error, "IRC connection lost");
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(host = self.entry.host, %error, "IRC connection lost");
                        return;
                    }
                },
                request = requests.recv() => {
                    let Some(Say { messages, said }) = request else {
                        // Whoever closes needs no answer.
                        let _gone = timeout(Duration::from_secs(1), self.send("QUIT :Flumen stops")).await;
                        return;
                    };
                    let outcome = self.say(&messages).await;
                    let is_over = outcome.is_err();
                    // The sink may have given up waiting.
                    let _unheard = said.send(outcome);
                    if is_over {
                        return;
                    }
                }
            }
        }
    }

    async fn register(&mut self) -> Result<(), IrcError> {
        let entry = self.entry.clone();
        if let Some(password) = &entry.password {
            self.send(&format!("PASS {password}")).await?;
        }
        self.send(&format!("NICK {}", entry.nick)).await?;
        self.send(&format!("USER {} 0 * :{}", entry.user, entry.name)).await?;
        loop {
            let message = self.receive().await?;
            self.note(&message).await?;
            match &*message.command {
                "001" => return Ok(()),
                // Not every refusal ends it (no message of the day), these do.
                "432" | "433" | "436" | "437" => return Err(message.refuses(&format!("NICK {}", entry.nick))),
                "461" | "462" => return Err(message.refuses("USER")),
                "464" | "465" => return Err(message.refuses("PASS")),
                _ => {}
            }
        }
    }

    async fn join(&mut self) -> Result<(), IrcError> {
        let join = format!("JOIN {}", self.entry.channel);
        self.send(&join).await?;
        self.settle(&join).await?;
        self.has_joined = true;
        Ok(())
    }

    async fn say(&mut self, messages: &[String]) -> Result<(), IrcError> {
        if !self.has_joined {
            self.join().await?;
        }
        for few in messages.chunks(WINDOW) {
            let channel = &self.entry.channel;
            let lines: Vec<String> = few.iter().map(|text| format!("PRIVMSG {channel} :{text}")).collect();
            let what = format!("PRIVMSG {channel}");
            self.send(&lines.join("\r\n")).await?;
            self.settle(&what).await?;
        }
        Ok(())
    }

    /// Waits until the server has dealt with all that was sent.
    async fn settle(&mut self, what: &str) -> Result<(), IrcError> {
        self.pings += 1;
        let token = format!("flumen-{}", self.pings);
        self.send(&format!("PING :{token}")).await?;
        timeout(PATIENCE, self.pong(&token, what)).await.unwrap_or(Err(IrcError::Silent))
    }

    async fn pong(&mut self, token: &str, what: &str) -> Result<(), IrcError> {
        let mut refused = None;
        loop {
            let message = self.receive().await?;
            self.note(&message).await?;
            // The message of the day that does not exist comes late.
            if message.is_refusal() && message.command != "422" {
                refused.get_or_insert_with(|| message.refuses(what));
            }
            if message.command == "PONG" && message.parameters.iter().any(|parameter| parameter == token) {
                return refused.map_or(Ok(()), Err);
            }
        }
    }

    /// What has to be done about a message at any time.
    async fn note(&mut self, message: &Message) -> Result<(), IrcError> {
        match &*message.command {
            "PING" => self.send(&format!("PONG :{}", message.text())).await,
            "KICK" if self.is_us(message.parameters.get(1)) => {
                tracing::warn!(
                    channel = self.entry.channel,
                    reason = message.text(),
                    "IRC: kicked; joining again with the next event"
                );
                self.has_joined = false;
                Ok(())
            }
            "ERROR" => Err(IrcError::Closed(Some(message.text()))),
            _ => Ok(()),
        }
    }

    fn is_us(&self, nick: Option<&String>) -> bool {
        nick.is_some_and(|nick| nick.eq_ignore_ascii_case(&self.entry.nick))
    }

    async fn send(&mut self, line: &str) -> Result<(), IrcError> {
        let line = format!("{line}\r\n");
        match timeout(PATIENCE, self.stream.write_all(line.as_bytes())).await {
            Ok(written) => Ok(written?),
            Err(_late) => Err(IrcError::Silent),
        }
    }

    /// The next message. Can be dropped and called again.
    async fn receive(&mut self) -> Result<Message, IrcError> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.held) {
                let line = self.held.split_to(end);
                self.held.advance(1);
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end_matches('\r');
                if line.is_empty() {
                    continue;
                }
                return Ok(Message::parse(line));
            }
            if self.held.len() > LINE_BYTES_MAX {
                return Err(IrcError::NotIrc);
            }
            self.held.reserve(1024);
            if self.stream.read_buf(&mut self.held).await? == 0 {
                return Err(IrcError::Closed(None));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_server_are_taken_apart() {
        let parse = |line: &str| {
            let message = Message::parse(line);
            (message.command, message.parameters)
        };
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(parse("PING :token"), ("PING".into(), owned(&["token"])));
        assert_eq!(
            parse("@time=x :irc.test 404 me #chan :Cannot send to channel"),
            ("404".into(), owned(&["me", "#chan", "Cannot send to channel"]))
        );
        assert_eq!(
            parse(":op!u@h KICK #chan me :bye :now"),
            ("KICK".into(), owned(&["#chan", "me", "bye :now"]))
        );
        assert_eq!(parse(""), (String::new(), vec![]));
        assert_eq!(parse(":only-a-sender"), (String::new(), vec![]));
    }
}
