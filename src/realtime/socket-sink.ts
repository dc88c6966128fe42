import type { Socket } from 'node:net';
import { Sink } from '../connection/sink';

/** What WebSocket and SSE have in common: bytes go straight to the socket. */
export abstract class SocketSink extends Sink {
  constructor(protected readonly socket: Socket) {
    super();
  }

  write(bytes: Buffer, onTaken?: () => void): void {
    if (!this.socket.writable) return;
    if (onTaken === undefined) this.socket.write(bytes);
    else
      this.socket.write(bytes, (error) => {
        if (!error) onTaken();
      });
  }

  get bufferedBytes(): number {
    return this.socket.writableLength;
  }
}
