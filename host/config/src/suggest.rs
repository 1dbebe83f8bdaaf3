//! "Did you mean": the nearest of some known words. Every message that names an unknown word asks here, so that
//! all of them guess alike.

/// The candidate nearest to `word`, if one is near enough to have been meant: the longer the word, the more
/// letters may be wrong, and three at most. Case does not count. A candidate equal to the word is passed over.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower: Vec<char> = word.to_lowercase().chars().take(WORD_CHARS_MAX).collect();
    let limit = match lower.len() {
        0..=1 => 0,
        2..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().filter(|c| *c != word).take(CANDIDATES_MAX) {
        let letters: Vec<char> = candidate.to_lowercase().chars().take(WORD_CHARS_MAX).collect();
        // The lengths alone tell most candidates apart, and far cheaper.
        if letters.len().abs_diff(lower.len()) > limit {
            continue;
        }
        let found = distance(&lower, &letters);
        if found <= limit && best.is_none_or(|(nearest, _)| found < nearest) {
            best = Some((found, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The option most likely meant by an unknown key: nearly the same, or the same but for a prefix such as `hdfs.`.
pub(crate) fn nearest_key<'a>(key: &str, options: &[&'a str]) -> Option<&'a str> {
    let prefixed = |option: &&&str| {
        option.strip_suffix(key).is_some_and(|rest| rest.ends_with('.'))
            || key.strip_suffix(**option).is_some_and(|rest| rest.ends_with('.'))
    };
    let mut whole = options.iter().filter(|o| !o.ends_with('.'));
    whole.find(prefixed).copied().or_else(|| nearest(key, options.iter().copied()))
}

/// Among more names a guess helps nobody, and guessing for each of them would take minutes.
const CANDIDATES_MAX: usize = 200;
/// Longer words are compared by their beginnings: nobody mistypes the thousandth letter only.
const WORD_CHARS_MAX: usize = 80;

/// How many single-letter edits (insert, delete, replace, swap of neighbours) lead from one word to the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: [Vec<usize>; 3] = [vec![], (0..=b.len()).collect(), vec![0; b.len() + 1]];
    rows[0] = rows[2].clone();
    for i in 1..=a.len() {
        rows[2][0] = i;
        for j in 1..=b.len() {
            let replace = rows[1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = best;
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("source", ["sources", "sinks"]), Some("sources"));
        assert_eq!(nearest("ri", ["r1", "channel"]), Some("r1"));
        assert_eq!(nearest("agnet", ["agent"]), Some("agent"));
        assert_eq!(nearest("MEMROY", ["memory", "file"]), Some("memory"));
        assert_eq!(nearest("c", ["k", "r"]), None);
        assert_eq!(nearest("hdfs", ["http", "hive"]), None);
    }

    #[test]
    fn a_forgotten_or_needless_prefix_is_found() {
        assert_eq!(nearest_key("path", &["hdfs.path", "hdfs.round"]), Some("hdfs.path"));
        assert_eq!(nearest_key("kafka.flumeBatchSize", &["flumeBatchSize"]), Some("flumeBatchSize"));
        assert_eq!(nearest_key("bnd", &["bind", "port"]), Some("bind"));
        assert_eq!(nearest_key("colour", &["bind", "port"]), None);
    }

    #[test]
    fn distance_counts_a_swap_as_one() {
        let d = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!((d("", "ab"), d("ab", "ba"), d("kitten", "sitting"), d("x", "x")), (2, 1, 3, 0));
    }
}
