//! A grid of values as colours.

mod layout;

use ndarray::ArrayView2;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use self::layout::{CELL_NUMBER, Layout, QUANTITY_HEIGHT};
use super::axis::{LARGEST, is_drawable};
use super::colour::{Colours, ink};
use super::hover::{Hovers, brief, exact};
use super::labels::LINE;
use super::legend::{Legend, Mark};
use super::sheet::{
    Area, FigureError, GREY, GRID, LABEL, NAME, check_labels, check_marks, cut, sheet, sideways,
    text,
};
use super::title::titled;
use crate::error::{Error, Result};

/// A grid of values as colours, and the words around it.
///
/// Values are written into the cells where all of them have room there.
///
/// ```
/// use hooked_gpt2::report::figure::HeatMap;
/// let (values, noise) = (ndarray::array![[0.7, -0.2, 0.0]], ndarray::array![[false, false, true]]);
/// let words = ["·the", "·cat", "⏎"].map(str::to_owned);
/// let map = HeatMap {
///     title: "head 5.1 ablated".to_owned(),
///     quantity: "change in loss (nats)".to_owned(),
///     rows: ("layer", &["5".to_owned()]),
///     columns: ("position", &words),
///     values: values.view(),
///     faint: Some(("not significant", noise.view())),
///     ..HeatMap::default()
/// };
/// assert!(map.to_svg()?.starts_with("<svg"));
/// # Ok::<(), hooked_gpt2::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HeatMap<'a> {
    /// Above it, on up to three lines.
    pub title: String,
    /// What the colours stand for, with its unit.
    pub quantity: String,
    /// What the rows are, and a label for each, from the top.
    pub rows: (&'a str, &'a [String]),
    /// What the columns are, and a label for each, from the left.
    pub columns: (&'a str, &'a [String]),
    /// `[rows, columns]`
    pub values: ArrayView2<'a, f64>,
    /// The magnitude that has the full colour, as all beyond it have: figures of one bound can be compared. Without
    /// one, it is the largest magnitude.
    pub bound: Option<f64>,
    /// `[rows, columns]`: cells that have a ring, and what that says of them, such as "not significant".
    pub faint: Option<(&'a str, ArrayView2<'a, bool>)>,
}

impl Default for HeatMap<'_> {
    /// No cells, and no words.
    fn default() -> Self {
        Self {
            title: String::new(),
            quantity: String::new(),
            rows: ("", &[]),
            columns: ("", &[]),
            values: ndarray::aview2::<f64, 0>(&[]),
            bound: None,
            faint: None,
        }
    }
}

impl HeatMap<'_> {
    /// Draws it: zero is white, the bound full red or blue; what is not a number is grey.
    ///
    /// # Errors
    /// [`LengthMismatch`](crate::error::AnalysisError::LengthMismatch) unless each row and column has a label, and
    /// `faint` the shape of the values; [`Figure`](crate::Error::Figure), also for a bound that is not above zero.
    pub fn to_svg(&self) -> Result<String> {
        let (rows, columns) = self.values.dim();
        check_labels("HeatMap", self.rows.1.len(), rows)?;
        check_labels("HeatMap", self.columns.1.len(), columns)?;
        if let Some((_, faint)) = self.faint {
            check_labels("HeatMap", faint.nrows(), rows)?;
            check_labels("HeatMap", faint.ncols(), columns)?;
        }
        if let Some(bound) = self.bound
            && !(bound > 0.0 && is_drawable(bound))
        {
            let reason = format!("a bound of {bound}, allowed: above 0 and up to {LARGEST:e}");
            return Err(Error::Figure { reason });
        }
        check_marks([rows, columns])?;
        let layout = Layout::of(self);
        sheet(layout.size, &self.title, |area, hovers| {
            self.draw(&titled(area, &self.title)?, hovers, &layout)
        })
    }

    fn draw(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        layout: &Layout<'_>,
    ) -> Result<(), FigureError> {
        let centred = |size| text(size).pos(Pos::new(HPos::Center, VPos::Center));
        let quantity = cut(&self.quantity, layout.size.0, NAME);
        let middle = (layout.size.0 as i32 / 2, QUANTITY_HEIGHT as i32 / 2);
        area.draw_text(&quantity, &centred(NAME).color(&GREY), middle)?;
        if let Some((meaning, _)) = self.faint {
            let (_, below) = area.split_vertically(QUANTITY_HEIGHT);
            Legend::of([(Mark::Ring(GREY), meaning)], layout.grid.0, layout.size.0).draw(&below)?;
        }
        let largest = layout.largest;
        let bound = self.bound.unwrap_or(if largest > 0.0 { largest } else { 1.0 });
        let colours = Colours::Diverging { bound };
        self.draw_cells(area, hovers, layout, colours)?;
        self.draw_names(area, layout)?;
        let drawable = || self.values.iter().filter(|&&value| is_drawable(value));
        let beyond = (drawable().any(|&x| x < -bound), drawable().any(|&x| x > bound));
        let (left, height) = layout.scale;
        colours.draw_scale(area, (left as i32, layout.top(0)), height, beyond)
    }

    fn draw_cells(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        layout: &Layout<'_>,
        colours: Colours,
    ) -> Result<(), FigureError> {
        let (rows, columns) = self.values.dim();
        let (left, top) = (layout.left(0), layout.top(0));
        let (right, bottom) = (layout.left(columns), layout.top(rows));
        for (at, &value) in self.values.indexed_iter() {
            let corners = layout.corners(at);
            area.draw(&Rectangle::new(corners, colours.of(value).filled()))?;
            hovers.add(area.get_base_pixel(), corners, || {
                let (row, column) = (brief(&self.rows.1[at.0]), brief(&self.columns.1[at.1]));
                let faint = self.faint.filter(|(_, faint)| faint[at]);
                let faint =
                    faint.map_or(String::new(), |(words, _)| format!(" ({})", brief(words)));
                format!(
                    "{} {row}, {} {column}: {}{faint}",
                    brief(self.rows.0),
                    brief(self.columns.0),
                    exact(value)
                )
            });
        }
        if layout.has_borders() {
            let across = (1..rows).map(|row| [(left, layout.top(row)), (right, layout.top(row))]);
            let down = (1..columns).map(|at| [(layout.left(at), top), (layout.left(at), bottom)]);
            for line in across.chain(down) {
                area.draw(&PathElement::new(line, GRID))?;
            }
        }
        area.draw(&Rectangle::new([(left, top), (right, bottom)], GREY))?;
        let style = text(CELL_NUMBER).pos(Pos::new(HPos::Center, VPos::Center));
        for (at, &value) in self.values.indexed_iter() {
            let ink = ink(colours.of(value));
            if let Some(short) = layout.numbers
                && is_drawable(value)
            {
                let style = style.clone().color(&ink);
                area.draw_text(&short.text(value), &style, layout.middle(at))?;
            }
            if self.faint.is_some_and(|(_, faint)| faint[at]) {
                let (centre, radius) = layout.ring(at);
                area.draw(&Circle::new(centre, radius, ink.mix(0.8)))?;
            }
        }
        Ok(())
    }

    /// The labels of the rows and columns, and what they are.
    fn draw_names(&self, area: &Area<'_>, layout: &Layout<'_>) -> Result<(), FigureError> {
        // Every label, or as many as have room.
        let step = LINE.div_ceil(layout.cell.1) as usize;
        let from_right = text(LABEL).pos(Pos::new(HPos::Right, VPos::Center));
        for (row, label) in self.rows.1.iter().enumerate().step_by(step) {
            let at = (layout.left(0) - 6, layout.top(row) + layout.cell.1 as i32 / 2);
            area.draw_text(&layout.cut(label), &from_right, at)?;
        }
        let rows = self.rows.1.len();
        let first = f64::from(layout.left(0)) + f64::from(layout.cell.0) / 2.0;
        layout.labels.draw(area, first, layout.top(rows) + 6)?;
        let centred = text(NAME).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw_text(&layout.columns_name, &centred, layout.columns_name_at())?;
        let sideways = sideways(NAME).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw_text(&layout.rows_name, &sideways, layout.rows_name_at)
    }
}
