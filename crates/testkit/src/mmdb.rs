//! Writes a small database of regions in the format of `MaxMind`.

use std::net::IpAddr;

use serde_json::{Value, json};

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// Types of values.
const TEXT: u8 = 2;
const SHORT: u8 = 5;
const INTEGER: u8 = 6;
const MAP: u8 = 7;
const LONG: u8 = 9;
const LIST: u8 = 11;

/// What a branch of the tree leads to.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    /// A position in the data.
    Data(usize),
}

/// A database with data for each network, written as `198.51.100.0/24`.
///
/// # Panics
///
/// If a network is not written so.
pub fn mmdb(kind: &str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let (bits, length) = bits_of(network);
        let leaf = Branch::Data(data.len());
        write(&mut data, value);
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[node][side] = leaf;
            } else if let Branch::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Branch::Nothing; 2]);
                let next = nodes.len() - 1;
                nodes[node][side] = Branch::Node(next);
                node = next;
            }
        }
    }
    let mut file = Vec::new();
    for branch in nodes.iter().flatten() {
        let number = match branch {
            Branch::Nothing => nodes.len(),
            Branch::Node(node) => *node,
            // The data begins 16 bytes after the tree.
            Branch::Data(position) => nodes.len() + 16 + position,
        };
        let number = u32::try_from(number).expect("a small database");
        file.extend_from_slice(&number.to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.append(&mut data);
    file.extend_from_slice(MARKER);
    write_metadata(&mut file, kind, nodes.len());
    file
}

/// The bits of a network in the space of IPv6, and how many of them count.
fn bits_of(network: &str) -> (u128, u32) {
    let (address, length) = network.split_once('/').expect("a network");
    let length: u32 = length.parse().expect("a length");
    match address.parse().expect("an address") {
        IpAddr::V4(address) => (u128::from(address.to_bits()), length + 96),
        IpAddr::V6(address) => (address.to_bits(), length),
    }
}

fn write_metadata(file: &mut Vec<u8>, kind: &str, nodes: usize) {
    let texts = [
        ("database_type", json!(kind)),
        ("description", json!({"en": "made by a test"})),
        ("languages", json!(["en"])),
    ];
    let numbers = [
        ("binary_format_major_version", SHORT, 2_u64),
        ("binary_format_minor_version", SHORT, 0),
        ("build_epoch", LONG, 1_795_000_000),
        ("ip_version", SHORT, 6),
        ("node_count", INTEGER, nodes as u64),
        ("record_size", SHORT, 24),
    ];
    head(file, MAP, texts.len() + numbers.len());
    for (key, value) in &texts {
        write(file, &json!(key));
        write(file, value);
    }
    for (key, number_type, number) in numbers {
        write(file, &json!(key));
        let bytes = number.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        head(file, number_type, bytes.len() - zeros);
        file.extend_from_slice(&bytes[zeros..]);
    }
}

fn write(file: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => {
            head(file, TEXT, text.len());
            file.extend_from_slice(text.as_bytes());
        }
        Value::Array(values) => {
            head(file, LIST, values.len());
            for value in values {
                write(file, value);
            }
        }
        Value::Object(fields) => {
            head(file, MAP, fields.len());
            for (key, value) in fields {
                write(file, &json!(key));
                write(file, value);
            }
        }
        other => panic!("{other} is not written"),
    }
}

/// The type and the size of a value.
fn head(file: &mut Vec<u8>, kind: u8, size: usize) {
    let (first, more) = match u8::try_from(size).expect("a short value") {
        size if size < 29 => (size, None),
        size => (29, Some(size - 29)),
    };
    if kind > 7 {
        file.extend_from_slice(&[first, kind - 7]);
    } else {
        file.push(kind << 5 | first);
    }
    file.extend(more);
}
