import type { Frame } from '../protocol/frame';
import type { Encoding, Sink } from './sink';

/**
 * The frames that one connection gets in one flush. Runs form a tree whose nodes remember their last child, so that
 * connections which are sent the same frames in the same order hold the same run, and its bytes are concatenated once
 * for all of them (docs/ARCHITECTURE.md, "coalescing").
 */
export class FrameRun {
  /** In the encoding of whoever came first; encodings differ little, and this is for bounds. */
  readonly byteLength: number;
  #lastChild: FrameRun | undefined;
  #bytes: Partial<Record<Encoding, Buffer>> | undefined;

  private constructor(
    private readonly previous: FrameRun | undefined,
    private readonly frame: Frame | undefined,
    size: number,
  ) {
    this.byteLength = (previous?.byteLength ?? 0) + size;
  }

  /** A root: no frame yet. */
  static empty(): FrameRun {
    return new FrameRun(undefined, undefined, 0);
  }

  get isEmpty(): boolean {
    return this.previous === undefined;
  }

  /** This run and one more frame. O(1). */
  followedBy(frame: Frame, sink: Sink): FrameRun {
    const last = this.#lastChild;
    if (last?.frame === frame) return last;
    return (this.#lastChild = new FrameRun(this, frame, sink.encode(frame).length));
  }

  /** All bytes of the run in the sink's encoding, concatenated on first use. Shared: do not write into them. */
  bytes(sink: Sink): Buffer {
    return ((this.#bytes ??= {})[sink.encoding] ??= this.concatenate(sink));
  }

  private concatenate(sink: Sink): Buffer {
    if (this.frame !== undefined && this.previous?.isEmpty === true) return sink.encode(this.frame);
    const parts: Buffer[] = [];
    let size = 0;
    for (const frame of FrameRun.framesFromLast(this)) {
      const part = sink.encode(frame);
      size += part.length;
      parts.push(part);
    }
    return Buffer.concat(parts.reverse(), size);
  }

  private static framesFromLast(last: FrameRun): Frame[] {
    const frames: Frame[] = [];
    for (let run = last; run.frame !== undefined && run.previous !== undefined; run = run.previous)
      frames.push(run.frame);
    return frames;
  }
}
