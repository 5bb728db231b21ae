//! A report as one page, which needs no network.

mod tokens;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::{Claim, Fact, Part, Report};
use super::{Align, Cell, DataTable};
use crate::experiment::Verdict;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

impl Report {
    /// One self-contained page: pictures inline, tables that sort at their headings, attention and predictions that
    /// answer to the pointer and to the keyboard, light or dark as the reader's system is. It loads nothing.
    pub fn to_html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    // Whatever a label says, nothing is fetched.
                    meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        h1 { (self.title) }
                        p.question { (self.question) }
                        (facts(&self.facts))
                        (parts(&self.parts))
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }
}

fn facts(facts: &[Fact]) -> Markup {
    html! {
        @if !facts.is_empty() {
            dl.facts { @for Fact { name, value } in facts { div { dt { (name) } dd { (value) } } } }
        }
    }
}

/// All parts; claims that follow one another are one list.
fn parts(parts: &[Part]) -> Markup {
    let are_claims = |a: &Part, b: &Part| matches!((a, b), (Part::Claim(_), Part::Claim(_)));
    html! {
        @for group in parts.chunk_by(are_claims) {
            @if let [Part::Claim(_), ..] = group {
                ul.claims { @for part in group { (self::part(part)) } }
            } @else {
                @for part in group { (self::part(part)) }
            }
        }
    }
}

fn part(part: &Part) -> Markup {
    match part {
        Part::Heading { text } => html! { h2 { (text) } },
        Part::Text { text } => html! { p { (text) } },
        Part::Table { caption, table } => self::table(caption, table),
        Part::Figure { caption, svg, .. } => html! {
            figure { div.scroll tabindex="0" role="group" aria-label=(caption) { (PreEscaped(inline(svg))) } figcaption { (caption) } }
        },
        Part::Attention { caption, view } => tokens::attention(caption, view),
        Part::Predictions { caption, view } => tokens::predictions(caption, view),
        Part::Claim(Claim { claim, verdict, because }) => html! {
            li {
                span.verdict .(class(*verdict)) { (verdict.to_string()) }
                " " strong { (claim) } p { (because) }
            }
        },
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::DoesNotHold => "does-not-hold",
        Verdict::CannotBeTold => "cannot-be-told",
    }
}

/// A table whose headings sort it: each cell carries its number with all digits.
fn table(caption: &str, table: &DataTable) -> Markup {
    let side = |column: usize| match table.columns()[column].align() {
        Align::Left => "words",
        Align::Right => "number",
    };
    html! {
        div.scroll tabindex="0" role="group" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr {
                    @for (number, column) in table.columns().iter().enumerate() {
                        th.(side(number)) scope="col" { button type="button" { (column.name()) } }
                    }
                } }
                tbody {
                    @for row in table.rows() {
                        tr { @for (number, cell) in row.iter().enumerate() {
                            td.(side(number)) data-value=[value(cell)] title=[value(cell)] {
                                (table.shown(row, number))
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn value(cell: &Cell) -> Option<String> {
    matches!(cell, Cell::Number(_)).then(|| cell.to_string())
}

/// The picture without what only a file of its own begins with.
fn inline(svg: &str) -> &str {
    svg.find("<svg").map_or("", |start| &svg[start..])
}

#[cfg(test)]
mod tests {
    use super::super::{AttentionView, Column, PredictionsView};
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("r", "A <title>", "Is 1 < 2?");
        report.fact("prompt", "</script><b>");
        let mut table = DataTable::new("t", [Column::text("token"), Column::number("loss", 1)]);
        table.row(["<|endoftext|>".into(), 1.25.into()]).unwrap();
        report.table("A table", table);
        report.figure("f", "A figure", "<?xml version=\"1.0\"?><svg xmlns=\"x\"><g/></svg>");
        let view = AttentionView {
            tokens: vec!["</script>".to_owned(), "b".to_owned()],
            heads: vec![("0.1".to_owned(), vec![vec![1.0, 0.0], vec![0.25, 0.75]])],
        };
        report.attention("Attention", view);
        let words = vec![("<x>".to_owned(), 0.5)];
        let view = PredictionsView {
            tokens: vec!["a".to_owned()],
            rows: vec![("layer 0".to_owned(), vec![words])],
        };
        report.predictions("Predictions", view);
        report.claim("It is so", Verdict::Holds, "1 & 2");
        report.claim("It is not", Verdict::DoesNotHold, "3");
        report
    }

    #[test]
    fn whatever_a_label_holds_is_text_and_no_markup() {
        let page = report().to_html();
        assert!(page.contains("A &lt;title&gt;"));
        assert!(page.contains("&lt;/script&gt;&lt;b&gt;"));
        assert!(page.contains("&lt;|endoftext|&gt;"));
        // The end of the script that holds the patterns, and of the page's own.
        assert_eq!(page.matches("</script>").count(), 2, "{page}");
        assert!(!page.contains("<x>") && !page.contains("<?xml"));
    }

    #[test]
    fn a_page_names_no_address_to_load_from() {
        let page = report().to_html();
        for forbidden in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn cells_carry_all_digits_for_sorting() {
        let page = report().to_html();
        assert!(page.contains(r#"data-value="1.25""#) && page.contains(">1.2<"), "{page}");
    }

    #[test]
    fn claims_in_a_row_are_one_list() {
        let page = report().to_html();
        assert_eq!(page.matches("<ul class=\"claims\">").count(), 1);
        assert_eq!(page.matches("<li>").count(), 2);
    }
}
