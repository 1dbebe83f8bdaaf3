//! `${date:pattern}`: the current time in a Java date pattern.

use std::time::SystemTime;

use jiff::Zoned;

/// Formats the time in the system's zone. The error says what the pattern holds that is not known.
pub(super) fn format(pattern: &str, now: SystemTime) -> Result<String, String> {
    let now = Zoned::try_from(now).map_err(|e| format!("the system clock cannot be read: {e}"))?;
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => quoted(&mut chars, &mut out)?,
            c if c.is_ascii_alphabetic() => {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                out.push_str(&field(c, count, &now)?);
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// The text between quotes; two quotes are one.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Result<(), String> {
    if chars.next_if_eq(&'\'').is_some() {
        out.push('\'');
        return Ok(());
    }
    loop {
        match chars.next() {
            Some('\'') if chars.next_if_eq(&'\'').is_some() => out.push('\''),
            Some('\'') => return Ok(()),
            Some(c) => out.push(c),
            None => return Err("the date pattern has a quote that is not closed".to_owned()),
        }
    }
}

fn field(letter: char, count: usize, now: &Zoned) -> Result<String, String> {
    let number = |value: i32| format!("{value:0count$}", count = count.min(9));
    let named = |format: &str| now.strftime(format).to_string();
    Ok(match letter {
        'y' | 'u' if count == 2 => named("%y"),
        'y' | 'u' => number(i32::from(now.year())),
        'M' | 'L' if count >= 4 => named("%B"),
        'M' | 'L' if count == 3 => named("%b"),
        'M' | 'L' => number(i32::from(now.month())),
        'd' => number(i32::from(now.day())),
        'D' => number(i32::from(now.day_of_year())),
        'E' if count >= 4 => named("%A"),
        'E' => named("%a"),
        'a' => named("%p"),
        'H' => number(i32::from(now.hour())),
        'k' => number(if now.hour() == 0 { 24 } else { i32::from(now.hour()) }),
        'K' => number(i32::from(now.hour() % 12)),
        'h' => number(i32::from((now.hour() + 11) % 12 + 1)),
        'm' => number(i32::from(now.minute())),
        's' => number(i32::from(now.second())),
        'S' => number(i32::from(now.millisecond())),
        'z' => named("%Z"),
        'Z' => named("%z"),
        'X' => named("%:z"),
        other => return Err(format!("the date pattern's letter `{other}` is not known")),
    })
}
