//! Figures, as SVG text. What is not a number, or too large to be drawn, is left out; texts that would
//! leave the sheet are cut.

mod attention_patterns;
mod axis;
mod bars;
mod colour;
mod density;
mod dot_labels;
mod grouped_bars;
mod heat_map;
mod hover;
mod labels;
mod legend;
mod lines;
mod number;
mod panels;
mod plot;
mod scatter;
mod series;
mod sheet;
mod title;

pub use attention_patterns::AttentionPatterns;
pub use bars::{Bar, BarList, Bars};
pub use density::Density;
pub use grouped_bars::{BarSeries, GroupedBars};
pub use heat_map::HeatMap;
pub use lines::{Lines, Series, XAxis};
pub use panels::{IndexPanels, Panel};
pub use scatter::{Guide, Scatter};
