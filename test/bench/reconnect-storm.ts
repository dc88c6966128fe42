/**
 * How clients come back, simulated: nobody connects to anything.
 *
 *   npm run storm -- [--clients 10000] [--nodes 3] [--cost 0.13] [--seed 7]
 *
 * Clients do as the sample of docs/websocket.md: after a notice they wait as it says, else 500 ms, doubled with each
 * failed attempt up to 30 s, of which chance takes up to a half. A load balancer sends each attempt to any living node;
 * a node opens one connection after the other, `--cost` milliseconds of its core each.
 */
import { parseArgs } from 'node:util';
import { shutdownJitterMs } from '../../src/realtime/retry-hint';
import { Random } from '../fault/audit/random';

/** As the drain of a node does it, and as its notice says. */
const NOTICE_MS = 200;
const SLICE = 250;
const SLICE_PAUSE_MS = 20;
const RECONNECT_AFTER_MS = 5000;
/** As the sample does it. */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** From SIGTERM to the readiness of the process that follows. */
const REPLACED_IN_MS = 5000;
const NEXT_AFTER_MS = 15_000;
const OUTAGE_MS = 20_000;

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/** What is to happen, the earliest first: a binary heap. */
class Agenda {
  readonly #heap: Event[] = [];

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    let place = heap.push({ at, run }) - 1;
    for (let above = (place - 1) >> 1; place > 0 && key(heap, above) > at; above = (place - 1) >> 1) {
      swap(heap, place, above);
      place = above;
    }
  }

  next(): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let here = 0, below = 1; below < heap.length; below = 2 * here + 1) {
      if (key(heap, below + 1) < key(heap, below)) below++;
      if (key(heap, below) >= last.at) break;
      swap(heap, here, below);
      here = below;
    }
    return first;
  }
}

function key(heap: readonly Event[], index: number): number {
  return heap[index]?.at ?? Number.POSITIVE_INFINITY;
}

function swap(heap: Event[], one: number, other: number): void {
  const [a, b] = [heap[one], heap[other]];
  if (a === undefined || b === undefined) return;
  heap[one] = b;
  heap[other] = a;
}

interface SimulatedNode {
  isUp: boolean;
  freeAt: number;
  readonly clients: Set<number>;
}

/** A cluster whose clients are spread evenly over its nodes at the beginning. */
class Simulation {
  now = 0;
  attempts = 0;
  /** When connections were opened, in ms. */
  readonly opened: number[] = [];
  /** The longest that a client waited for a node that was busy with others. */
  longestWaitMs = 0;
  readonly nodes: readonly SimulatedNode[];
  readonly #agenda = new Agenda();
  readonly #random: Random;

  constructor(
    clients: number,
    nodes: number,
    private readonly costMs: number,
    seed: number,
  ) {
    this.#random = new Random(seed);
    this.nodes = Array.from({ length: nodes }, () => ({ isUp: true, freeAt: 0, clients: new Set<number>() }));
    for (let client = 0; client < clients; client++) this.nodes[client % nodes]?.clients.add(client);
  }

  at(ms: number, run: () => void): void {
    this.#agenda.add(ms, run);
  }

  run(): this {
    for (let event = this.#agenda.next(); event !== undefined; event = this.#agenda.next()) {
      this.now = event.at;
      event.run();
    }
    return this;
  }

  /** Ended in order: its clients are told, closed in slices, and it is back after a while. */
  replace(node: SimulatedNode): void {
    node.isUp = false;
    this.at(this.now + REPLACED_IN_MS, () => (node.isUp = true));
    [...node.clients].forEach((client, index) => {
      const closedAt = this.now + NOTICE_MS + SLICE_PAUSE_MS * Math.floor(index / SLICE);
      const hint = RECONNECT_AFTER_MS + shutdownJitterMs(() => this.#random.next());
      this.at(closedAt + hint, () => {
        this.#connect(client, 0);
      });
    });
    node.clients.clear();
  }

  /** Its clients are cut off, and try again by their own rule. */
  crash(node: SimulatedNode): void {
    node.isUp = false;
    for (const client of node.clients) this.#retry(client, 0);
    node.clients.clear();
  }

  #connect(client: number, failures: number): void {
    this.attempts++;
    const living = this.nodes.filter(({ isUp }) => isUp);
    const node = living[this.#random.between(0, living.length - 1)];
    if (node === undefined) {
      this.#retry(client, failures);
      return;
    }
    node.freeAt = Math.max(node.freeAt, this.now) + this.costMs;
    this.longestWaitMs = Math.max(this.longestWaitMs, node.freeAt - this.now);
    this.opened.push(node.freeAt);
    node.clients.add(client);
  }

  #retry(client: number, failures: number): void {
    const pauseMs = Math.min(FIRST_DELAY_MS * 2 ** failures, LONGEST_DELAY_MS) * (0.5 + this.#random.next() / 2);
    this.at(this.now + pauseMs, () => {
      this.#connect(client, failures + 1);
    });
  }
}

const SCENARIOS: Readonly<Record<string, (simulation: Simulation) => void>> = {
  'one node replaced': (simulation) => {
    const [node] = simulation.nodes;
    if (node !== undefined) simulation.replace(node);
  },
  'all nodes replaced, one every 15 s': (simulation) => {
    simulation.nodes.forEach((node, index) => {
      simulation.at(index * NEXT_AFTER_MS, () => {
        simulation.replace(node);
      });
    });
  },
  'one node crashed': (simulation) => {
    const [node] = simulation.nodes;
    if (node !== undefined) simulation.crash(node);
  },
  'nobody to be reached for 20 s': (simulation) => {
    for (const node of simulation.nodes) simulation.crash(node);
    simulation.at(OUTAGE_MS, () => {
      for (const node of simulation.nodes) node.isUp = true;
    });
  },
};

function main(): void {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '10000' },
      nodes: { type: 'string', default: '3' },
      cost: { type: 'string', default: '0.13' },
      seed: { type: 'string', default: '7' },
    },
  });
  const [clients, nodes, cost, seed] = [values.clients, values.nodes, values.cost, values.seed].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  print(`${clients} clients, ${nodes} nodes, ${cost} ms of a core to open a connection, seed ${seed}\n`);
  print('| | came back | most in a second | most in 100 ms | within | failed attempts | longest wait for a node |');
  print('|---|--:|--:|--:|--:|--:|--:|');
  const perSecond = new Map<string, Map<number, number>>();
  for (const [name, play] of Object.entries(SCENARIOS)) {
    const simulation = new Simulation(clients, nodes, cost, seed);
    play(simulation);
    const { opened, attempts, longestWaitMs } = simulation.run();
    const seconds = histogram(opened, 1000);
    perSecond.set(name, seconds);
    const [first, last] = [Math.min(...extremes(opened)), Math.max(...extremes(opened))];
    const figures = [
      opened.length,
      Math.max(...seconds.values()),
      Math.max(...histogram(opened, 100).values()),
      `${((last - first) / 1000).toFixed(1)} s`,
      attempts - opened.length,
      `${Math.round(longestWaitMs)} ms`,
    ];
    print(`| ${name} | ${figures.join(' | ')} |`);
  }
  for (const [name, seconds] of perSecond) {
    print(`\n${name}: connections per second`);
    const last = Math.max(...seconds.keys());
    for (let second = 0; second <= last; second++) {
      const count = seconds.get(second) ?? 0;
      if (count > 0) print(`${String(second).padStart(4)} s ${String(count).padStart(8)}`);
    }
  }
}

/** First and last of many: more than a call takes arguments. */
function extremes(times: readonly number[]): readonly [number, number] {
  return [
    times.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY),
    times.reduce((most, at) => Math.max(most, at), 0),
  ];
}

function histogram(times: readonly number[], widthMs: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const at of times) counts.set(Math.floor(at / widthMs), (counts.get(Math.floor(at / widthMs)) ?? 0) + 1);
  return counts;
}

main();
