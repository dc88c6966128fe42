import fc from 'fast-check';
import { FakeSink } from '../../test/support/fake-sink';
import { id } from '../../test/support/engine';
import { PRIORITIES, PRIORITY_RANK, type Priority } from '../notification/priority';
import { Frame } from '../protocol/frame';
import { Outbox } from './outbox';
import type { Receipt } from './receipt';

const sink = new FakeSink();

function frame(text: string, priority: Priority, mayBeShed = true): Frame {
  return new Frame(JSON.stringify(text), { event: 'notification', priority, mayBeShed });
}

function taken(outbox: Outbox, maxBytes = Number.POSITIVE_INFINITY): string[] {
  const out = new FakeSink();
  out.write(outbox.take(maxBytes, sink).bytes);
  return out.texts.map((text) => String(JSON.parse(text)));
}

function filled(...frames: readonly Frame[]): Outbox {
  const outbox = new Outbox();
  for (const each of frames) outbox.push(each, undefined, sink);
  return outbox;
}

describe('what leaves an outbox', () => {
  it('leaves by priority, in order of arrival within one', () => {
    const outbox = filled(
      frame('low 1', 'Low'),
      frame('normal 1', 'Normal'),
      frame('critical 1', 'Critical'),
      frame('normal 2', 'Normal'),
      frame('high 1', 'High'),
      frame('critical 2', 'Critical'),
    );
    expect(taken(outbox)).toEqual(['critical 1', 'critical 2', 'high 1', 'normal 1', 'normal 2', 'low 1']);
    expect(outbox.isEmpty).toBe(true);
    expect(outbox.bytes).toBe(0);
  });

  it('takes no more than it is asked for, but always one frame', () => {
    const size = sink.encode(frame('12345', 'High')).length;
    const outbox = filled(frame('12345', 'High'), frame('67890', 'High'), frame('abcde', 'Low'));
    expect(taken(outbox, 1)).toEqual(['12345']);
    expect(taken(outbox, 2 * size)).toEqual(['67890', 'abcde']);
  });

  it('lets no later frame of the same or a lower priority pass one that does not fit', () => {
    const outbox = filled(frame('x', 'High'), frame('long'.repeat(50), 'High'), frame('y', 'High'), frame('z', 'Low'));
    expect(taken(outbox, 20)).toEqual(['x']);
    expect(taken(outbox)).toEqual(['long'.repeat(50), 'y', 'z']);
  });

  it('hands over the receipts of exactly the frames it gives, in their order', () => {
    const outbox = new Outbox();
    const receipts: Receipt[] = [1, 2, 3].map((n) => ({ id: id(n), expiresAt: 0, taken: () => undefined }));
    outbox.push(frame('late', 'Low', false), receipts[0], sink);
    outbox.push(frame('first', 'High', false), receipts[1], sink);
    outbox.push(frame('none', 'High', false), undefined, sink);
    outbox.push(frame('then', 'Normal', false), receipts[2], sink);
    const three = sink.encode(frame('first', 'High')).length + sink.encode(frame('none', 'High')).length + 8;
    expect(outbox.take(three, sink).receipts).toEqual([receipts[1], receipts[2]]);
    expect(outbox.take(three, sink).receipts).toEqual([receipts[0]]);
  });
});

describe('what an outbox sheds', () => {
  it('drops the youngest of Low before any of Normal', () => {
    const outbox = filled(frame('n', 'Normal'), frame('low 1', 'Low'), frame('low 2', 'Low'));
    expect(outbox.shedFor(frame('!', 'High'), 1)).toEqual({ shed: 1, refused: false });
    expect(taken(outbox)).toEqual(['n', 'low 1']);
  });

  it('goes on with Normal when Low does not free enough', () => {
    const outbox = filled(frame('n 1', 'Normal'), frame('n 2', 'Normal'), frame('low', 'Low'));
    const excess = sink.encode(frame('low', 'Low')).length + 1;
    expect(outbox.shedFor(frame('!', 'Critical'), excess)).toEqual({ shed: 2, refused: false });
    expect(taken(outbox)).toEqual(['n 1']);
  });

  it('drops neither High nor Critical nor what is for users, and still takes an urgent frame', () => {
    const outbox = filled(
      frame('user', 'Low', false),
      frame('user 2', 'Normal', false),
      frame('high', 'High'),
      frame('critical', 'Critical'),
    );
    expect(outbox.shedFor(frame('!', 'High'), 1_000_000)).toEqual({ shed: 0, refused: false });
    expect(taken(outbox)).toEqual(['critical', 'high', 'user 2', 'user']);
  });

  it('refuses a Low frame rather than dropping another one for it', () => {
    const outbox = filled(frame('low', 'Low'), frame('normal', 'Normal'));
    expect(outbox.shedFor(frame('!', 'Low'), 1)).toEqual({ shed: 0, refused: true });
    expect(taken(outbox)).toEqual(['normal', 'low']);
  });

  it('drops Low for a Normal frame, and refuses that when it was not enough', () => {
    const outbox = filled(frame('low', 'Low'), frame('normal', 'Normal'));
    expect(outbox.shedFor(frame('!', 'Normal'), 1)).toEqual({ shed: 1, refused: false });
    expect(outbox.shedFor(frame('!', 'Normal'), 1)).toEqual({ shed: 0, refused: true });
    expect(taken(outbox)).toEqual(['normal']);
  });

  it('never refuses a frame for users, whatever its priority', () => {
    const outbox = filled(frame('normal', 'Normal'));
    expect(outbox.shedFor(frame('!', 'Low', false), 1_000_000)).toEqual({ shed: 1, refused: false });
  });
});

interface Modelled {
  readonly frame: Frame;
  readonly size: number;
}

it('keeps its books like a plain list that is sorted when asked', () => {
  const arbitraryFrame = fc.record({
    size: fc.integer({ min: 1, max: 300 }),
    priority: fc.constantFrom(...PRIORITIES),
    mayBeShed: fc.boolean(),
  });
  const arbitraryStep = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), of: arbitraryFrame }),
    fc.record({ kind: fc.constant('take' as const), bytes: fc.integer({ min: 1, max: 1000 }) }),
    fc.record({ kind: fc.constant('shed' as const), of: arbitraryFrame, excess: fc.integer({ min: 1, max: 600 }) }),
  );
  fc.assert(
    fc.property(fc.array(arbitraryStep, { maxLength: 60 }), (steps) => {
      const outbox = new Outbox();
      let model: Modelled[] = [];
      let serial = 0;
      const make = ({ size, priority, mayBeShed }: { size: number; priority: Priority; mayBeShed: boolean }): Frame =>
        frame(`${++serial}${'.'.repeat(size)}`, priority, mayBeShed);
      const sorted = (): Modelled[] => [...model].sort((a, b) => a.frame.rank - b.frame.rank);
      for (const step of steps) {
        if (step.kind === 'push') {
          const pushed = make(step.of);
          outbox.push(pushed, undefined, sink);
          model.push({ frame: pushed, size: sink.encode(pushed).length });
        } else if (step.kind === 'take') {
          const expected: Modelled[] = [];
          let size = 0;
          for (const next of sorted()) {
            if (size > 0 && size + next.size > step.bytes) break;
            expected.push(next);
            size += next.size;
          }
          const { bytes } = outbox.take(step.bytes, sink);
          expect(bytes.equals(Buffer.concat(expected.map((each) => sink.encode(each.frame))))).toBe(true);
          model = model.filter((each) => !expected.includes(each));
        } else {
          const arriving = make(step.of);
          const victims = [PRIORITY_RANK.Low, PRIORITY_RANK.Normal]
            .filter((rank) => !arriving.mayBeShed || rank > arriving.rank)
            .flatMap((rank) => model.filter((each) => each.frame.rank === rank && each.frame.mayBeShed).reverse());
          let missing = step.excess;
          let shed = 0;
          for (const victim of victims) {
            if (missing <= 0) break;
            missing -= victim.size;
            shed++;
            model = model.filter((each) => each !== victim);
          }
          const refused = missing > 0 && arriving.mayBeShed && arriving.rank >= PRIORITY_RANK.Normal;
          expect(outbox.shedFor(arriving, step.excess)).toEqual({ shed, refused });
        }
        expect(outbox.bytes).toBe(model.reduce((sum, { size }) => sum + size, 0));
        expect(outbox.isEmpty).toBe(model.length === 0);
      }
    }),
  );
});
