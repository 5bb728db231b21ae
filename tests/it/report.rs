//! The writers, on plain data.

use hooked_gpt2::report::{Align, Table, write_csv, write_csv_grid, write_json};
use ndarray::array;

fn csv(headings: &[&str], rows: &[&[&str]]) -> std::io::Result<String> {
    let mut out = Vec::new();
    write_csv(&mut out, headings.iter().copied(), rows.iter().map(|row| row.iter()))?;
    Ok(String::from_utf8(out).unwrap())
}

/// As RFC 4180 has it.
#[test]
fn csv_quotes_commas_quotes_and_line_breaks_and_nothing_else() {
    let rows: [&[&str]; 4] =
        [&[" curious", "0.5"], &[",", "1"], &["\"he said\"", "2"], &["\n", "3"]];
    let expected = "token,loss\n curious,0.5\n\",\",1\n\"\"\"he said\"\"\",2\n\"\n\",3\n";
    assert_eq!(csv(&["token", "loss"], &rows).unwrap(), expected);
}

#[test]
fn a_csv_row_of_another_length_than_the_headings_is_refused() {
    let error = csv(&["token", "loss"], &[&["a", "1"], &["b"]]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn a_csv_grid_has_a_line_for_each_value_with_all_its_digits() {
    let layers = ["0", "1"].map(str::to_owned);
    let words = ["\"He\"", "was", "a, b"].map(str::to_owned);
    let values = array![[0.1 + 0.2, -1.0, f64::NAN], [1e-300, 5e22, f64::INFINITY]];
    let axes: [(&str, &[String]); 2] = [("layer", &layers), ("position", &words)];
    let mut out = Vec::new();
    write_csv_grid(&mut out, &axes, "change", values.view().into_dyn()).unwrap();
    let lines = [
        "layer,position,change",
        "0,\"\"\"He\"\"\",0.30000000000000004",
        "0,was,-1",
        "0,\"a, b\",NaN",
        &format!("1,\"\"\"He\"\"\",{}", 1e-300),
        "1,was,50000000000000000000000",
        "1,\"a, b\",inf",
    ];
    assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n") + "\n");

    let transposed: [(&str, &[String]); 2] = [("position", &words), ("layer", &layers)];
    let error = write_csv_grid(Vec::new(), &transposed, "change", values.view().into_dyn());
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn json_has_null_for_what_is_not_a_number_and_ends_the_line() {
    let mut out = Vec::new();
    write_json(&mut out, &serde_json::json!({ "r": f64::NAN, "loss": 0.1 })).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "{\n  \"loss\": 0.1,\n  \"r\": null\n}\n");
}

#[test]
fn a_table_is_aligned_whatever_its_cells_hold() {
    let mut table = Table::new([("n", Align::Right), ("token", Align::Left), ("p", Align::Right)]);
    table.row(["1", "日本", "0.5"]);
    table.row(["22", "a\nb", "10", "a note"]);
    table.row(["3"]);
    let expected = [" n  token    p", " 1  日本   0.5", "22  a\\nb    10  a note", " 3", ""];
    assert_eq!(table.to_string(), expected.join("\n"));
    let indented = table.indented(2).to_string();
    assert!(indented.lines().zip(&expected).all(|(line, bare)| line == format!("  {bare}")));
    assert_eq!(Table::new([("alone", Align::Left)]).to_string(), "alone\n");
}

#[cfg(feature = "plot")]
mod figures {
    use hooked_gpt2::Result;
    use hooked_gpt2::error::{AnalysisError, Error};
    use hooked_gpt2::report::figure::{Bar, BarList, Bars, Density, HeatMap, IndexPanels, Panel};
    use ndarray::{Array1, Array2};

    const LONG: &str = "a text that is far too long for where it stands, and then goes on, and on, \
                        and on, and on, and on, and on, and on, and on, and on, and on, and on, and on";

    /// Values of all kinds, in this order, over and over.
    const WILD: [f64; 9] =
        [1.0, f64::NAN, -1e300, 1e-300, f64::INFINITY, 0.0, -0.0, f64::MAX, f64::NEG_INFINITY];

    fn labels(count: usize) -> Vec<String> {
        (0..count).map(|entry| format!("{entry} {LONG}")).collect()
    }

    fn heat_map(rows: usize, columns: usize, value: impl Fn(usize) -> f64) -> Result<String> {
        let values =
            Array2::from_shape_fn((rows, columns), |(row, column)| value(row * columns + column));
        let (row_labels, column_labels) = (labels(rows), labels(columns));
        let map = HeatMap {
            title: LONG.to_owned(),
            quantity: LONG.to_owned(),
            rows: (LONG, &row_labels),
            columns: (LONG, &column_labels),
            values: values.view(),
            ..HeatMap::default()
        };
        map.to_svg()
    }

    fn panels(values: &[f64], level: Option<f64>) -> Result<String> {
        let (labels, values) = (labels(values.len()), Array1::from(values.to_vec()));
        let figure = IndexPanels {
            title: LONG.to_owned(),
            index: (LONG, &labels),
            dots: LONG,
            rings: (&[0], LONG),
            level: LONG,
            panels: &[Panel { quantity: LONG, values: values.view(), level }],
        };
        figure.to_svg()
    }

    fn density(clean: &[f64], other: &[f64]) -> Result<String> {
        let [clean, other] = [clean, other].map(|values| Array1::from(values.to_vec()));
        let figure = Density {
            title: LONG.to_owned(),
            clean: (LONG, clean.view()),
            other: (LONG, other.view()),
            marked: Some((0, LONG)),
        };
        figure.to_svg()
    }

    fn bars(values: &[f64]) -> Result<String> {
        let bar = |&value: &f64| Bar {
            label: LONG.to_owned(),
            value,
            words: LONG.to_owned(),
            is_marked: value > 1.0,
        };
        let list = BarList { title: LONG.to_owned(), bars: values.iter().map(bar).collect() };
        Bars { lists: &[list.clone(), list] }.to_svg()
    }

    /// Numbers of an attribute, anywhere in the figure.
    fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
        let before = format!(" {attribute}=\"");
        let values = svg.split(&before).skip(1);
        values.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
    }

    /// Everything is drawn on the sheet.
    fn assert_sound(svg: &str, what: &str) {
        let (width, height) = (numbers(svg, "width")[0], numbers(svg, "height")[0]);
        for (attribute, end) in [("x", width), ("cx", width), ("y", height), ("cy", height)] {
            for at in numbers(svg, attribute) {
                assert!((0.0..=end).contains(&at), "{what}: {attribute} = {at} of {end}");
            }
        }
    }

    #[test]
    fn figures_of_anything_stay_on_their_sheets() {
        let wild: Vec<f64> = WILD.iter().copied().cycle().take(60).collect();
        for values in [&[][..], &[f64::NAN], &[1e300], &[-1e-300], &[7.0; 12], &wild] {
            let what = format!("{} values from {:?}", values.len(), values.first());
            assert_sound(&heat_map(1, values.len(), |place| values[place]).unwrap(), &what);
            assert_sound(&heat_map(values.len(), 1, |place| values[place]).unwrap(), &what);
            assert_sound(&panels(values, values.first().copied()).unwrap(), &what);
            let reversed: Vec<f64> = values.iter().rev().copied().collect();
            assert_sound(&density(values, &reversed).unwrap(), &what);
            assert_sound(&bars(values).unwrap(), &what);
        }
    }

    #[test]
    fn what_is_not_a_number_has_no_dot_and_breaks_the_line() {
        let svg = panels(&[1.0, 2.0, f64::NAN, 3.0, 4.0], Some(2.0)).unwrap();
        let whole = panels(&[1.0, 2.0, 2.5, 3.0, 4.0], Some(2.0)).unwrap();
        assert_eq!(numbers(&svg, "cx").len() + 1, numbers(&whole, "cx").len());
        let lines = |svg: &str| svg.matches("<polyline").count();
        assert_eq!(lines(&svg), lines(&whole) + 1);
    }

    #[test]
    fn a_heat_map_is_red_above_zero_blue_below_and_grey_where_there_is_no_number() {
        let svg = heat_map(2, 2, |place| [2.0, -2.0, 0.0, f64::NAN][place]).unwrap();
        let colours: Vec<&str> = svg
            .split("<rect ")
            .skip(1)
            .map(|rest| rest.split("fill=\"").nth(1).unwrap().split('"').next().unwrap())
            .collect();
        // Behind the sheet itself.
        assert_eq!(colours[1..5], ["#B2182B", "#2166AC", "#FFFFFF", "#E1E1E1"]);
    }

    #[test]
    fn labels_that_are_not_as_many_as_the_values_are_refused() {
        let (two, values) = (labels(2), Array2::zeros((2, 3)));
        let map = HeatMap {
            title: String::new(),
            quantity: String::new(),
            rows: ("", &two),
            columns: ("", &two),
            values: values.view(),
            ..HeatMap::default()
        };
        assert!(matches!(
            map.to_svg(),
            Err(Error::Analysis(AnalysisError::LengthMismatch { left: 2, right: 3, .. }))
        ));
        assert!(matches!(
            density(&[1.0], &[1.0, 2.0]),
            Err(Error::Analysis(AnalysisError::LengthMismatch { .. }))
        ));
        let values = Array1::zeros(3);
        let panel = Panel { quantity: "", values: values.view(), level: None };
        let figure = IndexPanels {
            title: String::new(),
            index: ("", &two),
            dots: "",
            rings: (&[], ""),
            level: "",
            panels: &[panel],
        };
        assert!(matches!(
            figure.to_svg(),
            Err(Error::Analysis(AnalysisError::LengthMismatch { .. }))
        ));
    }
}
