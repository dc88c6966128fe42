import { HELP, parseOptions } from './options';
import { soak } from './soak';

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const verdict = await soak(options, (what) => {
    process.stderr.write(`${what}\n`);
  });
  process.stdout.write(`${JSON.stringify(verdict, null, 2)}\n`);
  process.exit(verdict.ok ? 0 : 1);
}

// What was started ends with this process, if it ends in order.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(2));

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(2);
});
