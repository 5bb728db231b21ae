//! Documents that are nearly those that are meant.

use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};

/// Another document, one to four changes away; or one that is none any more. `parts` are what else is found in
/// documents of this kind.
pub fn mutated(document: &[u8], parts: &[Value], random: &mut impl Rng) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(document) else {
        return torn(document, random);
    };
    if random.random_ratio(1, 16) {
        return torn(document, random);
    }
    for _ in 0..random.random_range(1..=4) {
        let whole = value.clone();
        change(&mut value, &whole, parts, random);
    }
    let text = serde_json::to_vec(&value).expect("values are written");
    if random.random_ratio(1, 16) { twice(&text, random) } else { text }
}

/// Bytes of which some are others, missing, or there twice.
pub fn torn(bytes: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=bytes.len());
        let to = random.random_range(at..=bytes.len().min(at + 64));
        match random.random_range(0..5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..to)),
            2 => bytes.insert(at, random.random()),
            3 => bytes.splice(at..at, bytes[at..to].to_vec()).for_each(drop),
            _ if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            _ => {}
        }
    }
    bytes
}

/// A document in which one key stands a second time, with another value.
fn twice(text: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let keys: Vec<&str> = text.split('"').collect();
    match (keys.choose(random), text.find('{')) {
        (Some(key), Some(at)) if text.len() > 2 => {
            let (before, after) = text.split_at(at + 1);
            format!("{before}\"{key}\":{},{after}", interesting(random)).into_bytes()
        }
        _ => text.into_owned().into_bytes(),
    }
}

fn change(value: &mut Value, whole: &Value, parts: &[Value], random: &mut impl Rng) {
    // Deeper, more often than not.
    let (n_children, deeper) = match value {
        Value::Array(items) => (items.len(), random.random_ratio(4, 5)),
        Value::Object(fields) => (fields.len(), random.random_ratio(4, 5)),
        _ => (0, false),
    };
    if deeper && n_children > 0 {
        let child = random.random_range(0..n_children);
        let child = match value {
            Value::Array(items) => items.get_mut(child),
            Value::Object(fields) => fields.values_mut().nth(child),
            _ => None,
        };
        return change(child.expect("counted"), whole, parts, random);
    }
    match random.random_range(0..8) {
        0 | 1 => *value = interesting(random),
        2 | 3 if !parts.is_empty() => *value = parts.choose(random).expect("not empty").clone(),
        4 => *value = somewhere(whole, random).clone(),
        _ => match value {
            Value::Object(fields) => change_fields(fields, parts, random),
            Value::Array(items) => change_items(items, random),
            Value::Number(number) => *value = near(number, random),
            Value::String(text) => {
                let torn = torn(text.as_bytes(), random);
                *text = String::from_utf8_lossy(&torn).into_owned();
            }
            _ => *value = interesting(random),
        },
    }
}

fn change_fields(fields: &mut Map<String, Value>, parts: &[Value], random: &mut impl Rng) {
    let key = fields.keys().nth(random.random_range(0..fields.len().max(1))).cloned();
    match (key, random.random_range(0..4)) {
        (Some(key), 0) => drop(fields.remove(&key)),
        (Some(key), 1) => {
            let value = fields.remove(&key).unwrap_or_default();
            let torn = torn(key.as_bytes(), random);
            fields.insert(String::from_utf8_lossy(&torn).into_owned(), value);
        }
        // A part that is an object has fields that belong to it.
        _ => match parts.choose(random) {
            Some(Value::Object(part)) => fields.extend(part.clone()),
            _ => drop(fields.insert("another".to_owned(), interesting(random))),
        },
    }
}

fn change_items(items: &mut Vec<Value>, random: &mut impl Rng) {
    let at = random.random_range(0..=items.len());
    match (items.get(at).cloned(), random.random_range(0..3)) {
        (Some(_), 0) => drop(items.remove(at)),
        (Some(item), 1) => items.insert(at, item),
        _ => items.push(interesting(random)),
    }
}

fn near(number: &serde_json::Number, random: &mut impl Rng) -> Value {
    match number.as_i64() {
        Some(whole) => match random.random_range(0..5) {
            0 => json!(whole.wrapping_add(1)),
            1 => json!(whole.wrapping_sub(1)),
            2 => json!(whole.wrapping_mul(-1)),
            3 => json!(whole.wrapping_mul(2)),
            _ => json!(whole as f64 + 0.5),
        },
        None => json!(number.as_f64().unwrap_or(1.0) * -1e10),
    }
}

fn somewhere<'a>(value: &'a Value, random: &mut impl Rng) -> &'a Value {
    let children: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    match children.choose(random) {
        Some(child) if random.random_ratio(3, 4) => somewhere(child, random),
        _ => value,
    }
}

/// A value at the edge of something.
fn interesting(random: &mut impl Rng) -> Value {
    let texts = ["", " ", "\u{0}", "\u{1b}[2J\r\n", "é", "\u{1f600}", "Ġ", "../x", "NaN", "a\"b"];
    let numbers = [0_i64, 1, 2, 3, -1, 255, 256, 65_536, i64::from(i32::MAX), i64::MAX, i64::MIN];
    let reals = [0.5, -0.0, 1e-320, 1e300, -1e300, 3.5e38, 1e-5];
    match random.random_range(0..12) {
        0 => Value::Null,
        1 => json!(random.random::<bool>()),
        2 => json!([]),
        3 => json!({}),
        4 | 5 => json!(texts.choose(random)),
        6 => json!("x".repeat(random.random_range(0..3000))),
        7 => json!(u64::MAX),
        8 | 9 => json!(numbers.choose(random)),
        10 => json!(reals.choose(random)),
        // As deep as a parser goes, and deeper.
        _ => (0..random.random_range(1..200)).fold(json!(1), |inner, _| json!([inner])),
    }
}
