//! Prompts: their tokens and places, their files, and the tasks of the literature.
#![allow(clippy::single_range_in_vec_init, reason = "each place is a range")]

use std::fs;
use std::path::Path;

use hooked_gpt2::data::{Bos, Example, Place, Prompts, Task};
use hooked_gpt2::error::{BatchError, DataError, TokenizerError};
use hooked_gpt2::{Config, Error, Result, Tokenizer};

/// GPT-2's own tokenizer, and a configuration of its size.
struct Reader {
    tokenizer: Tokenizer,
    config: Config,
}

impl Reader {
    fn new() -> Self {
        let config = br#"{"model_type": "gpt2"}"#;
        let config = Config::from_json(config, Path::new("config.json")).unwrap();
        Self { tokenizer: super::tokenizer::gpt2().1, config }
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn read(&self, example: Example, bos: Bos) -> Result<Prompts> {
        Prompts::new([example], self.tokenizer(), self.config(), bos)
    }

    fn task(&self, task: Task, count: usize, seed: u64) -> Prompts {
        task.prompts(count, seed, self.tokenizer(), self.config(), Bos::Omit).unwrap()
    }

    fn jsonl(&self, directory: &Path, content: impl AsRef<[u8]>) -> Result<Prompts> {
        let path = directory.join("prompts.jsonl");
        fs::write(&path, content).unwrap();
        Prompts::read_jsonl(path, self.tokenizer(), self.config(), Bos::Omit)
    }

    /// What stands at a named place of each prompt.
    fn words(&self, prompts: &Prompts, name: &str) -> Vec<String> {
        let batch = prompts.batch().unwrap();
        let places = prompts.positions(name).unwrap();
        let word = |(tokens, place): (&Vec<u32>, &std::ops::Range<usize>)| {
            self.tokenizer().decode(&tokens[place.clone()]).unwrap()
        };
        batch.sequences().iter().zip(&places).map(word).collect()
    }

    fn answers(&self, answers: &[Vec<u32>]) -> Vec<Vec<String>> {
        let word = |&token: &u32| self.tokenizer().decode(&[token]).unwrap();
        answers.iter().map(|answers| answers.iter().map(word).collect()).collect()
    }
}

fn text(example: &Example) -> &str {
    match &example.prompt {
        hooked_gpt2::data::Prompt::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_end_of_text_stands_before_a_prompt_only_where_that_is_asked_for() {
    let reader = Reader::new();
    let example = Example::new("She was a very happy").position("who", Place::text("very"));
    let omitted = reader.read(example.clone(), Bos::Omit).unwrap();
    let prepended = reader.read(example, Bos::Prepend).unwrap();
    let tokens = reader.tokenizer().encode("She was a very happy").unwrap();
    assert_eq!(omitted.batch().unwrap().sequences(), std::slice::from_ref(&tokens));
    let end = reader.tokenizer().single_token("<|endoftext|>").unwrap();
    assert_eq!(prepended.batch().unwrap().sequences(), [[vec![end], tokens].concat()]);
    for prompts in [omitted, prepended] {
        assert_eq!(reader.words(&prompts, "who"), [" very"]);
        assert_eq!(reader.words(&prompts, "END"), [" happy"]);
    }
    for bos in [Bos::Omit, Bos::Prepend] {
        assert_eq!(bos.to_string().parse::<Bos>().unwrap(), bos);
    }
    assert!("yes".parse::<Bos>().is_err());
}

#[test]
fn places_are_counted_in_the_prompt_itself() {
    let reader = Reader::new();
    let example = Example::new(vec![5, 6, 7, 8])
        .position("one", Place::token(2))
        .position("two", Place::Tokens(1..3))
        .position("END", Place::token(0));
    let prompts = reader.read(example.clone(), Bos::Prepend).unwrap();
    assert_eq!(prompts.positions("one").unwrap(), [3..4]);
    assert_eq!(prompts.positions("two").unwrap(), [2..4]);
    assert_eq!(prompts.positions("END").unwrap(), [1..2]);
    let prompts = reader.read(example, Bos::Omit).unwrap();
    assert_eq!(prompts.positions("one").unwrap(), [2..3]);
    let places = [("two".to_owned(), vec![1..3]), ("END".to_owned(), vec![0..1])];
    assert_eq!(prompts.places(["two", "END"]).unwrap(), places);
    assert!(prompts.places(["two", "three"]).is_err());
}

#[test]
fn what_not_all_examples_have_is_named() {
    let reader = Reader::new();
    let examples =
        [Example::new("a").right([" he"]).corrupted("b"), Example::new("b").id("second")];
    let read = Prompts::new(examples, reader.tokenizer(), reader.config(), Bos::Omit).unwrap();
    let missing = |error: Error| error.to_string();
    assert_eq!(
        missing(read.right().unwrap_err()),
        "example second has no right answer, which is needed of all"
    );
    assert_eq!(
        missing(read.wrong().unwrap_err()),
        "example 0 has no wrong answer, which is needed of all"
    );
    assert_eq!(
        missing(read.positions("S1").unwrap_err()),
        "example 0 has no position `S1`, which is needed of all"
    );
    assert_eq!(
        missing(read.corrupted_batch().unwrap_err()),
        "example second has no corrupted partner, which is needed of all"
    );
    assert_eq!((read.id(0), read.id(1)), ("0".to_owned(), "second".to_owned()));
    let examples = [Example::new("a"), Example::new("b").id("1"), Example::new("c")];
    let named = Prompts::new(examples, reader.tokenizer(), reader.config(), Bos::Omit).unwrap();
    let behind = named.filter(|example| text(example) != "a").unwrap();
    assert_eq!((behind.id(0), behind.id(1)), ("1".to_owned(), "2".to_owned()));
    let first = read.filter(|example| !example.right.is_empty()).unwrap();
    assert_eq!(first.right().unwrap().len(), 1);
    assert_eq!(first.batch().unwrap().sequences(), &read.batch().unwrap().sequences()[..1]);
    assert!(matches!(
        read.filter(|_| false),
        Err(Error::Data(DataError::NoExamples { path: None }))
    ));
}

#[test]
fn examples_that_cannot_be_used_say_why() {
    let reader = Reader::new();
    let reason = |example, bos| match reader.read(example, bos) {
        Err(Error::Data(DataError::Example { reason, .. })) => *reason,
        other => panic!("{other:?}"),
    };
    let plain = || Example::new("She was");
    let of = |example| reason(example, Bos::Omit);
    assert!(matches!(
        of(plain().right([" not one token"])),
        Error::Tokenizer(TokenizerError::NotOneToken { .. })
    ));
    assert!(matches!(
        of(plain().wrong([50257_u32])),
        Error::Batch(BatchError::TokenOutOfRange { given: 50257, d_vocab: 50257 })
    ));
    assert!(matches!(
        of(Example::new(vec![1, 60000])),
        Error::Batch(BatchError::TokenOutOfRange { given: 60000, .. })
    ));
    assert!(matches!(
        of(plain().right([" he", " she"]).wrong([" she"])),
        Error::Data(DataError::RightAndWrong { .. })
    ));
    assert!(matches!(
        of(Example::new("")),
        Error::Data(DataError::Length { which: "prompt", given: 0, .. })
    ));
    assert!(matches!(
        reason(Example::new(""), Bos::Prepend),
        Error::Data(DataError::Length { which: "prompt", given: 0, .. })
    ));
    assert!(matches!(
        of(plain().corrupted(vec![1; 1025])),
        Error::Data(DataError::Length { which: "corrupted prompt", given: 1025, n_ctx: 1024 })
    ));
    // With one more, it is too long.
    assert!(reader.read(Example::new(vec![1; 1024]), Bos::Omit).is_ok());
    assert!(matches!(
        reason(Example::new(vec![1; 1024]), Bos::Prepend),
        Error::Data(DataError::Length { given: 1025, .. })
    ));
    assert!(matches!(
        reason(Example::new("<|endoftext|>She"), Bos::Prepend),
        Error::Data(DataError::AlreadyThere { which: "prompt" })
    ));
    assert!(matches!(
        of(Example::new(vec![1, 2]).position("a", Place::text("a"))),
        Error::Data(DataError::TextInTokens { .. })
    ));
    assert!(matches!(
        of(plain().position("a", Place::token(2))),
        Error::Data(DataError::Tokens { start: 2, end: 3, len: 2 })
    ));
    let both = Prompts::new(
        [plain().id("a"), plain().id("a")],
        reader.tokenizer(),
        reader.config(),
        Bos::Omit,
    );
    assert_eq!(
        both.unwrap_err().to_string(),
        "example 1: the id `a` is that of another example, too"
    );
    // Without an id, the number is one.
    for (examples, id) in [([plain(), plain().id("0")], 0), ([plain().id("1"), plain()], 1)] {
        let both = Prompts::new(examples, reader.tokenizer(), reader.config(), Bos::Omit);
        assert_eq!(
            both.unwrap_err().to_string(),
            format!("example 1: the id `{id}` is that of another example, too")
        );
    }
    for examples in [[plain(), plain().id("00")], [plain().id("0"), plain()]] {
        assert!(Prompts::new(examples, reader.tokenizer(), reader.config(), Bos::Omit).is_ok());
    }
    let none = Prompts::new([], reader.tokenizer(), reader.config(), Bos::Omit);
    assert_eq!(none.unwrap_err().to_string(), "there is no example");
}

#[test]
fn a_file_of_examples_is_read_and_written_back_the_same() {
    let reader = Reader::new();
    let directory = tempfile::tempdir().unwrap();
    let content = concat!(
        r#"{"id":"a","prompt":"Then Mary and John. John gave it to","corrupted":"Then Ann and Tom. Tom gave it to","#,
        r#""right":[" her",77],"wrong":[" him"],"positions":{"S2":{"text":"John","occurrence":1},"all":[0,3],"he":3,"she":"Mary"},"#,
        r#""labels":{"order":"ABBA"}}"#,
        "\n",
        r#"{"prompt":[1,2,3],"corrupted":[4,5,6]}"#,
        "\n",
        r#"{"prompt":"ein Übermut \u0001 \"\\ \n "}"#,
        "\n",
    );
    let prompts = reader.jsonl(directory.path(), content).unwrap();
    assert_eq!(prompts.len(), 3);
    let first = prompts.filter(|example| example.id.is_some()).unwrap();
    assert_eq!(reader.words(&first, "S2"), [" John"]);
    assert_eq!(reader.words(&first, "she"), [" Mary"]);
    assert_eq!(first.positions("all").unwrap(), [0..3]);
    assert_eq!(first.positions("he").unwrap(), [3..4]);
    let back = directory.path().join("back.jsonl");
    prompts.write_jsonl(&back).unwrap();
    assert_eq!(fs::read_to_string(&back).unwrap(), content);

    // As other programs write it: white space, empty lines, null, CRLF, a byte order mark.
    let loose = format!(
        "\u{feff}  {}\r\n\r\n \t\n{}",
        r#"{ "labels": null, "prompt": "a" }"#, r#"{"prompt":"b"}"#
    );
    let prompts = reader.jsonl(directory.path(), loose).unwrap();
    assert_eq!(prompts.examples().iter().map(text).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let reader = Reader::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prompts.jsonl");
    let prompt = "a text, or a list of token ids";
    let fields = "id, prompt, corrupted, right, wrong, positions, labels";
    let place =
        "a text, {\"text\": …, \"occurrence\": …}, a token number, [first, one after the last]";
    let answers = "a list of answers, each a text that is one token or a token id";
    for (line, reason) in [
        ("{", "malformed JSON (EOF while parsing an object at column 1), allowed: one JSON object a line".to_owned()),
        ("[1]", "[1], allowed: one JSON object a line".to_owned()),
        (r#"{"prompt":"a","\u0070rompt":"b"}"#, "malformed JSON (the key `prompt` is there twice at column 27), allowed: one JSON object a line".to_owned()),
        (r#"{"prompt":"a","positions":{"x":0,"x":1}}"#, "malformed JSON (the key `x` is there twice at column 36), allowed: one JSON object a line".to_owned()),
        ("{}", format!("no field `prompt`, allowed: {prompt}")),
        (r#"{"prompt":1}"#, format!("1, allowed: {prompt}")),
        (r#"{"prompt":[1.5]}"#, format!("1.5, allowed: {prompt}")),
        (r#"{"prompt":[-1]}"#, format!("-1, allowed: {prompt}")),
        (r#"{"prompt":[4294967296]}"#, format!("4294967296, allowed: {prompt}")),
        (r#"{"prompt":"a","answer":" b"}"#, format!("the field `answer`, allowed: {fields}")),
        (r#"{"prompt":"a","right":" b"}"#, format!("\" b\", allowed: {answers}")),
        (r#"{"prompt":"a","right":[null]}"#, format!("null, allowed: {answers}")),
        (r#"{"prompt":"a","positions":["a"]}"#, "positions [\"a\"], allowed: an object of entries by name".to_owned()),
        (r#"{"prompt":"a","positions":{"x":[1]}}"#, format!("[1], allowed: {place}")),
        (r#"{"prompt":"a","positions":{"x":{"word":"a"}}}"#, format!("{{\"word\":\"a\"}}, allowed: {place}")),
        (r#"{"prompt":"a","labels":{"x":1}}"#, "a label 1, allowed: a text".to_owned()),
        (r#"{"prompt":"a","id":1}"#, "id 1, allowed: a text".to_owned()),
        (r#"{"prompt":"a","right":[60000]}"#, "token 60000 is not in the vocabulary, allowed: 0 to 50256".to_owned()),
    ] {
        let content = format!("{{\"prompt\":\"a\"}}\n\n{line}\n{{\"prompt\":\"a\"}}\n");
        let error = reader.jsonl(directory.path(), content).unwrap_err().to_string();
        assert_eq!(error, format!("{}, line 3: {reason}", path.display()));
    }
    let error =
        reader.jsonl(directory.path(), b"{\"prompt\":\"a\"}\n\xff\n").unwrap_err().to_string();
    assert!(error.ends_with("line 2: bytes that are no UTF-8, allowed: UTF-8"), "{error}");
    let error = reader.jsonl(directory.path(), "\n\n").unwrap_err().to_string();
    assert_eq!(error, format!("there is no example in {}", path.display()));
    let twice = "{\"prompt\":\"a\",\"id\":\"x\"}\n".repeat(2);
    let error = reader.jsonl(directory.path(), twice).unwrap_err().to_string();
    assert!(error.ends_with("line 2: the id `x` is that of another example, too"), "{error}");
}

#[test]
fn a_file_of_plain_prompts_has_one_a_line() {
    let reader = Reader::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prompts.txt");
    fs::write(&path, "She was\r\n\n  it is \n").unwrap();
    let prompts =
        Prompts::read_text(&path, reader.tokenizer(), reader.config(), Bos::Omit).unwrap();
    assert_eq!(prompts.examples().iter().map(text).collect::<Vec<_>>(), ["She was", "  it is "]);
    fs::write(&path, format!("a\n{}", "a ".repeat(1100))).unwrap();
    let error = Prompts::read_text(&path, reader.tokenizer(), reader.config(), Bos::Omit);
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("line 2: the prompt has 1101 tokens, allowed: 1 to 1024"), "{error}");
}

/// What all tasks promise.
#[test]
fn a_task_gives_the_same_examples_for_the_same_seed_and_partners_of_the_same_length() {
    let reader = Reader::new();
    for task in ["ioi", "greater_than", "pronouns", "occupations", "agreement", "induction"] {
        let task: Task = task.parse().unwrap();
        let prompts = reader.task(task, 60, 1);
        assert_eq!(prompts, reader.task(task, 60, 1));
        assert_ne!(prompts, reader.task(task, 60, 2));
        assert_eq!(prompts.id(7), format!("{task}-7"));
        let (clean, corrupted) = (prompts.batch().unwrap(), prompts.corrupted_batch().unwrap());
        for (clean, corrupted) in clean.sequences().iter().zip(corrupted.sequences()) {
            assert_eq!(clean.len(), corrupted.len());
            assert_ne!(clean, corrupted);
        }
        assert_eq!(prompts.right().unwrap().len(), 60);
        assert_eq!(prompts.wrong().unwrap().len(), 60);
        // The first ones do not depend on how many there are.
        assert_eq!(reader.task(task, 5, 1).examples(), &prompts.examples()[..5]);

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("task.jsonl");
        prompts.write_jsonl(&path).unwrap();
        let back =
            Prompts::read_jsonl(&path, reader.tokenizer(), reader.config(), Bos::Omit).unwrap();
        assert_eq!(back.examples(), prompts.examples());
        assert_eq!(back.batch().unwrap(), clean);
        assert_eq!(back.positions("END").unwrap(), prompts.positions("END").unwrap());
    }
}

/// Wang et al. 2022: the indirect object is the answer, the subject is named twice, ABC are three other names.
#[test]
fn indirect_objects_are_those_of_the_paper() {
    let reader = Reader::new();
    let prompts = reader.task(Task::IndirectObject, 200, 3);
    let (io, s1, s2) =
        (reader.words(&prompts, "IO"), reader.words(&prompts, "S1"), reader.words(&prompts, "S2"));
    assert_eq!(s1, s2);
    assert_eq!(reader.answers(&prompts.right().unwrap()).concat(), io);
    assert_eq!(reader.answers(&prompts.wrong().unwrap()).concat(), s1);
    let [io_at, s1_at, after, s2_at] =
        ["IO", "S1", "S1+1", "S2"].map(|name| prompts.positions(name).unwrap());
    let names = |prompt: &str| {
        let words = prompt.split([' ', ',', '.']).filter(|word| !word.is_empty());
        let names = words.enumerate().filter(|(index, word)| {
            *index > 0 && word.starts_with(char::is_uppercase) && *word != "Afterwards"
        });
        names.map(|(_, word)| word.to_owned()).collect::<Vec<_>>()
    };
    for (number, example) in prompts.examples().iter().enumerate() {
        let text = text(example);
        assert!(!text.contains(['{', '}']), "{text}");
        let [first, second, third] = &names(text)[..] else { panic!("{text}") };
        assert!(text.ends_with(" to"), "{text}");
        let is_abba = number % 2 == 0;
        assert_eq!(example.labels["order"], if is_abba { "ABBA" } else { "BABA" });
        assert_eq!(third, if is_abba { second } else { first }, "{text}");
        assert_ne!(first, second);
        assert_eq!(io_at[number].start < s1_at[number].start, is_abba);
        assert!(s2_at[number].start > io_at[number].start.max(s1_at[number].start));
        assert_eq!(after[number], s1_at[number].end..s1_at[number].end + 1);
        let Some(hooked_gpt2::data::Prompt::Text(corrupted)) = &example.corrupted else { panic!() };
        let mut all = [names(text)[..2].to_vec(), names(corrupted)].concat();
        assert_eq!(all.len(), 5, "{corrupted}");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 5, "{text} {corrupted}");
    }
    let mut templates: Vec<_> = prompts.examples().iter().map(|e| &e.labels["template"]).collect();
    templates.sort();
    templates.dedup();
    assert_eq!(templates.len(), 15);
}

/// Hanna et al. 2023: every later year is right, every other one wrong; the partner's year is 01.
#[test]
fn greater_than_is_that_of_the_paper() {
    let reader = Reader::new();
    let prompts = reader.task(Task::GreaterThan, 300, 4);
    let (right, wrong) = (prompts.right().unwrap(), prompts.wrong().unwrap());
    let (right, wrong) = (reader.answers(&right), reader.answers(&wrong));
    let (centuries, years) = (reader.words(&prompts, "century"), reader.words(&prompts, "year"));
    let mut seen = (99, 0);
    for (number, example) in prompts.examples().iter().enumerate() {
        let year: usize = years[number].parse().unwrap();
        seen = (seen.0.min(year), seen.1.max(year));
        let answers = |years: std::ops::Range<usize>| -> Vec<String> {
            years.map(|year| format!("{year:02}")).collect()
        };
        assert_eq!(wrong[number], answers(0..year + 1));
        assert_eq!(right[number], answers(year + 1..100));
        let century: usize = centuries[number].trim().parse().unwrap();
        assert!((11..=17).contains(&century));
        let noun = &example.labels["noun"];
        let prompt = |year: &str| {
            format!("The {noun} lasted from the year {century}{year} to the year {century}")
        };
        assert_eq!(text(example), prompt(&format!("{year:02}")));
        assert_eq!(example.corrupted, Some(prompt("01").into()));
        assert_eq!(reader.words(&prompts, "noun")[number].trim(), noun);
    }
    assert!(seen.0 >= 2 && seen.0 < 8 && seen.1 <= 98 && seen.1 > 92, "{seen:?}");
}

#[test]
fn pronouns_and_occupations_have_partners_of_the_other_pronoun() {
    let reader = Reader::new();
    for (task, place) in [(Task::Pronouns, "name"), (Task::Occupations, "occupation")] {
        let prompts = reader.task(task, 40, 0);
        let (right, wrong) = (prompts.right().unwrap(), prompts.wrong().unwrap());
        let (right, wrong) = (reader.answers(&right).concat(), reader.answers(&wrong).concat());
        assert_eq!((&right[0][..], &right[1][..]), (" she", " he"));
        assert_eq!((&wrong[0][..], &wrong[1][..]), (" he", " she"));
        let words = reader.words(&prompts, place);
        for (example, word) in prompts.examples().iter().zip(&words) {
            assert_eq!(example.labels[place], word.trim());
            let Some(hooked_gpt2::data::Prompt::Text(corrupted)) = &example.corrupted else {
                panic!()
            };
            assert!(!corrupted.contains(word));
        }
    }
    // Of table 1 of Zhao et al. 2018.
    let prompts = reader.task(Task::Occupations, 500, 0);
    let percent = |occupation: &str| {
        let of = prompts.examples().iter().find(|e| e.labels["occupation"] == occupation);
        of.unwrap().labels["percent_women"].clone()
    };
    assert_eq!((percent("nurse"), percent("mechanic")), ("90".to_owned(), "4".to_owned()));
}

#[test]
fn a_verb_agrees_with_its_subject_and_not_with_the_other_noun() {
    let reader = Reader::new();
    let prompts = reader.task(Task::Agreement, 40, 0);
    let right = reader.answers(&prompts.right().unwrap()).concat();
    let (subject, other) = (reader.words(&prompts, "subject"), reader.words(&prompts, "other"));
    for number in 0..40 {
        let is_plural = |word: &str| word.ends_with('s');
        assert_eq!(right[number] == " are", is_plural(&subject[number]));
        assert_eq!(number / 2 % 2 == 1, is_plural(&other[number]));
        let last = reader.words(&prompts, "END")[number].clone();
        assert_eq!(last, other[number]);
    }
}

#[test]
fn what_induction_repeats_is_random_and_its_next_token_known() {
    let reader = Reader::new();
    let prompts = reader.task(Task::Induction { period: 30 }, 50, 0);
    let (batch, corrupted) = (prompts.batch().unwrap(), prompts.corrupted_batch().unwrap());
    let (right, next) = (prompts.right().unwrap(), prompts.positions("next").unwrap());
    let earlier = prompts.positions("earlier").unwrap();
    for (number, tokens) in batch.sequences().iter().enumerate() {
        let (first, again) = tokens.split_at(30);
        assert!(first.starts_with(again));
        assert!(!again.is_empty() && again.len() < 30);
        assert_eq!(right[number], [first[again.len()]]);
        assert_eq!(next[number].start, again.len());
        assert_eq!(earlier[number].end, again.len());
        assert!(tokens.iter().all(|token| *token < 50256));
        let other = &corrupted.sequences()[number];
        assert_eq!(&other[30..], again);
        assert!(other[..30].iter().all(|token| !first.contains(token)));
    }
    let short = Task::Induction { period: 1 };
    let error = short.prompts(1, 0, reader.tokenizer(), reader.config(), Bos::Omit).unwrap_err();
    assert!(matches!(error, Error::Data(DataError::Period { given: 1, n_ctx: 1024 })));
    for period in [1024, 1 << 63, usize::MAX] {
        let long = Task::Induction { period };
        let error = long.prompts(9, 0, reader.tokenizer(), reader.config(), Bos::Omit).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "a sequence of {period} tokens cannot be repeated, allowed: 2 to 1023, so that its beginning fits behind it"
            )
        );
    }
    for count in [0, 1_000_001, usize::MAX / 2] {
        let error =
            Task::Agreement.prompts(count, 0, reader.tokenizer(), reader.config(), Bos::Omit);
        assert!(matches!(
            error,
            Err(Error::Data(DataError::Count { task: "agreement", most: 1_000_000, .. }))
        ));
    }
}

#[test]
fn the_einstein_prompts_end_before_curious() {
    let reader = Reader::new();
    let prompts = reader.task(Task::Einstein, 16, 0);
    assert_eq!(text(&prompts.examples()[0]), "I have no special talents. I am only passionately");
    assert_eq!(reader.words(&prompts, "passionately"), reader.words(&prompts, "END"));
    assert_eq!(reader.answers(&prompts.right().unwrap()).concat(), [" curious"; 16]);
    let error = Task::Einstein.prompts(17, 0, reader.tokenizer(), reader.config(), Bos::Omit);
    assert_eq!(
        error.unwrap_err().to_string(),
        "the task `einstein` cannot give 17 examples, allowed: 1 to 16"
    );
    assert!("eisntein".parse::<Task>().unwrap_err().to_string().contains("einstein"));
}

/// Two letters and their one merge: such a tokenizer has no name as one token.
#[test]
fn a_tokenizer_without_the_words_of_a_task_is_refused() {
    let json = super::tokenizer::small_json().to_string();
    let tokenizer = Tokenizer::from_json(json.as_bytes(), Path::new("tokenizer.json")).unwrap();
    for (task, what, needed) in [
        (Task::IndirectObject, "names", 5),
        (Task::GreaterThan, "nouns", 1),
        (Task::Pronouns, "names of women", 1),
        (Task::Occupations, "occupations of women", 1),
        (Task::Agreement, "nouns in both numbers", 2),
        (Task::Induction { period: 150 }, "ordinary tokens", 300),
    ] {
        let error = task.prompts(1, 0, &tokenizer, Reader::new().config(), Bos::Omit).unwrap_err();
        let given = if needed == 300 { 258 } else { 0 };
        assert_eq!(
            error.to_string(),
            format!(
                "the tokenizer has {given} {what} of the task as one token, at least {needed} are needed"
            )
        );
    }
}

/// What `transformers` makes of the words with GPT-2's tokenizer.
#[test]
fn words_that_are_not_one_token_are_left_out_and_counted() {
    let reader = Reader::new();
    let of = |task: Task| {
        let prompts =
            task.prompts(50, 0, reader.tokenizer(), reader.config(), Bos::Prepend).unwrap();
        assert!(prompts.batch().unwrap().sequences().iter().all(|tokens| tokens[0] == 50256));
        prompts.left_out().to_vec()
    };
    assert_eq!(of(Task::IndirectObject), ["Zachary"]);
    assert_eq!(of(Task::Pronouns), ["Zachary"]);
    let years = of(Task::GreaterThan);
    assert_eq!(years.len(), 61);
    assert_eq!(years[..3], ["1102", "1103", "1104"]);
    assert_eq!(years[60], "1509");
    assert_eq!(
        of(Task::Occupations),
        "carpenter cashier hairdresser housekeeper janitor laborer librarian mover receptionist salesperson"
            .split(' ')
            .collect::<Vec<_>>()
    );
    assert_eq!(of(Task::Agreement), [""; 0]);
}
