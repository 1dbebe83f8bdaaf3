//! A set of rows as bits, as the host wants it: bit i % 64 of word i / 64.

#[derive(Clone, Debug)]
pub(crate) struct RowSet {
    words: Vec<u64>,
    len: usize,
    count: u32,
}

impl RowSet {
    pub fn none(count: u32) -> Self {
        Self { words: vec![0; (count as usize).div_ceil(64)], len: 0, count }
    }
    pub fn all(count: u32) -> Self {
        let mut words = vec![u64::MAX; (count as usize).div_ceil(64)];
        if let (Some(last), rest @ 1..) = (words.last_mut(), count % 64) {
            *last = (1 << rest) - 1;
        }
        Self { words, len: count as usize, count }
    }
    /// Those for which `is` says yes, asked in order.
    #[inline]
    pub fn of(count: u32, mut is: impl FnMut(u32) -> bool) -> Self {
        let mut set = Self { words: Vec::with_capacity((count as usize).div_ceil(64)), len: 0, count };
        let mut next = 0;
        while next < count {
            let (mut word, first) = (0_u64, next);
            while next < count && next - first < 64 {
                word |= u64::from(is(next)) << (next - first);
                next += 1;
            }
            set.len += word.count_ones() as usize;
            set.words.push(word);
        }
        set
    }
    pub fn len(&self) -> usize {
        self.len
    }
    #[inline]
    pub fn has(&self, row: u32) -> bool {
        self.words[row as usize / 64] >> (row % 64) & 1 == 1
    }
    #[inline]
    pub fn insert(&mut self, row: u32) {
        let (word, bit) = (&mut self.words[row as usize / 64], 1 << (row % 64));
        self.len += usize::from(*word & bit == 0);
        *word |= bit;
    }
    /// Whether it was there.
    #[inline]
    pub fn remove(&mut self, row: u32) -> bool {
        let (word, bit) = (&mut self.words[row as usize / 64], 1 << (row % 64));
        let was = *word & bit != 0;
        *word &= !bit;
        self.len -= usize::from(was);
        was
    }
    /// The first row from `from` on.
    #[inline]
    pub fn next(&self, from: u32) -> Option<u32> {
        if from >= self.count {
            return None;
        }
        let mut at = from as usize / 64;
        let mut word = self.words[at] & (u64::MAX << (from % 64));
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some(at as u32 * 64 + word.trailing_zeros())
    }
    pub fn into_words(self) -> Vec<u64> {
        self.words
    }
}
