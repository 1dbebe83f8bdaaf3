//! The order in which a `java.util.HashMap<String, String>` gives its entries.
//!
//! Flume prints headers in that order (`HEADER_AND_TEXT`, the logger sink), so files compare equal only if
//! Flumen does too. Source: OpenJDK `HashMap`: the table starts at 16 places and doubles when more than three
//! quarters are taken; an entry's place is its spread hash modulo the size; entries of one place keep the
//! order in which they were put. (Places that became trees, from eight colliding keys on, are not modelled.)

/// The order of `names` (given in the order they were put): indexes into it.
pub fn java_hash_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u32> {
    let hashes: Vec<u32> = names.map(spread_hash).collect();
    let mut size = 16usize;
    while hashes.len() > size / 4 * 3 {
        size *= 2;
    }
    let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
    order.sort_by_key(|&at| hashes[at as usize] as usize & (size - 1));
    order
}

/// The same of a map that began as a copy of another (`new HashMap<>(map)`), the first `copied` names, as events do
/// that Flume makes with `EventBuilder.withBody(body, headers)`. The copy takes them in the order of the first map, and
/// its table is the smallest that holds them, where a new map begins with 16 places.
pub fn java_copy_order(names: &[&str], copied: usize) -> Vec<u32> {
    if copied == 0 {
        return java_hash_order(names.iter().copied());
    }
    // `HashMap.putMapEntries`: `tableSizeFor((int) (size / 0.75F + 1.0F))`.
    let mut size = (copied * 4 / 3 + 1).next_power_of_two();
    while names.len() > size * 3 / 4 {
        size *= 2;
    }
    let mut order = java_hash_order(names[..copied].iter().copied());
    order.extend(copied as u32..names.len() as u32);
    order.sort_by_key(|&at| spread_hash(names[at as usize]) as usize & (size - 1));
    order
}

/// `HashMap.hash(String)`: the string's hash over UTF-16 units, high half mixed into the low one.
fn spread_hash(name: &str) -> u32 {
    let hash = name.encode_utf16().fold(0u32, |h, unit| h.wrapping_mul(31).wrapping_add(u32::from(unit)));
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered<'a>(names: &[&'a str]) -> Vec<&'a str> {
        java_hash_order(names.iter().copied()).into_iter().map(|at| names[at as usize]).collect()
    }

    // Orders printed by OpenJDK 17 (`System.out.println(map.keySet())`).
    #[test]
    fn names_come_in_the_order_java_gives_them() {
        assert_eq!(ordered(&["env", "datacenter"]), ["datacenter", "env"]);
        assert_eq!(ordered(&["app.x", "app.y", "other"]), ["app.x", "other", "app.y"]);
        assert_eq!(ordered(&["stage", "num"]), ["stage", "num"]);
        assert_eq!(
            ordered(&["host", "timestamp", "Facility", "Severity", "priority", "version", "ümlaut", "日本"]),
            ["ümlaut", "host", "Severity", "Facility", "日本", "priority", "version", "timestamp"]
        );
    }

    // Recorded from Flume 1.11: multiport_syslogtcp copies the headers of a message, then puts that of the port.
    #[test]
    fn a_copy_has_the_smallest_table_that_holds_it() {
        let copy = |names: &[&'static str], copied| -> Vec<&str> {
            java_copy_order(names, copied).into_iter().map(|at| names[at as usize]).collect()
        };
        let message = ["Facility", "Severity", "Priority", "host", "timestamp", "port"];
        assert_eq!(copy(&message, 5), ["host", "Severity", "Facility", "port", "Priority", "timestamp"]);
        let message = ["Facility", "Severity", "Priority", "Version", "host", "timestamp", "port"];
        assert_eq!(
            copy(&message, 6),
            ["Version", "port", "Priority", "host", "Severity", "Facility", "timestamp"]
        );
        assert_eq!(
            copy(&message, 0),
            ["Version", "port", "Priority", "host", "Severity", "Facility", "timestamp"]
        );
    }

    #[test]
    fn the_table_grows_after_twelve_entries() {
        let names: Vec<String> = (0..14).map(|n| format!("h{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(
            ordered(&names),
            ["h10", "h0", "h12", "h1", "h11", "h2", "h3", "h13", "h4", "h5", "h6", "h7", "h8", "h9"]
        );
    }
}
