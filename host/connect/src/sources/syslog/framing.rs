//! Where messages begin and end in a stream.
//!
//! ```text
//! lines     <34>Oct 11 ... \n  <13>Oct 11 ... \n              a line feed ends a message
//! counted   71 <34>1 2003- ...  68 <13>1 2003- ...             RFC 6587: its length in front of each
//! ```
//!
//! With `framing = auto` the first message of a connection decides, and cautiously: nothing that a sender of lines
//! sends may be taken for a length. It has to be `length, blank, <priority>`, the bytes where the message then ends
//! have to be the end of what was sent, or a line feed, or the digit of the next length, and no line in between may
//! begin with a priority. In Flume such input is one invalid event after the other.
//!
//! A message of `eventSize` bytes that has not ended goes on as it is, marked as incomplete; the rest is the next.

/// How messages are separated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// As the first message of a connection is.
    Auto,
    /// By line feeds, as in Flume.
    Lines,
    /// By their lengths; what has none is a line.
    Counted,
}

/// How a piece of a stream ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// More may come.
    Open,
    /// Nothing more will come.
    Closed,
}

/// How a message was delimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It ended with a line feed, or where the stream ended.
    Line,
    /// It had a length, of its own or that of its datagram.
    Whole,
    /// It reached `eventSize`, or less of it came than its length says.
    Cut,
}

/// A message: its place in the input, line end left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Message {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
}

/// Line ends as Flume has them, or as the world does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineEnds {
    /// A carriage return in front of the line feed belongs to the line end.
    Right,
    /// It belongs to the message.
    AsFlume,
}

/// Which parser's splitter it is: they differ in one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Priority {
    /// A line feed inside the priority is part of the message.
    SwallowsLineFeed,
    /// Line feeds always end messages.
    Plain,
}

/// Digits of a length: `eventSize` and all that anybody sends are below a thousand million.
const LENGTH_DIGITS_MAX: usize = 9;

/// Cuts one stream. Keeps what it found out about an unfinished message, so that no byte is looked at twice.
pub(super) struct Cutter {
    framing: Framing,
    line_ends: LineEnds,
    priority: Priority,
    event_bytes_max: usize,
    /// How much of the unfinished message holds no line feed.
    searched: usize,
    /// What is to come of a counted message that is longer than an event.
    left: usize,
}

enum Length {
    /// The message is so long and begins so many bytes further on.
    Is {
        bytes: usize,
        digits: usize,
    },
    /// It may become a length.
    Unfinished,
    None,
}

impl Cutter {
    pub fn new(framing: Framing, line_ends: LineEnds, priority: Priority, event_bytes_max: usize) -> Self {
        Self { framing, line_ends, priority, event_bytes_max, searched: 0, left: 0 }
    }

    /// The next message at or behind `from`, and where what follows it begins. `Err`: there is none yet; what is
    /// still needed begins at this place, from which the next call goes on.
    pub fn next(&mut self, input: &[u8], from: usize, end: End) -> Result<(Message, usize), usize> {
        if self.left > 0 {
            return self.rest_of_counted(input, from, end);
        }
        let mut at = from;
        if self.searched == 0 {
            at += input[from..].iter().take_while(|byte| **byte == b'\n').count();
        }
        if at == input.len() {
            return Err(at);
        }
        match self.framing {
            Framing::Lines => self.line(input, at, end),
            Framing::Counted => self.counted(input, at, end),
            Framing::Auto => match self.decide(input, at, end) {
                Some(framing) => {
                    self.framing = framing;
                    self.next(input, at, end)
                }
                None => Err(at),
            },
        }
    }

    /// How much of a text Flume takes for one line.
    pub fn first_line(&self, text: &[u8]) -> usize {
        let mut searched = 0;
        while let Some(found) = memchr::memchr(b'\n', &text[searched..]) {
            let length = searched + found;
            if self.priority == Priority::Plain || !is_open_priority(&text[..length]) {
                return length;
            }
            searched = length + 1;
        }
        text.len()
    }

    fn line(&mut self, input: &[u8], start: usize, end: End) -> Result<(Message, usize), usize> {
        let available = input.len() - start;
        let window = &input[start..start + available.min(self.event_bytes_max)];
        let mut searched = std::mem::take(&mut self.searched);
        while let Some(found) = memchr::memchr(b'\n', &window[searched..]) {
            let length = searched + found;
            if self.priority == Priority::SwallowsLineFeed && is_open_priority(&window[..length]) {
                searched = length + 1;
                continue;
            }
            let message = self.trimmed(input, start, start + length, Kind::Line);
            return Ok((message, start + length + 1));
        }
        if available >= self.event_bytes_max {
            let cut = start + self.event_bytes_max;
            return Ok((Message { start, end: cut, kind: Kind::Cut }, cut));
        }
        if end == End::Closed {
            return Ok((self.trimmed(input, start, input.len(), Kind::Line), input.len()));
        }
        self.searched = available;
        Err(start)
    }

    /// A message without the carriage return of its line end.
    fn trimmed(&self, input: &[u8], start: usize, end: usize, kind: Kind) -> Message {
        let has_return = self.line_ends == LineEnds::Right && input[start..end].ends_with(b"\r");
        Message { start, end: end - usize::from(has_return), kind }
    }

    fn counted(&mut self, input: &[u8], start: usize, end: End) -> Result<(Message, usize), usize> {
        let (bytes, digits) = match length(&input[start..]) {
            // Whoever has lost count comes to himself at the next line end.
            Length::None => return self.line(input, start, end),
            Length::Unfinished if end == End::Closed => return self.line(input, start, end),
            Length::Unfinished => return Err(start),
            Length::Is { bytes, digits } => (bytes, digits),
        };
        let begin = start + digits + 1;
        let available = input.len() - begin;
        if bytes > self.event_bytes_max {
            if available == 0 {
                let nothing = Message { start: begin, end: begin, kind: Kind::Cut };
                return if end == End::Open { Err(start) } else { Ok((nothing, begin)) };
            }
            self.left = bytes;
            return self.rest_of_counted(input, begin, end).map_err(|_| {
                self.left = 0;
                start
            });
        }
        if available < bytes {
            if end == End::Open {
                return Err(start);
            }
            return Ok((Message { start: begin, end: input.len(), kind: Kind::Cut }, input.len()));
        }
        let after = begin + bytes;
        let text = &input[begin..after];
        let trimmed = after - usize::from(text.ends_with(b"\n"));
        Ok((self.trimmed(input, begin, trimmed, Kind::Whole), after))
    }

    fn rest_of_counted(&mut self, input: &[u8], start: usize, end: End) -> Result<(Message, usize), usize> {
        let wanted = self.left.min(self.event_bytes_max);
        let available = input.len() - start;
        if available < wanted && (end == End::Open || available == 0) {
            return Err(start);
        }
        let taken = wanted.min(available);
        self.left -= taken;
        let kind = if self.left > 0 { Kind::Cut } else { Kind::Whole };
        let after = start + taken;
        if self.left > 0 {
            return Ok((Message { start, end: after, kind }, after));
        }
        let trimmed = after - usize::from(input[start..after].ends_with(b"\n"));
        Ok((self.trimmed(input, start, trimmed, kind), after))
    }

    /// What the first message says; `None`: more of it is needed.
    fn decide(&self, input: &[u8], start: usize, end: End) -> Option<Framing> {
        let text = &input[start..];
        let unfinished = if end == End::Closed { Some(Framing::Lines) } else { None };
        let (bytes, digits) = match length(text) {
            Length::None => return Some(Framing::Lines),
            Length::Unfinished => return unfinished,
            Length::Is { bytes, digits } => (bytes, digits),
        };
        let message = &text[digits + 1..];
        match priority_at(message) {
            Some(true) => {}
            Some(false) => return Some(Framing::Lines),
            None => return unfinished,
        }
        let within = &message[..bytes.min(message.len())];
        if bytes < "<0>".len() {
            return Some(Framing::Lines);
        }
        for at in memchr::memchr_iter(b'\n', within).filter(|at| at + 1 < bytes) {
            match message[at + 1..] {
                [] => return unfinished,
                ref behind => match priority_at(behind) {
                    Some(true) => return Some(Framing::Lines),
                    Some(false) => {}
                    None => return unfinished,
                },
            }
        }
        if bytes > self.event_bytes_max {
            return Some(Framing::Counted);
        }
        match message.get(bytes) {
            Some(b'\n' | b'1'..=b'9') => Some(Framing::Counted),
            Some(_) => Some(Framing::Lines),
            None if message.len() == bytes => Some(Framing::Counted),
            None => unfinished,
        }
    }
}

/// Whether the text begins with a priority; `None`: it may become one.
fn priority_at(text: &[u8]) -> Option<bool> {
    let open = text.first()?;
    if *open != b'<' {
        return Some(false);
    }
    let digits = text[1..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    match text.get(1 + digits) {
        None if digits <= 3 => None,
        Some(b'>') => Some((1..=3).contains(&digits)),
        _ => Some(false),
    }
}

/// The decimal number and the blank in front of a counted message.
fn length(text: &[u8]) -> Length {
    if !matches!(text.first(), Some(b'1'..=b'9')) {
        return Length::None;
    }
    let digits = text.iter().take(LENGTH_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits > LENGTH_DIGITS_MAX {
        return Length::None;
    }
    match text.get(digits) {
        None => Length::Unfinished,
        Some(b' ') => {
            let bytes = text[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            Length::Is { bytes, digits }
        }
        Some(_) => Length::None,
    }
}

/// Whether Flume's parser is still inside the priority behind these bytes.
fn is_open_priority(text: &[u8]) -> bool {
    matches!(text, [b'<', digits @ ..] if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit))
}
