//! Whatever is drawn, in time, as a figure that can be read.

use std::time::{Duration, Instant};

use hooked_gpt2::report::figure::{Bar, BarList, Bars, Density, HeatMap, IndexPanels, Panel};
use ndarray::{Array1, Array2, ArrayView1};

/// What neither figures nor XML like in a text.
const TEXTS: [&str; 8] = [
    "",
    "a",
    "\0\u{1}\u{1b}[2J\u{7f}\u{fffe}\u{ffff}",
    "]]> <!-- & \" ' <script>",
    "\u{202e}\u{200b}\u{feff}\u{e000}\u{1f468}\u{200d}\u{1f469}",
    "two\r\nlines\tand a tab",
    "\u{301}\u{301}\u{301}",
    r"\ud800\udfff",
];

const VALUES: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    1e308,
    -1e308,
    f64::MAX,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    5e-324,
    -5e-324,
    1e-300,
];

#[track_caller]
fn assert_drawn(draw: impl FnOnce() -> hooked_gpt2::Result<String>) {
    let begun = Instant::now();
    let svg = draw().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "svg");
    for number in svg.split(['"', ' ', ',']).filter(|part| part.contains("NaN") || *part == "inf") {
        assert!(TEXTS.iter().any(|text| text.contains(number)), "{number}");
    }
}

fn heat_map(values: &Array2<f64>, text: &str) {
    let labels = |len: usize| vec![text.to_owned(); len];
    let (rows, columns) = values.dim();
    let map = HeatMap {
        title: text.to_owned(),
        quantity: text.to_owned(),
        rows: (text, &labels(rows)),
        columns: (text, &labels(columns)),
        values: values.view(),
    };
    assert_drawn(|| map.to_svg());
}

fn panels(values: ArrayView1<'_, f64>, level: f64, text: &str) {
    let labels = vec![text.to_owned(); values.len()];
    let panel = Panel { quantity: text, values, level: Some(level) };
    let panels = IndexPanels {
        title: text.to_owned(),
        index: (text, &labels),
        dots: text,
        rings: (&[0, usize::MAX], text),
        level: text,
        panels: &[panel.clone(), panel],
    };
    assert_drawn(|| panels.to_svg());
}

fn density(values: ArrayView1<'_, f64>, text: &str) {
    let density = Density {
        title: text.to_owned(),
        clean: (text, values),
        other: (text, values),
        marked: Some((0, text)),
    };
    assert_drawn(|| density.to_svg());
}

fn bars(values: ArrayView1<'_, f64>, text: &str) {
    let bar = |&value: &f64| Bar {
        label: text.to_owned(),
        value,
        words: text.to_owned(),
        is_marked: true,
    };
    let list = BarList { title: text.to_owned(), bars: values.iter().map(bar).collect() };
    assert_drawn(|| Bars { lists: &[list.clone(), list] }.to_svg());
}

#[test]
fn any_text_stands_in_valid_xml() {
    let values = Array1::from_vec(vec![1.0, 2.0]);
    let long = "wide ".repeat(200_000);
    let marks = "e\u{301}".repeat(200_000);
    for text in TEXTS.into_iter().chain([&*long, &*marks]) {
        heat_map(&Array2::ones((2, 3)), text);
        panels(values.view(), 1.5, text);
        density(values.view(), text);
        bars(values.view(), text);
    }
}

#[test]
fn any_values_are_drawn_in_time() {
    for first in VALUES {
        for second in VALUES {
            let values = Array1::from_vec(vec![first, second]);
            heat_map(&Array2::from_elem((1, 2), first), "a");
            panels(values.view(), second, "a");
            density(values.view(), "a");
            bars(values.view(), "a");
        }
    }
}

#[test]
fn no_value_and_one_value_are_drawn_and_so_are_ten_thousand() {
    for len in [0, 1, 10_000] {
        let values = Array1::from_iter((0..len).map(|at| (at as f64).sin()));
        panels(values.view(), 0.0, "label");
        density(values.view(), "label");
        bars(values.view(), "label");
        for (rows, columns) in
            [(len, 0), (0, len), (len, 1), (1, len), (len.min(300), len.min(300))]
        {
            heat_map(&Array2::zeros((rows, columns)), "label");
        }
    }
    assert_drawn(|| Bars { lists: &[] }.to_svg());
}

#[test]
fn more_marks_than_a_figure_can_show_are_refused() {
    let labels = vec![String::new(); 10_000];
    let value = ndarray::aview1(&[0.0]);
    let map = HeatMap {
        title: String::new(),
        quantity: String::new(),
        rows: ("", &labels),
        columns: ("", &labels),
        values: value.broadcast((10_000, 10_000)).unwrap(),
    };
    let error = map.to_svg().unwrap_err().to_string();
    assert_eq!(error, "cannot draw a figure: 100000000 marks, allowed: up to 1000000");
}
