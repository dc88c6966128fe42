import { EmbeddedPostgres } from '../../src/postgres/embedded-postgres';

/** A process that owns the embedded server in the folder it is given, says so, and lives until it is killed. */
const embedded = new EmbeddedPostgres(process.argv[2] ?? '');
embedded.start(performance.now() + 30_000).then(
  () => {
    process.stdout.write('owned\n');
    setInterval(() => undefined, 60_000);
  },
  (error: unknown) => {
    process.stdout.write(`refused: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
