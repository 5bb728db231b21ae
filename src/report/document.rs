//! Reports that can be handed on.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::{DataTable, write_json};
use crate::experiment::Verdict;

/// The version of the JSON: it grows when a key goes or comes to mean something else.
const SCHEMA_VERSION: u32 = 1;
const WIDTH: usize = 80;

/// A report of an experiment: what was asked, what was run, and what came of it.
///
/// One value, written in several ways: its `Display` for a terminal of 80 columns, [`to_html`](Self::to_html) as one page
/// without network, [`files`](Self::files) as that page, a JSON document, and each table and figure by itself. From its
/// JSON it comes back, without the pictures.
///
/// ```
/// use hooked_gpt2::report::{Column, DataTable, Report};
///
/// let mut table = DataTable::new("by_layer", [Column::integer("layer"), Column::number("loss", 2)]);
/// table.row([0.into(), 3.25.into()])?.row([1.into(), 2.5.into()])?;
/// let mut report = Report::new("losses", "Losses", "Which layer matters?");
/// report.fact("model", "bundled").fact("BOS", "omit");
/// report.table("Loss without one layer", table);
/// report.text("Layer 0 matters most.");
/// println!("{report}");
/// # assert_eq!(report.files()?.len(), if cfg!(feature = "html") { 3 } else { 2 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of its JSON.
    pub schema_version: u32,
    /// What its files are called.
    pub name: String,
    /// Above it.
    pub title: String,
    /// What is asked.
    pub question: String,
    /// What was run: the model, the prompts, the options.
    pub facts: Vec<Fact>,
    /// What came of it, in the order in which it is read.
    pub parts: Vec<Part>,
}

/// Something that was run, or with which it was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fact {
    /// What it is, such as `model`.
    pub name: String,
    /// What it was.
    pub value: String,
}

/// A part of a [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// A heading.
    Heading {
        /// The words.
        text: String,
    },
    /// A paragraph.
    Text {
        /// The words.
        text: String,
    },
    /// A table.
    Table {
        /// What it shows.
        caption: String,
        /// The numbers.
        table: DataTable,
    },
    /// A picture. It is not part of the JSON.
    Figure {
        /// What its file is called.
        name: String,
        /// What it shows.
        caption: String,
        /// The picture.
        #[serde(skip)]
        svg: String,
    },
    /// Attention patterns, to be looked at token by token on the page. They are not part of the JSON.
    Attention {
        /// What it shows.
        caption: String,
        /// The tokens and the patterns.
        #[serde(skip)]
        view: AttentionView,
    },
    /// What the model expects behind each token, layer by layer, to be looked at on the page. Not part of the JSON.
    Predictions {
        /// What it shows.
        caption: String,
        /// The tokens and what is expected.
        #[serde(skip)]
        view: PredictionsView,
    },
    /// A claim, and what the numbers say of it.
    Claim(Claim),
}

/// A claim, and what the numbers say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Claim {
    /// The claim.
    pub claim: String,
    /// Whether it holds here.
    pub verdict: Verdict,
    /// The numbers that say so.
    pub because: String,
}

/// Attention patterns of some heads over the tokens of one text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AttentionView {
    /// The tokens, as they are to be shown.
    pub tokens: Vec<String>,
    /// A label for each head, and its pattern: `[query_pos][key_pos]`, row by row.
    pub heads: Vec<(String, Vec<Vec<f64>>)>,
}

/// What the model expects behind each token of one text, layer by layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PredictionsView {
    /// The tokens, as they are to be shown.
    pub tokens: Vec<String>,
    /// A label for each row, from the top, and behind each token the likeliest words with their probabilities.
    pub rows: Vec<(String, Vec<LikelyWords>)>,
}

/// The likeliest words behind a token, as they are to be shown, with their probabilities.
pub type LikelyWords = Vec<(String, f64)>;

impl Report {
    /// A report without facts and parts.
    pub fn new(
        name: impl Into<String>,
        title: impl Into<String>,
        question: impl Into<String>,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            name: name.into(),
            title: title.into(),
            question: question.into(),
            facts: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Adds what was run, or with what.
    pub fn fact(&mut self, name: impl Into<String>, value: impl ToString) -> &mut Self {
        self.facts.push(Fact { name: name.into(), value: value.to_string() });
        self
    }

    /// Adds a heading.
    pub fn heading(&mut self, text: impl Into<String>) -> &mut Self {
        self.add(Part::Heading { text: text.into() })
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.add(Part::Text { text: text.into() })
    }

    /// Adds a table.
    pub fn table(&mut self, caption: impl Into<String>, table: DataTable) -> &mut Self {
        self.add(Part::Table { caption: caption.into(), table })
    }

    /// Adds a picture, an SVG text.
    pub fn figure(
        &mut self,
        name: impl Into<String>,
        caption: impl Into<String>,
        svg: impl Into<String>,
    ) -> &mut Self {
        self.add(Part::Figure { name: name.into(), caption: caption.into(), svg: svg.into() })
    }

    /// Adds attention patterns.
    pub fn attention(&mut self, caption: impl Into<String>, view: AttentionView) -> &mut Self {
        self.add(Part::Attention { caption: caption.into(), view })
    }

    /// Adds what the model expects, layer by layer.
    pub fn predictions(&mut self, caption: impl Into<String>, view: PredictionsView) -> &mut Self {
        self.add(Part::Predictions { caption: caption.into(), view })
    }

    /// Adds a claim, and what the numbers say of it.
    pub fn claim(
        &mut self,
        claim: impl Into<String>,
        verdict: Verdict,
        because: impl Into<String>,
    ) -> &mut Self {
        self.add(Part::Claim(Claim { claim: claim.into(), verdict, because: because.into() }))
    }

    /// Its tables, in order.
    pub fn tables(&self) -> impl Iterator<Item = &DataTable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Table { table, .. } => Some(table),
            _ => None,
        })
    }

    /// Everything as files for an [`OutputDir`](super::OutputDir): `NAME.html` with the feature `html`, `NAME.json`, and
    /// each table and figure under its own name as `.csv` and `.svg`.
    ///
    /// # Errors
    /// None but those of memory.
    pub fn files(&self) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        #[cfg(feature = "html")]
        files.push((format!("{}.html", self.name), self.to_html().into_bytes()));
        let mut json = Vec::new();
        write_json(&mut json, self)?;
        files.push((format!("{}.json", self.name), json));
        for part in &self.parts {
            match part {
                Part::Table { table, .. } => {
                    let mut csv = Vec::new();
                    table.write_csv(&mut csv)?;
                    files.push((format!("{}.csv", table.name()), csv));
                }
                Part::Figure { name, svg, .. } => {
                    files.push((format!("{name}.svg"), svg.clone().into_bytes()));
                }
                _ => {}
            }
        }
        Ok(files)
    }

    fn add(&mut self, part: Part) -> &mut Self {
        self.parts.push(part);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_wrapped(f, "", &self.title)?;
        write_wrapped(f, "", &self.question)?;
        writeln!(f)?;
        for Fact { name, value } in &self.facts {
            write_wrapped(f, &format!("{name}: "), value)?;
        }
        for part in &self.parts {
            match part {
                Part::Heading { text } => {
                    writeln!(f)?;
                    write_wrapped(f, "", &text.to_uppercase())?;
                }
                Part::Text { text } => {
                    writeln!(f)?;
                    write_wrapped(f, "", text)?;
                }
                Part::Table { caption, table } => {
                    writeln!(f)?;
                    write_wrapped(f, "", caption)?;
                    writeln!(f)?;
                    write!(f, "{table}")?;
                }
                Part::Claim(Claim { claim, verdict, because }) => {
                    writeln!(f)?;
                    write_wrapped(f, "- ", &format!("{claim}: {verdict}"))?;
                    write_wrapped(f, "  ", because)?;
                }
                // A terminal shows no pictures: it says where they are.
                Part::Figure { name, caption, .. } => {
                    writeln!(f)?;
                    write_wrapped(f, "", &format!("{caption}: {name}.svg"))?;
                }
                Part::Attention { caption, .. } | Part::Predictions { caption, .. } => {
                    writeln!(f)?;
                    write_wrapped(f, "", &format!("{caption}: {}.html", self.name))?;
                }
            }
        }
        Ok(())
    }
}

/// Writes a text behind `first`, its further lines below its own beginning.
fn write_wrapped(f: &mut fmt::Formatter<'_>, first: &str, text: &str) -> fmt::Result {
    let blanks = " ".repeat(first.len());
    let options = textwrap::Options::new(WIDTH).initial_indent(first).subsequent_indent(&blanks);
    writeln!(f, "{}", textwrap::fill(text, options))
}
