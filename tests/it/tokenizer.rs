//! Text to tokens, with the bundled vocabulary and with GPT-2's own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hooked_gpt2::error::TokenizerError;
use hooked_gpt2::{Checkpoint, Error, Tokenizer};
use serde_json::{Value, json};

use crate::support::{assert_one_line, copy_of, fixtures, with_config};

/// GPT-2's `vocab.json` and `merges.txt`, from the ranks of its byte pairs.
pub fn gpt2() -> (tempfile::TempDir, Tokenizer) {
    let ranks = tiktoken_rs::r50k_base().unwrap();
    let pieces: Vec<Vec<u8>> = (0..50256).map(|id| ranks.decode_bytes(&[id]).unwrap()).collect();
    let ids: HashMap<Vec<u8>, u32> = pieces.iter().cloned().zip(0..).collect();
    let letters = letters_of_bytes();
    let spell = |piece: &[u8]| piece.iter().map(|&byte| letters[byte as usize]).collect::<String>();

    let mut vocab: HashMap<String, u32> =
        pieces.iter().zip(0..).map(|(piece, id)| (spell(piece), id)).collect();
    vocab.insert("<|endoftext|>".to_owned(), 50256);
    // The merge that makes a piece joins the two parts that all earlier merges leave of it.
    let mut merges = "#version: 0.2\n".to_owned();
    for piece in pieces.iter().filter(|piece| piece.len() > 1) {
        let [left, right] = merge(piece, &ids, ids[piece])[..] else {
            panic!("{piece:?} is no merge of two earlier pieces")
        };
        merges += &format!("{} {}\n", spell(left), spell(right));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name| directory.path().join(name);
    std::fs::write(path("vocab.json"), serde_json::to_vec(&vocab).unwrap()).unwrap();
    std::fs::write(path("merges.txt"), merges).unwrap();
    let tokenizer =
        Tokenizer::from_vocab_and_merges(&path("vocab.json"), &path("merges.txt")).unwrap();
    (directory, tokenizer)
}

/// The parts of `piece` after all merges that rank below `limit`.
fn merge<'a>(piece: &'a [u8], ids: &HashMap<Vec<u8>, u32>, limit: u32) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = (0..=piece.len()).collect();
    loop {
        let pairs = ends.windows(3).enumerate();
        let ranked = pairs.filter_map(|(at, ends)| {
            let id = *ids.get(&piece[ends[0]..ends[2]])?;
            (id < limit).then_some((id, at))
        });
        match ranked.min() {
            Some((_, at)) => ends.remove(at + 1),
            None => return ends.windows(2).map(|ends| &piece[ends[0]..ends[1]]).collect(),
        };
    }
}

/// The printable letter that byte-level BPE writes for each byte.
fn letters_of_bytes() -> Vec<char> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut spare = (256..).filter_map(char::from_u32);
    (0..=255_u8)
        .map(|byte| if printable(&byte) { byte.into() } else { spare.next().unwrap() })
        .collect()
}

#[test]
fn the_gpt2_vocabulary_gives_the_published_tokens() {
    let (_files, tokenizer) = gpt2();
    assert_eq!(tokenizer.single_token(" curious").unwrap(), 11040);
    let prompt = "I have no special talents. I am only passionately";
    let tokens = tokenizer.encode(prompt).unwrap();
    assert_eq!(tokens.len(), 10);
    assert_eq!(tokens, tiktoken_rs::r50k_base().unwrap().encode_ordinary(prompt));
    assert_eq!(tokenizer.decode(&tokens).unwrap(), prompt);
    assert_eq!(tokenizer.id_count(), 50257);
    assert_eq!(tokenizer.single_token("<|endoftext|>").unwrap(), 50256);
}

#[test]
fn any_text_survives_encoding_and_decoding() {
    let (_files, gpt2) = gpt2();
    let bundled = Checkpoint::bundled().unwrap();
    let reference = tiktoken_rs::r50k_base().unwrap();
    for text in ["", " ", "a\n\n  b\t", "Zoë's café — 東京 🦀", "I'll  we've 3.14159 \u{0}"]
    {
        let tokens = gpt2.encode(text).unwrap();
        assert_eq!(tokens, reference.encode_ordinary(text), "{text:?}");
        assert_eq!(gpt2.decode(&tokens).unwrap(), text);
        let bundled = bundled.tokenizer().unwrap();
        assert_eq!(bundled.decode(&bundled.encode(text).unwrap()).unwrap(), text);
    }
}

fn bundled_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model")
}

fn bundled_json() -> Value {
    let content = std::fs::read(bundled_model().join("tokenizer.json")).unwrap();
    serde_json::from_slice(&content).unwrap()
}

/// A small tokenizer: all bytes, and the merges of "Ġab".
pub fn small_json() -> Value {
    let mut vocab: HashMap<String, u32> =
        letters_of_bytes().into_iter().map(String::from).zip(0..).collect();
    vocab.extend([("ab".to_owned(), 256), ("Ġab".to_owned(), 257)]);
    json!({
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true },
        "model": { "type": "BPE", "vocab": vocab, "merges": ["a b", "Ġ ab"] }
    })
}

fn added(id: u64, content: &str) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true
    })
}

fn read(json: &Value) -> hooked_gpt2::Result<Tokenizer> {
    Tokenizer::from_json(json.to_string().as_bytes(), Path::new("tokenizer.json"))
}

/// Writes `vocab.json` and `merges.txt`, and reads them.
fn read_original(vocab: &str, merges: &str) -> hooked_gpt2::Result<Tokenizer> {
    let directory = tempfile::tempdir().unwrap();
    let path = |name| directory.path().join(name);
    std::fs::write(path("vocab.json"), vocab).unwrap();
    std::fs::write(path("merges.txt"), merges).unwrap();
    Tokenizer::from_vocab_and_merges(&path("vocab.json"), &path("merges.txt"))
}

#[track_caller]
fn assert_refused(read: hooked_gpt2::Result<Tokenizer>, expected: &str) {
    let error = read.unwrap_err();
    assert_one_line(&error);
    assert!(error.to_string().contains(expected), "{expected:?} is not in {error}");
}

#[test]
fn tokenizers_of_the_gpt2_family_give_what_transformers_gives() {
    let content = std::fs::read(fixtures().join("tokenizers.json")).unwrap();
    let family: Value = serde_json::from_slice(&content).unwrap();
    for member in family.as_array().unwrap() {
        let mut json = bundled_json();
        let patch = |into: &mut Value, part: &Value| {
            into.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        };
        patch(&mut json, &member["parts"]);
        patch(&mut json["model"], &member["model"]);
        if json["model"]["type"].is_null() {
            json["model"].as_object_mut().unwrap().remove("type");
        }
        // More rows than tokens are as good as any.
        let folder = with_config(&fixtures().join("tiny"), |_| {});
        let write = |name: &str, content: String| {
            std::fs::write(folder.path().join(name), content).unwrap();
        };
        if member["original"] == true {
            write("vocab.json", json["model"]["vocab"].to_string());
            let merges = json["model"]["merges"].as_array().unwrap().iter();
            let line = |merge: &Value| {
                format!("{} {}\n", merge[0].as_str().unwrap(), merge[1].as_str().unwrap())
            };
            write(
                "merges.txt",
                "#version: 0.2\n".to_owned() + &merges.map(line).collect::<String>(),
            );
            for settings in
                ["added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"]
            {
                if let Some(content) = member.get(settings) {
                    write(settings, content.to_string());
                }
            }
        } else {
            write("tokenizer.json", json.to_string());
        }
        let tokenizer = of_a_larger_embedding(folder.path());
        for encoding in member["encodings"].as_array().unwrap() {
            let text = encoding["text"].as_str().unwrap();
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(json!(ids), encoding["ids"], "{}: {text:?}", member["name"]);
            assert_eq!(tokenizer.decode(&ids).unwrap(), encoding["decoded"], "{}", member["name"]);
        }
    }
}

/// The tokenizer of a checkpoint, beside an embedding of 8,200 rows.
fn of_a_larger_embedding(folder: &Path) -> Tokenizer {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["vocab_size"] = 8200.into();
    std::fs::write(path, config.to_string()).unwrap();
    Checkpoint::directory(folder).unwrap().tokenizer().unwrap().clone()
}

#[test]
fn settings_that_a_tokenizer_was_saved_with_leave_prompts_alone() {
    let mut json = bundled_json();
    json["truncation"] = json!({
        "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0
    });
    json["padding"] = json!({
        "strategy": { "Fixed": 20 }, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"
    });
    // Half of all merges are left out, at random.
    json["model"]["dropout"] = 0.5.into();
    json["post_processor"] = json!({ "type": "BertProcessing", "sep": ["x", 1], "cls": ["x", 1] });
    let saved = read(&json).unwrap();
    let bundled = Checkpoint::bundled().unwrap();
    let prompt = "I have no special talents.";
    let expected = bundled.tokenizer().unwrap().encode(prompt).unwrap();
    assert_eq!(expected.len(), 6);
    for _ in 0..4 {
        assert_eq!(saved.encode(prompt).unwrap(), expected);
    }
}

#[test]
fn parts_that_are_not_gpt2s_are_refused_by_name_with_what_is_allowed() {
    let strip = json!({ "type": "Strip", "content": "a", "start": 1, "stop": 9 });
    for (part, value, expected) in [
        ("version", json!("2.0"), "`version` is 2.0, allowed: 1.0"),
        ("normalizer", json!({ "type": "Lowercase" }), "`normalizer` is Lowercase, allowed: null"),
        ("normalizer", json!({ "type": "Sequence", "normalizers": [] }), "is Sequence"),
        (
            "normalizer",
            json!({ "type": "Strip", "strip_left": true, "strip_right": true }),
            "is Strip",
        ),
        ("pre_tokenizer", json!(null), "`pre_tokenizer` is null, allowed: ByteLevel"),
        ("pre_tokenizer", json!({ "type": "Whitespace" }), "is Whitespace"),
        (
            "pre_tokenizer",
            json!({ "type": "ByteLevel", "use_regex": false }),
            "`pre_tokenizer.use_regex` is false, allowed: true",
        ),
        ("decoder", json!(null), "`decoder` is null, allowed: ByteLevel"),
        ("decoder", strip.clone(), "`decoder` is Strip, allowed: ByteLevel"),
        ("decoder", json!({ "type": "Sequence", "decoders": [strip] }), "is Sequence"),
        ("decoder", json!({ "type": "x\n".repeat(100_000) }), r"is x\nx\nx"),
        ("decoder", json!("ByteLevel"), "invalid type: string"),
    ] {
        let mut json = small_json();
        json[part] = value;
        assert_refused(read(&json), expected);
    }
    for (setting, value, expected) in [
        ("type", json!("WordLevel"), "`model.type` is WordLevel, allowed: BPE"),
        ("type", json!("Unigram"), "`model.type` is Unigram, allowed: BPE"),
        ("continuing_subword_prefix", json!("####"), "`model.continuing_subword_prefix` is ####"),
        ("continuing_subword_prefix", json!("ü"), "`model.continuing_subword_prefix` is ü"),
        ("end_of_word_suffix", json!("</w>"), "`model.end_of_word_suffix` is </w>"),
        ("byte_fallback", json!(true), "`model.byte_fallback` is true, allowed: false"),
        ("ignore_merges", json!(true), "`model.ignore_merges` is true, allowed: false"),
    ] {
        let mut json = small_json();
        json["model"][setting] = value;
        assert_refused(read(&json), expected);
    }
}

#[test]
fn a_vocabulary_that_contradicts_itself_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut json = small_json();
        change(&mut json);
        assert_refused(read(&json), expected);
    };
    let vocab = |token: &'static str, id: Value| {
        move |json: &mut Value| json["model"]["vocab"][token] = id.clone()
    };
    refused(&vocab("abc", json!(256)), "`ab` and `abc` have one id, 256");
    refused(&vocab("abc", json!(4_294_967_296_u64)), "`abc` has the id 4294967296, allowed: 0 to");
    refused(&vocab("abc", json!(-1)), "the token `abc` has the id -1, allowed: 0 to 4294967295");
    refused(&vocab("abc", json!(1.5)), "the token `abc` has the id 1.5");
    refused(&vocab("abc", json!("7")), "invalid type: string");

    let merges = |merges: Value| move |json: &mut Value| json["model"]["merges"] = merges.clone();
    refused(&merges(json!(["a b", "ab ab"])), "the merge of `ab` and `ab` needs the token `abab`");
    refused(&merges(json!([["a", "語"]])), "the merge of `a` and `語` needs the token `語`");
    refused(&merges(json!(["ab"])), "`ab` is not two tokens with a space between them");
    refused(&merges(json!(["a b c"])), "`a b c` is not two tokens");
    refused(&merges(json!([["a", "b", "c"]])), "a merge is not two tokens");
    refused(&merges(json!([["a"]])), "a merge is not two tokens");
    refused(&merges(json!([7])), "expected a merge");

    let tokens = |tokens: Value| move |json: &mut Value| json["added_tokens"] = tokens.clone();
    refused(&tokens(json!([added(300, "[PAD]")])), "`[PAD]` has the id 300, allowed: 258");
    refused(&tokens(json!([added(7, "ab")])), "have one id, 7");
    refused(&tokens(json!([added(258, "ab")])), "`ab` has the id 258, allowed: 256");
    refused(&tokens(json!([added(258, "x!"), added(258, "y!")])), "`x!` and `y!` have one id, 258");
    refused(&tokens(json!([added(258, "x!"), added(259, "x!")])), "`x!` is there twice");
    refused(&tokens(json!([added(258, "")])), "the added token with the id 258 is empty");
    refused(&tokens(json!([added(4_294_967_296, "x!")])), "has the id 4294967296, allowed: 0 to");
    let with = |mut token: Value, flag: &str| {
        token[flag] = true.into();
        token
    };
    let greedy = with(added(258, "x!"), "rstrip");
    refused(
        &tokens(json!([greedy, with(added(259, "\n"), "lstrip")])),
        r"`x!` takes the white space behind it (rstrip), and `\n`, which is some, that in front of it (lstrip)",
    );
    let alone = with(with(added(258, " "), "rstrip"), "lstrip");
    refused(
        &tokens(json!([alone])),
        "` ` takes the white space behind it (rstrip), and ` `, which",
    );

    // A text that is an object twice over is no `Value` any more.
    let text = small_json().to_string();
    let twice = text.replacen(r#""ab":256"#, r#""ab":256,"ab":300"#, 1);
    let expected = "`ab` is there twice, with the ids 256 and 300";
    assert_refused(Tokenizer::from_json(twice.as_bytes(), Path::new("tokenizer.json")), expected);
}

#[test]
fn original_files_that_contradict_themselves_are_refused_by_name() {
    let vocab = small_json()["model"]["vocab"].to_string();
    let with = |entry: &str| vocab.replacen('{', &format!("{{{entry},"), 1);
    assert!(read_original(&vocab, "#version: 0.2\na b\r\nĠ ab\n").is_ok());
    for (vocab, merges, expected) in [
        (with(r#""abc": 256"#), "", "have one id, 256"),
        (with(r#""ab": 300"#), "", "`ab` is there twice"),
        (with(r#""abc": 4294967552"#), "", "`abc` has the id 4294967552, allowed: 0 to 4294967295"),
        (with(r#""abc": "x""#), "", "vocab.json: not a usable tokenizer: invalid type"),
        (vocab.clone(), "a b\nab ab\n", "the merge of `ab` and `ab` needs the token `abab`"),
        (
            vocab.clone(),
            "a b\n\nĠ ab\n",
            "merges.txt: not a usable tokenizer: line 2: `` is not two",
        ),
        (vocab.clone(), "a b c", "line 1: `a b c` is not two tokens with a space between them"),
        ("[]".to_owned(), "", "vocab.json"),
    ] {
        assert_refused(read_original(&vocab, merges), expected);
    }
    let latin = tempfile::tempdir().unwrap();
    let path = |name| latin.path().join(name);
    std::fs::write(path("vocab.json"), vocab).unwrap();
    std::fs::write(path("merges.txt"), b"a \xff\n").unwrap();
    let read = Tokenizer::from_vocab_and_merges(&path("vocab.json"), &path("merges.txt"));
    assert_refused(read, "merges.txt: not a usable tokenizer: invalid utf-8");
}

/// A checkpoint of `rows` embedded tokens, with the small tokenizer in its original files and with `settings`.
fn with_settings(rows: usize, settings: &[(&str, Value)]) -> hooked_gpt2::Result<Checkpoint> {
    let folder = with_config(&fixtures().join("tiny"), |config| {
        config.insert("vocab_size".to_owned(), rows.into());
    });
    let write = |name: &str, content: String| {
        std::fs::write(folder.path().join(name), content).unwrap();
    };
    write("vocab.json", small_json()["model"]["vocab"].to_string());
    write("merges.txt", "a b\nĠ ab\n".to_owned());
    settings.iter().for_each(|(name, content)| write(name, content.to_string()));
    Checkpoint::directory(folder.path())
}

#[test]
fn a_special_token_that_neither_the_vocabulary_nor_the_embedding_has_is_left_out() {
    let ids = |rows: usize, text: &str| {
        let checkpoint = with_settings(rows, &[]).unwrap();
        let tokenizer = checkpoint.tokenizer().unwrap();
        assert_eq!(tokenizer.id_count(), rows);
        tokenizer.encode(text).unwrap()
    };
    assert_eq!(ids(259, "a<|endoftext|>")[1..], [258]);
    assert_eq!(ids(258, "a<|endoftext|>").len(), 14);
}

#[test]
fn settings_beside_the_original_files_that_are_none_are_refused_by_name() {
    for (file, content, expected) in [
        ("tokenizer_config.json", json!({ "pad_token": 7 }), "`pad_token` has what is no token"),
        (
            "special_tokens_map.json",
            json!({ "additional_special_tokens": ["a", {}] }),
            "special_tokens_map.json: not a usable tokenizer: `additional_special_tokens` has what is no token",
        ),
        (
            "tokenizer_config.json",
            json!({ "added_tokens_decoder": { "x": "y" } }),
            "`x` in `added_tokens_decoder` is no token with its id",
        ),
        ("tokenizer_config.json", json!({ "added_tokens_decoder": [] }), "is no object"),
        ("tokenizer_config.json", json!([]), "invalid type: sequence"),
    ] {
        let error = with_settings(300, &[(file, content)]).unwrap_err();
        assert_one_line(&error);
        assert!(error.to_string().contains(expected), "{expected:?} is not in {error}");
    }
    // What is said of other things, and an empty name, are nothing to it.
    let config = json!({ "add_bos_token": true, "pad_token": "", "model_max_length": 1e30 });
    assert!(with_settings(300, &[("tokenizer_config.json", config)]).is_ok());
}

#[test]
fn a_text_with_bytes_that_no_token_is_made_of_is_refused() {
    let mut json = small_json();
    json["added_tokens"] = json!([added(258, "<é>")]);
    let whole = read(&json).unwrap();
    assert_eq!(whole.encode("é<é> ab").unwrap().len(), 4);

    // The byte 0xa9, which is half of an é.
    json["model"]["vocab"].as_object_mut().unwrap().remove("©");
    json["model"]["vocab"]["filler"] = 0xa9.into();
    let error = read(&json).unwrap().encode("é<é> ab").unwrap_err();
    assert!(error.to_string().ends_with("it has no token for the byte 0xa9"), "{error}");
    assert_eq!(read(&json).unwrap().encode("<é> ab").unwrap(), [258, 257]);
}

#[test]
fn a_tokenizer_with_an_id_beyond_the_embedding_is_refused() {
    let folder = copy_of(&bundled_model());
    let path = folder.path().join("tokenizer.json");
    let mut json = bundled_json();
    json["added_tokens"].as_array_mut().unwrap().push(added(8192, "[PAD]"));
    std::fs::write(path, json.to_string()).unwrap();
    let error = Checkpoint::directory(folder.path()).unwrap_err();
    let path = folder.path().display();
    assert_eq!(
        error.to_string(),
        format!("{path}: the tokenizer has 8193 token ids, the model embeds only 8192")
    );
}

#[test]
fn texts_of_any_length_are_cut_into_the_same_words() {
    let bundled = Checkpoint::bundled().unwrap();
    let tokenizer = bundled.tokenizer().unwrap();
    let ending = tokenizer.encode("a a").unwrap();
    let spaces = " ".repeat(1_500_000) + "a a";
    let tokens = tokenizer.encode(&spaces).unwrap();
    assert_eq!(tokenizer.decode(&tokens).unwrap(), spaces);
    assert_eq!(tokens[tokens.len() - 1..], ending[1..]);
}

#[test]
fn a_target_of_several_tokens_or_none_shows_its_pieces() {
    let bundled = Checkpoint::bundled().unwrap();
    let tokenizer = bundled.tokenizer().unwrap();
    assert_eq!(tokenizer.single_token(" curious").unwrap(), 477);
    let Err(Error::Tokenizer(TokenizerError::NotOneToken { pieces, .. })) =
        tokenizer.single_token(" curious mind")
    else {
        panic!("two words are not one token")
    };
    assert_eq!(pieces, [" curious", " mind"]);
    let error = tokenizer.single_token("").unwrap_err();
    assert_eq!(error.to_string(), "\"\" is 0 tokens [], exactly one is needed");
}

#[test]
fn the_pieces_of_a_text_are_its_tokens_in_words() {
    let checkpoint = Checkpoint::bundled().unwrap();
    let tokenizer = checkpoint.tokenizer().unwrap();
    let text = "She was  a\nvery happy woman.";
    let tokens = tokenizer.encode(text).unwrap();
    let pieces = tokenizer.pieces(&tokens).unwrap();
    assert_eq!((pieces.len(), pieces.concat()), (tokens.len(), text.to_owned()));
    assert!(pieces.contains(&" happy".to_owned()) && pieces.contains(&"\n".to_owned()));
    // Of a character that several tokens make, none is a text.
    let tokens = tokenizer.encode("\u{1f600}").unwrap();
    let pieces = tokenizer.pieces(&tokens).unwrap();
    assert!(
        tokens.len() > 1 && pieces.iter().all(|piece| piece.contains('\u{fffd}')),
        "{pieces:?}"
    );
    assert!(tokenizer.pieces(&[1_000_000]).is_err());
}
