/** As much of RFC 6455 as a bench needs, on bare sockets: cheaper than any library, so that what is measured is the other side. */
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const TEXT = 1;
const PING = 9;
const PONG_FRAME = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A text frame of a server. */
export function textFrame(text) {
  const size = Buffer.byteLength(text);
  const header = size < 126 ? Buffer.from([0x81, size]) : Buffer.from([0x81, 126, size >> 8, size & 0xff]);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** A text frame of a client, up to 64 KiB. */
export function maskedFrame(text) {
  const size = Buffer.byteLength(text);
  const length = size < 126 ? [0x80 | size] : [0x80 | 126, size >> 8, size & 0xff];
  // A mask of zeros is a valid mask and leaves the text as it is.
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), Buffer.from(text)]);
}

export function acceptHeader(key) {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** Opens a client; `onFrame(bytes, start, end, socket)` gets each data frame's content. Resolves after the 101. */
export function openWebSocket(port, path, onFrame) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let rest;
    let isOpen = false;
    socket.on('error', reject).on('close', () => reject(new Error(`${path.split('?', 1)[0]} was closed`)));
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    );
    socket.on('data', (chunk) => {
      let bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
      rest = undefined;
      if (!isOpen) {
        const end = bytes.indexOf('\r\n\r\n');
        if (end === -1) return (rest = bytes);
        if (!bytes.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
          return reject(new Error(bytes.toString('latin1').split('\r\n', 1)[0]));
        }
        isOpen = true;
        bytes = bytes.subarray(end + 4);
        resolve(socket);
      }
      for (let at = 0; at < bytes.length;) {
        const end = frameEnd(bytes, at);
        if (end === undefined) return (rest = bytes.subarray(at));
        const start = at + (bytes[at + 1] < 126 ? 2 : bytes[at + 1] === 126 ? 4 : 10);
        const opcode = bytes[at] & 0x0f;
        if (opcode === TEXT) onFrame(bytes, start, end, socket);
        // Who does not answer is taken for dead after a while.
        else if (opcode === PING) socket.write(PONG_FRAME);
        at = end;
      }
    });
  });
}

/** Where the unmasked frame at `at` ends; undefined while it is not all there. */
function frameEnd(bytes, at) {
  if (at + 2 > bytes.length) return undefined;
  const short = bytes[at + 1];
  const header = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (at + header > bytes.length) return undefined;
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  const end = at + header + size;
  return end > bytes.length ? undefined : end;
}
