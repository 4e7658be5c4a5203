// Makes the PNG files of screenshots smaller: their colours become a palette.

import {deflateSync, inflateSync} from "node:zlib";

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

/** The same picture with at most 256 colours, which are rounded if there are more. */
export function smaller(png) {
  const {width, height, pixels} = decode(png);
  // Rounding drops bits of each colour until few enough are left.
  for (let bits = 0; bits < 8; bits += 1) {
    const colours = new Map();
    const rows = Buffer.alloc(height * (width + 1));
    const round = it => Math.min(255, Math.round(it / 2 ** bits) * 2 ** bits);
    let place = 0;
    let isFull = false;
    for (let y = 0; y < height && !isFull; y += 1) {
      const row = y * (width + 1) + 1;
      for (let x = 0; x < width; x += 1, place += 3) {
        const colour = round(pixels[place]) << 16 | round(pixels[place + 1]) << 8 | round(pixels[place + 2]);
        if (!colours.has(colour)) colours.set(colour, colours.size);
        rows[row + x] = colours.get(colour);
      }
      isFull = colours.size > 256;
    }
    if (!isFull) return encode(width, height, [...colours.keys()], rows);
  }
  throw Error("one colour is left");
}

/** Reads a PNG of 8 bits a channel, without interlacing; gives its pixels as red, green and blue. */
function decode(png) {
  let [place, width, height, channels] = [SIGNATURE.length, 0, 0, 3];
  const parts = [];
  while (place < png.length) {
    const length = png.readUInt32BE(place);
    const type = png.toString("latin1", place + 4, place + 8);
    const data = png.subarray(place + 8, place + 8 + length);
    if (type == "IHDR") {
      [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
      channels = data[9] == 6 ? 4 : 3;
    }
    if (type == "IDAT") parts.push(data);
    place += length + 12;
  }
  const bytes = inflateSync(Buffer.concat(parts));
  const line = width * channels;
  const pixels = Buffer.alloc(width * height * 3);
  let before = Buffer.alloc(line);
  for (let y = 0; y < height; y += 1) {
    const from = y * (line + 1);
    const now = unfilter(bytes[from], bytes.subarray(from + 1, from + 1 + line), before, channels);
    for (let x = 0; x < width; x += 1) now.copy(pixels, (y * width + x) * 3, x * channels, x * channels + 3);
    before = now;
  }
  return {width, height, pixels};
}

/** Undoes the filter of a line. `before` is the line above it. */
function unfilter(filter, line, before, channels) {
  const now = Buffer.alloc(line.length);
  for (let at = 0; at < line.length; at += 1) {
    const [left, up] = [now[at - channels] ?? 0, before[at]];
    const corner = before[at - channels] ?? 0;
    const guesses = [0, left, up, left + up >> 1, nearest(left, up, corner)];
    now[at] = line[at] + guesses[filter];
  }
  return now;
}

function nearest(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map(it => Math.abs(guess - it));
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function encode(width, height, colours, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const palette = Buffer.from(colours.flatMap(colour => [colour >> 16, colour >> 8 & 255, colour & 255]));
  const parts = [["IHDR", header], ["PLTE", palette], ["IDAT", deflateSync(rows, {level: 9})], ["IEND", Buffer.alloc(0)]];
  return Buffer.concat([SIGNATURE, ...parts.map(([type, data]) => chunk(type, data))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc(body));
  return Buffer.concat([length, body, sum]);
}

function crc(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum >>> 1 ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}
