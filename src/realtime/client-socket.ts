import { WebSocket } from 'ws';
import { CLOSE } from '../protocol/close-reason';

/** A client's socket that emits `closing` as soon as either side begins to close; `close` follows with the TCP connection's end. */
export class ClientSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    // Not at once: whoever closes may be in the middle of a list of connections, which must not change under it.
    queueMicrotask(() => this.emit('closing'));
    // `ws` closes with a bare 1008 for too many fragments, which to our clients means an expired token.
    const isOfWs = code === 1008 && reason === undefined;
    super.close(isOfWs ? CLOSE.tooBig.code : code, reason);
  }
}
