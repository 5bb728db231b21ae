//! The command line.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;
use hooked_gpt2::Precision;
use hooked_gpt2::checkpoint::Source;
use hooked_gpt2::data::Bos;
use hooked_gpt2::experiment::einstein::EinsteinSweep;

use crate::threads::Threads;

/// Scale the residual stream leaving one layer of GPT-2 after another, and watch one word.
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
pub struct Arguments {
    /// A model of the hub, a directory, or `bundled` [default: gpt2-medium, or else bundled]
    #[arg(long, value_name = "NAME|DIR|bundled")]
    pub model: Option<Source>,
    /// What the model reads
    #[arg(long, default_value_t = EinsteinSweep::default().prompt)]
    pub prompt: String,
    /// Whether <|endoftext|> stands before it: omit or prepend
    #[arg(long, default_value_t = EinsteinSweep::default().bos)]
    pub bos: Bos,
    /// The one token that it should go on with
    #[arg(long, default_value_t = EinsteinSweep::default().target)]
    pub target: String,
    /// The factor on the hidden state that leaves a layer
    #[arg(long, default_value_t = EinsteinSweep::default().scale, allow_negative_numbers = true)]
    pub scale: f64,
    /// The layers to scale, one at a time, such as `0,2,5-8` [default: all]
    #[arg(long)]
    pub layers: Option<Layers>,
    /// The layer to look at closely [default: 2, or the nearest of --layers]
    #[arg(long)]
    pub focus_layer: Option<usize>,
    /// How many of the most likely tokens to show
    #[arg(long, default_value_t = EinsteinSweep::default().top_k)]
    pub top_k: usize,
    /// The number format to compute in: f32, f64, or bf16, which is faster and less exact
    #[arg(long, default_value_t)]
    pub dtype: Precision,
    #[command(flatten)]
    pub threads: Threads,
    /// Where to compute: cpu, cuda, cuda:N or mps
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// The directory for sweep.csv, sweep.json and the figures
    #[arg(long, default_value = "target/einstein_sweep")]
    pub out: PathBuf,
    /// Print the JSON document, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Download nothing
    #[arg(long)]
    pub offline: bool,
}

impl Arguments {
    pub fn experiment(&self) -> EinsteinSweep {
        EinsteinSweep {
            prompt: self.prompt.clone(),
            bos: self.bos,
            target: self.target.clone(),
            scale: self.scale,
            layers: self.layers.clone().and_then(|layers| layers.0),
            focus_layer: self.focus_layer,
            top_k: self.top_k,
        }
    }
}

/// Layers as a list of numbers and ranges: `0,2,5-8`; `all` is every layer.
#[derive(Debug, Clone)]
pub struct Layers(Option<Vec<usize>>);

impl FromStr for Layers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(None));
        }
        let layers: Result<Vec<_>, _> = text.split(',').map(stretch).collect();
        Ok(Self(Some(layers?.into_iter().flatten().collect())))
    }
}

/// One layer, `2`, or several, `5-8`.
fn stretch(text: &str) -> Result<RangeInclusive<usize>, String> {
    // Sixteen bits: a slip of the finger is no reason to run out of memory.
    let number = |digits: &str| match digits.trim().parse::<u16>() {
        Ok(layer) => Ok(usize::from(layer)),
        Err(_) => Err(format!("`{digits}` is no layer, allowed: such as `0,2,5-8`, or `all`")),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first)?, number(last)?) {
        (first, last) if first > last => {
            Err(format!("`{first}-{last}` runs downward, allowed: `{last}-{first}`"))
        }
        (first, last) => Ok(first..=last),
    }
}
