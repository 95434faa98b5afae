// MessagePack, as far as JSON goes: what `socket.io-msgpack-parser` sends and reads.

const texts = { encoder: new TextEncoder(), decoder: new TextDecoder() };

export function pack(value) {
  const bytes = [];
  write(bytes, value);
  return Uint8Array.from(bytes);
}

function write(bytes, value) {
  if (value === null || value === undefined) bytes.push(0xc0);
  else if (value === false || value === true) bytes.push(value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeNumber(bytes, value);
  else if (typeof value === "string") {
    const text = texts.encoder.encode(value);
    writeLength(bytes, text.length, 0xa0, 32, [0xd9, 0xda, 0xdb]);
    for (const byte of text) bytes.push(byte);
  } else if (Array.isArray(value)) {
    writeLength(bytes, value.length, 0x90, 16, [null, 0xdc, 0xdd]);
    for (const item of value) write(bytes, item);
  } else {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    writeLength(bytes, entries.length, 0x80, 16, [null, 0xde, 0xdf]);
    for (const entry of entries) for (const part of entry) write(bytes, part);
  }
}

function writeNumber(bytes, value) {
  if (Number.isInteger(value) && value >= 0 && value < 128) bytes.push(value);
  else if (Number.isInteger(value) && value < 0 && value >= -32) bytes.push(value & 0xff);
  else {
    const view = new DataView(new ArrayBuffer(8));
    const whole = Number.isSafeInteger(value);
    if (whole) view.setBigInt64(0, BigInt(value));
    else view.setFloat64(0, value);
    bytes.push(whole ? 0xd3 : 0xcb, ...new Uint8Array(view.buffer));
  }
}

/** `marks` are those of a length of one, two and four bytes; `short` is that of a length in the mark itself. */
function writeLength(bytes, length, short, shortBelow, marks) {
  if (length < shortBelow) bytes.push(short | length);
  else if (marks[0] !== null && length < 0x100) bytes.push(marks[0], length);
  else if (length < 0x10000) bytes.push(marks[1], length >> 8, length & 0xff);
  else bytes.push(marks[2], length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff);
}

export function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (count) => (at += count) - count;
  const unsigned = { 1: (from) => view.getUint8(from), 2: (from) => view.getUint16(from), 4: (from) => view.getUint32(from) };
  const length = (size) => unsigned[size](take(size));
  const text = (count) => texts.decoder.decode(bytes.subarray(take(count), at));
  const list = (count) => Array.from({ length: count }, read);
  const map = (count) => Object.fromEntries(Array.from({ length: count }, () => [read(), read()]));

  function read() {
    const mark = view.getUint8(take(1));
    if (mark < 0x80) return mark;
    if (mark < 0x90) return map(mark & 0x0f);
    if (mark < 0xa0) return list(mark & 0x0f);
    if (mark < 0xc0) return text(mark & 0x1f);
    if (mark >= 0xe0) return mark - 0x100;
    switch (mark) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xca: return view.getFloat32(take(4));
      case 0xcb: return view.getFloat64(take(8));
      case 0xcc: case 0xcd: case 0xce: return length(1 << (mark - 0xcc));
      case 0xcf: return Number(view.getBigUint64(take(8)));
      case 0xd0: return view.getInt8(take(1));
      case 0xd1: return view.getInt16(take(2));
      case 0xd2: return view.getInt32(take(4));
      case 0xd3: return Number(view.getBigInt64(take(8)));
      case 0xd9: case 0xda: case 0xdb: return text(length(1 << (mark - 0xd9)));
      case 0xdc: case 0xdd: return list(length(2 << (mark - 0xdc)));
      case 0xde: case 0xdf: return map(length(2 << (mark - 0xde)));
      default: throw new RangeError(`unknown mark 0x${mark.toString(16)}`);
    }
  }
  return read();
}
