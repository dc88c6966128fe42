import { Inbox } from './inbox';

class Socket {
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

let socket: Socket;
let handled: string[];
/** Ends of the messages that take a while, in order. */
let ends: (() => void)[];
let inbox: Inbox;

beforeEach(() => {
  socket = new Socket();
  handled = [];
  ends = [];
  inbox = new Inbox((text) => {
    handled.push(text);
    return text.startsWith('slow') ? new Promise((resolve) => ends.push(resolve)) : undefined;
  }, socket);
});

async function endOne(): Promise<void> {
  ends.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
}

it('handles at once what nothing is before', () => {
  inbox.take('a');
  inbox.take('b');
  expect(handled).toEqual(['a', 'b']);
});

it('lets no message pass one that takes a while', async () => {
  for (const text of ['slow 1', 'a', 'slow 2', 'b']) inbox.take(text);
  expect(handled).toEqual(['slow 1']);
  await endOne();
  expect(handled).toEqual(['slow 1', 'a', 'slow 2']);
  inbox.take('c');
  await endOne();
  expect(handled).toEqual(['slow 1', 'a', 'slow 2', 'b', 'c']);
});

it('stops reading when too many wait, and goes on when none do', async () => {
  inbox.take('slow 1');
  for (let i = 0; i < 31; i++) inbox.take(`${i}`);
  expect(socket.isPaused).toBe(false);
  inbox.take('slow 2');
  expect(socket.isPaused).toBe(true);
  // What the socket had read before it was paused.
  inbox.take('late');
  await endOne();
  expect(handled).toHaveLength(33);
  expect(socket.isPaused).toBe(true);
  await endOne();
  expect(handled.at(-1)).toBe('late');
  expect(socket.isPaused).toBe(false);
});
