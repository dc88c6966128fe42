import type { IncomingMessage } from 'node:http';
import { constants, deflateRawSync } from 'node:zlib';
import type { PerMessageDeflateOptions } from 'ws';
import { FIN_AND_TEXT, type Frame, frameFor } from '../protocol/frame';

/** Messages are compressed once and shared, so none may depend on an earlier one, nor on a window of a client's choice. */
export const SHARED_DEFLATE: PerMessageDeflateOptions = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
};

/** Shorter messages hardly shrink and cost the same call. */
const DEFLATE_FROM_BYTES = 1024;
const NARROW_WINDOW = /server_max_window_bits\s*=\s*"?(?:[89]|1[0-4])\b/;
/** Marks a compressed message in its first byte. */
const RSV1 = 0x40;
/** What a flushed DEFLATE stream ends with and a message leaves out (RFC 7692, 7.2.1). */
const TAIL_BYTES = 4;

const compressed = new WeakMap<Frame, Buffer>();

/** Takes the offer of compression out of a request that asks for a smaller window: it is served uncompressed, where `ws` would refuse it. */
export function declineNarrowWindow({ headers }: IncomingMessage): void {
  if (NARROW_WINDOW.test(headers['sec-websocket-extensions'] ?? '')) delete headers['sec-websocket-extensions'];
}

/** A frame for clients that negotiated compression: compressed once for all of them, plain when it is short. */
export function deflated(frame: Frame): Buffer {
  if (frame.webSocket.length < DEFLATE_FROM_BYTES) return frame.webSocket;
  let bytes = compressed.get(frame);
  if (bytes === undefined) compressed.set(frame, (bytes = compress(frame.json)));
  return bytes;
}

function compress(text: string): Buffer {
  const stream = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
  const size = stream.length - TAIL_BYTES;
  const frame = frameFor(size, FIN_AND_TEXT | RSV1);
  stream.copy(frame, frame.length - size, 0, size);
  return frame;
}
