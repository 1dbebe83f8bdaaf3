//! What a match can begin with, so that hopeless places are passed over quickly.

use crate::ast::{Assert, Node};
use crate::set::CharSet;

/// The bytes that a match can begin with; `None` if a match can be empty.
pub(super) fn first_bytes(node: &Node) -> Option<Box<[bool; 256]>> {
    if node.nullable() {
        return None;
    }
    let mut set = CharSet::new();
    collect(node, &mut set);
    let mut bytes = Box::new([false; 256]);
    for &(first, last) in set.ranges() {
        // Lead bytes grow with the code point, so the ends of a range bound them.
        let (from, to) = (lead_byte(first), lead_byte(last));
        bytes[usize::from(from)..=usize::from(to)].fill(true);
    }
    Some(bytes)
}

fn lead_byte(c: u32) -> u8 {
    match c {
        0..0x80 => c as u8,
        0x80..0x800 => 0xC0 | (c >> 6) as u8,
        0x800..0x1_0000 => 0xE0 | (c >> 12) as u8,
        _ => 0xF0 | (c >> 18) as u8,
    }
}

/// Adds what `node` can begin with; returns whether what follows can come first too.
fn collect(node: &Node, set: &mut CharSet) -> bool {
    match node {
        Node::Set(chars) => {
            *set = std::mem::take(set).union(chars);
            false
        }
        Node::LineEnding => {
            *set = std::mem::take(set).union(&crate::property::vertical_space());
            false
        }
        Node::Concat(nodes) => nodes.iter().all(|node| collect(node, set)),
        Node::Alt(nodes) => {
            let open: Vec<bool> = nodes.iter().map(|node| collect(node, set)).collect();
            open.contains(&true)
        }
        Node::Group(_, body) | Node::Atomic(body) => collect(body, set),
        Node::Repeat(repeat) => {
            let open = collect(&repeat.body, set);
            open || repeat.min == 0
        }
        // A reference may be empty, or begin with anything.
        Node::Backref(..) => {
            *set = CharSet::new().negate();
            true
        }
        Node::Empty | Node::Assert(_) | Node::Look(_) => true,
    }
}

/// Whether a match can begin at the begin of the text only.
pub(super) fn anchored(node: &Node) -> bool {
    match node {
        Node::Assert(Assert::Begin) => true,
        Node::Concat(nodes) => nodes.first().is_some_and(anchored),
        Node::Alt(nodes) => nodes.iter().all(anchored),
        Node::Group(_, body) | Node::Atomic(body) => anchored(body),
        Node::Repeat(repeat) => repeat.min > 0 && anchored(&repeat.body),
        _ => false,
    }
}
