//! Whatever is drawn, in time, as a figure that can be read.

use std::time::{Duration, Instant};

use hooked_gpt2::report::figure::{Bar, BarList, Bars, Density, HeatMap, IndexPanels, Panel};
use ndarray::{Array1, Array2, ArrayView1, array};

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
    let faint = values.mapv(|value| value > 0.5);
    let map = HeatMap {
        title: text.to_owned(),
        quantity: text.to_owned(),
        rows: (text, &labels(rows)),
        columns: (text, &labels(columns)),
        values: values.view(),
        faint: Some((text, faint.view())),
        bound: None,
    };
    assert_drawn(|| map.to_svg());
    assert_drawn(|| HeatMap { bound: Some(0.5), ..map.clone() }.to_svg());
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
        ..HeatMap::default()
    };
    let error = map.to_svg().unwrap_err().to_string();
    assert_eq!(error, "cannot draw a figure: 100000000 marks, allowed: up to 1000000");
}

/// What the elements of that name say.
fn words(svg: &str, element: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let nodes = document.descendants().filter(|node| node.has_tag_name(element));
    nodes.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

fn assert_figure_error(drawn: hooked_gpt2::Result<String>, expected: &str) {
    assert_eq!(drawn.unwrap_err().to_string(), format!("cannot draw a figure: {expected}"));
}

#[test]
fn a_cell_says_its_value_in_short_and_under_the_pointer_in_full() {
    let labels = ["<a>".to_owned(), "b".to_owned()];
    let values = array![[0.123456789, -0.001], [-0.0, f64::NAN]];
    let faint = array![[false, true], [false, false]];
    let map = HeatMap {
        title: "title".to_owned(),
        rows: ("layer", &labels),
        columns: ("head", &labels),
        values: values.view(),
        faint: Some(("noise", faint.view())),
        ..HeatMap::default()
    };
    let svg = map.to_svg().unwrap();
    assert_eq!(
        words(&svg, "title"),
        [
            "layer <a>, head <a>: 0.123456789",
            "layer <a>, head b: -0.001 (noise)",
            "layer b, head <a>: 0",
            "layer b, head b: not a number"
        ]
    );
    let texts = words(&svg, "text");
    let numbers: Vec<&str> = texts.iter().map(|text| &**text).filter(|t| t.len() == 4).collect();
    assert_eq!(numbers[..3], ["0.12", "0.00", "0.00"]);
    // One in the legend, and one in the grid.
    assert_eq!(svg.matches("<circle").count(), 2);
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert_eq!(document.root_element().attribute("aria-label"), Some("title"));
}

#[test]
fn heat_maps_of_one_bound_have_one_colour_for_one_value() {
    let of = |values: Array2<f64>, bound| {
        let labels = [String::new(), String::new()];
        let map = HeatMap {
            rows: ("", &labels[..1]),
            columns: ("", &labels),
            values: values.view(),
            bound,
            ..HeatMap::default()
        };
        map.to_svg()
    };
    let colour = |svg: String| {
        let document = roxmltree::Document::parse(&svg).unwrap();
        let mut cells = document.descendants().filter(|node| node.has_tag_name("rect"));
        // Behind the sheet itself.
        cells.nth(1).unwrap().attribute("fill").unwrap().to_owned()
    };
    let (low, high) = (array![[1.0, 2.0]], array![[1.0, 9.0]]);
    assert_eq!(
        colour(of(low.clone(), Some(4.0)).unwrap()),
        colour(of(high.clone(), Some(4.0)).unwrap())
    );
    assert_ne!(colour(of(low.clone(), None).unwrap()), colour(of(high, None).unwrap()));
    let error = "a bound of -1, allowed: above 0 and up to 1e300";
    assert_figure_error(of(low.clone(), Some(-1.0)), error);
    assert_figure_error(of(low, Some(f64::NAN)), &error.replace("-1", "NaN"));
}

#[test]
fn of_more_marks_than_a_file_should_carry_titles_for_none_has_one() {
    let labels = vec![String::new(); 100];
    for (rows, titles) in [(50, 5000), (51, 0)] {
        let values = Array2::zeros((rows, 100));
        let map = HeatMap {
            rows: ("", &labels[..rows]),
            columns: ("", &labels),
            values: values.view(),
            ..HeatMap::default()
        };
        assert_eq!(words(&map.to_svg().unwrap(), "title").len(), titles);
    }
}
