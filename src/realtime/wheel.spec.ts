import fc from 'fast-check';
import { Wheel } from './wheel';

function turned<T>(wheel: Wheel<T>, slots: number): T[][] {
  return Array.from({ length: slots }, () => [...wheel.turn()]);
}

it('gives every member once per turn, at the same phase each time', () => {
  const wheel = new Wheel<number>(10);
  for (let i = 0; i < 37; i++) wheel.add(i);
  const first = turned(wheel, 10);
  expect(first.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 37 }, (_, i) => i));
  expect(turned(wheel, 10)).toEqual(first);
});

it('forgets whom it is told to', () => {
  const wheel = new Wheel<string>(3);
  for (const name of ['a', 'b', 'c']) wheel.add(name);
  wheel.delete('b');
  wheel.delete('never there');
  expect(turned(wheel, 3).flat().sort()).toEqual(['a', 'c']);
});

it('goes on when members leave while their slot is due', () => {
  const wheel = new Wheel<number>(1);
  for (let i = 0; i < 5; i++) wheel.add(i);
  const seen: number[] = [];
  for (const member of wheel.turn()) {
    seen.push(member);
    wheel.delete(member);
  }
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  expect([...wheel.turn()]).toEqual([]);
});

it('has at least one slot', () => {
  const wheel = new Wheel<string>(0);
  wheel.add('a');
  expect([...wheel.turn()]).toEqual(['a']);
});

it('spreads members evenly, however many there are and however long a turn is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 3000 }), (slots, members) => {
      const wheel = new Wheel<number>(slots);
      for (let i = 0; i < members; i++) wheel.add(i);
      const sizes = turned(wheel, slots).map((slot) => slot.length);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.ceil(members / slots) + 2);
    }),
  );
});
