//! Words of a text with the numbers of their lines.
//!
//! **Model.** Words are parted by white space; some characters are words by themselves. Comments run from `//` or `#` to the end of the
//! line, or from `/*` to `*/`. **Invariant.** Memory is bounded by the longest line, of which there is a limit.

use std::io::{BufRead, Read};
use std::str::FromStr;

use supernode_core::error::{Error, Result};

/// Longest line, in bytes.
const LONGEST: u64 = 1 << 20;
/// Characters of a word that are quoted.
const QUOTED: usize = 40;

/// What a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of a word.
    Word,
    /// Between words.
    Blank,
    /// A word by itself.
    Single,
    /// A comment may begin here.
    Comment,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Words<R> {
    input: R,
    /// What each byte is.
    kinds: [Kind; 256],
    text: String,
    words: Vec<(u32, u32)>,
    next: usize,
    line: u32,
    comment: bool,
}

impl<R: BufRead> Words<R> {
    /// Words of a text; bytes that are words by themselves, and bytes that part words besides white space.
    pub(crate) fn new(input: R, single: &[u8], blank: &[u8]) -> Self {
        let kind = |byte: u8| match byte {
            b'#' | b'/' => Kind::Comment,
            byte if single.contains(&byte) => Kind::Single,
            byte if byte.is_ascii_whitespace() || blank.contains(&byte) => Kind::Blank,
            _ => Kind::Word,
        };
        let kinds = std::array::from_fn(|byte| kind(byte as u8));
        Self { input, kinds, text: String::new(), words: vec![], next: 0, line: 0, comment: false }
    }

    /// Number of the line that the last word stands in.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// The word that comes next.
    pub(crate) fn peek(&mut self) -> Result<Option<&str>> {
        while self.next == self.words.len() {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.word(self.next)))
    }

    /// Takes the word that comes next.
    pub(crate) fn next(&mut self) -> Result<Option<&str>> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(self.word(self.next - 1)))
    }

    /// Takes the next word if it is this one.
    pub(crate) fn take(&mut self, word: &str) -> Result<bool> {
        let there = self.peek()? == Some(word);
        self.next += usize::from(there);
        Ok(there)
    }

    /// Takes the next word, which must be this one.
    pub(crate) fn expect(&mut self, word: &str) -> Result<()> {
        let found = self.next()?.map(shortened);
        if found.as_deref() == Some(word) {
            return Ok(());
        }
        let found = found.unwrap_or_else(|| "the end of the file".into());
        Err(self.wrong("word", format!("{found:?}"), format!("{word:?}")))
    }

    /// Takes the next word as a whole number, behind which this may stand.
    pub(crate) fn number<T: FromStr>(&mut self, what: &str, suffix: &str) -> Result<T> {
        let found = self.next()?.unwrap_or("the end of the file");
        if let Ok(number) = found.strip_suffix(suffix).unwrap_or(found).parse() {
            return Ok(number);
        }
        let found = shortened(found);
        let most = size_of::<T>() * 8;
        Err(self.wrong(what, format!("{found:?}"), format!("a whole number of at most {most} bits")))
    }

    /// The error that something in this line is not valid.
    pub(crate) fn wrong(&self, what: &str, value: impl ToString, expected: impl Into<String>) -> Error {
        Error::spec(format!("line {}: {what}", self.line), value, expected)
    }

    fn word(&self, index: usize) -> &str {
        let (from, to) = self.words[index];
        &self.text[from as usize..to as usize]
    }

    /// Reads a line; false at the end.
    fn fill(&mut self) -> Result<bool> {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.clear();
        self.words.clear();
        self.next = 0;
        let read = Read::by_ref(&mut self.input).take(LONGEST).read_until(b'\n', &mut bytes);
        let read = read.map_err(|error| self.wrong("file", "an error", format!("text that can be read ({error})")))?;
        if read == 0 {
            if self.comment {
                return Err(self.wrong("comment", "/*", "an end of it: */"));
            }
            return Ok(false);
        }
        self.line = self.line.saturating_add(1);
        if read as u64 == LONGEST && bytes.last() != Some(&b'\n') {
            return Err(self.wrong("line", format!("{LONGEST} bytes or more"), "shorter lines"));
        }
        self.split(&bytes);
        self.text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            self.wrong("text", format!("a byte that is no text, the {}th of its line", at + 1), "UTF-8")
        })?;
        Ok(true)
    }

    fn split(&mut self, bytes: &[u8]) {
        let mut from = None;
        let mut at = 0;
        while at < bytes.len() {
            if self.comment {
                match bytes[at..].windows(2).position(|pair| pair == b"*/") {
                    Some(end) => at += end + 2,
                    None => return,
                }
                self.comment = false;
                continue;
            }
            let kind = self.kinds[usize::from(bytes[at])];
            let second = bytes.get(at + 1);
            let ends = kind == Kind::Comment && (bytes[at] == b'#' || second == Some(&b'/'));
            self.comment = kind == Kind::Comment && !ends && second == Some(&b'*');
            if kind == Kind::Word || (kind == Kind::Comment && !ends && !self.comment) {
                from.get_or_insert(at as u32);
                at += 1;
                continue;
            }
            self.words.extend(from.take().map(|from| (from, at as u32)));
            if ends {
                return;
            }
            if kind == Kind::Single {
                self.words.push((at as u32, at as u32 + 1));
            }
            at += if self.comment { 2 } else { 1 };
        }
        self.words.extend(from.map(|from| (from, bytes.len() as u32)));
    }
}

/// A word as it is quoted.
pub(crate) fn shortened(word: &str) -> String {
    match word.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}...", &word[..end]),
        None => word.into(),
    }
}
