//! What experiments have in common: their options, the model, the prompts, and where the results go.

#![allow(dead_code, reason = "not every experiment needs all of it")]

mod failure;
mod source;
mod threads;
mod usage;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use hooked_gpt2::checkpoint::Source;
use hooked_gpt2::data::{Bos, Example, Prompts, Task};
use hooked_gpt2::report::{Manifest, OutputDir, Report, write_json};
use hooked_gpt2::sweep::Progress;
use hooked_gpt2::{Checkpoint, Gpt2, Precision, Tokenizer, device};
use indicatif::{ProgressBar, ProgressStyle};

use threads::Threads;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// The options that every experiment takes.
#[derive(Debug, Args)]
pub struct Options {
    /// A model of the hub, a directory, or `bundled`
    #[arg(long, default_value_t = Source::Bundled, value_name = "NAME|DIR|bundled")]
    pub model: Source,
    /// One prompt, in place of those of a task
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["prompts", "task"])]
    prompt: Option<String>,
    /// A file of prompts: JSON lines if it is called .jsonl, else a prompt a line
    #[arg(long, value_name = "FILE", conflicts_with = "task")]
    prompts: Option<PathBuf>,
    /// The task whose prompts are read, such as `ioi` [default: the experiment's own]
    #[arg(long)]
    task: Option<Task>,
    /// How many prompts of the task [default: the experiment's own]
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Whether <|endoftext|> stands before each prompt: omit or prepend
    #[arg(long, default_value_t = Bos::Omit)]
    pub bos: Bos,
    /// The seed of whatever is drawn
    #[arg(long, default_value_t)]
    pub seed: u64,
    /// The number format to compute in: f32, f64, or bf16, which is faster and less exact
    #[arg(long, default_value_t)]
    dtype: Precision,
    /// Where to compute: cpu, cuda, cuda:N or mps
    #[arg(long, default_value = "cpu")]
    device: String,
    #[command(flatten)]
    threads: Threads,
    /// The directory for the report, its tables and its figures [default: target/EXPERIMENT]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the JSON document, and nothing else
    #[arg(long)]
    json: bool,
    /// Download nothing
    #[arg(long)]
    offline: bool,
}

/// A model, and what the options ask for.
pub struct Laboratory<'a> {
    name: &'static str,
    options: &'a Options,
    checkpoint: Checkpoint,
    pub model: Gpt2,
}

/// Runs an experiment as a program: reads the command line, prints the report, and writes it with its manifest.
pub fn main<Arguments: Parser>(
    name: &'static str,
    options: fn(&Arguments) -> &Options,
    experiment: fn(&Arguments, &Laboratory<'_>) -> Outcome<Report>,
) -> ExitCode {
    let arguments: Arguments = match usage::parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let options = options(&arguments);
    options.threads.run(|| {
        let directory = options.out.clone().unwrap_or_else(|| PathBuf::from("target").join(name));
        // Found before hours of work: that nothing can be written.
        let out = OutputDir::create(directory)?;
        let laboratory = Laboratory::open(name, options)?;
        let report = experiment(&arguments, &laboratory)?;
        laboratory.hand_out(&report, &out)
    })
}

impl<'a> Laboratory<'a> {
    fn open(name: &'static str, options: &'a Options) -> Outcome<Self> {
        let device = device::parse(&options.device)?;
        let checkpoint = source::open_named(&options.model, options.offline)?;
        let (model, _) = Gpt2::load(&checkpoint, options.dtype, device)?;
        Ok(Self { name, options, checkpoint, model })
    }

    pub fn tokenizer(&self) -> Outcome<&Tokenizer> {
        Ok(self.checkpoint.tokenizer()?)
    }

    /// The prompts that the options name, or `count` of `task`.
    pub fn prompts(&self, task: Task, count: usize) -> Outcome<Prompts> {
        let Options { bos, seed, .. } = *self.options;
        let (tokenizer, config) = (self.tokenizer()?, self.model.config());
        if let Some(prompt) = &self.options.prompt {
            return Ok(Prompts::new([Example::new(prompt.as_str())], tokenizer, config, bos)?);
        }
        if let Some(file) = &self.options.prompts {
            let is_jsonl = file.extension().is_some_and(|extension| extension == "jsonl");
            let read = if is_jsonl { Prompts::read_jsonl } else { Prompts::read_text };
            return Ok(read(file, tokenizer, config, bos)?);
        }
        let (task, count) =
            (self.options.task.unwrap_or(task), self.options.count.unwrap_or(count));
        Ok(task.prompts(count, seed, tokenizer, config, bos)?)
    }

    /// The prompts that the options name, or some sentences of ordinary prose.
    pub fn texts(&self) -> Outcome<Prompts> {
        let Options { prompt, prompts, task, .. } = self.options;
        if prompt.is_some() || prompts.is_some() || task.is_some() {
            return self.prompts(Task::IndirectObject, 50);
        }
        self.sentences()
    }

    /// Some sentences of ordinary prose.
    pub fn sentences(&self) -> Outcome<Prompts> {
        let sentences = include_str!("sentences.txt").lines().map(Example::new);
        let (tokenizer, config) = (self.tokenizer()?, self.model.config());
        Ok(Prompts::new(sentences, tokenizer, config, self.options.bos)?)
    }

    /// A report that says what was run.
    pub fn report(&self, title: &str, question: &str, prompts: &Prompts) -> Outcome<Report> {
        let (config, tokenizer) = (self.model.config(), self.tokenizer()?);
        let mut report = Report::new(self.name, title, question);
        let shape = format!(
            "{} ({} layers, {} heads, d_model {}, {} tokens)",
            self.checkpoint.name(),
            config.n_layers,
            config.n_heads,
            config.d_model,
            config.d_vocab
        );
        let first = tokenizer.decode(&prompts.batch()?.sequences()[0])?;
        report
            .fact("model", shape)
            .fact("prompts", format!("{}, the first: {first:?}", prompts.len()))
            .fact("BOS", prompts.bos())
            .fact("seed", self.options.seed)
            .fact("number format", self.model.precision())
            .fact("device", device::name(self.model.device()))
            .fact("hooked-gpt2", env!("CARGO_PKG_VERSION"));
        Ok(report)
    }

    /// Shows on standard error how far a sweep has come.
    pub fn progress(&self) -> Outcome<impl FnMut(Progress) -> bool + use<>> {
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left")?);
        Ok(move |progress: Progress| {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
            if progress.done == progress.total {
                bar.finish_and_clear();
            }
            true
        })
    }

    /// Writes the report with its manifest, and prints it also where it cannot be written.
    fn hand_out(&self, report: &Report, out: &OutputDir) -> Outcome<()> {
        let mut files = report.files()?;
        let arguments = env::args().skip(1);
        let manifest = Manifest::new(
            self.name,
            arguments,
            self.checkpoint.weights_sha256()?,
            format!("{}.json", report.name),
        );
        let mut json = Vec::new();
        write_json(&mut json, &manifest)?;
        files.push(("manifest.json".to_owned(), json));
        let saved = out.write(files);
        let mut stdout = io::stdout().lock();
        if self.options.json {
            write_json(&mut stdout, report)?;
        } else {
            write!(stdout, "{report}")?;
            if saved.is_ok() {
                writeln!(stdout, "\nWritten to {}", out.path().display())?;
            }
        }
        Ok(saved?)
    }
}
