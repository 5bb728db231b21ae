//! Files as somebody else may have left them: whatever lies there, reading it ends at once, with the model that was
//! asked for or with one clear line.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Checkpoint, Error, Gpt2, Precision, Result};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

use crate::support::{
    assert_identical, assert_one_line, chain, copy_of, fixtures, single, stored_tensors,
    with_config, write_stored,
};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// What `call` gives, which has to be there soon.
#[track_caller]
fn soon<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(call()));
    receiver.recv_timeout(Duration::from_secs(20)).expect("it takes for ever")
}

fn load(path: &Path) -> Result<Gpt2> {
    let checkpoint = Checkpoint::directory(path)?;
    Ok(Gpt2::load(&checkpoint, Precision::F32, Device::Cpu)?.0)
}

#[track_caller]
fn load_error(path: &Path) -> Error {
    let path = path.to_owned();
    let error = soon(move || load(&path).unwrap_err());
    assert_one_line(&error);
    error
}

#[track_caller]
fn assert_refused(path: &Path, expected: &str) {
    let error = chain(&load_error(path));
    assert!(error.contains(expected), "{expected:?} is not in {error}");
}

/// The tiny checkpoint with every kind of file that is read: shards, or all the weights in one; a tokenizer in one
/// file, or in three.
fn tiny(in_shards: bool, original: bool) -> tempfile::TempDir {
    let folder = with_config(&fixtures().join("tiny"), |config| {
        config.insert("vocab_size".to_owned(), 300.into());
    });
    let path = |name: &str| folder.path().join(name);
    let mut tensors = stored_tensors(&path(WEIGHTS));
    let embedding = tensors.get_mut("transformer.wte.weight").unwrap();
    embedding.data.resize(embedding.data.len() / embedding.shape[0] * 300, 0);
    embedding.shape[0] = 300;
    write_stored(&path(WEIGHTS), &tensors);
    if in_shards {
        fs::rename(path(WEIGHTS), path("a.safetensors")).unwrap();
        let index = json!({ "weight_map": { "wte.weight": "a.safetensors" } });
        fs::write(path(INDEX), index.to_string()).unwrap();
    }
    let letters = (0..=255_u32).map(|byte| char::from_u32(256 + byte).unwrap().to_string());
    let vocab: serde_json::Map<String, Value> =
        letters.zip(0..).map(|(letter, id)| (letter, id.into())).collect();
    if original {
        fs::write(path("vocab.json"), json!(vocab).to_string()).unwrap();
        fs::write(path("merges.txt"), "").unwrap();
        fs::write(path("added_tokens.json"), json!({ "[PAD]": 256 }).to_string()).unwrap();
        fs::write(path("tokenizer_config.json"), "{}").unwrap();
        fs::write(path("special_tokens_map.json"), "{}").unwrap();
    } else {
        let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false });
        let json = json!({
            "pre_tokenizer": byte_level, "decoder": byte_level,
            "model": { "type": "BPE", "vocab": vocab, "merges": [] }
        });
        fs::write(path("tokenizer.json"), json.to_string()).unwrap();
    }
    assert!(load(folder.path()).unwrap().config().d_vocab == 300);
    folder
}

/// Every file of a checkpoint that is read, in a checkpoint that has it.
fn every_file() -> Vec<(tempfile::TempDir, &'static str)> {
    let whole = |file| (tiny(false, false), file);
    let original = |file| (tiny(true, true), file);
    vec![
        whole("config.json"),
        whole(WEIGHTS),
        whole("tokenizer.json"),
        original(INDEX),
        original("a.safetensors"),
        original("vocab.json"),
        original("merges.txt"),
        original("added_tokens.json"),
        original("tokenizer_config.json"),
        original("special_tokens_map.json"),
    ]
}

fn sparse(path: &Path, size: u64) {
    File::options().create(true).append(true).open(path).unwrap().set_len(size).unwrap();
}

#[cfg(unix)]
fn make_pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once_wherever_a_file_is_read() {
    use std::os::unix::{fs::symlink, net::UnixListener};
    let device = "is a pipe, a socket or a device, a file is needed";
    for (folder, file) in every_file() {
        let path = folder.path().join(file);
        fs::remove_file(&path).unwrap();
        let expected = |kind: &str| format!("{file} {kind}");

        make_pipe(&path);
        assert_refused(folder.path(), &expected(device));
        fs::remove_file(&path).unwrap();
        let _socket = UnixListener::bind(&path).unwrap();
        assert_refused(folder.path(), &expected(device));
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert_refused(folder.path(), &expected(device));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_refused(folder.path(), &expected("is a directory, a file is needed"));
    }
}

#[cfg(unix)]
#[test]
fn edits_and_their_tensors_are_read_from_files_alone() {
    let load = |path: &Path| {
        let path = path.to_owned();
        chain(&soon(move || Interventions::load(path).unwrap_err()))
    };
    for format in ["toml", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("hooks.{format}"));
        make_pipe(&path);
        assert!(load(&path).contains("is a pipe, a socket or a device"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(load(&path).contains("is a directory"));
        fs::remove_dir(&path).unwrap();
        sparse(&path, 1 << 40);
        assert!(load(&path).contains("has 1099511627776 bytes, allowed: 16777216"));
        fs::remove_file(&path).unwrap();

        let hook = match format {
            "toml" => "[[hook]]\nsite = \"hook_embed\"\nedit.set.value = \"x\"",
            _ => r#"{"hook": [{"site": "hook_embed", "edit": {"set": {"value": "x"}}}]}"#,
        };
        fs::write(&path, hook).unwrap();
        let tensors = folder.path().join(format!("hooks.{format}.safetensors"));
        make_pipe(&tensors);
        let error = load(&path);
        assert!(error.contains("is a pipe, a socket or a device"), "{error}");
        fs::remove_file(&tensors).unwrap();
        sparse(&tensors, 1 << 40);
        assert!(load(&path).contains("not a valid safetensors file"));
    }
}

#[cfg(unix)]
#[test]
fn links_to_files_are_read_and_links_to_nothing_are_refused() {
    use std::os::unix::fs::symlink;
    for (folder, file) in every_file() {
        let blobs = tempfile::tempdir().unwrap();
        let (path, blob) = (folder.path().join(file), blobs.path().join("blob"));
        fs::rename(&path, &blob).unwrap();
        symlink(&blob, &path).unwrap();
        load(folder.path()).unwrap();
        fs::remove_file(&blob).unwrap();
        // A tokenizer that is there and cannot be read is not taken for none.
        assert_refused(folder.path(), &format!("{file}: no such file or directory"));
    }
}

#[test]
fn files_far_larger_than_such_files_are_cost_neither_time_nor_memory() {
    for (folder, file) in every_file() {
        let path = folder.path().join(file);
        sparse(&path, 1 << 40);
        let expected = match file {
            WEIGHTS | "a.safetensors" => "not a valid safetensors file: the header describes",
            "config.json" | "tokenizer_config.json" | "special_tokens_map.json" | INDEX => {
                "has 1099511627776 bytes, allowed: 16777216"
            }
            _ => "has 1099511627776 bytes, allowed: 268435456",
        };
        assert_refused(folder.path(), expected);
    }
    let folder = copy_of(&fixtures().join("tiny"));
    let path = folder.path().join(WEIGHTS);
    fs::write(&path, (1_u64 << 30).to_le_bytes()).unwrap();
    sparse(&path, 2 << 30);
    assert_refused(folder.path(), "a header of 1073741824 bytes, allowed: 16777216");
    fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    sparse(&path, 4096);
    assert_refused(folder.path(), "a header of 18446744073709551615 bytes in a file of 4096");
}

/// A safetensors file of this header, and `data` bytes of zeros behind it.
fn write_header(path: &Path, header: &str, data: usize) {
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [&length[..], header.as_bytes(), &vec![0; data]].concat()).unwrap();
}

#[test]
fn headers_that_contradict_themselves_are_refused_in_one_line() {
    let folder = copy_of(&fixtures().join("tiny"));
    let tensor = |dtype: &str, shape: Value, from: u64, to: u64| json!({ "dtype": dtype, "shape": shape, "data_offsets": [from, to] });
    for (what, header, data) in [
        ("unknown dtype", json!({ "wte.weight": tensor("F3", json!([1]), 0, 4) }), 4),
        (
            "a dtype of megabytes",
            json!({ "x": tensor(&"F\n".repeat(1 << 20), json!([1]), 0, 4) }),
            4,
        ),
        (
            "product overflows",
            json!({ "x": tensor("F32", json!([1_u64 << 40, 1_u64 << 40]), 0, 4) }),
            4,
        ),
        ("bytes overflow", json!({ "x": tensor("F32", json!([1_u64 << 62]), 0, 4) }), 4),
        ("negative", json!({ "x": tensor("F32", json!([-1]), 0, 4) }), 4),
        ("larger than its bytes", json!({ "x": tensor("F32", json!([2]), 0, 4) }), 4),
        ("ends before it begins", json!({ "x": tensor("F32", json!([1]), 4, 0) }), 4),
        (
            "overlap",
            json!({ "x": tensor("F32", json!([1]), 0, 4), "y": tensor("F32", json!([1]), 2, 6) }),
            6,
        ),
        (
            "gap",
            json!({ "x": tensor("F32", json!([1]), 0, 4), "y": tensor("F32", json!([1]), 6, 10) }),
            10,
        ),
        ("gap in front", json!({ "x\n": tensor("F32", json!([1]), 4, 8) }), 8),
        ("bytes behind", json!({ "x": tensor("F32", json!([1]), 0, 4) }), 5),
        ("no tensor and bytes", json!({}), 1),
        ("not an object", json!([1, 2]), 0),
        ("deep", json!({ "__metadata__": { "x": "y" }, "z": 7 }), 0),
    ] {
        write_header(&folder.path().join(WEIGHTS), &header.to_string(), data);
        let error = load_error(folder.path());
        assert!(error.to_string().contains("not a valid safetensors file"), "{what}: {error}");
    }
    // Together more bytes than can be counted.
    let half = 1_u64 << 60;
    let header: serde_json::Map<String, Value> = (0..15)
        .map(|i| (format!("x{i}"), tensor("F64", json!([half / 8]), i * half, (i + 1) * half)))
        .chain([("y".to_owned(), tensor("U8", json!([half - 1]), 15 * half, u64::MAX))])
        .collect();
    write_header(&folder.path().join(WEIGHTS), &json!(header).to_string(), 0);
    assert_refused(folder.path(), "describes 18446744073709551615 bytes of tensors");
    write_header(&folder.path().join(WEIGHTS), &(r#"{"x":"#.to_owned() + &"[".repeat(1 << 20)), 0);
    assert_refused(folder.path(), "recursion limit exceeded");
    write_header(&folder.path().join(WEIGHTS), "{}", 0);
    assert_refused(folder.path(), "40 weights are missing, the first is `wte.weight`");
}

#[test]
fn what_git_lfs_left_in_the_place_of_weights_is_called_that() {
    let folder = copy_of(&fixtures().join("tiny"));
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 20000\n";
    fs::write(folder.path().join(WEIGHTS), pointer).unwrap();
    assert_refused(folder.path(), "a pointer of git LFS, which `git lfs pull` replaces");
}

#[test]
fn tensors_without_entries_and_of_absurd_shapes_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hooks.toml");
    fs::write(&path, "[[hook]]\nsite = \"hook_embed\"\nedit.set.value = \"x\"").unwrap();
    let tiny = load(&fixtures().join("tiny")).unwrap();
    for (shape, from, to) in [
        (json!([0]), 0, 0),
        (json!([0, u64::MAX]), 0, 0),
        (json!([0, i64::MAX, i64::MAX]), 0, 0),
        (json!(vec![1; 10_000]), 0, 4),
        (json!([]), 0, 4),
    ] {
        let header = json!({ "x": { "dtype": "F32", "shape": shape, "data_offsets": [from, to] } });
        let tensors = folder.path().join("hooks.toml.safetensors");
        write_header(&tensors, &header.to_string(), to);
        let batch = single(&[3, 1]);
        let run = Interventions::load(&path)
            .and_then(|hooks| tiny.run(&batch).hooks(&hooks).execute().map(drop));
        // One number repeats into whatever is selected.
        assert_eq!(run.is_ok(), shape == json!([]), "{shape:.40}");
        if shape[1] == json!(u64::MAX) {
            let error = chain(&run.unwrap_err());
            let expected =
                "a size of `x` is 18446744073709551615, allowed: up to 9223372036854775807";
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[test]
fn sizes_that_no_file_has_are_refused_before_memory_is_taken() {
    for field in ["n_positions", "vocab_size", "n_embd", "n_inner"] {
        let folder = with_config(&fixtures().join("tiny"), |config| {
            config.insert(field.to_owned(), 4_294_967_295_u64.into());
        });
        assert_refused(folder.path(), "has shape");
    }
    let folder = with_config(&fixtures().join("tiny"), |config| {
        config.insert("n_layer".to_owned(), 10_000.into());
    });
    assert_refused(folder.path(), "weights are missing, the first is `h.3.ln_1.weight`");
    for field in ["n_head", "n_layer", "n_positions"] {
        let folder = with_config(&fixtures().join("tiny"), |config| {
            config.insert(field.to_owned(), u64::MAX.into());
        });
        assert_refused(folder.path(), &format!("`{field}` is 18446744073709551615, allowed: 1 to"));
    }
}

#[test]
fn many_names_on_both_sides_are_compared_soon() {
    let folder = with_config(&fixtures().join("tiny"), |config| {
        config.insert("n_layer".to_owned(), 10_000.into());
    });
    let nothing = json!({ "dtype": "F32", "shape": [0], "data_offsets": [0, 0] });
    let names = (0..190_000).map(|i| (format!("h.9999.attn.c_{i:07}ight"), nothing.clone()));
    let header = Value::Object(names.collect()).to_string();
    write_header(&folder.path().join(WEIGHTS), &header, 0);
    assert_refused(folder.path(), "120004 weights are missing, the first is `wte.weight`");
}

#[test]
fn more_shards_than_a_checkpoint_has_are_refused() {
    let folder = copy_of(&fixtures().join("tiny"));
    fs::remove_file(folder.path().join(WEIGHTS)).unwrap();
    let map: serde_json::Map<String, Value> =
        (0..1001).map(|i| (format!("w{i}"), format!("{i}.safetensors").into())).collect();
    fs::write(folder.path().join(INDEX), json!({ "weight_map": map }).to_string()).unwrap();
    assert_refused(folder.path(), "1001 shards, allowed: 1000");
}

/// The tiny checkpoint, last written to long ago, and another that is all zeros.
fn tiny_and_another() -> (tempfile::TempDir, Vec<u8>) {
    let folder = copy_of(&fixtures().join("tiny"));
    let path = folder.path().join(WEIGHTS);
    let long_ago = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
    File::options().write(true).open(&path).unwrap().set_times(long_ago).unwrap();
    let mut tensors = stored_tensors(&path);
    for tensor in tensors.values_mut() {
        tensor.data.fill(0);
    }
    let other = tempfile::NamedTempFile::new().unwrap();
    write_stored(other.path(), &tensors);
    (folder, fs::read(other.path()).unwrap())
}

#[test]
fn weights_are_those_of_the_file_that_was_opened_whatever_takes_its_name() {
    let (folder, other) = tiny_and_another();
    let checkpoint = Checkpoint::directory(folder.path()).unwrap();
    let renamed = folder.path().join("other");
    fs::write(&renamed, other).unwrap();
    fs::rename(&renamed, folder.path().join(WEIGHTS)).unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap();
    let original = load(&fixtures().join("tiny")).unwrap();
    let batch = single(&[3, 14, 15]);
    let logits = |model: &Gpt2| {
        let output = model.run(&batch).execute().unwrap();
        output.logits.tensor(0).unwrap().shallow_clone()
    };
    assert_identical(&logits(&model), &logits(&original));
}

#[test]
fn weights_that_are_overwritten_or_cut_after_they_were_opened_are_refused() {
    let (_, other) = tiny_and_another();
    for content in [&other[..], &other[..5000], &[other.clone(), vec![0]].concat(), &[]] {
        let (folder, _) = tiny_and_another();
        let checkpoint = Checkpoint::directory(folder.path()).unwrap();
        fs::write(folder.path().join(WEIGHTS), content).unwrap();
        let error = Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap_err();
        let expected = "model.safetensors was changed after it was opened";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn a_weight_that_is_not_finite_is_refused_by_name_and_place() {
    const BIAS: &str = "transformer.h.1.mlp.c_fc.bias";
    let nan = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let bytes = |number: f64, dtype: Dtype| match dtype {
        Dtype::F32 => (number as f32).to_le_bytes().to_vec(),
        Dtype::F64 => number.to_le_bytes().to_vec(),
        // The upper half of a f32.
        Dtype::BF16 => (number as f32).to_le_bytes()[2..].to_vec(),
        _ if number.is_nan() => vec![0x00, 0x7e],
        _ if number == f64::INFINITY => vec![0x00, 0x7c],
        _ if number == f64::NEG_INFINITY => vec![0x00, 0xfc],
        _ => vec![0xff, 0x7b],
    };
    let stored = |numbers: &[f64], dtype: Dtype| {
        let folder = copy_of(&fixtures().join("tiny"));
        let path = folder.path().join(WEIGHTS);
        let mut tensors = stored_tensors(&path);
        let bias = tensors.get_mut(BIAS).unwrap();
        bias.dtype = dtype;
        bias.data = numbers.iter().flat_map(|&number| bytes(number, dtype)).collect();
        write_stored(&path, &tensors);
        folder
    };
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F64] {
        for number in nan {
            let mut numbers = [65504.0; 96];
            numbers[95] = number;
            let error = load_error(stored(&numbers, dtype).path()).to_string();
            assert!(error.contains(&format!("`{BIAS}` is ")), "{error}");
            assert!(error.contains(" at [95], a number that is finite in f32"), "{error}");
        }
    }

    // The largest numbers of f32 and of f64, and what is one in f64 alone.
    load(stored(&[f32::MAX.into(); 96], Dtype::F32).path()).unwrap();
    load(stored(&[f32::MIN.into(); 96], Dtype::F64).path()).unwrap();
    let beyond = stored(&[-1e39; 96], Dtype::F64);
    assert_refused(beyond.path(), "is -1e39 at [0], a number that is finite in f32 is needed");
    let checkpoint = Checkpoint::directory(beyond.path()).unwrap();
    Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).unwrap();

    // Behind the first few thousand numbers, in a matrix.
    let folder = copy_of(&fixtures().join("tiny"));
    let path = folder.path().join(WEIGHTS);
    let mut tensors = stored_tensors(&path);
    let weight = tensors.get_mut("transformer.h.2.mlp.c_fc.weight").unwrap();
    assert_eq!((weight.dtype, &weight.shape[..]), (Dtype::F32, &[24, 96][..]));
    let at = 4 * (23 * 96 + 5);
    weight.data[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    write_stored(&path, &tensors);
    assert_refused(folder.path(), "`transformer.h.2.mlp.c_fc.weight` is NaN at [23, 5]");
}

#[test]
fn two_threads_load_one_checkpoint_at_once() {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model");
    let checkpoint = Checkpoint::directory(bundled).unwrap();
    let load = || Gpt2::load(&checkpoint, Precision::F32, Device::Cpu).unwrap().0;
    let logits = |model: Gpt2| {
        let batch = single(&[41, 379, 437]);
        let output = model.run(&batch).execute().unwrap();
        output.logits.tensor(0).unwrap().shallow_clone()
    };
    let alone = logits(load());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        for thread in threads {
            assert_identical(&logits(thread.join().unwrap()), &alone);
        }
    });
}

#[test]
fn what_a_file_says_is_shown_short_and_on_one_line() {
    let nasty = "x\r\n\u{1b}[2J\u{202e}\0".repeat(100_000);
    let config = |field: &str, value: Value| {
        with_config(&fixtures().join("tiny"), |config| {
            config.insert(field.to_owned(), value.clone());
        })
    };
    let with = |file: &str, content: &str| {
        let folder = copy_of(&fixtures().join("tiny"));
        fs::write(folder.path().join(file), content).unwrap();
        folder
    };
    let quoted = json!(nasty).to_string();
    let in_shards = |map: Value| {
        let folder = with(INDEX, &json!({ "weight_map": map }).to_string());
        fs::remove_file(folder.path().join(WEIGHTS)).unwrap();
        folder
    };
    for folder in [
        config("model_type", nasty.as_str().into()),
        config("architectures", json!([nasty])),
        config("activation_function", nasty.as_str().into()),
        config("n_head", nasty.as_str().into()),
        config("n_layer", json!(vec![7; 1_000_000])),
        with("config.json", &quoted),
        with("config.json", &format!(r#"{{"model_type": "gpt2", "x": {quoted}}} x"#)),
        with("tokenizer.json", &quoted),
        with("tokenizer.json", &format!(r#"{{"version": {quoted}, "model": {{}}}}"#)),
        with("tokenizer.json", &format!(r#"{{"model": {{"type": {quoted}}}}}"#)),
        with(INDEX, &quoted),
        in_shards(json!({ "wte.weight": nasty })),
        in_shards(json!({ "wte.weight": "x\ny".repeat(1000) })),
        in_shards(json!({ "wte.weight": "x".repeat(1_000_000) })),
        in_shards(json!({ "wte.weight": "x\ny" })),
    ] {
        if folder.path().join(INDEX).exists() {
            let _ = fs::remove_file(folder.path().join(WEIGHTS));
        }
        load_error(folder.path());
    }

    // Names of tensors.
    let folder = copy_of(&fixtures().join("tiny"));
    let path = folder.path().join(WEIGHTS);
    let mut tensors = stored_tensors(&path);
    let weight = tensors["transformer.ln_f.bias"].clone();
    tensors.insert(format!("transformer.{nasty}"), weight.clone());
    tensors.insert(nasty.clone(), weight);
    write_stored(&path, &tensors);
    assert_refused(folder.path(), r"again, only one of them is allowed");

    // Names of files.
    #[cfg(unix)]
    {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a\nb\u{1b}[2J");
        assert_refused(&path, r"a\nb\u{1b}[2J: no such file or directory");
        fs::create_dir(&path).unwrap();
        assert_refused(&path, r"a\nb\u{1b}[2J/config.json: no such file or directory");
        fs::copy(fixtures().join("tiny/config.json"), path.join("config.json")).unwrap();
        write_header(&path.join(WEIGHTS), "{}", 0);
        assert_refused(&path, r"a\nb\u{1b}[2J: 40 weights are missing");

        let text = path.join("hooks.toml");
        fs::write(&text, "[[hook]]\nsite = 'hook_embed'\nedit.set.value = \"a\\u001b[2J\"")
            .unwrap();
        write_header(&path.join("hooks.toml.safetensors"), "{}", 0);
        let error = chain(&Interventions::load(&text).unwrap_err());
        let (hook, tensor) = error.split_once(": hook 0 cannot be loaded: ").unwrap();
        assert!(hook.ends_with(r"a\nb\u{1b}[2J/hooks.toml"), "{error}");
        let needed = r"a\nb\u{1b}[2J/hooks.toml.safetensors: no tensor `a\u{1b}[2J`, stored: ";
        assert!(tensor.ends_with(needed), "{error}");
        let digest = "0".repeat(64);
        fs::write(&text, format!("tensors_sha256 = '{digest}'")).unwrap();
        write_header(&path.join(format!("hooks.toml.{}.safetensors", &digest[..16])), "{}", 0);
        let error = chain(&Interventions::load(&text).unwrap_err());
        assert!(
            error.contains(
                r"a\nb\u{1b}[2J/hooks.toml.0000000000000000.safetensors: not the tensors"
            ),
            "{error}"
        );
    }
}
