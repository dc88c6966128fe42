import { Sink } from '../connection/sink';
import type { Frame } from '../protocol/frame';

/** Where the self-probe's connection ends: it takes frames as a socket would, and tells which came. */
export class ProbeSink extends Sink {
  // As a stream, it is never expected to acknowledge.
  readonly transport = 'sse';
  readonly encoding = 'sse-plain';
  readonly bufferedBytes = 0;

  constructor(private readonly onEvent: (text: string) => void) {
    super();
  }

  encode(frame: Frame): Buffer {
    return Buffer.from(frame.sseEvent);
  }

  write(bytes: Buffer, onTaken?: () => void): void {
    this.onEvent(bytes.toString());
    onTaken?.();
  }

  pause(): void {
    // Nobody writes to it.
  }

  resume(): void {
    // See pause.
  }

  ping(): void {
    // It cannot die before the process.
  }

  close(): void {
    // Nothing is open.
  }
}
