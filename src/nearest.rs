//! Names that are like a wrong one.

/// Those of `known` that may have been meant by `given`: the ones that end with it, then the ones that differ
/// least.
pub(crate) fn nearest(known: impl Iterator<Item = String>, given: &str) -> String {
    const SHOWN: usize = 3;
    // No name is as long, and the time that a comparison takes grows with it.
    const COMPARED: usize = 200;
    let given: &str = &given.chars().take(COMPARED).collect::<String>();
    let mut names: Vec<String> = known.collect();
    names.sort_by_cached_key(|name| (!name.ends_with(given), strsim::levenshtein(name, given)));
    names.truncate(SHOWN);
    names.join(", ")
}
