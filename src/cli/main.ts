import { text } from 'node:stream/consumers';
import { runCommandLine } from './program';

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // A second one ends the process at once, as without this listener.
  process.once(signal, () => {
    interruption.abort();
  });
}

void runCommandLine(process.argv.slice(2), {
  out: (line) => {
    console.log(line);
  },
  err: (line) => {
    console.error(line);
  },
  readInput: () => text(process.stdin),
  env: process.env,
  cwd: process.cwd(),
  interrupted: interruption.signal,
}).then((exitCode) => {
  process.exitCode = exitCode;
});
