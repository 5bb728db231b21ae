//! What marks say under the pointer: browsers show the `<title>` of a shape.

use std::fmt::Write;

/// Of more marks than this, none says anything: the file would be mostly titles.
const MOST: usize = 5000;
/// The letters of a label that a title repeats.
const LETTERS: usize = 120;
/// Half the side of the square in which a dot answers.
const REACH: i32 = 6;

/// The pixels from one corner to the opposite one, on the sheet.
pub(super) type Corners = [(i32, i32); 2];

/// Titles over the marks of a figure.
#[derive(Debug, Default)]
pub(super) struct Hovers {
    titles: Vec<(Corners, String)>,
    marks: usize,
}

impl Hovers {
    /// Lays a title over a mark; its corners lie so far from `origin`, such as an area's `get_base_pixel`.
    pub fn add(&mut self, origin: (i32, i32), corners: Corners, title: impl FnOnce() -> String) {
        self.marks += 1;
        if self.marks > MOST {
            self.titles.clear();
            return;
        }
        let corners = corners.map(|(x, y)| (origin.0 + x, origin.1 + y));
        self.titles.push((corners, title()));
    }

    /// Lays a title over a dot.
    pub fn add_dot(&mut self, (x, y): (i32, i32), title: impl FnOnce() -> String) {
        self.add((x, y), [(-REACH, -REACH), (REACH, REACH)], title);
    }

    /// The transparent shapes that carry the titles.
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        if self.titles.is_empty() {
            return svg;
        }
        // Paths, and no rectangles: what styles the rectangles of the figure is not about these.
        svg.push_str("<g fill-opacity=\"0\">\n");
        for (corners, title) in &self.titles {
            let [(left, top), (right, bottom)] = corners;
            let (width, height) = (right - left, bottom - top);
            let title = escaped(title);
            let _ = writeln!(
                svg,
                "<path d=\"M{left} {top}h{width}v{height}h-{width}z\"><title>{title}</title></path>"
            );
        }
        svg.push_str("</g>\n");
        svg
    }
}

/// A number with all its digits.
pub(super) fn exact(value: f64) -> String {
    if !value.is_finite() {
        let words = [(f64::INFINITY, "∞"), (f64::NEG_INFINITY, "-∞")];
        let word = words.into_iter().find(|&(of, _)| of == value);
        return word.map_or("not a number", |(_, word)| word).to_owned();
    }
    // No negative zero.
    let text = format!("{:?}", value + 0.0);
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A label, or its beginning where it is long.
pub(super) fn brief(label: &str) -> String {
    match label.char_indices().nth(LETTERS) {
        Some((end, _)) => label[..end].to_owned() + "…",
        None => label.to_owned(),
    }
}

/// A text inside XML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
