//! Figures, as SVG text. What is not a number, or too large to be drawn, is left out; texts that would
//! leave the sheet are cut.

mod axis;
mod bars;
mod colour;
mod density;
mod heat_map;
mod hover;
mod labels;
mod legend;
mod number;
mod panels;
mod sheet;
mod title;

pub use bars::{Bar, BarList, Bars};
pub use density::Density;
pub use heat_map::HeatMap;
pub use panels::{IndexPanels, Panel};
