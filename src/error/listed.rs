//! Lists, as an error or a description may show them.

use std::fmt;

/// A longer list is shown by its first entries alone.
const SHOWN: usize = 12;

/// The entries of a list, as `{:?}` prints them: the first ones, and how many more there are.
pub(crate) struct Listed<'a, T>(pub &'a [T]);

impl<T: fmt::Debug> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= SHOWN {
            return write!(f, "{:?}", self.0);
        }
        f.write_str("[")?;
        for entry in &self.0[..SHOWN] {
            write!(f, "{entry:?}, ")?;
        }
        write!(f, "… {} more]", self.0.len() - SHOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_shown_by_its_beginning() {
        assert_eq!(Listed(&[0; 0]).to_string(), "[]");
        assert_eq!(Listed(&[1, 2, 3]).to_string(), "[1, 2, 3]");
        let many: Vec<usize> = (0..1000).collect();
        let shown = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 988 more]";
        assert_eq!(Listed(&many).to_string(), shown);
    }
}
