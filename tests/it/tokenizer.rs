//! Text to tokens, with the bundled vocabulary and with GPT-2's own.

use std::collections::HashMap;
use std::path::Path;

use hooked_gpt2::error::TokenizerError;
use hooked_gpt2::{Checkpoint, Error, Tokenizer};

/// GPT-2's `vocab.json` and `merges.txt`, from the ranks of its byte pairs.
fn gpt2() -> (tempfile::TempDir, Tokenizer) {
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

#[test]
fn truncation_and_padding_that_a_tokenizer_was_saved_with_leave_prompts_alone() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model/tokenizer.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json["truncation"] = serde_json::json!({
        "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0
    });
    json["padding"] = serde_json::json!({
        "strategy": { "Fixed": 20 }, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"
    });
    let saved = Tokenizer::from_json(json.to_string().as_bytes(), &path).unwrap();
    let bundled = Checkpoint::bundled().unwrap();
    let prompt = "I have no special talents.";
    let expected = bundled.tokenizer().unwrap().encode(prompt).unwrap();
    assert_eq!(expected.len(), 8);
    assert_eq!(saved.encode(prompt).unwrap(), expected);
}

#[test]
fn a_target_of_several_tokens_or_none_shows_its_pieces() {
    let bundled = Checkpoint::bundled().unwrap();
    let tokenizer = bundled.tokenizer().unwrap();
    assert_eq!(tokenizer.single_token(" curious").unwrap(), 2685);
    let Err(Error::Tokenizer(TokenizerError::NotOneToken { pieces, .. })) =
        tokenizer.single_token(" curious mind")
    else {
        panic!("two words are not one token")
    };
    assert_eq!(pieces, [" curious", " mind"]);
    let error = tokenizer.single_token("").unwrap_err();
    assert_eq!(error.to_string(), "\"\" is 0 tokens [], exactly one is needed");
}
