//! Names that are like a wrong one.

/// Those of `known` that may have been meant by `given`: the ones that end with it, then the ones that differ
/// least.
pub(crate) fn nearest(known: impl Iterator<Item = String>, given: &str) -> String {
    const SHOWN: usize = 3;
    let mut names: Vec<String> = known.collect();
    names.sort_by_cached_key(|name| (!name.ends_with(given), strsim::levenshtein(name, given)));
    names.truncate(SHOWN);
    names.join(", ")
}
