import fc from 'fast-check';
import { FakeSink } from '../../test/support/fake-sink';
import { Frame } from '../protocol/frame';
import { FrameRun } from './frame-run';
import type { Sink } from './sink';

const webSocket = new FakeSink('websocket');
const sse = new FakeSink('sse');

function frames(count: number): Frame[] {
  return Array.from({ length: count }, (_, n) => new Frame(`{"n":${n}}`, { event: 'message' }));
}

function runOf(root: FrameRun, sequence: readonly Frame[], sink: Sink): FrameRun {
  return sequence.reduce((run, frame) => run.followedBy(frame, sink), root);
}

it('gives connections that are sent the same frames one Buffer', () => {
  const root = FrameRun.empty();
  const sequence = frames(3);
  const one = runOf(root, sequence, webSocket).bytes(webSocket);
  const other = runOf(root, sequence, new FakeSink('websocket')).bytes(new FakeSink('websocket'));
  expect(other).toBe(one);
  expect(one.equals(Buffer.concat(sequence.map((frame) => frame.webSocket)))).toBe(true);
});

it('hands out the bytes of a single frame as they are, without a copy', () => {
  const [frame] = frames(1) as [Frame];
  expect(FrameRun.empty().followedBy(frame, webSocket).bytes(webSocket)).toBe(frame.webSocket);
});

it('keeps encodings apart, also in runs that both share', () => {
  const root = FrameRun.empty();
  const sequence = frames(2);
  const shared = runOf(root, sequence, webSocket);
  expect(runOf(root, sequence, sse)).toBe(shared);
  expect(shared.bytes(webSocket).equals(Buffer.concat(sequence.map((frame) => frame.webSocket)))).toBe(true);
  expect(shared.bytes(sse).equals(Buffer.concat(sequence.map((frame) => frame.sseChunk)))).toBe(true);
});

it('starts empty and knows it', () => {
  const root = FrameRun.empty();
  expect(root.isEmpty).toBe(true);
  expect(root.byteLength).toBe(0);
  expect(root.followedBy(frames(1)[0] as Frame, webSocket).isEmpty).toBe(false);
});

it('holds exactly the concatenation of its frames, whatever others append to the same tree in between', () => {
  const pool = frames(4);
  const choice = fc.record({ connection: fc.nat(4), frame: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(choice, { maxLength: 60 }), (steps) => {
      const root = FrameRun.empty();
      const sinks = [webSocket, sse, webSocket, sse, webSocket];
      const runs = sinks.map(() => root);
      const sequences: Frame[][] = sinks.map(() => []);
      for (const step of steps) {
        const frame = pool[step.frame] as Frame;
        const sink = sinks[step.connection] as FakeSink;
        runs[step.connection] = (runs[step.connection] as FrameRun).followedBy(frame, sink);
        sequences[step.connection]?.push(frame);
      }
      runs.forEach((run, index) => {
        const sink = sinks[index] as FakeSink;
        const expected = Buffer.concat((sequences[index] ?? []).map((frame) => sink.encode(frame)));
        expect(run.bytes(sink).equals(expected)).toBe(true);
      });
    }),
  );
});
