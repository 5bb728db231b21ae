//! Whatever is drawn, in time, as a figure that can be read.

use std::time::{Duration, Instant};

use hooked_gpt2::report::figure::{
    AttentionPatterns, Bar, BarList, BarSeries, Bars, Density, GroupedBars, Guide, HeatMap,
    IndexPanels, Lines, Panel, Scatter, Series, XAxis,
};
use hooked_gpt2::report::visible;
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

fn lines(values: ArrayView1<'_, f64>, level: f64, text: &str) {
    let labels = vec![text.to_owned(); values.len()];
    let one = Series { name: text, values, band: Some((values, values)), is_dashed: false };
    let series = [one, Series { is_dashed: true, ..one }];
    for x in [XAxis::Numbers(values), XAxis::Labels(&labels)] {
        let lines = Lines {
            title: text.to_owned(),
            x: (text, x),
            y: text,
            series: &series,
            level: Some((text, level)),
        };
        assert_drawn(|| lines.to_svg());
    }
}

fn scatter(values: ArrayView1<'_, f64>, text: &str) {
    let labels = vec![text.to_owned(); values.len()];
    let reversed = values.slice(ndarray::s![..;-1]);
    for guide in [None, Some(Guide::Diagonal), Some(Guide::LeastSquares)] {
        let scatter = Scatter {
            title: text.to_owned(),
            x: (text, values),
            y: (text, reversed),
            labels: &labels,
            guide,
        };
        assert_drawn(|| scatter.to_svg());
    }
}

fn grouped_bars(values: ArrayView1<'_, f64>, text: &str) {
    let labels = vec![text.to_owned(); values.len()];
    let series = BarSeries { name: text, values, interval: Some((values, values)) };
    let bars = GroupedBars {
        title: text.to_owned(),
        labels: (text, &labels),
        y: text,
        series: &[series, series],
    };
    assert_drawn(|| bars.to_svg());
}

fn attention_patterns(pattern: &Array2<f64>, text: &str) {
    let tokens = vec![text.to_owned(); pattern.nrows()];
    let head = (text.to_owned(), pattern.view());
    let patterns =
        AttentionPatterns { title: text.to_owned(), tokens: &tokens, heads: &[head.clone(), head] };
    assert_drawn(|| patterns.to_svg());
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
        lines(values.view(), 1.5, text);
        scatter(values.view(), text);
        grouped_bars(values.view(), text);
        attention_patterns(&Array2::ones((2, 2)), text);
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
            lines(values.view(), second, "a");
            scatter(values.view(), "a");
            grouped_bars(values.view(), "a");
            attention_patterns(&Array2::from_elem((1, 1), first), "a");
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
        lines(values.view(), 0.0, "label");
        scatter(values.view(), "label");
        grouped_bars(values.view(), "label");
        attention_patterns(&Array2::zeros((len.min(300), len.min(300))), "label");
        for (rows, columns) in
            [(len, 0), (0, len), (len, 1), (1, len), (len.min(300), len.min(300))]
        {
            heat_map(&Array2::zeros((rows, columns)), "label");
        }
    }
    assert_drawn(|| Bars { lists: &[] }.to_svg());
    assert_drawn(|| HeatMap::default().to_svg());
    assert_drawn(|| Lines::default().to_svg());
    assert_drawn(|| Scatter::default().to_svg());
    assert_drawn(|| GroupedBars::default().to_svg());
    assert_drawn(|| AttentionPatterns::default().to_svg());
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
    assert_eq!(colour(of(low.clone(), Some(1.0)).unwrap()), "#B2182B");
    assert_eq!(colour(of(high.clone(), Some(0.1)).unwrap()), "#B2182B");
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

/// The numbers of an attribute of the elements of that name.
fn numbers(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let nodes = document.descendants().filter(|node| node.has_tag_name(element));
    nodes.filter_map(|node| node.attribute(attribute)?.parse().ok()).collect()
}

#[test]
fn a_line_goes_through_its_points_by_x_and_breaks_where_there_is_no_number() {
    let x = array![3.0, 1.0, 2.0, 4.0, 5.0];
    let values = array![30.0, 10.0, f64::NAN, 40.0, 50.0];
    let (low, high) = (&values - 5.0, &values + 5.0);
    let series = Series {
        name: "loss",
        values: values.view(),
        band: Some((low.view(), high.view())),
        is_dashed: false,
    };
    let lines =
        Lines { x: ("factor", XAxis::Numbers(x.view())), series: &[series], ..Lines::default() };
    let svg = lines.to_svg().unwrap();
    assert_eq!(
        words(&svg, "title"),
        [
            "loss, factor 1: 10 (5 to 15)",
            "loss, factor 3: 30 (25 to 35)",
            "loss, factor 4: 40 (35 to 45)",
            "loss, factor 5: 50 (45 to 55)"
        ]
    );
    let (across, down) = (numbers(&svg, "circle", "cx"), numbers(&svg, "circle", "cy"));
    assert!(across.is_sorted() && down.is_sorted_by(|a, b| a >= b), "{across:?} {down:?}");
    // The band of the stretch of three, whose corners are those of both its ends.
    let document = roxmltree::Document::parse(&svg).unwrap();
    let bands: Vec<_> =
        document.descendants().filter(|node| node.has_tag_name("polygon")).collect();
    assert_eq!(bands.len(), 1);
    let corners = bands[0].attribute("points").unwrap().split_whitespace().count();
    assert!((6..=7).contains(&corners), "{corners}");
}

#[test]
fn a_scatter_says_what_its_dots_correlate_by_and_which_line_fits() {
    let x = array![1.0, 2.0, 3.0, 4.0];
    // By NumPy: r = 0.94868, y = 0.6 x + 1.
    let y = array![1.5, 2.5, 2.5, 3.5];
    let labels = ["a0.0", "a0.1", "a0.2", "m0"].map(str::to_owned);
    let scatter = Scatter {
        x: ("exact", x.view()),
        y: ("estimate", y.view()),
        labels: &labels,
        guide: Some(Guide::LeastSquares),
        ..Scatter::default()
    };
    let svg = scatter.to_svg().unwrap();
    let texts = words(&svg, "text");
    for expected in ["y = 0.60 x + 1.00", "r = 0.949, n = 4", "a0.0", "m0"] {
        assert!(texts.iter().any(|text| text == expected), "{expected}: {texts:?}");
    }
    assert_eq!(words(&svg, "title")[1], "a0.1: exact 2, estimate 2.5");
}

#[test]
fn bars_of_a_label_stand_side_by_side_from_zero() {
    let (clean, ablated) = (array![2.0, -1.0], array![4.0, f64::NAN]);
    let (low, high) = (array![3.0, 0.0], array![5.0, 0.0]);
    let bars = GroupedBars {
        labels: ("task", &["one".to_owned(), "two".to_owned()]),
        series: &[
            BarSeries { name: "clean", values: clean.view(), interval: None },
            BarSeries {
                name: "ablated",
                values: ablated.view(),
                interval: Some((low.view(), high.view())),
            },
        ],
        ..GroupedBars::default()
    };
    let svg = bars.to_svg().unwrap();
    assert_eq!(
        words(&svg, "title"),
        ["one, clean: 2", "two, clean: -1", "one, ablated: 4 (3 to 5)"]
    );
    // Behind the sheet itself and the squares of the legend.
    let of = |attribute| numbers(&svg, "rect", attribute)[3..].to_vec();
    let (x, y, width, height) = (of("x"), of("y"), of("width"), of("height"));
    assert!((height[2] / height[0] - 2.0).abs() < 0.05, "{height:?}");
    assert!((height[0] / height[1] - 2.0).abs() < 0.05, "{height:?}");
    assert!((x[0] + width[0] - x[2]).abs() <= 1.0, "{x:?} {width:?}");
    let zero = y[0] + height[0];
    assert!(y[1] == zero && y[2] + height[2] == zero, "{y:?} {height:?}");
}

#[test]
fn a_pattern_is_drawn_up_to_its_diagonal_from_white_to_blue() {
    let pattern = array![[1.0, 9.0, 9.0], [0.25, 0.75, 9.0], [0.0, 0.5, 0.5]];
    let tokens = [" a", "\n", " b"].map(visible);
    let patterns = AttentionPatterns {
        tokens: &tokens,
        heads: &[("5.1".to_owned(), pattern.view())],
        ..AttentionPatterns::default()
    };
    let svg = patterns.to_svg().unwrap();
    assert_eq!(
        words(&svg, "title"),
        [
            "5.1: ·a to ·a: 1",
            "5.1: ⏎ to ·a: 0.25",
            "5.1: ⏎ to ⏎: 0.75",
            "5.1: ·b to ·a: 0",
            "5.1: ·b to ⏎: 0.5",
            "5.1: ·b to ·b: 0.5"
        ]
    );
    let document = roxmltree::Document::parse(&svg).unwrap();
    let cells = document.descendants().filter(|node| node.has_tag_name("rect"));
    // Behind the sheet itself.
    let colours: Vec<_> = cells.skip(1).filter_map(|node| node.attribute("fill")).collect();
    assert_eq!((colours[0], colours[3]), ("#08519C", "#FFFFFF"));
    assert_eq!(colours[4], colours[5]);
}

#[test]
fn values_that_are_not_as_many_as_the_labels_are_refused_by_every_kind() {
    let (two, three) = (array![1.0, 2.0], array![1.0, 2.0, 3.0]);
    let labels = ["a".to_owned(), "b".to_owned()];
    let refused = |drawn: hooked_gpt2::Result<String>, kind: &str| {
        let expected = format!("{kind} needs two vectors of one length, given: ");
        assert!(drawn.unwrap_err().to_string().starts_with(&expected), "{kind}");
    };
    let band = Some((two.view(), three.view()));
    for (values, band) in [(three.view(), None), (two.view(), band)] {
        let series = Series { values, band, ..Series::default() };
        let lines =
            Lines { x: ("", XAxis::Labels(&labels)), series: &[series], ..Lines::default() };
        refused(lines.to_svg(), "Lines");
        let series = BarSeries { values, interval: band, ..BarSeries::default() };
        let bars =
            GroupedBars { labels: ("", &labels), series: &[series], ..GroupedBars::default() };
        refused(bars.to_svg(), "GroupedBars");
    }
    let (x, y) = (("", three.view()), ("", three.view()));
    refused(Scatter { x, labels: &labels, y, ..Scatter::default() }.to_svg(), "Scatter");
    refused(Scatter { x, y: ("", two.view()), ..Scatter::default() }.to_svg(), "Scatter");
    let pattern = Array2::zeros((2, 3));
    let heads = [(String::new(), pattern.view())];
    let patterns = AttentionPatterns { tokens: &labels, heads: &heads, ..Default::default() };
    refused(patterns.to_svg(), "AttentionPatterns");
    let (values, faint) = (Array2::zeros((2, 2)), Array2::from_elem((2, 3), false));
    let map = HeatMap {
        rows: ("", &labels),
        columns: ("", &labels),
        values: values.view(),
        faint: Some(("", faint.view())),
        ..HeatMap::default()
    };
    refused(map.to_svg(), "HeatMap");
}

#[track_caller]
fn assert_no_number_is_a_negative_zero(svg: &str) {
    for text in words(svg, "text") {
        let is_zero = text.starts_with('-') && text.parse::<f64>() == Ok(0.0);
        assert!(!is_zero, "{text}");
    }
}

#[test]
fn no_figure_has_a_negative_zero() {
    let values = array![-0.0, -0.001, 1.0, -1e-9];
    let labels = ["a", "b", "c", "d"].map(str::to_owned);
    let grid = values.view().insert_axis(ndarray::Axis(0));
    let map = HeatMap {
        rows: ("", &labels[..1]),
        columns: ("", &labels),
        values: grid,
        ..HeatMap::default()
    };
    assert_no_number_is_a_negative_zero(&map.to_svg().unwrap());
    let series = Series { values: values.view(), ..Series::default() };
    let x = ("", XAxis::Labels(&labels));
    let lines = Lines { x, series: &[series], ..Lines::default() };
    assert_no_number_is_a_negative_zero(&lines.to_svg().unwrap());
}

#[test]
fn the_colours_that_the_guide_restyles_are_those_of_figures() {
    let guide = include_str!("../../docs/reports.md");
    let style = guide.split("```css").nth(1).unwrap().split("```").next().unwrap();
    let values: Vec<Array1<f64>> = (0..7).map(|_| array![1.0, 2.0]).collect();
    let series: Vec<Series<'_>> =
        values.iter().map(|of| Series { values: of.view(), ..Series::default() }).collect();
    let labels = ["a".to_owned(), "b".to_owned()];
    let x = ("", XAxis::Labels(&labels));
    let lines = Lines { x, series: &series, ..Lines::default() }.to_svg().unwrap();
    let one = [BarSeries { values: values[0].view(), ..BarSeries::default() }];
    let labels = ("", &labels[..]);
    let bars = GroupedBars { labels, series: &one, ..GroupedBars::default() }.to_svg().unwrap();
    let list = BarList {
        title: String::new(),
        bars: vec![Bar {
            label: "a".to_owned(),
            value: 1.0,
            words: String::new(),
            is_marked: false,
        }],
    };
    let list = Bars { lists: &[list] }.to_svg().unwrap();
    let selectors: Vec<&str> =
        style.split('[').skip(1).map(|rest| rest.split(']').next().unwrap()).collect();
    assert!(selectors.len() > 10, "{selectors:?}");
    for selector in selectors {
        assert!([&lines, &bars, &list].iter().any(|svg| svg.contains(selector)), "{selector}");
    }
}

/// Left, top, right and bottom of a text, if its letters are half as wide as they are high.
fn frame(text: roxmltree::Node<'_, '_>) -> [f64; 4] {
    let number = |name| text.attribute(name).unwrap().parse::<f64>().unwrap();
    let (x, y, size) = (number("x"), number("y"), number("font-size"));
    let length = 0.5 * size * text.text().unwrap_or_default().trim().chars().count() as f64;
    let before = match text.attribute("text-anchor").unwrap() {
        "start" => 0.0,
        "middle" => length / 2.0,
        _ => length,
    };
    let above = match text.attribute("dy").unwrap() {
        "0.76em" => 0.0,
        "0.5ex" => size / 2.0,
        _ => size,
    };
    match text.attribute("transform") {
        None => [x - before, y - above, x - before + length, y - above + size],
        // From the bottom to the top.
        Some(turned) if turned.starts_with("rotate(270") => {
            [x - above, y + before - length, x - above + size, y + before]
        }
        Some(other) => panic!("{other}"),
    }
}

#[track_caller]
fn assert_legible(svg: hooked_gpt2::Result<String>) {
    let svg = svg.unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let number = |name| document.root_element().attribute(name).unwrap().parse::<f64>().unwrap();
    let (width, height) = (number("width"), number("height"));
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    let texts: Vec<_> =
        texts.map(|text| (text.text().unwrap_or_default().trim(), frame(text))).collect();
    for (place, &(text, [left, top, right, bottom])) in texts.iter().enumerate() {
        let is_inside = left >= 0.0 && top >= 0.0 && right <= width && bottom <= height;
        assert!(is_inside, "{text:?} leaves the sheet: {left} {top} {right} {bottom}");
        for &(other, [l, t, r, b]) in &texts[..place] {
            let covers = left + 1.0 < r && l + 1.0 < right && top + 1.0 < b && t + 1.0 < bottom;
            assert!(!covers, "{text:?} covers {other:?}");
        }
    }
}

#[test]
fn no_text_leaves_its_sheet_or_covers_another() {
    let short = [
        "a",
        "layer",
        "a name of some words",
        "one of so many words that it has no room at all, on \
        whichever sheet it is to be drawn, and be it one for a poster on the wall of a conference hall",
    ];
    for text in short {
        for len in [1, 2, 5, 15, 60] {
            let labels: Vec<String> = (0..len).map(|at| format!("{at} {text}")).collect();
            let title = format!("title: {text}");
            let values = Array1::from_iter((0..len).map(|at| (at as f64).sin() - 0.01));
            let (values, other) = (values.view(), values.mapv(|value| value * value - 0.5));
            let band = Some((values, other.view()));

            for rows in [1, 3, 20] {
                let grid = values.broadcast((rows, len)).unwrap();
                let faint = Array2::from_elem((rows, len), true);
                let row_labels: Vec<String> = (0..rows).map(|at| format!("{at} {text}")).collect();
                let map = HeatMap {
                    title: title.clone(),
                    quantity: text.to_owned(),
                    rows: (text, &row_labels),
                    columns: (text, &labels),
                    values: grid,
                    faint: Some((text, faint.view())),
                    ..HeatMap::default()
                };
                assert_legible(map.to_svg());
            }
            let one = Series { name: text, values, band, is_dashed: false };
            let series = [one; 9];
            for x in [XAxis::Numbers(other.view()), XAxis::Labels(&labels)] {
                let title = title.clone();
                let level = Some((text, 0.3));
                assert_legible(
                    Lines { title, x: (text, x), y: text, series: &series, level }.to_svg(),
                );
            }
            let scatter = Scatter {
                title: title.clone(),
                x: (text, values),
                y: (text, other.view()),
                labels: &labels,
                guide: Some(Guide::LeastSquares),
            };
            assert_legible(scatter.to_svg());
            let density = Density {
                title: title.clone(),
                clean: (text, values),
                other: (text, other.view()),
                marked: Some((0, text)),
            };
            assert_legible(density.to_svg());
            let bars = GroupedBars {
                title: title.clone(),
                labels: (text, &labels),
                y: text,
                series: &[BarSeries { name: text, values, interval: band }; 3],
            };
            assert_legible(bars.to_svg());
            let panel = Panel { quantity: text, values, level: Some(0.2) };
            let panels = IndexPanels {
                title: title.clone(),
                index: (text, &labels),
                dots: text,
                rings: (&[0], text),
                level: text,
                panels: &[panel.clone(), panel],
            };
            assert_legible(panels.to_svg());
            let pattern = values.broadcast((len, len)).unwrap();
            let heads: Vec<_> = (0..7).map(|head| (format!("{head} {text}"), pattern)).collect();
            let patterns =
                AttentionPatterns { title: title.clone(), tokens: &labels, heads: &heads };
            assert_legible(patterns.to_svg());
            let bars = labels.iter().zip(values).map(|(label, &value)| Bar {
                label: label.clone(),
                value,
                words: text.to_owned(),
                is_marked: false,
            });
            let list = BarList { title, bars: bars.collect() };
            assert_legible(Bars { lists: &[list.clone(), list] }.to_svg());
        }
    }
}
