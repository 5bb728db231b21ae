//! Parts of a page that answer where a reader points at a token.

use maud::{Markup, PreEscaped, html};

use crate::report::document::{AttentionView, PredictionsView};

/// Tokens, of which each shows what the chosen head attends to from it.
pub(super) fn attention(caption: &str, view: &AttentionView) -> Markup {
    html! {
        figure.attention {
            figcaption { (caption) }
            div.heads role="radiogroup" aria-label="head" {
                @for (number, (label, _)) in view.heads.iter().enumerate() {
                    button type="button" role="radio" aria-checked=(if number == 0 { "true" } else { "false" }) { (label) }
                }
            }
            p.tokens {
                @for (number, token) in view.tokens.iter().enumerate() {
                    span.token tabindex="0" data-position=(number) { (token) }
                }
            }
            p.told aria-live="polite" { "Point at a token, or move to it with Tab: the tokens that it attends to are shaded." }
            script type="application/json" { (PreEscaped(patterns(view))) }
        }
    }
}

/// The patterns as JSON, to three digits.
fn patterns(view: &AttentionView) -> String {
    let mut text = String::from("[");
    for (number, (_, rows)) in view.heads.iter().enumerate() {
        text += if number > 0 { ",[" } else { "[" };
        for (query, row) in rows.iter().enumerate() {
            // What comes later is never seen.
            let seen = row.iter().take(query + 1);
            let seen = seen.map(|weight| match weight.is_finite() {
                true => ((weight * 1e3).round() / 1e3).to_string(),
                false => "null".to_owned(),
            });
            let comma = if query > 0 { "," } else { "" };
            text += &format!("{comma}[{}]", seen.collect::<Vec<_>>().join(","));
        }
        text += "]";
    }
    text + "]"
}

/// A row for each layer and a column for each token: the likeliest next word, darker the surer, and more under the pointer.
pub(super) fn predictions(caption: &str, view: &PredictionsView) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label=(caption) {
            table.predictions {
                caption { (caption) }
                thead { tr { td {} @for token in &view.tokens { th scope="col" { (token) } } } }
                tbody {
                    @for (label, cells) in &view.rows {
                        tr {
                            th scope="row" { (label) }
                            @for words in cells { (prediction(words)) }
                        }
                    }
                }
            }
        }
    }
}

fn prediction(words: &[(String, f64)]) -> Markup {
    let Some((word, probability)) = words.first() else { return html! { td {} } };
    let all =
        words.iter().map(|(word, probability)| format!("{word}  {:.1} %", 100.0 * probability));
    let all = all.collect::<Vec<_>>().join("\n");
    html! {
        td tabindex="0" title=(all) style=(format!("--share:{:.0}%", 100.0 * probability.clamp(0.0, 1.0))) { (word) }
    }
}
